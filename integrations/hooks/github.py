"""Hooks of repositories at GitHub.

Followed: "REST API endpoints for repository webhooks" and "REST API endpoints for repositories" in
GitHub's documentation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from django.utils.translation import gettext as _

from integrations.github.client import API_URL, NAME, Client, is_partial
from integrations.github.inputs import BadInput, read
from integrations.github.tokens import (
    kind_of,
    may_write_hooks,
    missing_of,
    read_expiry,
    read_scopes,
)
from integrations.hooks.client import PER_PAGE, QUICK, Listed, nonsense, path_of
from integrations.hooks.errors import (
    NotSeen,
    Refused,
    Unavailable,
)
from integrations.hooks.provider import (
    Access,
    BadTarget,
    Hook,
    Hooks,
    Owned,
    Progress,
    Provider,
    Report,
    Repository,
    Sent,
    SentPage,
    Standing,
    Wanted,
)
from integrations.hooks.refusals import clean, moment_of
from integrations.receivers.base import Incoming, member, text

MAX_PAYLOAD = 64 * 1024 * 1024  # GitHub's cap is 25 MiB, for what it sent alone
MAX_HEADERS, MAX_HEADER = 60, 1000
MAX_EVENTS = 200  # GitHub knows some seventy
VISIBILITIES = {"public", "private", "internal"}
_ID = re.compile("[0-9]{1,20}")
_FULL_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}/[A-Za-z0-9._-]{1,100}")
# States of a hook's last call that are no failures.
_FINE = {"", "unused", "pending", "active", "ok"}


class GitHub(Provider):
    """`package` is what GitHub sends today, `registry_package` what older servers send."""

    key: ClassVar[str] = "github"
    label: ClassVar[str] = "GitHub"
    receiver: ClassVar[str] = "github-packages"
    events: ClassVar[tuple[str, ...]] = ("package", "registry_package")
    keeps_history: ClassVar[bool] = True
    can_ping: ClassVar[bool] = True
    default_api_url: ClassVar[str] = API_URL

    @classmethod
    def open(cls, access: Access) -> Self:
        return cls(access.token, access.api_url)

    def __init__(self, token: str, api_url: str = "") -> None:
        super().__init__(Access(api_url, token))
        self._client = Client(token, api_url)
        self._kind = kind_of(token)

    @classmethod
    def read_target(cls, text: str, api_url: str) -> str:
        try:
            named = read(text, api_url=api_url)
        except BadInput as error:
            raise BadTarget(str(error)) from None
        if named.kind != "repo":
            raise BadTarget(_("Name one repository: owner/name."))
        return named.full_name

    @property
    def credential_kind(self) -> str:
        return self._kind

    def who(self) -> Report:
        try:
            answer = self._client.get("/user", patience=QUICK)
        except Refused as error:
            return Report(Standing.INVALID, kind=self.credential_kind, text=str(error))
        except NotSeen:
            return Report(Standing.UNTRIED, kind=self.credential_kind, text=_no_api())
        scopes = read_scopes(answer.headers)
        return Report(
            Standing.OK,
            answer.word("login"),
            self.credential_kind,
            expires_at=read_expiry(answer.headers),
            scopes=scopes,
            missing=missing_of(scopes),
            enough=may_write_hooks(scopes),
        )

    def possible(self, words: str, progress: Progress) -> Owned:
        listed = self._client.all(
            _of_token("owner,collaborator,organization_member"), progress=progress
        )
        found = map(_repository, listed.items)
        named = [each for each in found if words.lower() in each.full_name.lower()]
        return Owned(tuple(named), tuple(_gaps([listed])))

    def repositories(self, owner: str, progress: Progress) -> Owned:
        """List every repository of an owner that the credential can see."""
        try:
            path = path_of("orgs", owner, "repos", type="all", per_page=PER_PAGE)
            lists = [self._client.all(path, progress=progress)]
            warnings: list[str] = []
        except NotSeen:
            lists, warnings = self._of_person(owner, progress)
        found: dict[str, Repository] = {}
        for item in (item for listed in lists for item in listed.items):
            repository = _repository(item)
            if repository.full_name.lower().startswith(f"{owner.lower()}/"):
                found.setdefault(repository.full_name.lower(), repository)
        progress(len(found), len(found))
        ordered = tuple(found[key] for key in sorted(found))
        return Owned(ordered, (*warnings, *_gaps(lists)))

    def hooks(self, name: str, *, etag: str = "") -> Hooks:
        listed = self._client.all(f"{_hooks_of(name)}?per_page={PER_PAGE}", etag=etag)
        if listed.cut:
            raise Unavailable(_("This repository has more webhooks than can be read."))
        hooks = {hook.id: hook for hook in map(_hook, listed.items)}
        return Hooks(tuple(hooks.values()), listed.etag, listed.unchanged, listed.ahead)

    def create(self, name: str, wanted: Wanted) -> Hook:
        body = {
            "name": "web",
            "active": True,
            "events": list(wanted.events),
            "config": _config(wanted),
        }
        answer = self._client.send("POST", _hooks_of(name), body, hidden=(wanted.secret,))
        return _hook(answer.object)

    def update(self, name: str, hook: Hook, wanted: Wanted) -> Hook:
        """The config goes as a whole: GitHub forgets the secret of one that comes without it."""
        missing = [event for event in wanted.events if event not in hook.events]
        body: dict[str, Any] = {"active": True, "config": _config(wanted)}
        if missing and "*" not in hook.events:
            body["add_events"] = missing
        path = _hooks_of(name, hook.id)
        return _hook(self._client.send("PATCH", path, body, hidden=(wanted.secret,)).object)

    def delete(self, name: str, hook_id: str) -> None:
        try:
            self._client.send("DELETE", _hooks_of(name, hook_id))
        except NotSeen:
            return

    def ping(self, name: str, hook_id: str) -> None:
        self._client.send("POST", _hooks_of(name, hook_id, "pings"))

    def sent(self, name: str, hook_id: str, *, etag: str = "") -> Iterator[SentPage]:
        path = f"{_hooks_of(name, hook_id, 'deliveries')}?per_page={PER_PAGE}"
        for number, answer in enumerate(self._client.pages(path, etag=etag)):
            if answer.unchanged:
                yield SentPage((), etag, unchanged=True, clock=answer.date)
                return
            items = tuple(_sent(item) for item in answer.items)
            yield SentPage(items, "" if number else answer.etag, clock=answer.date)

    def sent_payload(self, name: str, hook_id: str, sent_id: str) -> Incoming:
        """GitHub keeps the JSON, also of a hook that sends forms, so JSON is what it becomes."""
        path = _hooks_of(name, hook_id, "deliveries", sent_id)
        asked = member(self._client.get(path, max_bytes=MAX_PAYLOAD).object, "request")
        payload, headers = member(asked, "payload"), member(asked, "headers")
        if not isinstance(payload, dict):
            raise NotSeen(_("GitHub does not keep what this delivery said."))
        known = list(headers.items())[:MAX_HEADERS] if isinstance(headers, dict) else []
        kept = {
            str(key).lower()[:100]: value[:MAX_HEADER]
            for key, value in known
            if isinstance(value, str)
            and f"{key}{value}".isprintable()
            and "signature" not in str(key).lower()
        }
        return Incoming({**kept, "content-type": "application/json"}, json.dumps(payload).encode())

    def _of_person(self, owner: str, progress: Progress) -> tuple[list[Listed], list[str]]:
        """What is public of a person, and what of theirs the token may see beside that."""
        public = path_of("users", owner, "repos", type="owner", per_page=PER_PAGE)
        ours = _of_token("owner,collaborator")
        try:
            lists = [self._client.all(public, progress=progress)]
        except NotSeen:
            raise NotSeen(
                _("GitHub knows no organisation and no person called %(owner)s.") % {"owner": owner}
            ) from None
        try:
            return [*lists, self._client.all(ours, progress=progress)], []
        except (NotSeen, Refused) as error:
            said = _("Private repositories are left out: %(why)s")
            return lists, [said % {"why": error}]


def _of_token(affiliation: str) -> str:
    """What is of the token's person, or they work on."""
    return path_of("user", "repos", visibility="all", affiliation=affiliation, per_page=PER_PAGE)


