"""Hooks of Harbor's projects, which it calls webhook policies.

Followed: the description of Harbor's API v2.0 (swagger), tags `webhook` and `project`. A policy may
call several addresses; what is a hook here is one of them.
"""

from __future__ import annotations

import json
import re
import threading
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.hooks.client import PER_PAGE, QUICK, Answer, Client, nonsense, path_of
from integrations.hooks.errors import NotSeen, Rejected
from integrations.hooks.inputs import path_in
from integrations.hooks.plan import same_url
from integrations.hooks.provider import (
    Access,
    BadTarget,
    Hook,
    Hooks,
    Owned,
    Progress,
    Proof,
    Provider,
    Report,
    Repository,
    Sent,
    SentPage,
    Standing,
    Wanted,
)
from integrations.hooks.refusals import clean, moment_of
from integrations.hooks.tokens import fingerprint
from integrations.receivers.base import Incoming, member, text

NAME = "Harbor"
API = "/api/v2.0"
PUSH = "PUSH_ARTIFACT"
# The one that our list of missed deliveries is in, whatever a policy sends.
FORMAT = "Default"
MAX_EVENTS, MAX_TARGETS = 100, 50
POLICY_NAME = "Dockrev"
_PROJECT = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
_ID = re.compile(r"[0-9]{1,20}")
_HOOK = re.compile(r"([0-9]{1,20})\.([0-9a-f]{12})")
# An execution that came to its end without an answer that Harbor takes for a success.
_FAILED = {"error", "stopped"}


@dataclass(frozen=True)
class Abilities:
    """What a Harbor can do. Older ones know one format of payload, and do not say so."""

    events: tuple[str, ...]
    has_formats: bool


