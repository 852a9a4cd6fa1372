"""What the fake GitHub holds. Tests may read and change all of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

WINDOW = timedelta(hours=1)
CLASSIC_HOOK_SCOPES = {
    "read": {"repo", "admin:repo_hook", "write:repo_hook", "read:repo_hook"},
    "write": {"repo", "admin:repo_hook", "write:repo_hook"},
    "delete": {"repo", "admin:repo_hook"},
}


@dataclass
class Token:
    """`scopes` is None for a fine-grained token, whose rights are `webhooks` and `repositories`.

    `unauthorized` are organisations that want it authorised for their single sign-on first.
    """

    value: str = field(repr=False)
    login: str
    scopes: tuple[str, ...] | None
    expires_at: datetime | None
    webhooks: str  # of a fine-grained token: "write", "read" or nothing
    repositories: frozenset[str] | None  # of a fine-grained token, in lower case; None: all
    unauthorized: frozenset[str]
    revoked: bool = False

    def may(self, what: str, *, public: bool) -> bool:
        """Whether it may `read`, `write` or `delete` hooks, where its person may."""
        if self.scopes is None:
            return self.webhooks == "write" or (self.webhooks == "read" and what == "read")
        known = CLASSIC_HOOK_SCOPES[what] | ({"public_repo"} if public else set())
        return not known.isdisjoint(self.scopes)


@dataclass
class Owner:
    id: int
    login: str
    kind: str  # "Organization" or "User"
    hooks: list[Hook] = field(default_factory=list)


@dataclass
class Repository:
    """`readers` may see it though it is private, `admins` may touch its hooks; None: everybody."""

    id: int
    owner: Owner
    name: str
    private: bool
    archived: bool
    disabled: bool
    readers: frozenset[str] | None
    admins: frozenset[str] | None
    created_at: datetime
    hooks: list[Hook] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"


@dataclass
class Hook:
    """`secret` is the true one, which GitHub never shows; empty where there is none."""

    id: int
    at: Repository | Owner
    url: str
    events: list[str]
    active: bool
    content_type: str
    insecure_ssl: str
    secret: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    last_response: dict[str, Any] = field(
        default_factory=lambda: {"code": None, "status": "unused", "message": None}
    )
    deliveries: list[Attempt] = field(default_factory=list)  # oldest first

    def wants(self, event: str) -> bool:
        return self.active and ("*" in self.events or event in self.events)

    @property
    def config(self) -> tuple[str, str, str, str]:
        """What two hooks may share only if they have no event in common."""
        return self.url, self.content_type, self.insecure_ssl, self.secret


@dataclass
class Attempt:
    """One call of a hook, as its list of deliveries shows it."""

    id: int
    guid: str
    event: str
    payload: dict[str, Any]
    delivered_at: datetime
    redelivery: bool
    url: str
    repository_id: int | None
    duration: float = 0.0
    status: str = ""
    status_code: int = 0
    request_headers: dict[str, str] = field(default_factory=dict)
    response_headers: dict[str, str] = field(default_factory=dict)
    response_payload: str | None = None
    throttled_at: datetime | None = None

    @property
    def failed(self) -> bool:
        return not 200 <= self.status_code < 300


@dataclass
class Limit:
    """How many requests an hour are answered; here all tokens share one count."""

    reset: datetime
    limit: int = 5000
    used: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def begin_again_if_over(self, now: datetime) -> None:
        if now >= self.reset:
            self.used, self.reset = 0, now + WINDOW

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(int(self.reset.timestamp())),
            "X-RateLimit-Used": str(self.used),
            "X-RateLimit-Resource": "core",
        }


class World:
    """All of it, names found in any case.

    public_targets_only: whether hooks to this machine are refused, as the real one does.
    renamed: old names of repositories, which lead to where they are now.
    owed: calls that hooks are to get as soon as the present request is answered.
    """

    def __init__(self, now: datetime) -> None:
        self.tokens: dict[str, Token] = {}
        self.owners: dict[str, Owner] = {}
        self.repositories: dict[str, Repository] = {}
        self.renamed: dict[str, Repository] = {}
        self.limit = Limit(now + WINDOW)
        self.public_targets_only = False
        self.owed: list[tuple[Hook, Attempt]] = []
        self.ids = count(1000)
        self.hook_ids = count(400_000_001)
        # Larger than 32 bits, as GitHub's are.
        self.delivery_ids = count(20_000_000_001)

    def owner(self, login: str) -> Owner | None:
        return self.owners.get(login.lower())

    def repository(self, full_name: str) -> Repository | None:
        return self.repositories.get(full_name.lower())

    def owned(self, owner: Owner) -> list[Repository]:
        return [each for each in self.repositories.values() if each.owner is owner]

    def attempt(
        self,
        hook: Hook,
        event: str,
        payload: dict[str, Any],
        now: datetime,
        *,
        guid: str = "",
        redelivery: bool = False,
    ) -> Attempt:
        """A call of a hook that is still to be made."""
        return Attempt(
            id=next(self.delivery_ids),
            guid=guid or str(uuid4()),
            event=event,
            payload=payload,
            delivered_at=now,
            redelivery=redelivery,
            url=hook.url,
            repository_id=hook.at.id if isinstance(hook.at, Repository) else None,
        )
