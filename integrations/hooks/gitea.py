"""Hooks of organisations and persons at Gitea and Forgejo, to whom container packages belong.

Followed: "organization" and "user" in the descriptions that both publish of their API. What they
do not say, and their code does: a PATCH resets what it does not name, and leaves the secret as it
is even where it names one; and a call that a hook makes counts as a change of the hook.
"""

from __future__ import annotations

import re
import threading
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.hooks.client import MAX_PAGES, QUICK, Client, nonsense, path_of
from integrations.hooks.errors import (
    NotSeen,
    Refused,
    Rejected,
    Unavailable,
)
from integrations.hooks.inputs import path_in
from integrations.hooks.plan import CONTENT_TYPE, ours_of
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
    Standing,
    Wanted,
)
from integrations.hooks.refusals import clean, number
from integrations.receivers.base import text

NAME = "Gitea"
API = "/api/v1"
PER_PAGE = 50  # the most that both give, unless they were told otherwise
PACKAGE = "package"
READ_USER = "read:user"
MAX_EVENTS = 200
MAX_OWNERS = 200  # whose rights are asked for, one by one
_TARGET = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID = re.compile("[0-9]{1,20}")
_TYPES = {"gitea", "forgejo", "gogs"}  # whose payloads are alike
# What stands for a whole family of events when it is sent, and for itself when it is shown.
_ALONE = {"issues": "issues_only", "pull_request": "pull_request_only"}


class Gitea(Provider):
    """A target is an organisation, or the person whose token it is."""

    key: ClassVar[str] = "gitea"
    label: ClassVar[str] = "Gitea or Forgejo"
    receiver: ClassVar[str] = "gitea"
    events: ClassVar[tuple[str, ...]] = (PACKAGE,)
    can_skip_tls: ClassVar[bool] = False
    address_help: ClassVar[str | Promise] = gettext_lazy("The address of the server.")
    token_help: ClassVar[str | Promise] = gettext_lazy(
        "An access token of an owner of the organisations, with write access to organization and "
        "user."
    )
    target_help: ClassVar[str | Promise] = gettext_lazy("an organisation, or your own user name")

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._client = Client(
            NAME,
            access.api_url.rstrip("/").removesuffix(API),
            {"Accept": "application/json", "Authorization": f"token {access.token}"},
            hidden=(access.token, *access.hidden),
            trusted=access.authorities,
        )
        self._lock = threading.Lock()
        self._known_login: str | None = None
        self._known_type = ""

    @classmethod
    def read_target(cls, text: str, api_url: str) -> str:
        name = path_in(text, api_url).removeprefix("org/").partition("/")[0]
        if not _TARGET.fullmatch(name):
            raise BadTarget(_("Name an organisation, or the user whose token it is."))
        return name

    def who(self) -> Report:
        try:
            answer = self._client.get(f"{API}/user", patience=QUICK)
        except Refused:
            return Report(Standing.OK, missing=(READ_USER,))
        return Report(Standing.OK, answer.word("login"))

    def possible(self, words: str, progress: Progress) -> Owned:
        """The person, and the organisations whose hooks that person may touch."""
        login = self._login()
        organisations = [_name(each) for each in self._all(f"{API}/user/orgs")]
        named = [name for name in organisations if words.strip().lower() in name.lower()]
        found = [login] if login and words.strip().lower() in login.lower() else []
        for done, name in enumerate(named[:MAX_OWNERS]):
            progress(done, len(named))
            if not login or self._may(login, name):
                found.append(name)
        text_ = _("Only the first %(most)d organisations were asked for.") % {"most": MAX_OWNERS}
        return Owned(tuple(map(Repository, found)), (text_,) if named[MAX_OWNERS:] else ())

    def hooks(self, name: str, *, etag: str = "") -> Hooks:
        items = self._all(self._hooks_of(name))
        return Hooks(tuple(_hook(item) for item in items))

    def create(self, name: str, wanted: Wanted) -> Hook:
        return self._make(name, wanted, {"events": sorted(wanted.events)})

    def update(self, name: str, hook: Hook, wanted: Wanted) -> Hook | None:
        """A secret is taken only when a hook is made, and so is what it speaks like."""
        if hook.faults or not wanted.secret_known:
            return None
        old = self._client.get(self._hooks_of(name, hook.id)).object
        config = {"url": wanted.url, "content_type": CONTENT_TYPE}
        kept = _kept(old, wanted)
        body = {"config": config, "active": True, **kept}
        hidden = (kept["authorization_header"],)
        answer = self._client.send("PATCH", self._hooks_of(name, hook.id), body, hidden=hidden)
        return _with_packages(_hook(answer.object), wanted)

    def another(self, name: str, hook: Hook, wanted: Wanted) -> Hook:
        items = self._all(self._hooks_of(name))
        known = {str(item.get("id")): item for item in items}
        try:
            return self._make(name, wanted, _kept(known.get(hook.id, {}), wanted))
        except Unavailable:
            since = [each for each in self.hooks(name).items if each.id not in known]
            if not (ours := ours_of(wanted.url, since)):
                raise
            return ours[0]  # only the answer was lost

    def delete(self, name: str, hook_id: str) -> None:
        try:
            self._client.send("DELETE", self._hooks_of(name, hook_id))
        except NotSeen:
            return

    def _make(self, name: str, wanted: Wanted, kept: dict[str, Any]) -> Hook:
        config = {"url": wanted.url, "content_type": CONTENT_TYPE, "secret": wanted.secret}
        body = {"type": self._type(), "config": config, "active": True, **kept}
        hidden = (wanted.secret, str(kept.get("authorization_header", "")))
        made = _hook(self._client.send("POST", self._hooks_of(name), body, hidden=hidden).object)
        try:
            return _with_packages(made, wanted)
        except Rejected:
            self.delete(name, made.id)
            raise

    def _hooks_of(self, name: str, *rest: str) -> str:
        if not _TARGET.fullmatch(name):
            raise NotSeen(_("This is not the name of anybody there."))
        if name.lower() == self._login().lower():
            return f"{API}/user/hooks" + (path_of(*rest) if rest else "")
        return API + path_of("orgs", name, "hooks", *rest)

    def _all(self, path: str) -> list[dict[str, Any]]:
        """How many there are stands in a header; a link to the next page stands nowhere."""
        found: list[dict[str, Any]] = []
        for page in range(1, MAX_PAGES + 1):
            answer = self._client.get(f"{path}?limit={PER_PAGE}&page={page}")
            items = answer.items
            found += items
            total = number(answer.headers.get("X-Total-Count", ""))
            is_last = len(found) >= total if total else len(items) < PER_PAGE
            if is_last or not items:
                return found
        text_ = _("%(provider)s has more to list than can be read.")
        raise Unavailable(text_ % {"provider": NAME})

    def _login(self) -> str:
        """Whose token it is; empty where that may not be asked."""
        with self._lock:
            if self._known_login is None:
                try:
                    self._known_login = self._client.get(f"{API}/user").word("login")
                except Refused:
                    self._known_login = ""
            return self._known_login

    def _type(self) -> str:
        """Forgejo says of which Gitea it is a kind of. Both take `gitea`, and say it differently
        when they call."""
        with self._lock:
            if not self._known_type:
                try:
                    data = self._client.get(f"{API}/version").data
                except (NotSeen, Refused):
                    data = None
                is_forgejo = "+gitea-" in text(data, "version", limit=100)
                self._known_type = "forgejo" if is_forgejo else "gitea"
            return self._known_type

    def _may(self, login: str, organisation: str) -> bool:
        """Whether the person may touch the hooks of an organisation; so it may be, if not told."""
        path = API + path_of("users", login, "orgs", organisation, "permissions")
        try:
            rights = self._client.get(path).object
        except (NotSeen, Refused):
            return False
        return rights.get("is_owner") is True or rights.get("is_admin") is True


