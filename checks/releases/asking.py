"""Asks a project's host for one release, by the host's public API.

Followed: GitHub "Get a release by tag name", GitLab "Get a release by a tag name", Gitea and
Forgejo `repoGetReleaseByTag`, each in the vendor's API documentation.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from django.utils.translation import gettext as _

from checks.models import ReleaseNotes
from checks.releases.accounts import Account
from checks.releases.places import GITHUB, GITLAB, Project
from dockrev import addresses, http

# A person waits.
TIMEOUT = (2.0, 4.0)
LONGEST_BODY = 4.0
MAX_ANSWER = 1024 * 1024
GITHUB_API = "https://api.github.com"


class Silent(Exception):
    """The host gave no answer that says anything; the text is for people."""


@dataclass(frozen=True)
class Release:
    """What a host has under a tag. `unchanged`: what was read last still holds."""

    found: bool = True
    name: str = ""
    body: str = ""
    published_at: datetime | None = None
    etag: str = ""
    unchanged: bool = False


def ask(project: Project, tag: str, *, account: Account | None = None, etag: str = "") -> Release:
    """Ask once. Only an account's own API is sent its token, and may be on the home network: all
    else that a stranger's label names has to be on the Internet. Raises Silent."""
    headers = {"Accept": "application/json", **({"If-None-Match": etag} if etag else {})}
    url = _url(project, tag, account)
    with nullcontext() if account else addresses.from_outside():
        answer = _get(url, {**headers, **_authorization(account)})
        if answer.status == 401 and account:
            # A token that ended must not hide what everybody may read.
            answer = _get(url, headers)
    if answer.status == 304 and etag:
        return Release(etag=etag, unchanged=True)
    if answer.status == 404:
        return Release(found=False)
    if answer.status != 200 or answer.truncated:
        raise Silent(_refusal(project, answer))
    return _read(project, answer)


def _url(project: Project, tag: str, account: Account | None) -> str:
    here = f"{project.scheme}://{project.host}"
    name = quote(tag, safe="")
    if project.kind == GITLAB:
        return f"{here}/api/v4/projects/{quote(project.path, safe='')}/releases/{name}"
    base = f"{here}/api/v1"
    if project.kind == GITHUB:
        base = account.api_url.rstrip("/") if account else GITHUB_API
    return f"{base}/repos/{quote(project.path)}/releases/tags/{name}"


def _authorization(account: Account | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token}"} if account and account.token else {}


def _get(url: str, headers: dict[str, str]) -> http.Response:
    """Follow one redirect on the same server, as of a project that has another name now."""
    try:
        answer = _send(url, headers)
        if answer.status in {301, 302, 307, 308}:
            target = urljoin(url, answer.headers.get("Location", ""))
            if _server(target) == _server(url):
                answer = _send(target, headers)
    except http.Unreachable as error:
        raise Silent(str(error)) from None
    except ValueError:
        raise Silent(_("The host redirects to something that is no address.")) from None
    return answer


def _send(url: str, headers: dict[str, str]) -> http.Response:
    return http.request(
        "GET",
        url,
        headers=headers,
        timeout=TIMEOUT,
        max_bytes=MAX_ANSWER,
        longest_body=LONGEST_BODY,
    )


def _server(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _refusal(project: Project, answer: http.Response) -> str:
    named = {"host": project.host, "status": answer.status}
    if answer.status in {403, 429}:
        return _("%(host)s does not answer now: it was asked too often (%(status)d).") % named
    if answer.truncated:
        return _("%(host)s sent an answer that is too long.") % named
    return _("%(host)s did not say what is in the release (%(status)d).") % named


def _read(project: Project, answer: http.Response) -> Release:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        text = _("%(host)s did not answer as such a host does.")
        raise Silent(text % {"host": project.host})
    gitlab = project.kind == GITLAB
    etag = answer.headers.get("ETag", "")
    return Release(
        name=" ".join(_text(said.get("name")).split())[: ReleaseNotes.MAX_NAME],
        body=_cut(_text(said.get("description" if gitlab else "body"))),
        published_at=_moment(said.get("released_at" if gitlab else "published_at")),
        etag=etag if len(etag) <= ReleaseNotes.MAX_ETAG and etag.isprintable() else "",
    )


def _text(value: Any) -> str:
    """Text that a database takes."""
    text = value if isinstance(value, str) else ""
    return text.encode("utf-8", "ignore").decode().replace("\0", "")


def _cut(text: str) -> str:
    most = ReleaseNotes.MAX_BODY
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo and 1990 < moment.year < 2200 else None
