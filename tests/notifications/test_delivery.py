"""What becomes of a message that is not taken, and of those behind it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.db.models import Min

from dockrev import retention
from notifications import outbox, trying, upkeep
from notifications.channels import TRANSPORTS
from notifications.channels.base import Message, SendError, Transport
from notifications.models import SEND_LEASE, Attempt, Channel, Notification
from tests.notifications.test_outbox import channel, news, tell
from tests.sink import Sink, sink

pytestmark = pytest.mark.django_db

NOW = datetime.fromisoformat("2026-11-02T08:00:00+00:00")
SECOND, MINUTE, HOUR, DAY = (timedelta(**{u: 1}) for u in ("seconds", "minutes", "hours", "days"))
NOWHERE = "http://127.0.0.1:9/hook"


@pytest.fixture(autouse=True)
def _pauses_are_as_long_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _least, _most: 1.0)


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    with time_machine.travel(moment, tick=False):
        yield


def queued(to: Channel, count: int = 1, *, when: datetime = NOW) -> list[str]:
    """Messages about images of their own, all due at a moment, the first first."""
    with at(when - SECOND):
        for n in range(count):
            tell(news(f"s{n}", f"ghcr.io/acme/{when:%H%M%S}-{n}:1"))
    rows = Notification.objects.filter(channel=to, created_at=when - SECOND)
    rows.update(next_attempt_at=when)
    return sorted(rows.values_list("pk", flat=True))


def work(moment: datetime) -> int:
    """All that the workers do at one moment. Returns how many tries they made."""
    tries = Attempt.objects.count()
    with at(moment):
        upkeep.recover(moment)
        while channels := list(Channel.objects.to_send_to(moment)):
            for each in channels:
                row = outbox.claim(each.pk, moment)
                assert row is not None
                outbox.send(row)
    return Attempt.objects.count() - tries


def states() -> list[str]:
    return list(Notification.objects.order_by("pk").values_list("status", flat=True))


def arrived(place: Sink) -> list[str]:
    return [received.headers["X-Dockrev-Delivery"] for received in place.received]


def next_moment() -> datetime | None:
    """When the one channel may be sent to next."""
    due: datetime | None = Notification.objects.aggregate(m=Min("next_attempt_at"))["m"]
    rests = Channel.objects.get().paused_until
    return max(due, rests) if due and rests else due


def work_until(end: datetime) -> list[datetime]:
    """Work whenever something may be sent. Returns when there was a try."""
    tried: list[datetime] = []
    while (moment := next_moment()) and moment <= end:
        tried += [moment] * work(moment)
    return tried


class TestPauses:
    def test_it_tries_for_a_day_after_ever_longer_pauses(self, place: Sink) -> None:
        [pk] = queued(channel(place))
        place.answers = [503] * 200
        tried = work_until(NOW + 2 * DAY)
        pauses = [(after - before).total_seconds() for before, after in pairwise(tried)]
        assert pauses[:6] == [10, 20, 60, 180, 540, 1620]
        assert set(pauses[6:]) == {1800}
        assert NOW + DAY <= tried[-1] <= NOW + DAY + HOUR / 2
        row = Notification.objects.get()
        assert (row.status, row.error) == ("failed", "It answered 503.")
        assert set(arrived(place)) == {pk}
        outcomes = list(row.tries.values_list("outcome", flat=True))
        assert outcomes == ["again"] * (len(tried) - 1) + ["given_up"]

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 599])
    def test_it_tries_again_what_is_refused_for_now(self, place: Sink, status: int) -> None:
        queued(channel(place))
        place.answers = [status]
        assert (work(NOW), work(NOW + MINUTE), states()) == (1, 1, ["sent"])

    @pytest.mark.parametrize("status", [304, 308, 400, 401, 404, 413, 422])
    def test_it_never_repeats_what_is_refused(self, place: Sink, status: int) -> None:
        row = channel(place)
        queued(row)
        place.answers = [status]
        assert (work(NOW), states()) == (1, ["failed"])
        assert Attempt.objects.get().outcome == "refused"
        row.refresh_from_db()
        assert row.enabled
        assert row.last_error.startswith(f"It answered {status}")

    @pytest.mark.parametrize(
        ("said", "pause"),
        [
            ("3600", HOUR),
            ("Mon, 02 Nov 2026 09:30:00 GMT", 1.5 * HOUR),
            ("5", 10 * SECOND),
            ("999999999999", DAY),
            ("Mon, 02 Nov 2020 09:30:00 GMT", 10 * SECOND),
            ("soon", 10 * SECOND),
            ("-5", 10 * SECOND),
            ("²", 10 * SECOND),
        ],
    )
    def test_it_comes_again_when_the_other_side_says(
        self, place: Sink, said: str, pause: timedelta
    ) -> None:
        queued(channel(place), 3)
        place.answers, place.headers = [429], {"Retry-After": said}
        assert (work(NOW), work(NOW + pause - SECOND)) == (1, 0)
        assert work(NOW + pause) == 3
        assert arrived(place)[1:] == sorted(arrived(place)[1:])

    def test_it_varies_its_pauses(self, place: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        row = channel(place)
        queued(row)
        place.answers = [500]
        monkeypatch.setattr(random, "uniform", lambda _least, most: most)
        work(NOW)
        row.refresh_from_db()
        assert row.paused_until == NOW + 12 * SECOND


class TestADeadChannel:
    def test_it_is_tried_with_one_message_and_not_with_each(self, place: Sink) -> None:
        queued(channel(place, config={"url": NOWHERE}), 100)
        assert len(work_until(NOW + HOUR)) == 7
        assert states() == ["waiting"] * 100

    def test_it_gets_all_in_order_when_it_is_back(self, place: Sink) -> None:
        row = channel(place, config={"url": NOWHERE})
        ids = queued(row, 5)
        work_until(NOW + HOUR)
        row.config = f'{{"url": "{place.url}"}}'
        row.save(update_fields=["config"])
        work(NOW + 2 * HOUR)
        assert arrived(place)[1:] == [pk for pk in ids if pk != arrived(place)[0]]
        assert sorted(arrived(place)) == ids
        row.refresh_from_db()
        assert (row.failing_since, row.paused_until, row.last_error) == (None, None, "")

    def test_it_keeps_their_order_after_a_moment(self, place: Sink) -> None:
        row = channel(place, config={"url": NOWHERE})
        ids = queued(row, 3)
        work(NOW)
        Channel.objects.update(config=f'{{"url": "{place.url}"}}')
        work(NOW + 10 * SECOND)
        assert arrived(place) == ids

    def test_it_says_since_when(self, place: Sink) -> None:
        row = channel(place, config={"url": NOWHERE})
        queued(row)
        for moment in (NOW, NOW + MINUTE, NOW + HOUR):
            work(moment)
        row.refresh_from_db()
        assert (row.failing_since, row.enabled) == (NOW, True)
        assert row.last_error

    def test_it_ends_after_a_day_with_all_that_waited(self, place: Sink) -> None:
        queued(channel(place, config={"url": NOWHERE}), 70)
        work_until(NOW + 2 * DAY)
        assert states() == ["failed"] * 70
        never = Notification.objects.filter(tries=None)
        assert never.exists()
        assert all("could not be sent for a day" in row.error for row in never)

    def test_it_holds_up_no_other(self, place: Sink) -> None:
        queued(channel(place, config={"url": NOWHERE}), 10)
        ids = queued(channel(place), 10, when=NOW + MINUTE)
        work(NOW + MINUTE)
        assert arrived(place) == ids

    def test_it_goes_on_at_once_after_a_test_that_worked(self, place: Sink) -> None:
        row = channel(place)
        place.answers = [500, 500]
        queued(row, 2)
        work(NOW)
        work(NOW + 10 * SECOND)
        moment = NOW + 11 * SECOND
        assert work(moment) == 0
        row.refresh_from_db()
        with at(moment):
            assert trying.try_out(row).ok
        assert work(moment) >= 1


class TestABadMessage:
    def test_it_gives_way_to_the_others(self, place: Sink) -> None:
        ids = queued(channel(place), 5)
        place.answers = [500]
        work(NOW)
        work(NOW + 10 * SECOND)
        assert arrived(place) == [ids[0], *ids[1:], ids[0]]
        assert states() == ["sent"] * 5

    def test_an_error_of_ours_gives_way_too(
        self, place: Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = queued(channel(place), 2)
        Notification.objects.filter(pk=ids[0]).update(content={})
        work(NOW)
        work(NOW + 10 * SECOND)
        assert states() == ["waiting", "sent"]
        row = Notification.objects.get(pk=ids[0])
        assert row.error == "An error inside Dockrev; the log has it."


class TestSwitchedOff:
    def test_what_waits_is_sent_when_it_is_on_again(self, place: Sink) -> None:
        queued(channel(place), 2)
        Channel.objects.update(enabled=False)
        assert work(NOW + HOUR) == 0
        Channel.objects.update(enabled=True)
        assert work(NOW + 2 * HOUR) == 2

    def test_what_waited_for_a_day_is_over(self, place: Sink) -> None:
        queued(channel(place), 2)
        Channel.objects.update(enabled=False)
        work(NOW + DAY + SECOND)
        Channel.objects.update(enabled=True)
        assert work(NOW + DAY + HOUR) == 0
        errors = set(Notification.objects.values_list("status", "error"))
        assert errors == {("failed", "The channel was switched off.")}

    def test_gone_switches_it_off_and_keeps_the_rest(self, place: Sink) -> None:
        row = channel(place)
        queued(row, 3)
        place.answers = [410]
        assert work(NOW) == 1
        row.refresh_from_db()
        assert (row.enabled, row.disabled_reason) == (False, "It answered 410 Gone.")
        assert states() == ["failed", "waiting", "waiting"]


class TestTries:
    def test_each_is_kept_with_what_came_of_it(self, place: Sink) -> None:
        [pk] = queued(channel(place))
        place.answers, place.body = [500], b"out of\r\n\x1b[31m order\xe2\x80\xae" + b"!" * 500
        work(NOW)
        work(NOW + MINUTE)
        first, second = Attempt.objects.filter(notification=pk)
        assert (first.number, first.outcome, first.answer) == (1, "again", 500)
        assert (first.began_at, first.error) == (NOW, "It answered 500.")
        assert first.excerpt.startswith("out of [31m order!!!")
        assert len(first.excerpt) == 200
        assert (second.number, second.outcome, second.answer) == (2, "sent", 204)
        assert (second.began_at, second.excerpt) == (NOW + MINUTE, "")
        assert second.took_ms is not None

    @pytest.mark.parametrize(
        "echo", ["of the channel", "Bearer of-the-header", "of-the-header", "with-a-token"]
    )
    def test_it_shows_no_answer_that_repeats_a_secret(self, place: Sink, echo: str) -> None:
        headers = {"Authorization": "Bearer of-the-header"}
        queued(channel(place, config={"secret": "of the channel", "headers": headers}))
        place.answers, place.body = [400], f"you sent {echo}".encode()
        work(NOW)
        assert (Attempt.objects.get().answer, Attempt.objects.get().excerpt) == (400, "")

    @pytest.mark.parametrize(
        "echo", ["YWRhOm9wZW4gc2VzYW1l", "open sesame", "open%20sesame", "tök€n-42"]
    )
    def test_it_shows_no_answer_that_repeats_a_part_of_the_address(
        self, place: Sink, echo: str
    ) -> None:
        url = f"{place.url.replace('://', '://ada:open%20sesame@')}/t%C3%B6k%E2%82%ACn-42"
        queued(channel(place, config={"url": url}))
        place.answers, place.body = [400], f"you sent {echo}".encode()
        work(NOW)
        assert place.received[0].headers["Authorization"] == "Basic YWRhOm9wZW4gc2VzYW1l"
        assert (Attempt.objects.get().answer, Attempt.objects.get().excerpt) == (400, "")

    def test_they_go_with_their_message(self, place: Sink) -> None:
        queued(channel(place))
        work(NOW)
        retention.sweep(NOW + 2 * DAY, DAY)
        assert not Attempt.objects.exists()


class TestSendAgain:
    def test_it_has_the_same_id(self, place: Sink) -> None:
        [pk] = queued(channel(place))
        work(NOW)
        assert outbox.send_again(pk, NOW + HOUR)
        work(NOW + HOUR)
        assert arrived(place) == [pk, pk]
        assert list(Attempt.objects.values_list("number", flat=True)) == [1, 2]

    def test_it_is_tried_for_a_day_again(self, place: Sink) -> None:
        [pk] = queued(channel(place))
        place.answers = [400, 500]
        work(NOW)
        assert outbox.send_again(pk, NOW + 2 * DAY)
        assert (work(NOW + 2 * DAY), states()) == (1, ["waiting"])
        assert (work(NOW + 2 * DAY + 10 * SECOND), states()) == (1, ["sent"])

    def test_it_does_not_wait_for_a_channel_that_rests(self, place: Sink) -> None:
        row = channel(place)
        [old] = queued(row)
        work(NOW)
        place.answers = [500]
        queued(row, when=NOW + HOUR)
        work(NOW + HOUR)
        assert outbox.send_again(old, NOW + HOUR + SECOND)
        assert work(NOW + HOUR + SECOND) == 1

    def test_it_refuses_what_is_on_its_way_or_leads_nowhere(self, place: Sink) -> None:
        [pk] = queued(channel(place))
        assert not outbox.send_again(pk, NOW)
        work(NOW)
        Channel.objects.update(enabled=False)
        assert not outbox.send_again(pk, NOW)


class TestOneAtATime:
    def test_nobody_takes_a_second_message_of_a_channel(self, place: Sink) -> None:
        row = channel(place)
        first, second = queued(row, 2)
        taken = outbox.claim(row.pk, NOW)
        assert taken is not None
        assert (taken.pk, outbox.claim(row.pk, NOW)) == (first, None)
        with pytest.raises(IntegrityError), transaction.atomic():
            Notification.objects.filter(pk=second).take(NOW, status="sending")

    def test_what_a_dead_worker_was_sending_is_sent_again(self, place: Sink) -> None:
        row = channel(place)
        [pk] = queued(row)
        assert outbox.claim(row.pk, NOW)
        assert work(NOW + SEND_LEASE - SECOND) == 0
        assert work(NOW + SEND_LEASE + SECOND) == 2
        lost, sent = Attempt.objects.all()
        assert (lost.outcome, lost.took_ms, lost.answer) == ("lost", None, None)
        assert (sent.outcome, arrived(place)) == ("sent", [pk])

    def test_a_worker_that_was_only_slow_writes_nothing(self, place: Sink) -> None:
        row = channel(place)
        queued(row)
        slow = outbox.claim(row.pk, NOW)
        assert slow is not None
        work(NOW + SEND_LEASE + SECOND)
        tries = Attempt.objects.count()
        outbox.send(slow)
        assert (states(), Attempt.objects.count()) == (["sent"], tries)

    def test_the_worker_sees_that_nobody_sends(self, place: Sink) -> None:
        row = channel(place)
        queued(row)
        assert not upkeep.is_late("quick", NOW - SECOND)
        assert upkeep.is_late("quick", NOW + SECOND)
        assert not upkeep.is_late("long", NOW + SECOND)
        Channel.objects.update(paused_until=NOW + HOUR)
        assert not upkeep.is_late("quick", NOW + SECOND)
        Channel.objects.update(paused_until=None)
        outbox.claim(row.pk, NOW)
        assert not upkeep.is_late("quick", NOW + SECOND)

    def test_a_long_backlog_is_no_sign_of_that(self, place: Sink) -> None:
        row = channel(place)
        queued(row, 2)
        with at(NOW + MINUTE):
            taken = outbox.claim(row.pk, NOW + MINUTE)
            assert taken is not None
            outbox.send(taken)
        assert not upkeep.is_late("quick", NOW + 50 * SECOND)
        assert upkeep.is_late("quick", NOW + MINUTE + SECOND)


class TestWhatTransportsSay:
    @pytest.fixture
    def says(self, monkeypatch: pytest.MonkeyPatch, place: Sink) -> Iterator[list[SendError]]:
        errors: list[SendError] = []

        class Saying(Transport):
            def send(self, message: Message) -> None:
                raise errors[0]

        monkeypatch.setitem(TRANSPORTS, "webhook", Saying)
        yield errors

    def test_a_final_word_ends_the_message_without_an_answer(
        self, says: list[SendError], place: Sink
    ) -> None:
        says.append(SendError("No such address.", final=True))
        queued(channel(place), 2)
        assert (work(NOW), states()) == (2, ["failed", "failed"])

    def test_words_are_cut(self, says: list[SendError], place: Sink) -> None:
        says.append(SendError("x" * 5000, excerpt="y" * 5000, status=400, final=True))
        queued(channel(place))
        work(NOW)
        row = Attempt.objects.get()
        assert (len(row.error), len(row.excerpt)) == (1000, 200)