def _hooks_of(name: str, *rest: str) -> str:
    owner, _slash, repository = name.partition("/")
    return path_of("repos", owner, repository, "hooks", *rest)


def _config(wanted: Wanted) -> dict[str, str]:
    return {
        "url": wanted.url,
        "content_type": "json",
        "insecure_ssl": "0",
        "secret": wanted.secret,
    }


def _hook(item: dict[str, Any]) -> Hook:
    config, events = item.get("config"), item.get("events")
    if not isinstance(config, dict):
        raise nonsense(NAME)
    return Hook(
        id=_id(item),
        url=text(config, "url", limit=2000),
        active=item.get("active") is True,
        events=_events(events),
        content_type=text(config, "content_type", limit=20) or "form",
        insecure_ssl=str(config.get("insecure_ssl", "0")) != "0",
        updated_at=moment_of(item.get("updated_at")),
        last_failure=_last_failure(item.get("last_response")),
    )


def _id(item: dict[str, Any]) -> str:
    number = item.get("id")
    if isinstance(number, bool) or not _ID.fullmatch(str(number)):
        raise nonsense(NAME)
    return str(number)


def _events(events: Any) -> tuple[str, ...]:
    known = events[:MAX_EVENTS] if isinstance(events, list) else []
    return tuple(clean(event, limit=60) for event in known if isinstance(event, str))


