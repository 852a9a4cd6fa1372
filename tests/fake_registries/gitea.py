"""A Gitea or Forgejo of our own.

Followed: the descriptions that both publish of their API, "organization" and "user"; and, where
they do not say, how their code goes about it: a PATCH of a hook resets what it does not name and
takes no secret, and a list says in a header how long it is and links to nothing.
"""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha1, sha256
from itertools import count
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.fake_github.answers import Answer, Refusal
from tests.fake_registries.server import Asked, FakeRegistry, number_of

API = "/api/v1"
MOST_PER_PAGE, PER_PAGE = 50, 30
TYPES = {"gitea", "slack", "discord", "telegram", "msteams", "matrix", "packagist"}
PULL = ("pull_request", "pull_request_assign", "pull_request_label", "pull_request_sync")
EVENTS = {"push", "create", "delete", "fork", "repository", "wiki", "release", "package", *PULL}
_HOOKS = re.compile(f"{API}/(?:orgs/(?P<org>[^/]+)|user)/hooks(?:/(?P<id>[0-9]+)(?P<more>/.*)?)?")
_RIGHTS = re.compile(f"{API}/users/(?P<user>[^/]+)/orgs/(?P<org>[^/]+)/permissions")
_TEXTS = {
    401: "invalid username, password or token",
    403: "Must be an organization owner",
    404: "The target couldn't be found.",
}


@dataclass
class Hook:
    id: int
    type: str
    url: str
    content_type: str
    secret: str = field(repr=False)
    events: list[str]
    active: bool
    branch_filter: str
    authorization_header: str
    created_at: datetime
    updated_at: datetime

    def shown(self) -> dict[str, Any]:
        """The secret is never shown."""
        return {
            "id": self.id,
            "type": self.type,
            "branch_filter": self.branch_filter,
            "config": {"content_type": self.content_type, "url": self.url},
            "events": self.events,
            "authorization_header": self.authorization_header,
            "active": self.active,
            "updated_at": self.updated_at.isoformat(),
            "created_at": self.created_at.isoformat(),
        }


@dataclass
class Token:
    login: str
    scopes: set[str]

    def may(self, right: str, of: str) -> bool:
        wanted = {"all", f"write:{of}"} | ({f"read:{of}"} if right == "read" else set())
        return not self.scopes.isdisjoint(wanted)


