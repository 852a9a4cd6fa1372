"""What a token of GitHub's says of itself, and which rights keeping hooks needs.

Followed: "Scopes for OAuth apps" and "Managing your personal access tokens" in GitHub's
documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from integrations.hooks.refusals import in_our_time

KINDS = {
    "github_pat_": "fine-grained",
    "ghp_": "classic",
    "gho_": "oauth",
    "ghu_": "app-user",
    "ghs_": "app-installation",
    "ghr_": "refresh",
}
# Any of these lets a token of scopes write some hook.
WRITE_HOOKS = {"admin:repo_hook", "write:repo_hook", "repo", "public_repo"}
MAX_SCOPES = 50


def kind_of(token: str) -> str:
    """What kind of token it is, by how it begins; empty if that says nothing."""
    return next((kind for prefix, kind in KINDS.items() if token.startswith(prefix)), "")


def read_scopes(headers: Mapping[str, str]) -> tuple[str, ...] | None:
    """The scopes of a token; None where GitHub does not tell, as for fine-grained ones."""
    if "X-OAuth-Scopes" not in headers:
        return None
    names = [name.strip() for name in headers["X-OAuth-Scopes"].split(",")]
    return tuple(n for n in names if n and n.isprintable() and len(n) <= 60)[:MAX_SCOPES]


def missing_of(scopes: tuple[str, ...] | None) -> tuple[str, ...]:
    """The scopes that are needed and not there. `repo` alone is enough: it includes hooks."""
    if scopes is None or "repo" in scopes:
        return ()
    return tuple(needed for needed in ("public_repo", "admin:repo_hook") if needed not in scopes)


def may_write_hooks(scopes: tuple[str, ...] | None) -> bool:
    """Whether it may be that the token writes a hook."""
    return scopes is None or not WRITE_HOOKS.isdisjoint(scopes)


def read_expiry(headers: Mapping[str, str]) -> datetime | None:
    """When the token ends: `2027-01-31 09:00:00 UTC`, or with an offset."""
    given = headers.get("GitHub-Authentication-Token-Expiration", "").strip()
    try:
        moment = datetime.strptime(given.replace("UTC", "+0000"), "%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return None
    return in_our_time(moment)
