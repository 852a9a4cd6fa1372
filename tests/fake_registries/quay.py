"""A Quay of our own.

Followed: the API reference of Quay, "repositorynotification", "repository" and "user".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.fake_github.answers import Answer, Refusal
from tests.fake_registries.server import Asked, FakeRegistry

API = "/api/v1"
MOST_FAILURES = 3
PER_PAGE = 100
EVENTS = {
    "repo_push",
    "build_queued",
    "build_start",
    "build_success",
    "build_failure",
    "build_cancelled",
    "vulnerability_found",
    "repo_mirror_sync_started",
    "repo_image_expiry",
}
METHODS = {"webhook", "email", "slack", "quay_notification"}
_NAME = "(?P<name>[^/]+/.+)"
_NOTIFICATIONS = re.compile(
    f"{API}/repository/{_NAME}/notification/(?P<uuid>[^/]*)(?P<test>/test)?"
)
_TITLES = {
    400: ("invalid_request", "The request was invalid."),
    401: ("invalid_token", "Requires authentication"),
    403: ("insufficient_scope", "Unauthorized"),
    404: ("not_found", "Not Found"),
}


@dataclass
class Notification:
    repository: str
    event: str
    method: str
    config: dict[str, Any]
    event_config: dict[str, Any] = field(default_factory=dict)
    title: str | None = None
    number_of_failures: int = 0
    uuid: str = field(default_factory=lambda: str(uuid4()))

    @property
    def url(self) -> str:
        return str(self.config.get("url", ""))

    def shown(self) -> dict[str, Any]:
        return {
            "uuid": self.uuid,
            "title": self.title,
            "event": self.event,
            "method": self.method,
            "config": self.config,
            "event_config": self.event_config,
            "number_of_failures": self.number_of_failures,
        }


@dataclass
class Token:
    """`administers`: repositories, or namespaces; None: all there are."""

    login: str
    scopes: set[str]
    administers: set[str] | None


class FakeQuay(FakeRegistry):
    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, Token] = {}
        self.repositories: dict[str, bool] = {}  # and whether they are public
        self.notifications: list[Notification] = []
        self.organisations: list[str] = []  # of the person whose token it is

    # State

    def add_token(
        self,
        token: str,
        *,
        login: str = "ada",
        scopes: Any = ("repo:admin", "user:read"),
        administers: Any = None,
    ) -> Token:
        known = None if administers is None else set(administers)
        self.tokens[token] = Token(login, set(scopes), known)
        return self.tokens[token]

    def add_repository(self, name: str, *, public: bool = False) -> None:
        self.repositories[name] = public

    def notify(self, name: str, url: str, event: str = "repo_push", **more: Any) -> Notification:
        """A notification that is there without having been asked for."""
        made = Notification(name, event, "webhook", {"url": url}, **more)
        self.notifications.append(made)
        return made

    def of(self, name: str) -> list[Notification]:
        return [each for each in self.notifications if each.repository == name]

    def publish(self, name: str, *tags: str) -> list[int]:
        """Tags were pushed: call the notifications, those aside that failed too often."""
        statuses = []
        for each in self.of(name):
            if each.event == "repo_push" and each.number_of_failures < MOST_FAILURES:
                statuses.append(self._send(each, tags))
        return statuses

    # Answering

    def refusal(self, status: int, detail: str = "") -> Answer:
        title, text = _TITLES.get(status, ("downstream_issue", "Something went wrong."))
        about = {"detail": detail or text, "error_message": detail or text, "error_type": title}
        link = f"{self.url}{API}/error/{title}"
        return Answer(status, {**about, "title": title, "type": link, "status": status})

    def respond(self, asked: Asked) -> Answer:
        token = self._token(asked)
        if asked.method == "GET" and asked.path == f"{API}/user/":
            if "user:read" not in token.scopes:
                raise Refusal(self.refusal(403))
            organizations = [{"name": name} for name in self.organisations]
            return Answer(200, {"username": token.login, "organizations": organizations})
        if asked.method == "GET" and asked.path == f"{API}/repository":
            return self._list(token, asked)
        if found := _NOTIFICATIONS.fullmatch(asked.path):
            name = found["name"]
            self._demand(token, name)
            if not found["uuid"]:
                return self._all(asked, name)
            return self._one(asked, name, found["uuid"], test=bool(found["test"]))
        raise Refusal(self.refusal(404))

    def _token(self, asked: Asked) -> Token:
        scheme, _space, value = asked.headers.get("authorization", "").partition(" ")
        token = self.tokens.get(value)
        if scheme != "Bearer" or token is None:
            raise Refusal(self.refusal(401))
        return token

    def _demand(self, token: Token, name: str) -> None:
        """Who may not see a repository is told as little as who has no right to it."""
        administers = token.administers
        known = administers is None or {name, name.partition("/")[0]} & administers
        if "repo:admin" not in token.scopes or not known:
            raise Refusal(self.refusal(403))
        if name not in self.repositories:
            raise Refusal(self.refusal(404))

    def _all(self, asked: Asked, name: str) -> Answer:
        if asked.method == "GET":
            return Answer(200, {"notifications": [each.shown() for each in self.of(name)]})
        given = asked.json
        if missing := {"event", "method", "config", "eventConfig"} - given.keys():
            raise Refusal(self.refusal(400, f"{sorted(missing)[0]!r} is a required property"))
        if given["event"] not in EVENTS or given["method"] not in METHODS:
            raise Refusal(self.refusal(400))
        if given["method"] == "webhook" and not given["config"].get("url"):
            raise Refusal(self.refusal(400, "Missing webhook URL"))
        made = Notification(
            name,
            given["event"],
            given["method"],
            given["config"],
            given["eventConfig"],
            given.get("title"),
        )
        self.notifications.append(made)
        return Answer(201, made.shown())

    def _one(self, asked: Asked, name: str, uuid: str, *, test: bool) -> Answer:
        found = next((each for each in self.of(name) if each.uuid == uuid), None)
        if found is None:
            if asked.method == "GET":
                raise Refusal(self.refusal(404))
            text = f"No repository notification found for: {name.replace('/', ', ')}, {uuid}"
            raise Refusal(self.refusal(400, text))
        if test:
            self.soon(lambda: self._send(found, ("latest", "foo"), pruned_image_count=3))
            return Answer(200, {})
        match asked.method:
            case "GET":
                return Answer(200, found.shown())
            case "DELETE":
                self.notifications.remove(found)
                return Answer(204)
            case _:
                found.number_of_failures = 0
                return Answer(204)

    def _list(self, token: Token, asked: Asked) -> Answer:
        namespace = asked.first("namespace")
        if not namespace and asked.first("public") != "true":
            text = "namespace, starred or public are required for this API call"
            raise Refusal(self.refusal(400, text))
        names = sorted(name for name in self.repositories if name.startswith(f"{namespace}/"))
        start = asked.first("next_page")
        names = [name for name in names if name >= start]
        shown = [self._repository(name) for name in names[:PER_PAGE]]
        more = {"next_page": names[PER_PAGE]} if names[PER_PAGE:] else {}
        return Answer(200, {"repositories": shown, **more})

    def _repository(self, name: str) -> dict[str, Any]:
        namespace, _slash, repository = name.partition("/")
        is_public = self.repositories[name]
        shown = {"namespace": namespace, "name": repository, "is_public": is_public}
        return {**shown, "kind": "image", "state": "NORMAL", "description": None}

    def _send(self, each: Notification, tags: tuple[str, ...], **more: Any) -> int:
        """Once; the real one tries again about every half minute, until it has failed thrice."""
        namespace, _slash, repository = each.repository.partition("/")
        body = {
            "name": repository,
            "repository": each.repository,
            "namespace": namespace,
            "docker_url": f"{self.host}/{each.repository}",
            "homepage": f"{self.url}/repository/{each.repository}",
            "updated_tags": list(tags),
            **more,
        }
        headers = {"Content-Type": "application/json"}
        status = self.call(each.url, json.dumps(body).encode(), headers)
        each.number_of_failures = 0 if 200 <= status < 300 else each.number_of_failures + 1
        return status