class FakeGitea(FakeRegistry):
    """`knows_packages`: whether hooks can be asked for packages; if not, that event is left out of
    what is asked, without a word."""

    def __init__(self) -> None:
        super().__init__()
        self.version = "1.24.3"
        self.knows_packages = True
        self.tokens: dict[str, Token] = {}
        self.owners: dict[str, set[str]] = {}  # of organisations: who may touch their hooks
        self.members: dict[str, set[str]] = {}
        self.hooks: dict[str, list[Hook]] = {}  # by organisation or person
        self.total: str | None = None  # what lists say how long they are, if not the truth
        self._ids = count(1)

    # State

    def add_token(self, token: str, *, login: str = "ada", scopes: Any = ("all",)) -> Token:
        self.tokens[token] = Token(login, set(scopes))
        return self.tokens[token]

    def add_organisation(self, name: str, *, owners: Any = ("ada",), members: Any = ()) -> None:
        self.owners[name] = set(owners)
        self.members[name] = set(owners) | set(members)

    def be_forgejo(self) -> None:
        self.version = "11.0.1+gitea-1.22.0"

    def add_hook(self, owner: str, url: str, **given: Any) -> Hook:
        """A hook that is there without having been asked for."""
        known: dict[str, Any] = {
            "type": "gitea",
            "content_type": "json",
            "secret": "",
            "events": ["package"],
            "active": True,
            "branch_filter": "",
            "authorization_header": "",
        }
        moment = self.now()
        made = Hook(next(self._ids), url=url, created_at=moment, updated_at=moment, **known | given)
        self.hooks.setdefault(owner, []).append(made)
        return made

    def of(self, owner: str) -> list[Hook]:
        return self.hooks.get(owner, [])

    def publish(self, owner: str, package: str, version: str = "latest") -> list[int]:
        """An image came: call the hooks of its owner that want to hear of packages."""
        person = {"login": owner, "avatar_url": f"{self.url}/{owner}/avatar"}
        body = {
            "action": "created",
            "repository": None,
            "package": {
                "id": 1,
                "owner": person,
                "repository": None,
                "type": "container",
                "name": package,
                "version": version,
                "html_url": f"{self.url}/{owner}/-/packages/container/{package}/{version}",
            },
            "organization": person if owner in self.owners else None,
            "sender": {"login": "ada"},
        }
        wanted = [each for each in self.of(owner) if each.active and "package" in each.events]
        return [self._send(each, json.dumps(body).encode()) for each in wanted]

    # Answering

    def refusal(self, status: int, text: str = "") -> Answer:
        message = text or _TEXTS.get(status, "Something went wrong")
        return Answer(status, {"message": message, "url": f"{self.url}/api/swagger"})

    def respond(self, asked: Asked) -> Answer:
        if asked.path == f"{API}/version":
            return Answer(200, {"version": self.version})
        token = self._token(asked)
        if asked.path == f"{API}/user":
            self._demand_scope(token, "read", "user")
            return Answer(200, {"id": 1, "login": token.login, "is_admin": False})
        if asked.path == f"{API}/user/orgs":
            self._demand_scope(token, "read", "organization")
            names = sorted(name for name, who in self.members.items() if token.login in who)
            return self._page(asked, [{"id": 1, "name": name, "username": name} for name in names])
        if found := _RIGHTS.fullmatch(asked.path):
            self._demand_scope(token, "read", "organization")
            return self._rights(found["user"], found["org"])
        if found := _HOOKS.fullmatch(asked.path):
            owner = self._owner(token, asked.method, found["org"])
            # Hooks of organisations and persons have no tests; only those of repositories do.
            if not found["more"]:
                return self._about_hooks(asked, owner, found["id"])
        raise Refusal(self.refusal(404))

    def _token(self, asked: Asked) -> Token:
        scheme, _space, value = asked.headers.get("authorization", "").partition(" ")
        token = self.tokens.get(value)
        if scheme != "token" or token is None:
            raise Refusal(self.refusal(401))
        return token

    def _demand_scope(self, token: Token, right: str, of: str) -> None:
        if not token.may(right, of):
            text = "token does not have at least one of required scope(s): "
            raise Refusal(self.refusal(403, f"{text}[{right}:{of}]"))

    def _owner(self, token: Token, method: str, organisation: str | None) -> str:
        right = "read" if method == "GET" else "write"
        if organisation is None:
            self._demand_scope(token, right, "user")
            return token.login
        self._demand_scope(token, right, "organization")
        if organisation not in self.owners:
            raise Refusal(self.refusal(404))
        if token.login not in self.owners[organisation]:
            raise Refusal(self.refusal(403))
        return organisation

    def _rights(self, user: str, organisation: str) -> Answer:
        if organisation not in self.owners:
            raise Refusal(self.refusal(404))
        is_owner = user in self.owners[organisation]
        rights = {"is_owner": is_owner, "is_admin": is_owner, "can_write": is_owner}
        return Answer(200, {**rights, "can_read": True, "can_create_repository": is_owner})

    def _about_hooks(self, asked: Asked, owner: str, hook_id: str | None) -> Answer:
        if hook_id is None:
            if asked.method == "GET":
                return self._page(asked, [each.shown() for each in self.of(owner)])
            return self._create(owner, asked.json)
        found = next((each for each in self.of(owner) if str(each.id) == hook_id), None)
        if found is None:
            raise Refusal(self.refusal(404))
        if asked.method == "DELETE":
            self.hooks[owner].remove(found)
            return Answer(204)
        if asked.method == "PATCH":
            self._change(found, asked.json)
        return Answer(200, found.shown())

    def _create(self, owner: str, given: dict[str, Any]) -> Answer:
        config = given.get("config") or {}
        types = TYPES | ({"forgejo"} if "+gitea-" in self.version else set())
        if given.get("type") not in types:
            raise Refusal(self.refusal(422, f"Invalid hook type: {given.get('type')}"))
        self._demand_config(config, needed=("url", "content_type"))
        made = self.add_hook(
            owner,
            config["url"],
            type=given["type"],
            content_type=config["content_type"],
            secret=config.get("secret", ""),
            events=self._events(given.get("events")),
            active=given.get("active", False),
            branch_filter=given.get("branch_filter", ""),
            authorization_header=given.get("authorization_header", ""),
        )
        return Answer(201, made.shown())

    def _change(self, hook: Hook, given: dict[str, Any]) -> None:
        config = given.get("config") or {}
        self._demand_config(config, needed=())
        hook.url = config.get("url", hook.url)
        hook.content_type = config.get("content_type", hook.content_type)
        hook.events = self._events(given.get("events"))
        hook.branch_filter = given.get("branch_filter", "")
        hook.authorization_header = given.get("authorization_header", "")
        hook.active = given.get("active", hook.active)
        hook.updated_at = self.now()

    def _demand_config(self, config: dict[str, Any], *, needed: tuple[str, ...]) -> None:
        for name in needed:
            if name not in config:
                raise Refusal(self.refusal(422, f"Missing config option: {name}"))
        if config.get("content_type", "json") not in ("json", "form"):
            raise Refusal(self.refusal(422, "Invalid content type"))
        if urlsplit(config.get("url", "https://a")).scheme not in ("http", "https"):
            raise Refusal(self.refusal(422, "Invalid url"))

    def _events(self, given: list[str] | None) -> list[str]:
        """`pull_request` stands for all about them, `pull_request_only` for itself."""
        asked = set(given or ["push"])
        events = asked & EVENTS
        if "pull_request" in asked:
            events |= set(PULL)
        if "pull_request_only" in asked:
            events |= {"pull_request"}
        return sorted(events - (set() if self.knows_packages else {"package"}))

    def _page(self, asked: Asked, items: list[dict[str, Any]]) -> Answer:
        size = min(number_of(asked.first("limit"), PER_PAGE), MOST_PER_PAGE)
        page = max(number_of(asked.first("page"), 1), 1)
        shown = items[(page - 1) * size : page * size]
        headers = {"X-Total-Count": str(len(items)) if self.total is None else self.total}
        return Answer(200, shown, headers)

    def _send(self, hook: Hook, body: bytes) -> int:
        """Signed; and what came of it is noted on the hook, which changes when it was changed."""
        name = "forgejo" if "+gitea-" in self.version else "gitea"
        signature = hmac.new(hook.secret.encode(), body, sha256).hexdigest()
        old = hmac.new(hook.secret.encode(), body, sha1).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Gitea-Delivery": str(uuid4()),
            "X-Gitea-Event": "package",
            "X-Gitea-Event-Type": "package",
            "X-Gitea-Signature": signature,
            "X-Hub-Signature": f"sha1={old}",
            "X-Hub-Signature-256": f"sha256={signature}",
            "X-GitHub-Event": "package",
        }
        if name == "forgejo":
            headers |= {"X-Forgejo-Event": "package", "X-Forgejo-Signature": signature}
        if hook.authorization_header:
            headers["Authorization"] = hook.authorization_header
        status = self.call(hook.url, body, headers)
        hook.updated_at = self.now()
        return status
