"""What only MSR has: one subscription for each event, scopes, and no way to change any."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.hooks.errors import NotSeen
from integrations.hooks.msr import ALL, Msr
from integrations.hooks.provider import BadTarget, Standing, Wanted
from integrations.models import HookTarget
from tests.certificates import Authority
from tests.hooks.doing import said
from tests.providers import cases
from tests.providers.cases import SECRET, TOKEN, USER
from tests.providers.conftest import access_to, account_at, audit, sync, track
from tests.sink import sink

NAME = "acme/api"
ADDRESS = "https://msr.example.com"


@pytest.fixture
def account(db: None, msr: cases.Msr) -> None:
    """One repository is tracked, and has its hook."""
    msr.add(NAME)
    track(account_at(msr), NAME)
    sync()
    msr.fake.asked.clear()


def writes(msr: cases.Msr) -> list[str]:
    return [each.method for each in msr.fake.asked if each.method != "GET"]


def subscription(msr: cases.Msr, type_: str, key: str = NAME) -> Any:
    [found] = [each for each in msr.fake.of(key) if each.type == type_]
    return found


@pytest.mark.usefixtures("account")
class TestOneSubscriptionForEachEvent:
    def test_it_subscribes_to_both_events(self, msr: cases.Msr) -> None:
        assert [each.type for each in msr.fake.of(NAME)] == ["TAG_PUSH", "SCAN_COMPLETED"]
        assert {each.endpoint for each in msr.fake.of(NAME)} == {msr.url()}
        assert not any(each.skipTLSVerification for each in msr.fake.of(NAME))

    def test_it_makes_only_what_is_missing(self, msr: cases.Msr) -> None:
        kept = subscription(msr, "TAG_PUSH")
        msr.fake.subscriptions.remove(subscription(msr, "SCAN_COMPLETED"))
        assert said(audit(), "state") == {NAME: "drift"}
        assert HookTarget.objects.get().last_error == "Events were missing."
        assert said(sync()) == {NAME: "updated"}
        assert writes(msr) == ["POST"]
        assert msr.fake.of(NAME)[0] is kept

    def test_it_makes_anew_only_what_calls_no_more(self, msr: cases.Msr) -> None:
        kept, off = subscription(msr, "SCAN_COMPLETED"), subscription(msr, "TAG_PUSH")
        off.inactive = True
        assert said(sync()) == {NAME: "updated"}
        assert writes(msr) == ["POST", "DELETE"]
        assert kept in msr.fake.of(NAME)
        assert off not in msr.fake.of(NAME)
        assert not subscription(msr, "TAG_PUSH").inactive

    @pytest.mark.parametrize(
        ("succeeded", "words"),
        [
            ("0001-01-01T00:00:00Z", "no call ever succeeded"),
            ("2026-05-04T03:02:01.123456789Z", "the last call that succeeded was on 2026-05-04"),
        ],
    )
    def test_it_says_when_a_call_last_succeeded(
        self, msr: cases.Msr, succeeded: str, words: str
    ) -> None:
        for each in msr.fake.of(NAME):
            each.inactive, each.lastSuccessfulAt = True, succeeded
        audit()
        assert words in HookTarget.objects.get().last_error

    def test_it_cleans_up_after_a_sync_that_was_cut_off(self, msr: cases.Msr) -> None:
        msr.fake.subscribe(NAME, msr.url(), "TAG_PUSH", inactive=True)
        assert said(sync()) == {NAME: "updated"}
        assert writes(msr) == ["DELETE"]
        assert len(msr.fake.of(NAME)) == 2

    def test_it_takes_no_subscription_that_does_not_look_at_certificates(
        self, msr: cases.Msr
    ) -> None:
        subscription(msr, "TAG_PUSH").skipTLSVerification = True
        audit()
        assert HookTarget.objects.get().last_error == "It did not check the certificate."
        assert said(sync()) == {NAME: "updated"}
        assert not subscription(msr, "TAG_PUSH").skipTLSVerification

    def test_it_keeps_the_certificate_that_a_person_gave(self, msr: cases.Msr) -> None:
        pem = Authority().pem
        for each in msr.fake.of(NAME):
            each.tlsCert, each.inactive = pem, True
        sync()
        assert [each.tlsCert for each in msr.fake.of(NAME)] == [pem, pem]

    def test_it_leaves_other_events_to_who_wants_them(self, msr: cases.Msr) -> None:
        theirs = msr.fake.subscribe(NAME, msr.url(), "TAG_DELETE", inactive=True)
        assert said(sync()) == {NAME: "noop"}
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {NAME: "deleted"}
        assert msr.fake.of(NAME) == [theirs]

    def test_it_deletes_what_is_left_of_a_hook(self, msr: cases.Msr) -> None:
        msr.fake.subscriptions.remove(subscription(msr, "TAG_PUSH"))
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {NAME: "deleted"}
        assert msr.fake.of(NAME) == []

    def test_it_may_be_told_not_to_look_at_our_certificate(self, msr: cases.Msr) -> None:
        account_at(msr, verify_tls=False)
        track(account_at(msr, verify_tls=False), NAME)
        sync()
        assert all(each.skipTLSVerification for each in msr.fake.of(NAME))
        assert said(sync()) == {NAME: "noop"}


class TestScopes:
    @pytest.mark.django_db
    def test_a_namespace_is_a_target(self, msr: cases.Msr) -> None:
        msr.add(NAME)
        track(account_at(msr), "acme")
        assert said(sync()) == {"acme": "created"}
        assert {each.key for each in msr.fake.subscriptions} == {"acme"}
        assert msr.publish(NAME) == [202]
        assert said(sync()) == {"acme": "noop"}

    @pytest.mark.django_db
    def test_an_admin_subscribes_to_all_there_is(self, msr: cases.Msr) -> None:
        msr.fake.add_user(USER, TOKEN, admin=True)
        msr.add(NAME)
        msr.add_hook(NAME, msr.url())
        track(account_at(msr), ALL)
        assert said(sync()) == {ALL: "created"}
        assert [each.key for each in msr.fake.subscriptions].count("") == 2
        assert said(sync()) == {ALL: "noop"}

    @pytest.mark.django_db
    def test_nobody_else_does(self, msr: cases.Msr) -> None:
        track(account_at(msr), ALL)
        assert said(sync()) == {ALL: "error"}
        assert "not authorized" in HookTarget.objects.get().last_error

    def test_it_lists_what_may_be_a_target(self, msr: cases.Msr) -> None:
        for number in range(230):
            msr.add(f"acme/r{number:03}")
        msr.add("others/secret")
        told: list[int] = []
        found = Msr.open(access_to(msr)).possible("", lambda done, total: told.append(done))
        names = [each.full_name for each in found.repositories]
        assert names[:3] == [ALL, "acme", "acme/r000"]
        assert len(names) == 232
        assert len(told) == 3
        some = Msr.open(access_to(msr)).possible(" R22", lambda done, total: None)
        assert len(some.repositories) == 11

    @pytest.mark.parametrize(
        ("typed", "name"),
        [
            ("acme/api", "acme/api"),
            ("acme", "acme"),
            ("*", "*"),
            (" acme/api ", "acme/api"),
            ("acme/api:1.2", "acme/api"),
            ("acme/api@sha256:00", "acme/api"),
            ("msr.example.com/acme/api", "acme/api"),
            ("https://msr.example.com/repositories/acme/api", "acme/api"),
            ("acme.io/api", "acme.io/api"),
        ],
    )
    def test_it_reads_what_a_person_types(self, typed: str, name: str) -> None:
        assert Msr.read_target(typed, ADDRESS) == name

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            "*/*",
            "/",
            "..",
            "acme/..",
            "../acme",
            "acme/api/more",
            "Acme/Api",
            "a b/c",
            "acme/\x00",
            "https://other.example.com/repositories/acme/api",
            "https://[/acme",
            "other.example.com/acme/api",
            "a" * 600,
        ],
    )
    def test_it_refuses_what_names_nothing(self, typed: str) -> None:
        with pytest.raises(BadTarget):
            Msr.read_target(typed, ADDRESS)


class TestCalls:
    def test_it_says_who_it_is(self, msr: cases.Msr) -> None:
        report = Msr.open(access_to(msr)).try_credential()
        assert (report.state, report.login) == (Standing.OK, USER)
        [asked] = msr.fake.asked
        assert asked.basic == (USER, TOKEN)
        msr.revoke()
        assert Msr.open(access_to(msr)).try_credential().state == Standing.INVALID
        msr.fake.fail("GET", "*", "html", times=9)
        assert Msr.open(access_to(msr)).try_credential().state == Standing.UNTRIED

    def test_it_has_its_sample_sent(self, msr: cases.Msr) -> None:
        msr.add(NAME)
        msr.fake.delivers = True
        provider = Msr.open(access_to(msr))
        with sink() as heard:
            made = provider.create(NAME, Wanted(f"{heard.url}/{SECRET}", SECRET, provider.events))
            assert all(each.skipTLSVerification for each in msr.fake.of(NAME))  # there is no TLS
            provider.ping(NAME, made.id)
            [came] = heard.wait_for(1)
        assert came.json["contents"]["imageName"].endswith("/foo/bar:latest")

    def test_it_tests_nothing_that_is_not_there(self, msr: cases.Msr) -> None:
        msr.add(NAME)
        with pytest.raises(NotSeen):
            Msr.open(access_to(msr)).ping(NAME, "gone")
        assert writes(msr) == []
