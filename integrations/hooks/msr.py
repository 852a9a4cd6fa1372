"""Webhook subscriptions of Mirantis Secure Registry up to 3, once Docker Trusted Registry.

Followed: "Manage webhooks" and "Manage webhooks via the API" in its documentation.

A subscription is for one event type, and cannot be changed. Those for one endpoint are one hook
here: its events are the types that are there, and a change makes new ones before it deletes the
old. Nothing is signed, so the endpoint is the proof.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.hooks.client import QUICK, Answer, Client, nonsense, path_of
from integrations.hooks.errors import NotSeen, Refused
from integrations.hooks.inputs import path_in
from integrations.hooks.plan import CONTENT_TYPE
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
    Standing,
    Wanted,
)
from integrations.receivers.base import text

NAME = "MSR"
API = "/api/v0"
WEBHOOKS = f"{API}/webhooks"
REPOSITORIES = f"{API}/repositories"
ALL = "*"  # every repository there is; only an admin of the registry may ask for that
PER_PAGE = 100
PUSHED, SCANNED = "TAG_PUSH", "SCAN_COMPLETED"
NEVER = "0001-01-01T00:00:00Z"
_TARGET = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}(?:/[a-z0-9._-]{1,199})?")
_VISIBILITIES = {"public", "private"}


@dataclass(frozen=True)
class Subscription:
    """One event type for one endpoint. Unless it is active, it calls no more."""

    id: str
    type: str
    key: str
    endpoint: str = field(repr=False)
    created_at: str
    active: bool
    skips_tls: bool
    certificate: str
    succeeded_at: str

    @property
    def is_insecure(self) -> bool:
        """Without TLS there is nothing to look at, and it has to be told to skip that."""
        return self.skips_tls and not _has_no_tls(self.endpoint)


@dataclass(frozen=True)
class Group:
    """The subscriptions that are one hook. What calls no more is part of the first."""

    id: str
    members: tuple[Subscription, ...]

    @property
    def endpoint(self) -> str:
        return self.members[0].endpoint

    def hook(self) -> Hook:
        off = [each for each in self.members if not each.active]
        return Hook(
            id=self.id,
            url=self.endpoint,
            active=not off,
            events=tuple(sorted({each.type for each in self.members})),
            content_type=CONTENT_TYPE,
            insecure_ssl=any(each.is_insecure for each in self.members),
            updated_at=None,
            last_failure=_why_off(off) if off else "",
        )


class Msr(Provider):
    """A target is a repository, a namespace, or ALL."""

    key: ClassVar[str] = "msr"
    label: ClassVar[str] = "Mirantis Secure Registry"
    receiver: ClassVar[str] = "msr"
    events: ClassVar[tuple[str, ...]] = (PUSHED, SCANNED)
    proof: ClassVar[Proof] = Proof.URL
    can_ping: ClassVar[bool] = True
    has_user: ClassVar[bool] = True
    address_help: ClassVar[str | Promise] = gettext_lazy(
        "The address of the registry, up to version 3. Version 4 is a Harbor."
    )
    token_help: ClassVar[str | Promise] = gettext_lazy(
        "An access token of a user who is an admin of the repositories, of their namespace, or of "
        "the whole registry."
    )
    target_help: ClassVar[str | Promise] = gettext_lazy(
        "namespace/repository, a namespace, or * for all, which needs an admin of the registry"
    )

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        both = b64encode(f"{access.user}:{access.token}".encode()).decode()
        self._client = Client(
            NAME,
            access.api_url.rstrip("/").removesuffix(API),
            {"Accept": "application/json", "Authorization": f"Basic {both}"},
            hidden=(access.token, both, *access.hidden),
            trusted=access.authorities,
        )

    @classmethod
    def read_target(cls, text: str, api_url: str) -> str:
        path = path_in(text, api_url).removeprefix("repositories/")
        name = path.partition("@")[0].partition(":")[0]
        is_name = _TARGET.fullmatch(name) and not {"", ".", ".."} & set(name.split("/"))
        if name != ALL and not is_name:
            raise BadTarget(_("Name a repository as namespace/repository, a namespace, or *."))
        return name

    def who(self) -> Report:
        try:
            self._client.get(f"{REPOSITORIES}?pageSize=1", patience=QUICK).object  # noqa: B018
        except Refused as error:
            return Report(Standing.INVALID, text=str(error))
        return Report(Standing.OK, self.access.user)

    def possible(self, words: str, progress: Progress) -> Owned:
        """What the user can see, and the namespaces that it is in."""
        found: dict[str, Repository] = {}
        for answer in self._client.following(REPOSITORIES, {"pageSize": PER_PAGE}, _further):
            for repository in map(_repository, answer.within("repositories")):
                namespace = repository.full_name.partition("/")[0]
                found.setdefault(namespace, Repository(namespace))
                found[repository.full_name] = repository
            progress(len(found), 0)
        chosen = sorted(name for name in found if words.strip().lower() in name)
        return Owned((Repository(ALL), *(found[name] for name in chosen)))

    def hooks(self, name: str, *, etag: str = "") -> Hooks:
        return Hooks(tuple(group.hook() for group in self._groups(name)))

    def create(self, name: str, wanted: Wanted) -> Hook:
        ours = [type_ for type_ in self.events if type_ in wanted.events]
        made = [self._subscribe(name, type_, wanted) for type_ in ours]
        return next(_grouped(made)).hook()

    def update(self, name: str, hook: Hook, wanted: Wanted) -> Hook:
        """Subscribe to what is not as it should be, and only then delete what is not.

        The certificate that somebody gave it for our address stays.
        """
        group = self._group(name, hook.id)
        right = [each for each in group.members if _is_right(each, wanted)]
        missing = [type_ for type_ in wanted.events if type_ not in {each.type for each in right}]
        certificate = max(each.certificate for each in group.members)
        right += [self._subscribe(name, type_, wanted, certificate) for type_ in missing]
        self._unsubscribe(each for each in group.members if each not in right)
        return next(_grouped(right)).hook()

    def delete(self, name: str, hook_id: str) -> None:
        try:
            self._unsubscribe(self._group(name, hook_id).members)
        except NotSeen:
            return

    def ping(self, name: str, hook_id: str) -> None:
        """It has a sample that is always the same, and sends it to whatever address it is told."""
        endpoint = self._group(name, hook_id).endpoint
        body = {"type": PUSHED, "endpoint": endpoint}
        self._client.send("POST", f"{WEBHOOKS}/test", body, hidden=(endpoint,))

    def _groups(self, name: str) -> list[Group]:
        """All that there is of our types. A list for all repositories holds theirs, too."""
        key = "" if name == ALL else name
        of_one = "" if name == ALL else f"{REPOSITORIES}{path_of(*name.split('/'))}/webhooks"
        found = map(_subscription, self._client.get(of_one or WEBHOOKS).items)
        return list(_grouped(s for s in found if s.key == key and s.type in self.events))

    def _group(self, name: str, hook_id: str) -> Group:
        for group in self._groups(name):
            if group.id == hook_id:
                return group
        raise NotSeen(_("The webhook is not there any more."))

    def _subscribe(
        self, name: str, type_: str, wanted: Wanted, certificate: str = ""
    ) -> Subscription:
        skips_tls = not wanted.verify_tls or _has_no_tls(wanted.url)
        body = {"type": type_, "endpoint": wanted.url, "skipTLSVerification": skips_tls}
        if name != ALL:
            body["key"] = name
        if certificate:
            body["tlsCert"] = certificate
        hidden = (wanted.secret, wanted.url)
        return _subscription(self._client.send("POST", WEBHOOKS, body, hidden=hidden).object)

    def _unsubscribe(self, subscriptions: Iterable[Subscription]) -> None:
        for each in subscriptions:
            try:
                self._client.send("DELETE", f"{WEBHOOKS}{path_of(each.id)}")
            except NotSeen:
                continue


def _has_no_tls(endpoint: str) -> bool:
    return endpoint.startswith("http:")


def _is_right(each: Subscription, wanted: Wanted) -> bool:
    is_insecure = each.is_insecure and wanted.verify_tls
    is_strict = not each.skips_tls and not wanted.verify_tls
    return each.active and each.endpoint == wanted.url and not is_insecure and not is_strict


def _grouped(subscriptions: Iterable[Subscription]) -> Iterator[Group]:
    """By endpoint. The second that works for one type is another hook, one of the two too many.

    A hook's id is made from its endpoint, so it stays while subscriptions come and go.
    """
    by_endpoint: defaultdict[str, list[Subscription]] = defaultdict(list)
    for each in sorted(subscriptions, key=lambda each: (each.created_at, each.id)):
        by_endpoint[each.endpoint].append(each)
    for endpoint, members in by_endpoint.items():
        digest = sha256(endpoint.encode()).hexdigest()[:32]
        for number, group in enumerate(_apart(members)):
            yield Group(f"{digest}-{number + 1}" if number else digest, tuple(group))


def _apart(members: list[Subscription]) -> list[list[Subscription]]:
    groups: list[list[Subscription]] = [[]]
    working: Counter[str] = Counter()
    for each in members:
        place = working[each.type] if each.active else 0
        working[each.type] += each.active
        if place == len(groups):
            groups.append([])
        groups[place].append(each)
    return groups


def _why_off(off: list[Subscription]) -> str:
    last = max(each.succeeded_at for each in off)
    if last <= NEVER:
        return _("MSR calls it no more; no call ever succeeded")
    return _("MSR calls it no more; the last call that succeeded was on %(day)s") % {
        "day": last[:10]
    }


def _subscription(item: dict[str, Any]) -> Subscription:
    certificate = item.get("tlsCert")
    made = Subscription(
        id=text(item, "id", limit=100),
        type=text(item, "type", limit=60),
        key=text(item, "key", limit=300),
        endpoint=text(item, "endpoint", limit=2000),
        created_at=text(item, "createdAt", limit=60),
        active=item.get("inactive") is not True,
        skips_tls=item.get("skipTLSVerification") is True,
        certificate=certificate if isinstance(certificate, str) else "",
        succeeded_at=text(item, "lastSuccessfulAt", limit=60),
    )
    if not (made.id and made.type):
        raise nonsense(NAME)
    return made


def _repository(item: dict[str, Any]) -> Repository:
    name = f"{text(item, 'namespace', limit=100)}/{text(item, 'name', limit=200)}"
    if not _TARGET.fullmatch(name):
        raise nonsense(NAME)
    visibility = text(item, "visibility")
    return Repository(name, visibility if visibility in _VISIBILITIES else "")


def _further(answer: Answer) -> Mapping[str, str]:
    start = answer.headers.get("X-Next-Page-Start", "")
    return {"pageStart": start} if start else {}