def _last_failure(response: Any) -> str:
    code, status = member(response, "code"), text(response, "status").lower()
    if (isinstance(code, int) and 200 <= code < 300) or (not code and status in _FINE):
        return ""
    return _failure(text(response, "message") or status, code)


def _sent(item: dict[str, Any]) -> Sent:
    guid = text(item, "guid", limit=100)
    moment, code = moment_of(item.get("delivered_at")), item.get("status_code")
    if not guid or moment is None:
        raise nonsense(NAME)
    fine = isinstance(code, int) and 200 <= code < 300
    failure = "" if fine else _failure(text(item, "status"), code)
    return Sent(_id(item), guid, text(item, "event", limit=60), moment, failure)


def _failure(words: str, code: Any) -> str:
    """Short words, with the status that was answered where they do not name it."""
    shown = clean(words, limit=200) or _("It failed.")
    is_named = not isinstance(code, int) or code <= 0 or str(code) in shown
    return shown if is_named else f"{shown} ({code})"


def _repository(item: dict[str, Any]) -> Repository:
    name, visibility = text(item, "full_name", limit=300), text(item, "visibility")
    if not _FULL_NAME.fullmatch(name):
        raise nonsense(NAME)
    if visibility not in VISIBILITIES and isinstance(item.get("private"), bool):
        visibility = "private" if item["private"] else "public"
    return Repository(
        name,
        visibility if visibility in VISIBILITIES else "",
        archived=item.get("archived") is True,
        disabled=item.get("disabled") is True,
    )


def _gaps(lists: list[Listed]) -> Iterator[str]:
    if any(is_partial(listed) for listed in lists):
        yield _(
            "Repositories of organisations that demand single sign-on are left out: authorise the "
            "token for them at GitHub."
        )
    if any(listed.cut for listed in lists):
        yield _("There are more repositories than can be read; the last ones are left out.")


def _no_api() -> str:
    return _(
        "The API URL does not lead to GitHub's API. That of an Enterprise Server ends in /api/v3."
    )
