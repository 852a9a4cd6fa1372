"""Hooks kept in line, at every registry that has an API for them: what holds for all."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.utils import timezone

from checks.models import Job, JobLog
from dockrev import http
from integrations.hooks import asking
from integrations.hooks.provider import Proof
from integrations.hooks.tokens import fingerprint
from integrations.models import HookAccount, HookTarget, Receiver
from tests.hooks.doing import result, said
from tests.providers.cases import BASE, FORMER, NEXT_SECRET, SECRET, TOKEN, Case
from tests.providers.conftest import account_at, ask, audit, sync, track

pytestmark = pytest.mark.django_db
BROKEN = [403, 404, 409, 500, 503, "html", "garbage", "nonsense", "huge", "short", "cut"]


@pytest.fixture(autouse=True)
def _nothing_tells_a_secret(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test does: no row that people see, and no line of the log, has a secret in it."""
    caplog.set_level(logging.DEBUG)
    yield
    kept = [str(each) for each in Job.objects.values_list("summary", "params", "subject")]
    kept += JobLog.objects.values_list("message", flat=True)
    kept += [str(row) for row in HookTarget.objects.values()]
    kept += [str(each) for each in HookAccount.objects.values_list("credential_report", "inputs")]
    kept += [record.getMessage() for record in caplog.records if record.name != "tests"]
    secrets = (TOKEN, SECRET, NEXT_SECRET)
    assert not [each for each in kept for secret in secrets if secret in each]


@pytest.fixture
def name(case: Case) -> str:
    """A target that is tracked and has no hook yet."""
    [name] = case.names(1)
    track(account_at(case), name)
    return name


def the_hook(case: Case, name: str, base: str = BASE) -> None:
    """The target has one hook of ours, as it should be."""
    ours = [each for each in case.hooks(name) if each.url.startswith((BASE, FORMER))]
    assert ours == [case.right(secret=Receiver.objects.get().secret, base=base)]


def asked(case: Case) -> set[str]:
    return {each.method for each in case.fake.asked}


class TestMaking:
    def test_it_makes_a_hook(self, case: Case, name: str) -> None:
        assert said(sync()) == {name: "created"}
        the_hook(case, name)
        target = HookTarget.objects.get()
        assert target.hook_state == "ok"
        assert target.secret_sent == fingerprint(SECRET)
        assert target.last_error == ""

    def test_it_leaves_what_is_right(self, case: Case, name: str) -> None:
        sync()
        case.fake.asked.clear()
        assert said(sync()) == {name: "noop"}
        assert asked(case) == {"GET"}

    def test_it_only_says_what_it_would_do(self, case: Case, name: str) -> None:
        assert said(sync(dry_run=True)) == {name: "created"}
        assert asked(case) == {"GET"}
        assert case.hooks(name) == []
        assert HookTarget.objects.get().hook_id == ""

    def test_it_takes_a_hook_that_a_person_made(self, case: Case, name: str) -> None:
        case.add_hook(name, case.url())
        assert set(said(sync()).values()) <= {"noop", "updated"}
        the_hook(case, name)

    def test_it_touches_no_hook_of_others(self, case: Case, name: str) -> None:
        others = ["https://ci.example.com/hook", f"{BASE}/another", f"{case.url()}/more"]
        for url in others:
            case.add_hook(name, url)
        before = case.hooks(name)
        sync()
        assert case.hooks(name)[: len(before)] == before
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {name: "deleted"}
        assert case.hooks(name) == before

    def test_a_delivery_changes_nothing(self, case: Case, name: str) -> None:
        sync()
        assert case.publish(name) == [202]
        assert said(audit(), "state") == {name: "ok"}
        assert said(sync()) == {name: "noop"}


