"""Notifications of repositories at Quay: at quay.io, and of Red Hat's own servers.

Followed: "repositorynotification", "repository" and "user" in the reference of Quay's API.

A notification cannot be changed, but what it counts against itself can be set back: after three
calls that failed Quay makes no more. Nothing is signed, so the URL is the proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.hooks.client import QUICK, Answer, Client, nonsense, path_of
from integrations.hooks.errors import NotSeen, Refused, Rejected
from integrations.hooks.inputs import path_in
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
from integrations.hooks.tokens import fingerprint
from integrations.receivers.base import member, text

NAME = "Quay"
API = "/api/v1"
PUSHED, METHOD = "repo_push", "webhook"
MOST_FAILURES = 3  # Quay calls no more after so many
TITLE = "Dockrev"
READ_USER = "user:read"
MAX_NAMESPACES = 100  # whose repositories are asked for, one after the other
_UUID = re.compile("[0-9A-Za-z-]{1,60}")
_TARGET = re.compile(r"[a-z0-9][a-z0-9._-]{0,254}(?:/[a-z0-9._-]{1,255}){1,8}")


class Quay(Provider):
    """A target is a repository."""

    key: ClassVar[str] = "quay"
    label: ClassVar[str] = NAME
    receiver: ClassVar[str] = "quay"
    events: ClassVar[tuple[str, ...]] = (PUSHED,)
    proof: ClassVar[Proof] = Proof.URL
    can_ping: ClassVar[bool] = True
    can_skip_tls: ClassVar[bool] = False
    default_api_url: ClassVar[str] = "https://quay.io"
    address_help: ClassVar[str | Promise] = gettext_lazy("The address of the Quay server.")
    token_help: ClassVar[str | Promise] = gettext_lazy(
        "An OAuth access token of an application of the organisation, with the scope Administer "
        "Repositories (repo:admin); with Read User Information (user:read) Quay can say whose it "
        "is."
    )
    target_help: ClassVar[str | Promise] = gettext_lazy("namespace/repository")

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._client = Client(
            NAME,
            (access.api_url or self.default_api_url).rstrip("/").removesuffix(API),
            {"Accept": "application/json", "Authorization": f"Bearer {access.token}"},
            hidden=(access.token, *access.hidden),
            trusted=access.authorities,
        )

    @classmethod
    def read_target(cls, text: str, api_url: str) -> str:
        path = path_in(text, api_url or cls.default_api_url).removeprefix("repository/")
        name = path.partition("@")[0].partition(":")[0]
        if not _TARGET.fullmatch(name) or {"", ".", ".."} & set(name.split("/")):
            raise BadTarget(_("Name one repository: namespace/repository."))
        return name

    def who(self) -> Report:
        """That may be hidden from a token that keeps hooks well enough."""
        try:
            answer = self._client.get(f"{API}/user/", patience=QUICK)
        except Refused:
            return Report(Standing.OK, missing=(READ_USER,))
        return Report(Standing.OK, answer.word("username"))

    def possible(self, words: str, progress: Progress) -> Owned:
        """Quay lists one namespace at a time: that of the words, else each of the token's own."""
        named = words.strip().lower().partition("/")[0]
        namespaces = [named] if "/" in words else self._namespaces()
        found: dict[str, Repository] = {}
        for namespace in namespaces[:MAX_NAMESPACES]:
            for repository in self._listed(namespace):
                found[repository.full_name.lower()] = repository
                progress(len(found), 0)
        chosen = sorted(key for key in found if words.strip().lower() in key)
        warnings = () if namespaces else (_no_namespaces(),)
        return Owned(tuple(found[key] for key in chosen), warnings)

    def hooks(self, name: str, *, etag: str = "") -> Hooks:
        answer = self._client.get(_notifications(name))
        items = answer.within("notifications")
        ours = [i for i in items if i.get("event") == PUSHED and i.get("method") == METHOD]
        return Hooks(tuple(map(_hook, ours)))

    def create(self, name: str, wanted: Wanted) -> Hook:
        body = {
            "event": PUSHED,
            "method": METHOD,
            "config": {"url": wanted.url},
            "eventConfig": {},
            "title": TITLE,
        }
        hidden = (wanted.secret, wanted.url)
        return _hook(self._client.send("POST", _notifications(name), body, hidden=hidden).object)

    def update(self, name: str, hook: Hook, wanted: Wanted) -> Hook | None:
        """Set back what it counts. One that calls in another way has to be made anew."""
        if hook.faults or hook.secret_seen != fingerprint(wanted.secret):
            return None
        self._client.send("POST", _notifications(name, hook.id))
        return replace(hook, active=True, last_failure="")

    def delete(self, name: str, hook_id: str) -> None:
        try:
            self._client.send("DELETE", _notifications(name, hook_id))
        except NotSeen:
            return
        except Rejected:
            # Quay calls it an invalid request to delete what is not there.
            if any(hook.id == hook_id for hook in self.hooks(name).items):
                raise

    def ping(self, name: str, hook_id: str) -> None:
        self._client.send("POST", f"{_notifications(name, hook_id)}/test")

    def _namespaces(self) -> list[str]:
        """The user's own and those of organisations, as far as the token may know them."""
        try:
            answer = self._client.get(f"{API}/user/")
        except Refused:
            return []
        organizations = member(answer.object, "organizations")
        known = organizations if isinstance(organizations, list) else []
        names = [answer.word("username"), *(text(each, "name", limit=255) for each in known)]
        return [name for name in names if name]

    def _listed(self, namespace: str) -> Iterator[Repository]:
        query = {"namespace": namespace}
        for answer in self._client.following(f"{API}/repository", query, _further):
            yield from map(_repository, answer.within("repositories"))


def _notifications(name: str, uuid: str = "") -> str:
    path = f"{API}/repository{path_of(*name.split('/'))}/notification"
    return f"{path}{path_of(uuid)}" if uuid else f"{path}/"


def _hook(item: dict[str, Any]) -> Hook:
    uuid, failures = text(item, "uuid", limit=60), item.get("number_of_failures")
    if not _UUID.fullmatch(uuid):
        raise nonsense(NAME)
    count = failures if isinstance(failures, int) else 0
    is_off = count >= MOST_FAILURES
    words = _("%(number)d calls failed, and Quay makes no more") % {"number": count}
    return Hook(
        id=uuid,
        url=text(item, "config", "url", limit=2000),
        active=not is_off,
        events=(PUSHED,),
        content_type="json",
        insecure_ssl=False,
        updated_at=None,
        last_failure=words if is_off else "",
        faults=(_("it had a body of its own"),) if member(item, "config", "template") else (),
    )


def _repository(item: dict[str, Any]) -> Repository:
    name = f"{text(item, 'namespace', limit=255)}/{text(item, 'name', limit=255)}"
    if not _TARGET.fullmatch(name):
        raise nonsense(NAME)
    is_public = item.get("is_public")
    visibility = ("public" if is_public else "private") if isinstance(is_public, bool) else ""
    return Repository(name, visibility, archived=item.get("state") == "READ_ONLY")


def _no_namespaces() -> str:
    return _(
        "The token may not say whose it is: type namespace/ to list what is in that namespace."
    )


def _further(answer: Answer) -> dict[str, str]:
    page = text(answer.data, "next_page", limit=2000)
    return {"next_page": page} if page else {}
