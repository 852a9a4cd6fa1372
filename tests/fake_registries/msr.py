"""A Mirantis Secure Registry (DTR) of our own.

Followed: "Manage webhooks" and "Manage webhooks via the API" in its documentation.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from tests.fake_github.answers import Answer, Refusal
from tests.fake_registries.server import Asked, FakeRegistry, number_of

NEVER = "0001-01-01T00:00:00Z"
API = "/api/v0"
OF_REPOSITORIES = {
    f"{what}_{done}" for what in ("TAG", "MANIFEST", "CHART") for done in ("PUSH", "PULL", "DELETE")
} | {"SCAN_COMPLETED", "SCAN_FAILED", "PROMOTION", "PUSH_MIRRORING", "POLL_MIRRORING"}
TYPES = OF_REPOSITORIES | {"REPO_CREATED", "REPO_UPDATED", "REPO_DELETED"}
GLOBAL = {"SCANNER_UPDATE_COMPLETED"}
_SUBSCRIPTIONS = re.compile(f"{API}/webhooks(?:/(?P<id>[^/]+))?")
_OF_RESOURCE = re.compile(f"{API}/repositories/(?P<key>[^/]+(?:/[^/]+)?)/webhooks")
_REPOSITORIES = re.compile(f"{API}/repositories(?:/(?P<namespace>[^/]+))?/?")
_TEXTS = {
    401: ("NOT_AUTHENTICATED", "The client is not authenticated."),
    403: ("NOT_AUTHORIZED", "The client is not authorized."),
    404: ("NO_SUCH_REPOSITORY", "A repository with the given name does not exist."),
}


@dataclass
class Subscription:
    """One event type for one endpoint; its names are those of the API."""

    type: str
    key: str
    endpoint: str
    authorID: str
    createdAt: str
    tlsCert: str = ""
    skipTLSVerification: bool = False
    id: str = field(default_factory=lambda: token_hex(32))
    lastSuccessfulAt: str = NEVER
    inactive: bool = False


@dataclass
class User:
    """`manages` are the namespaces and repositories that this person is an admin of."""

    name: str
    token: str = field(repr=False)
    admin: bool
    manages: set[str]

    @property
    def id(self) -> str:
        return sha256(self.name.encode()).hexdigest()[:32]


class FakeMsr(FakeRegistry):
    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, User] = {}
        self.repositories: set[str] = set()
        self.subscriptions: list[Subscription] = []

    # State

    def add_user(self, name: str, token: str, *, admin: bool = False, manages: Any = ()) -> User:
        self.users[name] = User(name, token, admin, set(manages))
        return self.users[name]

    def add_repository(self, name: str) -> None:
        self.repositories.add(name)

    def subscribe(self, key: str, endpoint: str, type_: str = "TAG_PUSH", **more: Any) -> Any:
        """A subscription that is there without having been asked for."""
        made = Subscription(type_, key, endpoint, "somebody", _stamp(self.now()), **more)
        self.subscriptions.append(made)
        return made

    def of(self, key: str) -> list[Subscription]:
        return [each for each in self.subscriptions if each.key == key]

    def publish(self, name: str, tag: str = "latest") -> list[int]:
        """A tag was pushed: call who subscribed to that, and say what they answered."""
        namespace, _slash, repository = name.partition("/")
        statuses = []
        for each in list(self.subscriptions):
            wanted = each.key in ("", namespace, name) and not each.inactive
            if each.type != "TAG_PUSH" or not wanted:
                continue
            body = self._payload("TAG_PUSH", namespace, repository, tag, self.now())
            statuses.append(self._send(each.endpoint, body))
            if 200 <= statuses[-1] < 300:
                each.lastSuccessfulAt = _stamp(self.now())
        return statuses

    # Answering

    def refusal(self, status: int) -> Answer:
        code, message = _TEXTS.get(status, ("INTERNAL_ERROR", "Something went wrong."))
        error = {"code": code, "message": message, "detail": None}
        return Answer(status, {"errors": [error]})

    def respond(self, asked: Asked) -> Answer:
        user = self._user(asked)
        if asked.path == f"{API}/webhooks/test" and asked.method == "POST":
            return self._test(asked)
        if found := _OF_RESOURCE.fullmatch(asked.path):
            return self._of_resource(user, found["key"])
        if found := _SUBSCRIPTIONS.fullmatch(asked.path):
            match asked.method, found["id"]:
                case "GET", None:
                    return self._mine(user)
                case "POST", None:
                    return self._create(user, asked.json)
                case "DELETE", str(subscription_id):
                    return self._delete(user, subscription_id)
        if asked.method == "GET" and (found := _REPOSITORIES.fullmatch(asked.path)):
            return self._list(user, asked, found["namespace"])
        raise Refusal(self.refusal(404))

    def _user(self, asked: Asked) -> User:
        name, token = asked.basic
        user = self.users.get(name)
        if user is None or user.token != token:
            raise Refusal(self.refusal(401))
        return user

    def _mine(self, user: User) -> Answer:
        mine = [each for each in self.subscriptions if user.admin or each.authorID == user.id]
        return Answer(200, [asdict(each) for each in mine])

    def _of_resource(self, user: User, key: str) -> Answer:
        self._demand(user, key)
        return Answer(200, [asdict(each) for each in self.of(key)])

    def _create(self, user: User, given: dict[str, Any]) -> Answer:
        kind, key, endpoint = given.get("type"), given.get("key", ""), given.get("endpoint", "")
        scheme = urlsplit(endpoint).scheme
        if kind not in TYPES | GLOBAL or scheme not in ("http", "https"):
            raise Refusal(_invalid("The webhook type or endpoint is invalid."))
        if scheme == "http" and not given.get("skipTLSVerification"):
            raise Refusal(_invalid("The endpoint has no TLS to verify."))
        self._demand(user, key)
        made = Subscription(
            type=kind,
            key=key,
            endpoint=endpoint,
            authorID=user.id,
            createdAt=_stamp(self.now()),
            tlsCert=given.get("tlsCert", ""),
            skipTLSVerification=given.get("skipTLSVerification", False),
        )
        self.subscriptions.append(made)
        return Answer(201, asdict(made))

    def _delete(self, user: User, subscription_id: str) -> Answer:
        for each in self.subscriptions:
            if each.id == subscription_id:
                self._demand(user, each.key)
                self.subscriptions.remove(each)
                return Answer(204)
        raise Refusal(self.refusal(404))

    def _test(self, asked: Asked) -> Answer:
        """Always the same sample, whatever the subscriptions."""
        given = asked.json
        moment = datetime.fromisoformat("2015-01-02T15:04:05+00:00")
        body = self._payload(given["type"], "foo", "bar", "latest", moment)
        self.soon(lambda: self._send(given["endpoint"], body))
        return Answer(200)

    def _list(self, user: User, asked: Asked, namespace: str | None) -> Answer:
        names = sorted(name for name in self.repositories if self._sees(user, name))
        if namespace:
            names = [name for name in names if name.startswith(f"{namespace}/")]
            if not names:
                raise Refusal(self.refusal(404))
        start = asked.first("pageStart")
        names = [name for name in names if name >= start]
        size = min(number_of(asked.first("pageSize"), 10), 100)
        headers = {"X-Next-Page-Start": names[size]} if names[size:] else {}
        return Answer(200, {"repositories": [_repository(name) for name in names[:size]]}, headers)

    def _demand(self, user: User, key: str) -> None:
        """The resource has to be there, and the caller its admin."""
        namespaces = {name.partition("/")[0] for name in self.repositories}
        if key and key not in self.repositories | namespaces:
            raise Refusal(self.refusal(404))
        manages = {key, key.partition("/")[0]} & user.manages if key else set()
        if not (user.admin or manages):
            raise Refusal(self.refusal(403))

    def _sees(self, user: User, name: str) -> bool:
        return user.admin or bool({name, name.partition("/")[0]} & user.manages)

    def _send(self, endpoint: str, body: dict[str, Any]) -> int:
        headers = {"Content-Type": "application/json", "User-Agent": "Go-http-client/1.1"}
        return self.call(endpoint, json.dumps(body).encode(), headers)

    def _payload(
        self, kind: str, namespace: str, repository: str, tag: str, moment: datetime
    ) -> dict[str, Any]:
        image = f"{self.host}/{namespace}/{repository}:{tag}"
        contents: dict[str, Any] = {"namespace": namespace, "repository": repository, "tag": tag}
        contents["imageName"] = image
        if kind == "SCAN_COMPLETED":
            counts = {"critical": 5, "major": 3, "minor": 0, "last_scan_status": 6}
            names = {"namespace": namespace, "reponame": repository, "tag": tag}
            contents["scanSummary"] = {**names, **counts}
        else:
            digest = f"sha256:{sha256(image.encode()).hexdigest()}"
            contents |= {"digest": digest, "os": "linux", "architecture": "amd64", "author": ""}
            contents["pushedAt"] = _stamp(moment)
        return {"type": kind, "createdAt": _stamp(moment), "contents": contents}


def _invalid(message: str) -> Answer:
    return Answer(400, {"errors": [{"code": "INVALID", "message": message, "detail": None}]})


def _repository(name: str) -> dict[str, Any]:
    namespace, _slash, repository = name.partition("/")
    return {
        "id": sha256(name.encode()).hexdigest()[:32],
        "namespace": namespace,
        "namespaceType": "organization",
        "name": repository,
        "shortDescription": "",
        "visibility": "private",
        "scanOnPush": False,
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "289Z"