def _with_packages(hook: Hook, wanted: Wanted) -> Hook:
    """Versions that cannot be asked for an event leave it out, and do not say so."""
    if not set(wanted.events) <= set(hook.events):
        raise Rejected(_("This version has no webhooks for packages in its API: update it."))
    return hook


def _kept(shown: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    """What of a hook is a person's, as it has to be said so that it stays."""
    events = {_ALONE.get(event, event) for event in _events(shown)} | set(wanted.events)
    branches, header = shown.get("branch_filter"), shown.get("authorization_header")
    return {
        "events": sorted(events),
        "branch_filter": branches if isinstance(branches, str) else "",
        "authorization_header": header if isinstance(header, str) else "",
    }


def _hook(item: dict[str, Any]) -> Hook:
    hook_id, type_ = item.get("id"), text(item, "type", limit=60)
    if isinstance(hook_id, bool) or not _ID.fullmatch(str(hook_id)):
        raise nonsense(NAME)
    return Hook(
        id=str(hook_id),
        url=text(item, "config", "url", limit=2000),
        active=item.get("active") is True,
        events=_events(item),
        content_type=text(item, "config", "content_type", limit=20),
        insecure_ssl=False,
        # It says when it was changed, and means its last call, too: that tells nothing.
        updated_at=None,
        faults=() if type_ in _TYPES else (_("it spoke as to %(type)s") % {"type": type_},),
    )


def _events(item: dict[str, Any]) -> tuple[str, ...]:
    events = item.get("events")
    known = events[:MAX_EVENTS] if isinstance(events, list) else []
    return tuple(clean(event, limit=60) for event in known if isinstance(event, str))


def _name(item: dict[str, Any]) -> str:
    name = text(item, "username", limit=100) or text(item, "name", limit=100)
    if not _TARGET.fullmatch(name):
        raise nonsense(NAME)
    return name
