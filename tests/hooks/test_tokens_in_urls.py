"""Hooks whose URL is their secret, where a hook cannot be changed, only made and deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import ClassVar

import pytest
from django.core import serializers
from django.utils import timezone

from checks.models import Job
from checks.tasks import run_job
from integrations import rotation
from integrations.hooks import asking, providers
from integrations.hooks.errors import Rejected, Unavailable
from integrations.hooks.provider import (
    Access,
    Hook,
    Hooks,
    Owned,
    Progress,
    Proof,
    Provider,
    Report,
    Standing,
    Wanted,
)
from integrations.hooks.tokens import fingerprint
from integrations.models import HookAccount, HookTarget, Receiver
from tests.hooks.doing import Sync, done, result, said

PLACE = "https://dockrev.example.com/api/webhooks/msr"
TOKEN, OLD = "the-token-of-now-with-160-bits-or-more", "the-token-of-then-with-160-bits-or-more"
SHOWN = f"{PLACE}/••••"


@dataclass
class There:
    """What the registry has, and what it was asked for. `refuses` are ids that stay."""

    hooks: dict[str, list[Hook]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    refuses: set[str] = field(default_factory=set)
    before: Callable[[str], None] = lambda call: None

    def add(self, name: str, url: str, **more: object) -> Hook:
        known = Hook(f"{next(self.ids):064x}", url, True, ("TAG_PUSH",), "json", False, None)
        made = replace(known, **more)  # type: ignore[arg-type]  # the members of a hook
        self.hooks.setdefault(name, []).append(made)
        return made

    def urls(self, name: str = "acme/api") -> list[str]:
        return [hook.url for hook in self.hooks.get(name, [])]


class Registry(Provider):
    key: ClassVar[str] = "msr"
    label: ClassVar[str] = "A registry"
    receiver: ClassVar[str] = "msr"
    events: ClassVar[tuple[str, ...]] = ("TAG_PUSH",)
    proof: ClassVar[Proof] = Proof.URL
    there: ClassVar[There]

    @classmethod
    def read_target(cls, text: str, api_url: str) -> str:
        return text

    def who(self) -> Report:
        return Report(Standing.OK, "ada")

    def possible(self, words: str, progress: Progress) -> Owned:
        return Owned()

    def hooks(self, name: str, *, etag: str = "") -> Hooks:
        return Hooks(tuple(self.there.hooks.get(name, ())))

    def create(self, name: str, wanted: Wanted) -> Hook:
        self.there.calls.append("create")
        self.there.before("create")
        return self.there.add(name, wanted.url, events=wanted.events)

    def delete(self, name: str, hook_id: str) -> None:
        self.there.calls.append("delete")
        self.there.before("delete")
        if hook_id in self.there.refuses:
            raise Rejected("not this one")
        kept = [hook for hook in self.there.hooks.get(name, []) if hook.id != hook_id]
        self.there.hooks[name] = kept


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> There:
    Registry.there = There()
    monkeypatch.setitem(providers.PROVIDERS, "msr", Registry)
    return Registry.there


@pytest.fixture
def account(db: None, there: There) -> HookAccount:
    receiver, _ = Receiver.objects.get_or_create(kind="msr", defaults={"name": "MSR"})
    receiver.enabled, receiver.secret = True, TOKEN
    receiver.secret_created_at = timezone.now()
    receiver.save()
    account = HookAccount.objects.create(
        provider="msr",
        name="MSR",
        receiver=receiver,
        api_url="https://msr.example.com",
        callback_url=PLACE,
        username="ada",
        credential="x",
    )
    HookTarget.objects.create(account=account, full_name="acme/api")
    return account


@pytest.fixture
def sync(account: HookAccount) -> Sync:
    def run(**given: object) -> Job:
        now = HookAccount.objects.select_related("receiver").get(pk=account.pk)
        return done(asking.sync(now, username="ada", reason="ui", **given))  # type: ignore[arg-type]  # passed on

    return run


def audit(account: HookAccount) -> Job:
    now = HookAccount.objects.select_related("receiver").get(pk=account.pk)
    return done(asking.audit(now, username="ada", reason="ui"))


def kept() -> str:
    """All that is stored of jobs and targets."""
    rows = [*HookTarget.objects.all(), *Job.objects.all()]
    return str(serializers.serialize("json", rows))


class TestOneRepository:
    def test_it_makes_a_hook_and_keeps_its_token_nowhere(
        self, there: There, account: HookAccount, sync: Sync
    ) -> None:
        assert said(sync()) == {"acme/api": "created"}
        assert there.urls() == [f"{PLACE}/{TOKEN}"]
        target = HookTarget.objects.get()
        assert (target.hook_url, target.secret_sent) == (SHOWN, fingerprint(TOKEN))
        assert said(sync()) == {"acme/api": "noop"}
        audit(account)
        assert TOKEN not in kept()

    def test_it_puts_an_old_token_right_the_new_one_first(
        self, there: There, account: HookAccount, sync: Sync
    ) -> None:
        old = there.add("acme/api", f"{PLACE}/{OLD}/", events=("TAG_PUSH", "SCAN_COMPLETED"))
        there.add("acme/api", "https://ci.example/hook/secret")
        assert said(audit(account), "state") == {"acme/api": "drift"}
        assert HookTarget.objects.get().last_error == "It had another secret."
        put_right = result(sync())
        assert (put_right["action"], there.calls) == ("updated", ["create", "delete"])
        assert there.urls() == ["https://ci.example/hook/secret", f"{PLACE}/{TOKEN}"]
        made = there.hooks["acme/api"][-1]
        assert made.id != old.id and made.events == ("TAG_PUSH", "SCAN_COMPLETED")
        assert said(sync()) == {"acme/api": "noop"}
        assert not any(each in kept() for each in (TOKEN, OLD, "ci.example"))

    def test_it_deletes_what_is_left_beside_the_right_one(
        self, there: There, account: HookAccount, sync: Sync
    ) -> None:
        there.add("acme/api", f"{PLACE}/{OLD}")
        there.add("acme/api", f"{PLACE}/{TOKEN}")
        assert said(audit(account), "state") == {"acme/api": "drift"}
        assert said(sync()) == {"acme/api": "noop"}
        assert (there.calls, there.urls()) == (["delete"], [f"{PLACE}/{TOKEN}"])
        assert said(audit(account), "state") == {"acme/api": "ok"}

    def test_several_with_the_right_token_are_a_persons_to_choose_from(
        self, there: There, sync: Sync
    ) -> None:
        for _number in range(2):
            there.add("acme/api", f"{PLACE}/{TOKEN}")
        assert said(sync()) == {"acme/api": "conflict"}
        shown = HookTarget.objects.get().conflict_hooks
        assert [hook["url"] for hook in shown] == [SHOWN, SHOWN]
        choice = {"repo": "acme/api", "keepHookId": shown[1]["id"]}
        sync(resolve=[{**choice, "deleteHookIds": [shown[0]["id"]]}])
        assert [hook.id for hook in there.hooks["acme/api"]] == [shown[1]["id"]]
        assert TOKEN not in kept()

    def test_the_hook_of_another_receiver_is_not_its_business(
        self, there: There, account: HookAccount, sync: Sync
    ) -> None:
        Receiver.objects.create(kind="msr", name="Another", enabled=True, secret=OLD)
        there.add("acme/api", f"{PLACE}/{OLD}")
        assert said(sync()) == {"acme/api": "created"}
        assert there.urls() == [f"{PLACE}/{OLD}", f"{PLACE}/{TOKEN}"]
        assert "delete" not in there.calls

    def test_it_makes_anew_what_the_registry_had_switched_off(
        self, there: There, sync: Sync
    ) -> None:
        sync()
        [hook] = there.hooks["acme/api"]
        faults = ("the registry had given it up after failures",)
        there.hooks["acme/api"] = [replace(hook, active=False, faults=faults)]
        put_right = result(sync())
        assert put_right["action"] == "updated"
        assert "it was switched off, the registry had given it up" in str(put_right["message"])
        assert there.calls == ["create", "create", "delete"]
        assert there.hooks["acme/api"][0].active

    def test_it_deletes_the_one_it_knows_by_whatever_token(self, there: There, sync: Sync) -> None:
        sync()
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {"acme/api": "deleted"}
        assert there.urls() == []

    def test_a_dry_run_changes_nothing(self, there: There, sync: Sync) -> None:
        there.add("acme/api", f"{PLACE}/{OLD}")
        assert said(sync(dry_run=True)) == {"acme/api": "updated"}
        assert there.calls == [] and there.urls() == [f"{PLACE}/{OLD}"]


class TestWhatStaysBehind:
    def test_it_is_remembered_and_deleted_later(self, there: There, sync: Sync) -> None:
        sync()
        [hook] = there.hooks["acme/api"]
        there.hooks["acme/api"] = [replace(hook, active=False)]
        there.refuses.add(hook.id)
        failed = result(sync())
        assert failed["action"] == "error"
        assert "could not be deleted: not this one" in str(failed["message"])
        target = HookTarget.objects.get()
        assert target.former_hooks == [{"id": hook.id, "url": SHOWN}]
        assert target.hook_id != hook.id
        there.refuses.clear()
        assert said(sync()) == {"acme/api": "noop"}
        assert [each.id for each in there.hooks["acme/api"]] == [target.hook_id]
        assert HookTarget.objects.get().former_hooks == []

    def test_it_goes_with_the_hook_that_is_not_wanted(self, there: There, sync: Sync) -> None:
        sync()
        [hook] = there.hooks["acme/api"]
        there.hooks["acme/api"] = [replace(hook, active=False)]
        there.refuses.add(hook.id)
        sync()
        there.refuses.clear()
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {"acme/api": "deleted"}
        assert there.urls() == []

    def test_one_that_was_perhaps_made_is_found(self, there: There, sync: Sync) -> None:
        def fail(call: str) -> None:
            there.before = lambda call: None
            there.add("acme/api", f"{PLACE}/{TOKEN}")
            raise Unavailable("no answer")

        there.before = fail
        assert said(sync()) == {"acme/api": "created"}
        assert there.urls() == [f"{PLACE}/{TOKEN}"]


class TestRotation:
    def test_both_count_until_every_hook_has_the_new_one(
        self, there: There, account: HookAccount, sync: Sync
    ) -> None:
        HookTarget.objects.create(account=account, full_name="acme/web")
        sync()
        new = rotation.rotate(
            Receiver.objects.get(kind="msr"), timezone.now(), username="ada", reason="ui"
        )
        sync(repos=["acme/api"])
        assert (there.urls(), there.urls("acme/web")) == (
            [f"{PLACE}/{new}"],
            [f"{PLACE}/{TOKEN}"],
        )
        assert Receiver.objects.get(kind="msr").previous_secret == TOKEN
        handed_out = Job.objects.get(kind="hooks.sync", finished_at=None)
        run_job(handed_out.pk)
        assert there.urls("acme/web") == [f"{PLACE}/{new}"]
        assert Receiver.objects.get(kind="msr").previous_secret == ""
        params = json.dumps([job.params for job in Job.objects.all()])
        assert not any(each in params + kept() for each in (new, TOKEN))


def test_what_is_shown_of_a_hook_tells_no_token() -> None:
    access, wanted = Access("https://msr.example.com", "pw"), Wanted(f"{PLACE}/{TOKEN}", TOKEN)
    hook = Hook("1", wanted.url, True, (), "json", False, None)
    assert "pw" not in repr(access) and TOKEN not in f"{wanted!r}{hook!r}"