class Harbor(Provider):
    """Scans and replications are wanted, too, where they can be had; pushes always."""

    key: ClassVar[str] = "harbor"
    label: ClassVar[str] = NAME
    receiver: ClassVar[str] = "harbor"
    events: ClassVar[tuple[str, ...]] = (PUSH, "REPLICATION", "SCANNING_COMPLETED")
    proof: ClassVar[Proof] = Proof.SHOWN
    keeps_history: ClassVar[bool] = True
    has_user: ClassVar[bool] = True
    address_help: ClassVar[str | Promise] = gettext_lazy(
        "Harbor 2, container-registry.com or MSR 4: https://harbor.example.org"
    )
    token_help: ClassVar[str | Promise] = gettext_lazy(
        "A robot account with all rights on webhooks (notification policies) and to list projects, "
        "or a user who is admin of the projects, with the password or CLI secret."
    )
    target_help: ClassVar[str | Promise] = gettext_lazy("The name of a project.")

    @classmethod
    def read_target(cls, text: str, api_url: str) -> str:
        name = path_in(text, api_url).lower()
        if len(name) > 255 or not _PROJECT.fullmatch(name):
            raise BadTarget(_("This is not the name of a project at Harbor."))
        return name

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        pair = b64encode(f"{access.user}:{access.token}".encode()).decode()
        self._client = Client(
            NAME,
            f"{access.api_url.rstrip('/').removesuffix(API)}{API}",
            {
                "Accept": "application/json",
                "Authorization": f"Basic {pair}",
                "X-Is-Resource-Name": "true",  # or a project named 7 is read as a number
            },
            hidden=(access.token, pair, *access.hidden),
            trusted=access.authorities,
        )
        self._abilities: Abilities | None = None
        self._asking = threading.Lock()

    @property
    def credential_kind(self) -> str:
        return "robot" if "$" in self.access.user else ""

    def who(self) -> Report:
        """Harbor tells users who they are, and robots that they are no users."""
        try:
            answer = self._client.get("/users/current", patience=QUICK)
        except Rejected:
            return Report(Standing.OK, self.access.user, "robot")
        return Report(Standing.OK, answer.word("username"), self.credential_kind)

    def possible(self, words: str, progress: Progress) -> Owned:
        asked = {"name": words} if _PROJECT.fullmatch(words) else {}
        path = path_of("projects", page=1, page_size=PER_PAGE, **asked)
        listed = self._client.all(path, progress=progress)
        cut = [_("There are more projects than can be read.")] if listed.cut else []
        return Owned(tuple(map(_project, listed.items)), tuple(cut))

    def hooks(self, name: str, *, etag: str = "") -> Hooks:
        found = {hook.id: hook for item in self._policies(name) for hook in _hooks(item)}
        return Hooks(tuple(found.values()), offered=self._able(name).events)

    def create(self, name: str, wanted: Wanted) -> Hook:
        """Names of policies are unique in a project."""
        names = {text(item, "name") for item in self._policies(name)}
        free = (f"{POLICY_NAME} {n}" if n > 1 else POLICY_NAME for n in range(1, len(names) + 2))
        title = next(each for each in free if each not in names)
        policy = {
            "name": title,
            "description": _("Tells Dockrev of new images. It keeps this policy itself."),
            "enabled": True,
            "event_types": self._events(name, wanted.events),
            "targets": [self._target(name, wanted)],
        }
        answer = self._client.send("POST", _policies(name), policy, hidden=(wanted.secret,))
        return _hook_at({**policy, "id": self._made(name, answer, title)}, wanted.url)

    def update(self, name: str, hook: Hook, wanted: Wanted) -> Hook | None:
        """What else is in the policy goes back as it was: Harbor replaces all of it.

        One that calls others, too, is not switched on and gets no more events: they would.
        """
        policy = self._policy(name, hook.id)
        ours, others = _parted(policy, hook.id)
        events = _events(policy)
        missing = [event for event in wanted.events if event not in events]
        if others and (missing or policy.get("enabled") is not True):
            return None
        first = ours[0] if ours else {}
        changed = {
            **policy,
            "enabled": True,
            "event_types": self._events(name, (*wanted.events, *events)),
            "targets": [*others, {**first, **self._target(name, wanted)}],
        }
        self._put(name, changed, hidden=(wanted.secret,))
        return _hook_at(changed, wanted.url)

    def delete(self, name: str, hook_id: str) -> None:
        """A policy that calls others, too, stays, and calls us no more."""
        try:
            policy = self._policy(name, hook_id)
            ours, others = _parted(policy, hook_id)
            if ours and others:
                self._put(name, {**policy, "targets": others})
            elif ours:
                self._client.send("DELETE", _policies(name, _policy_of(hook_id)))
        except NotSeen:
            return

    def sent(self, name: str, hook_id: str, *, etag: str = "") -> Iterator[SentPage]:
        """Harbors before 2.8 have no such list."""
        asked = _policies(name, _policy_of(hook_id), "executions")
        path = f"{asked}?page=1&page_size={PER_PAGE}&sort=-id"
        try:
            for answer in self._client.pages(path):
                yield SentPage(tuple(_sent(answer.items)), clock=answer.date)
        except NotSeen:
            return

    def _policies(self, name: str) -> list[dict[str, Any]]:
        listed = self._client.all(f"{_policies(name)}?page=1&page_size={PER_PAGE}")
        if listed.cut:
            raise Rejected(_("This project has more webhook policies than can be read."))
        return listed.items

    def _policy(self, name: str, hook_id: str) -> dict[str, Any]:
        return self._client.get(_policies(name, _policy_of(hook_id))).object

    def _put(self, name: str, policy: dict[str, Any], hidden: tuple[str, ...] = ()) -> None:
        """What calls others holds their secrets, in headers and in addresses."""
        known = [each.get(key) for each in _targets(policy) for key in ("auth_header", "address")]
        theirs = tuple(each for each in known if isinstance(each, str))
        path = _policies(name, _id(policy))
        self._client.send("PUT", path, policy, hidden=(*hidden, *theirs))

    def _able(self, name: str) -> Abilities:
        """What it can do, asked once; every project of a Harbor offers the same."""
        with self._asking:
            if self._abilities is None:
                said = self._client.get(path_of("projects", name, "webhook", "events")).object
                events = _texts(said.get("event_type"))
                formats = said.get("payload_formats")
                self._abilities = Abilities(events, isinstance(formats, list) and bool(formats))
            return self._abilities

    def _events(self, name: str, wanted: Iterable[str]) -> list[str]:
        offered = self._able(name).events
        if PUSH not in offered:
            raise Rejected(_("This Harbor offers no event when an artifact is pushed."))
        return [event for event in dict.fromkeys(wanted) if event in offered]

    def _target(self, name: str, wanted: Wanted) -> dict[str, Any]:
        target: dict[str, Any] = {
            "type": "http",
            "address": wanted.url,
            "auth_header": wanted.secret,
            "skip_cert_verify": not wanted.verify_tls,
        }
        if self._able(name).has_formats:
            target["payload_format"] = FORMAT
        return target

    def _made(self, name: str, answer: Answer, policy_name: str) -> int:
        """The id of what was made: Harbor says where it is, some proxies take that away."""
        last = answer.headers.get("Location", "").rstrip("/").rpartition("/")[2]
        if _ID.fullmatch(last):
            return int(last)
        same = [item for item in self._policies(name) if item.get("name") == policy_name]
        if not same:
            raise nonsense(NAME)
        return int(_id(same[0]))


