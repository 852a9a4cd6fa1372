"""The fake Harbor itself: what tests tell it, and what it was asked."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from tests.fake_harbor.state import EVENTS, Execution, Person, Policy, Project
from tests.servers import Asked, Reply, Server

API = "/api/v2.0"
# Members of the description's WebhookPolicy and WebhookTargetObject, and their types.
POLICY = {
    "id": int,
    "name": str,
    "description": str,
    "project_id": int,
    "targets": list,
    "event_types": list,
    "creator": str,
    "creation_time": str,
    "update_time": str,
    "enabled": bool,
}
TARGET = {
    "type": str,
    "address": str,
    "auth_header": str,
    "skip_cert_verify": bool,
    "payload_format": str,
}


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.reply = error(status, code, message)


@dataclass
class Fault:
    """The next answer to a request whose method and path, after /api/v2.0, fit."""

    method: str
    path: str
    reply: Reply
    done: bool  # whether the request is done before it is answered so
    left: int = 1


class FakeHarbor:
    """`before` is called with method and path as each request comes.

    `events` are offered, `has_formats` is of Harbors from 2.8 on, and so is `has_executions`.
    """

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.projects: dict[str, Project] = {}
        self.policies: dict[int, Policy] = {}
        self.executions: list[Execution] = []
        self.events: tuple[str, ...] = EVENTS
        self.has_formats = self.has_executions = self.tells_locations = True
        self.before: Callable[[str, str], object] | None = None
        self.requests: list[tuple[str, str]] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self._ids = count(11)
        self.server = Server(self.answer)
        self.url = f"http://{self.server.address}"

    # What tests say

    def add_person(self, name: str, secret: str, **more: Any) -> Person:
        self.people[name] = Person(name, secret, **more)
        return self.people[name]

    def add_project(self, name: str, *, public: bool = False) -> Project:
        return self.projects.setdefault(name, Project(next(self._ids), name, public))

    def add_policy(self, project: str, url: str, **more: Any) -> Policy:
        target = {
            "type": "http",
            "address": url,
            "auth_header": more.pop("auth_header", ""),
            "skip_cert_verify": more.pop("skip_cert_verify", False),
            "payload_format": more.pop("payload_format", "Default"),
        }
        number = next(self._ids)
        known = {"name": f"policy {number}", "targets": [target], "event_types": ["PUSH_ARTIFACT"]}
        made = Policy(number, self.projects[project], **{**known, **more})
        self.policies[number] = made
        return made

    def of(self, project: str) -> list[Policy]:
        return [each for each in self.policies.values() if each.project.name == project]

    def push(self, repository: str, tag: str, **more: Any) -> list[Execution]:
        """An artifact comes; what is called of it is noted, as tests say that it ended."""
        project, _slash, _name = repository.partition("/")
        payload = _pushed(repository, tag)
        made = [
            Execution(next(self._ids), policy, payload, **more)
            for policy in self.of(project)
            if policy.enabled and "PUSH_ARTIFACT" in policy.event_types
            for _target in policy.targets
        ]
        self.executions += made
        return made

    def fail(
        self,
        method: str,
        path: str,
        status: int,
        *,
        times: int = 1,
        done: bool = False,
        retry_after: str = "",
    ) -> None:
        reply = error(status, "SAID", f"harbor says {status}")
        if retry_after:
            reply.headers["Retry-After"] = retry_after
        self.faults.append(Fault(method, path, reply, done, times))

    def asked(self, *, about: str = "/webhook/policies") -> list[str]:
        return [f"{method} {path}" for method, path in self.requests if about in path]

    def writes(self) -> list[str]:
        return [f"{method} {path}" for method, path in self.requests if method != "GET"]

    # What it answers

    def answer(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.path)
        path = parts.path.removeprefix(API)
        self.requests.append((asked.method, path))
        if self.before is not None:
            self.before(asked.method, path)
        if "cookie" in asked.headers:
            self.violations.append("a cookie was sent")
        if not parts.path.startswith(API):
            return error(404, "NOT_FOUND", "no such path")
        for fault in self.faults:
            fits = fault.method == asked.method and re.fullmatch(fault.path, path)
            if fits and fault.left:
                fault.left -= 1
                if fault.done:
                    self._route(asked, path)
                return fault.reply
        reply = self._route(asked, path)
        reply.headers["Date"] = format_datetime(datetime.now(UTC), usegmt=True)
        return reply

    def _route(self, asked: Asked, path: str) -> Reply:
        try:
            who = self._who(asked)
            if path == "/users/current":
                return _current(who)
            if path == "/projects":
                return self._list_projects(asked, who)
            if found := re.fullmatch(r"/projects/([^/]+)/webhook/(.+)", path):
                return self._webhook(asked, who, unquote(found[1]), found[2])
        except Refused as refused:
            return refused.reply
        return error(404, "NOT_FOUND", "no such path")

    def _who(self, asked: Asked) -> Person | None:
        kind, _space, given = asked.authorization.partition(" ")
        if kind != "Basic":
            return None
        name, _colon, secret = b64decode(given).decode().partition(":")
        known = self.people.get(name)
        return known if known and known.secret == secret else None

    def _list_projects(self, asked: Asked, who: Person | None) -> Reply:
        words = asked.query.get("name", [""])[0]
        seen = [
            each.shown()
            for each in self.projects.values()
            if words in each.name and (each.public or (who and _may(who, each)))
        ]
        return paged(asked, seen)

    def _webhook(self, asked: Asked, who: Person | None, name: str, rest: str) -> Reply:
        if who is None:
            raise Refused(401, "UNAUTHORIZED", "unauthorized")
        project = self._project(asked, name)
        if not _may(who, project):
            raise Refused(403, "FORBIDDEN", "forbidden")
        if rest == "events":
            return _json(self._offered())
        if rest == "policies":
            if asked.method == "POST":
                return self._create(asked, project)
            return paged(asked, [each.shown() for each in self.of(project.name)])
        if found := re.fullmatch(r"policies/([0-9]+)(/executions)?", rest):
            return self._one(asked, project, int(found[1]), executions=bool(found[2]))
        raise Refused(404, "NOT_FOUND", "no such path")

    def _project(self, asked: Asked, name: str) -> Project:
        is_name = asked.headers.get("x-is-resource-name") == "true"
        if name.isdigit() and not is_name:
            named = [each for each in self.projects.values() if each.id == int(name)]
        else:
            named = [each for each in self.projects.values() if each.name == name]
        if not named:
            raise Refused(404, "NOT_FOUND", f"project {name} not found")
        return named[0]

    def _offered(self) -> dict[str, Any]:
        offered: dict[str, Any] = {
            "event_type": list(self.events),
            "notify_type": ["http", "slack"],
        }
        if self.has_formats:
            http = {"notify_type": "http", "formats": ["CloudEvents", "Default"]}
            offered["payload_formats"] = [http]
        return offered

    def _create(self, asked: Asked, project: Project) -> Reply:
        given = self._checked(asked)
        if any(each.name == given["name"] for each in self.of(project.name)):
            raise Refused(409, "CONFLICT", "policy name already exists")
        made = Policy(next(self._ids), project, **_kept(given))
        self.policies[made.id] = made
        where = f"{urlsplit(asked.path).path}/{made.id}"
        return Reply(201, headers={"Location": where} if self.tells_locations else {})

    def _one(self, asked: Asked, project: Project, number: int, *, executions: bool) -> Reply:
        policy = self.policies.get(number)
        if policy is None or policy.project is not project or not self._has(executions):
            raise Refused(404, "NOT_FOUND", f"webhook policy id: {number} not found")
        if executions:
            made = [each for each in self.executions if each.policy is policy]
            newest = sorted(made, key=lambda each: each.id, reverse=True)
            return paged(asked, [each.shown() for each in newest])
        if asked.method == "PUT":
            for key, value in _kept(self._checked(asked)).items():
                setattr(policy, key, value)
            policy.changed += 1
            return Reply(200)
        if asked.method == "DELETE":
            del self.policies[number]
            return Reply(200)
        return _json(policy.shown())

    def _has(self, executions: bool) -> bool:
        return self.has_executions or not executions

    def _checked(self, asked: Asked) -> dict[str, Any]:
        """The policy of a body, held against the description and against what Harbor refuses."""
        given: dict[str, Any] = json.loads(asked.body)
        self._check_members("policy", given, POLICY)
        for target in given.get("targets", ()):
            self._check_members("target", target, TARGET)
            if not self.has_formats and "payload_format" in target:
                self.violations.append("a format was sent to a Harbor that knows none")
            target["address"] = urlsplit(target["address"])._replace(query="").geturl()
        if not given.get("targets"):
            raise Refused(400, "BAD_REQUEST", "empty notification target")
        if not given.get("event_types"):
            raise Refused(400, "BAD_REQUEST", "empty event type")
        for event in given["event_types"]:
            if event not in self.events:
                raise Refused(400, "BAD_REQUEST", f"unsupported event type {event}")
        return given

    def _check_members(self, what: str, given: dict[str, Any], known: dict[str, type]) -> None:
        for key, value in given.items():
            if key not in known or not isinstance(value, known[key]):
                self.violations.append(f"{what}: {key}")


def error(status: int, code: str, message: str) -> Reply:
    return _json({"errors": [{"code": code, "message": message}]}, status)


def paged(asked: Asked, items: list[dict[str, Any]]) -> Reply:
    """A page of a list, which says how many there are in all, and where the next one is."""
    query = asked.query
    page, size = (int(query.get(key, ["0"])[0]) for key in ("page", "page_size"))
    page, size = page or 1, size or 10
    if size > 100:
        raise Refused(400, "BAD_REQUEST", "page_size should be less than or equal to 100")
    reply = _json(items[(page - 1) * size : page * size])
    reply.headers["X-Total-Count"] = str(len(items))
    if page * size < len(items):
        asked_for = {**{key: value[0] for key, value in query.items()}, "page": page + 1}
        path = urlsplit(asked.path).path
        reply.headers["Link"] = f'<{path}?{urlencode(asked_for)}>; rel="next"'
    return reply


def _current(who: Person | None) -> Reply:
    if who is None:
        raise Refused(401, "UNAUTHORIZED", "unauthorized")
    if who.is_robot:
        raise Refused(412, "PRECONDITION", "get current user not available for robot")
    return _json({"user_id": 3, "username": who.name, "sysadmin_flag": who.projects is None})


def _may(who: Person, project: Project) -> bool:
    return who.projects is None or project.name in who.projects


def _kept(given: dict[str, Any]) -> dict[str, Any]:
    members = ("name", "description", "targets", "event_types", "enabled")
    return {key: given[key] for key in members if key in given}


def _json(data: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(data).encode(), {"Content-Type": "application/json"})


def _pushed(repository: str, tag: str) -> dict[str, Any]:
    project, _slash, name = repository.partition("/")
    return {
        "type": "PUSH_ARTIFACT",
        "occur_at": int(datetime.now(UTC).timestamp()),
        "operator": "robot$ci",
        "event_data": {
            "resources": [
                {
                    "digest": f"sha256:{'5c' * 32}",
                    "tag": tag,
                    "resource_url": f"harbor.example.com/{repository}:{tag}",
                }
            ],
            "repository": {
                "date_created": 1680501893,
                "name": name,
                "namespace": project,
                "repo_full_name": repository,
                "repo_type": "private",
            },
        },
    }
