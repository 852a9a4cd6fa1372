"""Which receivers a path is for, and the token at its end.

Of senders that can prove nothing else, the token is the secret: a path that holds one is never
logged, kept or shown.
"""

from __future__ import annotations

from hashlib import sha256

PREFIX = "/api/webhooks/"
# Where senders call that were set up for another program, and the kind that speaks their language.
ALIASES = {"/v1/webhook": "oci"}


def read(path: str) -> tuple[str, str]:
    """The kind that a path names, if any, and what stands behind it; the slash at the end does not
    matter."""
    path = path.removesuffix("/")
    if path.startswith(PREFIX):
        kind, _slash, token = path[len(PREFIX) :].partition("/")
        return kind, token
    return ALIASES.get(path, ""), ""


def token_hash(kind: str, token: str) -> str:
    """What finds a receiver by its token; a token of 160 random bits cannot be guessed from it."""
    return sha256(f"dockrev path token:{kind}:{token}".encode("utf-8", "replace")).hexdigest()