def _policies(name: str, *rest: str) -> str:
    return path_of("projects", name, "webhook", "policies", *rest)


def _policy_of(hook_id: str) -> str:
    """The policy that a hook belongs to. Raises NotSeen for what is no id of ours."""
    parts = _HOOK.fullmatch(hook_id)
    if parts is None:
        raise NotSeen(_("This is not the name of anything there."))
    return parts[1]


def _key(address: str) -> str:
    """Tells the addresses of a policy apart, as part of an id."""
    return sha256(address.encode()).hexdigest()[:12]


def _targets(policy: dict[str, Any]) -> list[dict[str, Any]]:
    targets = policy.get("targets")
    known = targets if isinstance(targets, list) else []
    if len(known) > MAX_TARGETS or not all(isinstance(each, dict) for each in known):
        raise nonsense(NAME)
    return known


def _parted(
    policy: dict[str, Any], hook_id: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A policy's targets: those of the hook, and all others."""
    key = hook_id.partition(".")[2]
    ours = [each for each in _targets(policy) if _is_http(each) and _key_of(each) == key]
    return ours, [each for each in _targets(policy) if each not in ours]


def _is_http(target: dict[str, Any]) -> bool:
    return target.get("type") == "http"


def _key_of(target: dict[str, Any]) -> str:
    return _key(text(target, "address", limit=2000))


def _hooks(policy: dict[str, Any]) -> Iterator[Hook]:
    """The addresses that a policy calls, each once."""
    events, seen = _events(policy), set()
    for target in filter(_is_http, _targets(policy)):
        url, shape = text(target, "address", limit=2000), target.get("payload_format") or FORMAT
        if url in seen:
            continue
        seen.add(url)
        words = _("it sent the format %(format)s") % {"format": clean(str(shape), limit=40)}
        yield Hook(
            id=f"{_id(policy)}.{_key(url)}",
            url=url,
            active=policy.get("enabled") is True,
            events=events,
            content_type="json",
            insecure_ssl=target.get("skip_cert_verify") is True,
            updated_at=moment_of(policy.get("update_time")),
            secret_seen=fingerprint(str(target.get("auth_header") or "")),
            faults=() if shape == FORMAT else (words,),
        )


def _hook_at(policy: dict[str, Any], url: str) -> Hook:
    return next(hook for hook in _hooks(policy) if same_url(hook.url, url))


def _id(item: dict[str, Any]) -> str:
    number = item.get("id")
    if isinstance(number, bool) or not _ID.fullmatch(str(number)):
        raise nonsense(NAME)
    return str(number)


def _events(policy: dict[str, Any]) -> tuple[str, ...]:
    return _texts(policy.get("event_types"))


def _texts(values: Any) -> tuple[str, ...]:
    known = values[:MAX_EVENTS] if isinstance(values, list) else []
    return tuple(clean(value, limit=60) for value in known if isinstance(value, str))


def _project(item: dict[str, Any]) -> Repository:
    name = text(item, "name", limit=255)
    if not _PROJECT.fullmatch(name):
        raise nonsense(NAME)
    is_public = str(member(item, "metadata", "public")).lower() == "true"
    return Repository(name, "public" if is_public else "private")


def _sent(items: Iterable[dict[str, Any]]) -> Iterator[Sent]:
    """Executions, whose attributes are what was sent: our receiver makes the guid of it."""
    for item in items:
        moment, payload = moment_of(item.get("start_time")), item.get("extra_attrs")
        if moment is None or not isinstance(payload, dict):
            continue
        status = text(item, "status", limit=40)
        said = clean(text(item, "status_message"), limit=200)
        failure = (said or status) if status.lower() in _FAILED else ""
        body = json.dumps(payload).encode()
        incoming = Incoming({"content-type": "application/json"}, body)
        event = text(payload, "type", limit=60)
        yield Sent(_id(item), "", event, moment, failure, incoming)
