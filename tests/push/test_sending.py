"""What reaches browsers, what becomes of those that cannot be reached, and what is never sent."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from dockrev import preferences
from notifications.channels.base import Message, PartlyTaken, SendError
from notifications.channels.webpush import PATIENCE, WebPush
from notifications.models import Channel, Notification
from notifications.push_models import REMEMBERED, PushSubscription
from tests.notifications.test_outbox import news, send_all, tell
from tests.people import Program, person
from tests.push.conftest import SUBSCRIPTIONS, Subscribes, key_of, make_channel, row_of
from tests.push.service import HOST, OTHER_HOST, PushService, claims
from tests.servers import CUT, Reply

pytestmark = pytest.mark.django_db


def message(id_: str = "ntf_1", text: str = "shop / api: 1 to 2", **more: Any) -> Message:
    payload = {
        "human": {"title": "shop / api has an update", "summary": text},
        "links": {"primaryUrl": more.pop("url", "https://dockrev.example/services/a/b?x=1")},
    }
    return Message(id_, "new_version_discovered", payload, **more)


def send(channel: Channel, sent: Message | None = None) -> int | None:
    return WebPush(channel.settings, channel.pk).send(sent or message())


def refused(channel: Channel, sent: Message | None = None) -> SendError:
    with pytest.raises(SendError) as caught:
        send(channel, sent)
    return caught.value


class TestMessage:
    def test_it_is_read_by_the_browser_and_by_nobody_else(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        one, other = subscribe(), subscribe()
        assert send(channel, message(topic="service:svc_1", urgent=True)) == 201
        assert (
            one.shown
            == other.shown
            == [
                {
                    "id": "ntf_1",
                    "kind": "new_version_discovered",
                    "title": "shop / api has an update",
                    "body": "shop / api: 1 to 2",
                    "url": "/services/a/b?x=1",
                    "tag": "service:svc_1",
                    "urgent": True,
                }
            ]
        )
        [first], [second] = one.asked, other.asked
        assert first.body != second.body
        assert b"shop" not in first.body
        assert row_of(one).last_sent_at is not None

    def test_it_says_who_sends_how_long_it_counts_and_what_it_replaces(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        browser = subscribe()
        for number, urgent in enumerate((True, False)):
            send(channel, message(f"ntf_{number}", topic="service:svc_1", urgent=urgent))
        send(channel, message("ntf_3"))
        first, second, third = (asked.headers for asked in browser.asked)
        said = claims(first["authorization"])
        assert (said["sub"], said["aud"]) == ("mailto:ada@example.org", f"https://{HOST}")
        assert said["exp"] - time.time() <= 24 * 3600
        assert f"k={key_of(channel)}" in first["authorization"]
        assert first["ttl"] == "86400"
        assert (first["urgency"], second["urgency"]) == ("high", "normal")
        assert first["topic"] == second["topic"]
        assert len(first["topic"]) <= 32
        assert first["topic"].replace("-", "").replace("_", "").isalnum()
        assert "svc" not in first["topic"]
        assert "topic" not in third
        assert browser.shown[-1]["tag"] == "ntf_3"

    def test_one_about_several_services_replaces_none_about_others(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        browser = subscribe()
        for names in ("ab", "cd"):
            tell(*(news(name, image=f"ghcr.io/acme/{name}:1") for name in names))
            send_all()
        first, second = browser.shown
        assert first["tag"] != second["tag"]
        assert not any("topic" in asked.headers for asked in browser.asked)

    @pytest.mark.parametrize("text", ["a line\n" * 2000, "界" * 5000, '"\\' * 4000, "\x01" * 2000])
    def test_it_is_cut_to_what_every_service_takes(
        self, channel: Channel, subscribe: Subscribes, text: str
    ) -> None:
        browser = subscribe()
        assert send(channel, message(text=text)) == 201
        [shown] = browser.shown
        assert len(browser.asked[0].body) <= 3200
        assert shown["body"].endswith("…")
        assert text.startswith(shown["body"][:-1])
        assert shown["title"] == "shop / api has an update"

    def test_it_is_sent_shorter_where_that_was_too_much(
        self, service: PushService, channel: Channel, subscribe: Subscribes
    ) -> None:
        browser = subscribe()
        service.most = 1024
        assert send(channel, message(text="many words " * 500)) == 201
        assert [len(asked.body) > 1024 for asked in browser.asked] == [True, False]
        assert browser.shown[0]["body"].startswith("many words")

    def test_it_gives_up_where_even_little_is_too_much(
        self, service: PushService, channel: Channel, subscribe: Subscribes
    ) -> None:
        subscribe()
        service.most = 100
        error = refused(channel)
        assert (error.final, error.status) == (True, 413)

    @pytest.mark.parametrize(
        "url", ["https://dockrev.example", "javascript:alert(1)", "//evil.example", ""]
    )
    def test_it_leads_to_a_page_of_ours(
        self, channel: Channel, subscribe: Subscribes, url: str
    ) -> None:
        browser = subscribe()
        send(channel, message(url=url))
        assert browser.shown[0]["url"] == "/"

    @pytest.mark.parametrize(
        ("base", "subject"),
        [
            ("https://dockrev.example", "https://dockrev.example"),
            ("http://10.0.0.5:50883", "mailto:web-push@dockrev.invalid"),
        ],
    )
    def test_it_names_us_where_nobody_is_named(
        self, channel: Channel, subscribe: Subscribes, base: str, subject: str
    ) -> None:
        preferences.set("public_base_url", base)
        browser = subscribe()
        WebPush({**channel.settings, "subject": ""}, channel.pk).send(message())
        assert claims(browser.asked[0].authorization)["sub"] == subject


class TestMany:
    def test_it_tries_every_one_and_removes_those_that_are_gone(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        fine, left, expired, broken = (subscribe() for _ in range(4))
        left.gone, expired.gone = 404, 410
        broken.answers = [Reply(503)]
        error = refused(channel)
        assert (error.final, error.status) == (False, 503)
        assert str(error) == f"{HOST} answered 503."
        assert len(fine.shown) == 1
        known = {row.pk for row in PushSubscription.objects.all()}
        assert known == {row_of(fine).pk, row_of(broken).pk}
        assert row_of(broken).failing_since is not None
        assert row_of(broken).last_error == f"{HOST} answered 503."

    def test_it_is_sent_again_only_to_those_that_did_not_take_it(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        fine, broken = subscribe(), subscribe()
        for number, answer in enumerate((Reply(503), CUT)):
            broken.answers = [answer]
            assert not refused(channel).final
            send(channel, message(f"ntf_between_{number}"))
        assert send(channel) == 201
        between = ["ntf_between_0", "ntf_between_1"]
        assert [shown["id"] for shown in fine.shown] == ["ntf_1", *between]
        assert [shown["id"] for shown in broken.shown] == [*between, "ntf_1"]
        assert (row_of(broken).failing_since, row_of(broken).last_error) == (None, "")

    def test_it_is_done_where_those_that_are_left_are_gone(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        fine, broken = subscribe(), subscribe()
        broken.answers = [Reply(500)]
        refused(channel)
        broken.gone = 410
        assert send(channel) is None
        assert len(fine.shown) == 1

    def test_it_remembers_a_limited_number_of_messages(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        browser = subscribe()
        for number in range(REMEMBERED + 3):
            send(channel, message(f"ntf_{number}"))
        assert row_of(browser).taken == [f"ntf_{number}" for number in range(3, REMEMBERED + 3)]

    def test_it_waits_as_long_as_the_first_that_is_ready_says(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        fine, first, second = subscribe(), subscribe(), subscribe()
        first.answers = [Reply(429, headers={"Retry-After": "120"})]
        second.answers = [Reply(429, headers={"Retry-After": "30"})]
        error = refused(channel)
        assert (error.final, error.status) == (False, 429)
        assert error.retry_after == timedelta(seconds=30)
        assert str(error) == f"2 browsers did not take it. {HOST} answered 429."
        assert len(fine.shown) == 1

    def test_one_that_wants_to_be_left_alone_speaks_for_no_other(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        first, second = subscribe(), subscribe()
        first.answers = [Reply(503, headers={"Retry-After": "86400"})]
        second.answers = [Reply(503, headers={"Retry-After": "30"})]
        assert refused(channel).retry_after == timedelta(seconds=30)

    def test_one_that_does_not_take_it_holds_up_no_message_to_others(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        """A viewer may subscribe whatever answers like this for days."""
        fine, broken = subscribe(), subscribe(Program(person("viewer", "eve")))
        broken.answers = [Reply(503, headers={"Retry-After": "86400"})] * 3
        for name in ("a", "b", "c"):
            tell(news(name, image=f"ghcr.io/acme/{name}:1"))
            send_all()
        assert len(fine.shown) == 3
        channel.refresh_from_db()
        assert (channel.paused_until, channel.failing_since) == (None, None)
        rows = Notification.objects.all()
        assert {row.status for row in rows} == {"waiting"}
        tomorrow = timezone.now() + timedelta(hours=23)
        assert all(row.next_attempt_at and row.next_attempt_at > tomorrow for row in rows)
        broken.answers = []
        with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
            send_all()
        assert (len(fine.shown), len(broken.shown)) == (3, 3)

    @pytest.mark.parametrize(
        ("said", "wait"),
        [
            ("Sat, 28 Nov 2026 12:05:00 GMT", timedelta(minutes=5)),
            ("Sat, 28 Nov 2026 11:00:00 GMT", None),
            ("99999999999999", timedelta(days=1)),
            ("soon", None),
            ("²", None),
            ("", None),
        ],
    )
    def test_it_reads_when_to_come_again(
        self, channel: Channel, subscribe: Subscribes, said: str, wait: timedelta | None
    ) -> None:
        browser = subscribe()
        headers = {"Retry-After": said.encode().decode("latin-1")} if said else {}
        browser.answers = [Reply(503, headers=headers)]
        with time_machine.travel("2026-11-28T12:00:00Z", tick=False):
            assert refused(channel).retry_after == wait

    @pytest.mark.parametrize("status", [301, 400, 401, 403])
    def test_it_gives_up_where_nobody_will_ever_take_it(
        self, channel: Channel, subscribe: Subscribes, status: int
    ) -> None:
        browser = subscribe()
        browser.answers = [Reply(status, headers={"Location": "https://127.0.0.1/"})]
        error = refused(channel)
        assert (error.final, error.gone, error.status) == (True, False, status)
        assert row_of(browser).failing_since is not None

    def test_it_is_content_where_one_refuses_what_others_took(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        fine, wrong = subscribe(), subscribe()
        wrong.answers = [Reply(400)]
        error = refused(channel)
        assert isinstance(error, PartlyTaken)
        assert str(error) == f"{HOST} answered 400."
        assert (len(fine.shown), row_of(wrong).last_error) == (1, f"{HOST} answered 400.")

    def test_it_waits_no_longer_for_one_that_failed_for_days(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        fine, broken = subscribe(), subscribe()
        broken.answers = [Reply(503), Reply(503), Reply(503)]
        assert not refused(channel).final
        with time_machine.travel(timezone.now() + PATIENCE + timedelta(hours=1)):
            assert isinstance(refused(channel, message("ntf_2")), PartlyTaken)
            PushSubscription.objects.filter(pk=row_of(fine).pk).delete()
            assert not refused(channel, message("ntf_3")).final  # nobody else took it

    def test_it_says_how_to_subscribe_where_nobody_did(self, channel: Channel) -> None:
        error = refused(channel)
        assert error.final
        assert "Settings, This browser" in str(error)

    def test_it_is_final_where_the_last_one_is_gone(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        subscribe().gone = 410
        error = refused(channel)
        assert (error.final, error.gone, error.status) == (True, False, 410)
        assert not PushSubscription.objects.exists()

    def test_it_holds_up_nobody_for_one_that_does_not_answer(
        self, channel: Channel, subscribe: Subscribes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("notifications.push_sending.ALTOGETHER", -1.0)
        subscribe()
        error = refused(channel)
        assert (error.final, str(error)) == (False, "There was no time left for it.")

    def test_those_that_never_answer_keep_no_time_from_the_others(
        self,
        service: PushService,
        channel: Channel,
        subscribe: Subscribes,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("notifications.push_sending.AT_ONCE", 1)
        good, bad = subscribe(), [subscribe() for _number in range(3)]
        for browser in bad:
            browser.answers = [Reply(503)] * 2
        refused(channel, message("ntf_1"))
        before = len(service.server.asked)
        refused(channel, message("ntf_2"))
        paths = [asked.path for asked in service.server.asked[before:]]
        assert len(paths) == 4
        assert paths[0] == good.path

    def test_it_goes_to_all_again_where_somebody_says_so(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        browser = subscribe()
        tell(news())
        send_all()
        row = Notification.objects.get()
        assert send(channel, message(row.pk)) == 201
        assert [shown["id"] for shown in browser.shown] == [row.pk, row.pk]
        assert row_of(browser).taken == [row.pk]


class TestWhom:
    def test_it_goes_to_browsers_of_its_own_channel(
        self, channel: Channel, subscribe: Subscribes, service: PushService, program: Program
    ) -> None:
        other = make_channel("Others")
        elsewhere = service.browser(key_of(other))
        given = {**elsewhere.subscription, "channelId": other.pk}
        assert program.post(SUBSCRIPTIONS, given).status_code == 201
        here = subscribe()
        send(channel)
        assert (len(here.shown), elsewhere.shown) == (1, [])

    @pytest.mark.parametrize("why", ["inactive", "no role"])
    def test_it_goes_to_nobody_who_may_not_look_any_more(
        self, channel: Channel, subscribe: Subscribes, ada: User, why: str
    ) -> None:
        browser = subscribe()
        if why == "inactive":
            User.objects.filter(pk=ada.pk).update(is_active=False)
        else:
            ada.groups.clear()
        assert refused(channel).final
        assert browser.asked == []

    def test_it_goes_to_people_whom_the_proxy_vouches_for(
        self, channel: Channel, subscribe: Subscribes, ada: User
    ) -> None:
        browser = subscribe()
        ada.groups.clear()
        ada.set_unusable_password()
        ada.save(update_fields=["password"])
        send(channel)
        assert len(browser.shown) == 1

    def test_it_ends_with_the_person_and_with_the_channel(
        self, channel: Channel, subscribe: Subscribes, ada: User
    ) -> None:
        subscribe()
        subscribe(Program(person("admin")))
        ada.delete()
        assert PushSubscription.objects.count() == 1
        channel.delete()
        assert not PushSubscription.objects.exists()

    def test_it_sends_nothing_with_other_keys(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        browser = subscribe()
        channel.config = make_channel("Others").config
        channel.save(update_fields=["config"])
        assert "No browser is subscribed" in str(refused(channel))
        assert browser.asked == []


class TestWhere:
    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "10.0.0.5", "192.168.1.1", "169.254.169.254", "::1", "fd00::1"]
    )
    def test_it_calls_nothing_but_global_addresses(
        self, service: PushService, channel: Channel, subscribe: Subscribes, address: str
    ) -> None:
        browser = subscribe()
        service.addresses[:] = [address]
        error = refused(channel)
        assert not error.final
        assert HOST in str(error)
        assert browser.path not in str(error)
        assert (service.dialled, browser.asked) == ([], [])

    def test_it_calls_no_proxy_for_whom_nobody_knows(
        self, channel: Channel, subscribe: Subscribes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        browser = subscribe()
        assert send(channel) == 201
        assert len(browser.shown) == 1

    def test_it_says_no_secret_in_what_went_wrong(
        self, channel: Channel, subscribe: Subscribes, caplog: pytest.LogCaptureFixture
    ) -> None:
        browser = subscribe(host=OTHER_HOST)
        browser.answers = [CUT, CUT]
        private = channel.settings["vapidPrivateKey"]
        tell(news())
        caplog.set_level("DEBUG")
        send_all()
        row = Notification.objects.get()
        said = f"{row.error} {row_of(browser).last_error} {caplog.text}"
        assert row.status == "waiting"
        for secret in (browser.path, private, browser.subscription["keys"]["auth"]):
            assert secret not in said


class TestOutbox:
    def test_it_sends_what_was_found(self, channel: Channel, subscribe: Subscribes) -> None:
        browser = subscribe()
        tell(news())
        send_all()
        [shown] = browser.shown
        row = Notification.objects.get()
        assert (shown["id"], shown["url"]) == (row.pk, "/services/stk_1/svc_api")
        assert row.status == "sent"

    def test_it_tries_again_those_that_failed(
        self, channel: Channel, subscribe: Subscribes
    ) -> None:
        fine, broken = subscribe(), subscribe()
        broken.answers = [Reply(503)]
        tell(news())
        send_all()
        assert Notification.objects.get().status == "waiting"
        send_all(timedelta(minutes=1))
        assert Notification.objects.get().status == "sent"
        assert len(fine.shown) == len(broken.shown) == 1

    def test_it_fails_at_once_where_nobody_is_subscribed(self, channel: Channel) -> None:
        tell(news())
        send_all()
        row = Notification.objects.get()
        assert (row.status, row.next_attempt_at) == ("failed", None)
        assert "No browser is subscribed" in row.error