class TestPuttingRight:
    def test_it_finds_that_a_hook_is_missing(self, case: Case, name: str) -> None:
        assert said(audit(), "state") == {name: "missing"}
        assert asked(case) == {"GET"}
        assert said(ask(asking.repair)) == {name: "created"}
        assert said(audit(), "state") == {name: "ok"}

    def test_it_puts_right_a_hook_that_calls_no_more(self, case: Case, name: str) -> None:
        sync()
        case.switch_off(name)
        case.fake.asked.clear()
        assert said(audit(), "state") == {name: "drift"}
        assert asked(case) == {"GET"}
        assert "switched off" in HookTarget.objects.get().last_error
        assert said(sync()) == {name: "updated"}
        assert case.update in asked(case)
        the_hook(case, name)
        assert said(audit(), "state") == {name: "ok"}

    def test_it_gives_hooks_the_new_secret(self, case: Case, name: str) -> None:
        sync()
        now = timezone.now()
        Receiver.objects.update(previous_secret=SECRET, secret=NEXT_SECRET, secret_created_at=now)
        assert said(audit(), "state") == {name: "drift"}
        assert said(sync()) == {name: "updated"}
        the_hook(case, name)
        assert Receiver.objects.get().previous_secret == ""
        assert said(sync()) == {name: "noop"}

    def test_it_makes_the_new_hook_before_it_deletes_the_old(self, case: Case, name: str) -> None:
        sync()
        Receiver.objects.update(secret=NEXT_SECRET)
        case.fake.asked.clear()
        sync()
        writes = [each.method for each in case.fake.asked if each.method != "GET"]
        if writes == ["PUT"]:
            return  # the one that it had was changed
        assert writes == sorted(writes, key=lambda method: method == "DELETE")
        assert writes[-1] == "DELETE"

    def test_it_moves_hooks_to_another_callback_url(self, case: Case, name: str) -> None:
        HookAccount.objects.update(callback_url=f"{FORMER}/{case.provider.receiver}")
        sync()
        the_hook(case, name, FORMER)
        HookAccount.objects.update(callback_url=f"{BASE}/{case.provider.receiver}")
        assert said(sync()) == {name: "created"}
        the_hook(case, name)

    def test_it_makes_anew_what_somebody_deleted(self, case: Case, name: str) -> None:
        sync()
        HookTarget.objects.update(selected=False)
        sync()
        HookTarget.objects.update(selected=True)
        assert said(sync()) == {name: "created"}
        the_hook(case, name)


class TestSeveralOfOne:
    def test_it_leaves_it_to_a_person_which_to_keep(self, case: Case, name: str) -> None:
        sync()
        case.add_hook(name, case.url())
        job = sync()
        assert said(job) == {name: "conflict"}
        assert len(case.hooks(name)) == 2
        assert said(audit(), "state") == {name: "conflict"}
        kept, other = [str(hook["id"]) for hook in result(job)["conflictHooks"]]  # type: ignore[attr-defined]  # a list
        choice = {"repo": name, "keepHookId": kept, "deleteHookIds": [other]}
        assert set(said(sync(resolve=[choice], repos=[name])).values()) <= {"noop", "updated"}
        the_hook(case, name)

    def test_it_keeps_no_hook_with_a_secret_that_is_over(self, case: Case, name: str) -> None:
        """Such as one that was left when a sync was cut off after it had made another."""
        if case.provider.proof != Proof.URL:
            pytest.skip("only a URL shows which secret it has")
        sync()
        case.add_hook(name, case.url("the-one-before-the-last-0123456789"))
        assert said(sync())[name] in {"noop", "updated"}
        the_hook(case, name)


class TestRemoving:
    def test_it_deletes_the_hook_of_what_is_not_selected(self, case: Case, name: str) -> None:
        sync()
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {name: "deleted"}
        assert case.hooks(name) == []
        assert HookTarget.objects.get().hook_id == ""

    def test_it_deletes_all_once_it_is_off(self, case: Case) -> None:
        names = case.names(3)
        track(account_at(case), *names)
        sync()
        Receiver.objects.update(enabled=False)
        assert set(said(ask(asking.remove_all)).values()) == {"deleted"}
        assert [case.hooks(name) for name in names] == [[], [], []]

    def test_it_has_deleted_what_is_gone_already(self, case: Case, name: str) -> None:
        sync()
        hook_id = HookTarget.objects.get().hook_id
        HookTarget.objects.update(selected=False)
        sync()
        HookTarget.objects.update(hook_id=hook_id, hook_url=case.url("••••"))
        assert said(sync()) == {name: "noop"}

    def test_it_deletes_although_an_answer_is_lost(self, case: Case, name: str) -> None:
        sync()
        HookTarget.objects.update(selected=False)
        case.fake.fail("DELETE", "*", "cut", done=True)
        assert said(sync()) == {name: "deleted"}
        assert case.hooks(name) == []


