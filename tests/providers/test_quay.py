"""What only Quay has: it counts calls that failed, and gives up after three."""

from __future__ import annotations

import pytest

from integrations.hooks.provider import BadTarget, Standing, Wanted
from integrations.hooks.quay import Quay
from integrations.models import HookTarget
from tests.hooks.doing import said
from tests.providers import cases
from tests.providers.cases import SECRET, TOKEN, USER
from tests.providers.conftest import access_to, account_at, audit, sync, track
from tests.sink import sink

NAME = "acme/api"
ADDRESS = "https://quay.io"


@pytest.fixture
def account(db: None, quay: cases.Quay) -> None:
    """One repository is tracked, and has its notification."""
    quay.add(NAME)
    track(account_at(quay), NAME)
    sync()
    quay.fake.asked.clear()


def writes(quay: cases.Quay) -> list[str]:
    return [each.method for each in quay.fake.asked if each.method != "GET"]


@pytest.mark.usefixtures("account")
class TestWhatItCounts:
    def test_it_shows_that_quay_gave_up_and_sets_it_back(self, quay: cases.Quay) -> None:
        [notification] = quay.fake.of(NAME)
        quay.fake.answered = 500
        assert [quay.publish(NAME) for _push in range(4)] == [[500], [500], [500], []]
        assert said(audit(), "state") == {NAME: "drift"}
        words = HookTarget.objects.get().last_error
        assert words.startswith("It was switched off; ")
        assert "3 calls failed, and Quay makes no more" in words
        assert said(sync()) == {NAME: "updated"}
        assert writes(quay) == ["POST"]
        assert quay.fake.of(NAME) == [notification]
        assert notification.number_of_failures == 0
        quay.fake.answered = 202
        assert quay.publish(NAME) == [202]
        assert said(audit(), "state") == {NAME: "ok"}

    def test_a_call_or_two_that_failed_are_nothing(self, quay: cases.Quay) -> None:
        quay.fake.of(NAME)[0].number_of_failures = 2
        assert said(audit(), "state") == {NAME: "ok"}

    @pytest.mark.parametrize("count", [None, "three", [], True, 1e99])
    def test_it_makes_nothing_of_a_count_that_is_none(
        self, quay: cases.Quay, count: object
    ) -> None:
        quay.fake.of(NAME)[0].number_of_failures = count  # type: ignore[assignment]  # not a number
        assert said(audit(), "state") == {NAME: "ok"}


@pytest.mark.usefixtures("account")
class TestOtherNotifications:
    def test_one_that_says_something_else_is_made_anew(self, quay: cases.Quay) -> None:
        [notification] = quay.fake.of(NAME)
        notification.config["template"] = '{"text": "somebody pushed"}'
        assert said(audit(), "state") == {NAME: "drift"}
        assert said(sync()) == {NAME: "updated"}
        assert writes(quay) == ["POST", "DELETE"]
        [now] = quay.fake.of(NAME)
        assert now.config == {"url": quay.url()}

    def test_it_leaves_other_events_and_ways_alone(self, quay: cases.Quay) -> None:
        theirs = [
            quay.fake.notify(NAME, quay.url(), "vulnerability_found"),
            quay.fake.notify(NAME, "", title="by mail"),
        ]
        theirs[1].method, theirs[1].config = "email", {"email": "ada@example.com"}
        assert said(sync()) == {NAME: "noop"}
        HookTarget.objects.update(selected=False)
        assert said(sync()) == {NAME: "deleted"}
        assert quay.fake.of(NAME) == theirs

    def test_it_cannot_be_told_not_to_look_at_our_certificate(self, quay: cases.Quay) -> None:
        track(account_at(quay, verify_tls=False), NAME)
        assert said(sync()) == {NAME: "noop"}


class TestTargets:
    def test_it_lists_the_namespaces_of_the_token(self, quay: cases.Quay) -> None:
        for number in range(230):
            quay.add(f"acme/r{number:03}")
        quay.add(f"{USER}/own")
        quay.add("others/secret")
        quay.fake.organisations = ["acme"]
        found = Quay.open(access_to(quay)).possible("", lambda done, total: None)
        names = [each.full_name for each in found.repositories]
        assert names == [f"acme/r{number:03}" for number in range(230)] + [f"{USER}/own"]
        assert {each.visibility for each in found.repositories} == {"private"}
        some = Quay.open(access_to(quay)).possible("R22", lambda done, total: None)
        assert len(some.repositories) == 10

    def test_a_token_that_may_not_say_whose_it_is_needs_a_namespace(self, quay: cases.Quay) -> None:
        quay.fake.add_token(TOKEN, scopes=["repo:admin"])
        quay.add(NAME)
        provider = Quay.open(access_to(quay))
        found = provider.possible("", lambda done, total: None)
        assert found.repositories == ()
        assert "namespace/" in found.warnings[0]
        found = provider.possible("acme/", lambda done, total: None)
        assert [each.full_name for each in found.repositories] == [NAME]

    @pytest.mark.parametrize(
        ("typed", "name"),
        [
            ("acme/api", "acme/api"),
            ("acme/deep/api", "acme/deep/api"),
            ("quay.io/acme/api:1", "acme/api"),
            ("https://quay.io/repository/acme/api?tab=tags", "acme/api"),
        ],
    )
    def test_it_reads_what_a_person_types(self, typed: str, name: str) -> None:
        assert Quay.read_target(typed, "") == name

    @pytest.mark.parametrize(
        "typed", ["", "acme", "acme/", "acme/../x", "/", "Acme/api", "https://ghcr.io/acme/api"]
    )
    def test_it_refuses_what_names_nothing(self, typed: str) -> None:
        with pytest.raises(BadTarget):
            Quay.read_target(typed, ADDRESS)


class TestCalls:
    def test_it_says_who_it_is_where_it_may(self, quay: cases.Quay) -> None:
        report = Quay.open(access_to(quay)).try_credential()
        assert (report.state, report.login, report.missing) == (Standing.OK, USER, ())
        assert quay.fake.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        quay.fake.add_token(TOKEN, scopes=["repo:admin"])
        report = Quay.open(access_to(quay)).try_credential()
        assert (report.state, report.enough, report.missing) == (Standing.OK, True, ("user:read",))
        quay.revoke()
        assert Quay.open(access_to(quay)).try_credential().state == Standing.INVALID
        quay.fake.fail("GET", "*", "html", times=9)
        assert Quay.open(access_to(quay)).try_credential().state == Standing.UNTRIED

    def test_it_has_a_test_sent(self, quay: cases.Quay) -> None:
        quay.add(NAME)
        quay.fake.delivers = True
        provider = Quay.open(access_to(quay))
        with sink() as heard:
            made = provider.create(NAME, Wanted(f"{heard.url}/{SECRET}", SECRET, provider.events))
            provider.ping(NAME, made.id)
            [came] = heard.wait_for(1)
        assert came.json["updated_tags"] == ["latest", "foo"]
        assert came.json["docker_url"] == f"{quay.fake.host}/{NAME}"

    def test_it_has_deleted_what_quay_calls_an_invalid_request(self, quay: cases.Quay) -> None:
        quay.add(NAME)
        Quay.open(access_to(quay)).delete(NAME, "2f6c9a1e-0000-4000-8000-000000000000")
        assert writes(quay) == ["DELETE"]