class TestTrouble:
    @pytest.fixture
    def three(self, case: Case) -> list[str]:
        names = case.names(3)
        track(account_at(case), *names)
        return names

    @pytest.mark.parametrize("kind", BROKEN)
    def test_one_target_that_cannot_be_read_stops_no_other(
        self, case: Case, three: list[str], kind: int | str
    ) -> None:
        case.fake.fail("GET", case.path_of(three[1]), kind, times=99)
        job = sync()
        assert said(job) == {three[0]: "created", three[1]: "error", three[2]: "created"}
        broken = HookTarget.objects.get(full_name=three[1])
        assert broken.hook_state == "error"
        assert broken.last_error
        assert "<" not in broken.last_error
        self.ends_well(case, three)

    @pytest.mark.parametrize("kind", BROKEN)
    def test_one_hook_that_cannot_be_made_stops_no_other(
        self, case: Case, three: list[str], kind: int | str
    ) -> None:
        case.fake.fail("POST", "*", kind, times=2)
        sync()
        self.ends_well(case, three)

    @pytest.mark.parametrize("was_done", [True, False])
    @pytest.mark.parametrize("kind", [500, "html", "truncated", "short", "cut"])
    def test_it_makes_no_second_hook_when_an_answer_is_lost(
        self, case: Case, name: str, kind: int | str, was_done: bool
    ) -> None:
        case.fake.fail("POST", "*", kind, done=was_done)
        assert said(sync()) == {name: "created"}
        the_hook(case, name)

    @pytest.mark.parametrize("was_done", [True, False])
    @pytest.mark.parametrize("kind", [500, "html", "short", "cut"])
    def test_it_has_one_hook_with_the_new_secret_when_an_answer_is_lost(
        self, case: Case, name: str, kind: int | str, was_done: bool
    ) -> None:
        sync()
        Receiver.objects.update(secret=NEXT_SECRET)
        case.fake.fail("POST", "*", kind, done=was_done)
        sync()
        case.fake.faults.clear()
        sync()
        the_hook(case, name)

    def test_the_old_hook_goes_later_if_it_cannot_go_now(self, case: Case, name: str) -> None:
        sync()
        Receiver.objects.update(secret=NEXT_SECRET)
        case.fake.fail("DELETE", "*", 500, times=9)
        sync()
        case.fake.faults.clear()
        sync()
        the_hook(case, name)

    def test_it_gives_up_on_a_server_that_says_nothing(
        self, case: Case, three: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        request = http.request
        monkeypatch.setattr(
            http, "request", lambda *args, **more: request(*args, **more | {"timeout": (5.0, 0.2)})
        )
        case.fake.fail("GET", case.path_of(three[1]), "timeout", times=99)
        assert said(sync())[three[1]] == "error"
        monkeypatch.undo()
        self.ends_well(case, three)

    def test_it_stops_when_the_credential_is_refused(self, case: Case, three: list[str]) -> None:
        case.fake.before = lambda method, path: method == "POST" and case.revoke()
        job = sync()
        assert job.status == "failed"
        assert "does not accept" in job.summary["error"]
        case.fake.before = None
        case.allow()
        self.ends_well(case, three)

    def test_it_waits_while_it_is_asked_too_often(self, case: Case, three: list[str]) -> None:
        case.fake.fail("GET", case.path_of(three[0]), 429, times=1)
        job = sync()
        assert job.status == "queued"
        assert job.not_before is not None
        assert job.not_before > timezone.now()

    def ends_well(self, case: Case, names: list[str]) -> None:
        """Whatever was: one more sync, or two, find all in order."""
        case.fake.faults.clear()
        sync()
        assert set(said(sync()).values()) == {"noop"}
        for name in names:
            the_hook(case, name)


class TestPlainHttp:
    @pytest.mark.parametrize("verify_tls", [True, False])
    def test_there_is_no_certificate_to_look_at(self, case: Case, verify_tls: bool) -> None:
        [name] = case.names(1)
        callback = f"http://dockrev.lan/api/webhooks/{case.provider.receiver}"
        track(account_at(case, callback_url=callback, verify_tls=verify_tls), name)
        assert said(sync()) == {name: "created"}
        assert said(sync()) == {name: "noop"}
        assert said(audit(), "state") == {name: "ok"}
