"""What the queue promises, whatever its workers do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from checks import holds, kinds, queue, upkeep
from checks.kinds import JobKind, Outcome
from checks.models import Hold, Job
from checks.run import Cancelled, Run, kept_alive
from checks.signals import job_finished
from checks.tasks import JobFailed, run_job
from dockrev.dispatch import LOST_AFTER
from dockrev.leases import LEASE, LeasedQuerySet
from tests.at_once import at_once
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the suite's own kinds of job something to do."""

    def register(run: Callable[[Run], Outcome] = lambda run: Outcome(), **kind: Any) -> None:
        name = kind.pop("name", "test.look")
        described = {"cluster": "quick", "repeatable": True, **kind}
        monkeypatch.setitem(kinds.KINDS, name, JobKind(name=name, run=run, **described))

    register()
    return register


def ask(**given: Any) -> queue.Queued:
    return queue.enqueue(queue.Request(**{"kind": "test.look", "reason": "ui", **given}))


def claimed(job_id: str) -> Job:
    job = queue.claim(job_id)
    assert job is not None
    return job


def pop(items: list[None]) -> bool:
    """Take what is there, if this is the first thread to come."""
    try:
        items.pop()
    except IndexError:
        return False
    return True


def status(job_id: str) -> str:
    return Job.objects.get(pk=job_id).status


@pytest.mark.usefixtures("work")
class TestEnqueue:
    def test_it_commits_job_and_message_together(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            ask()
            raise ZeroDivisionError
        assert (Job.objects.count(), OrmQ.objects.count()) == (0, 0)
        ask()
        assert (Job.objects.count(), OrmQ.objects.count()) == (1, 1)

    def test_it_joins_an_active_job_of_the_same_key(self) -> None:
        first = ask()
        assert ask() == queue.Queued(first.job_id, reused=True)
        claimed(first.job_id)
        assert ask(notify=True) == queue.Queued(first.job_id, reused=True)
        job = Job.objects.get()
        assert (job.rerun_requested, job.notify, job.joined) == (True, True, True)

    def test_it_keeps_other_parameters_and_targets_apart(self) -> None:
        ids = {
            ask().job_id,
            ask(params={"dryRun": True}).job_id,
            ask(scope="service", service_id="svc_1").job_id,
            ask(scope="service", service_id="svc_2").job_id,
        }
        assert len(ids) == 4

    def test_it_tells_long_parameters_apart(self) -> None:
        repos = [f"acme/repository-{number}" for number in range(500)]
        ids = [
            ask(params={"account": "acc_1", "repos": list(names)}).job_id
            for names in (repos, repos[:-1], repos)
        ]
        assert ids[0] == ids[2] != ids[1]

    def test_it_takes_parameters_for_the_same_in_any_order(self) -> None:
        first = ask(params={"repos": ["acme/api"], "dryRun": True})
        assert ask(params={"dryRun": True, "repos": ["acme/api"]}).job_id == first.job_id
        assert ask(params={"dryRun": True, "repos": "['acme/api']"}).job_id != first.job_id

    def test_it_makes_a_new_job_once_the_old_one_ended(self) -> None:
        first = ask()
        queue.finish(claimed(first.job_id), Outcome())
        assert ask().job_id != first.job_id

    def test_it_holds_a_delayed_job_back_until_it_is_due(self) -> None:
        now = timezone.now()
        with time_machine.travel(now, tick=False) as clock:
            job_id = ask(after=now + timedelta(seconds=5)).job_id
            assert upkeep.dispatch_due(timezone.now()) == 0
            assert queue.claim(job_id) is None
            clock.shift(5)
            assert upkeep.dispatch_due(timezone.now()) == 1
            assert upkeep.dispatch_due(timezone.now()) == 0
            claimed(job_id)
        assert OrmQ.objects.count() == 1

    def test_it_pulls_a_delayed_job_forward_but_never_back(self) -> None:
        now = timezone.now()
        job_id = ask(after=now + timedelta(seconds=60)).job_id
        ask(after=now + timedelta(seconds=90))
        assert Job.objects.get().not_before == now + timedelta(seconds=60)
        ask()
        claimed(job_id)


class TestRun:
    def test_it_runs_a_job_and_keeps_what_came_of_it(self, work: Callable[..., None]) -> None:
        heard: list[str] = []

        def hear(sender: Any, job: Job, **_: Any) -> None:
            heard.append(job.status)

        job_finished.connect(hear)

        def look(run: Run) -> Outcome:
            run.log("looked")
            run.progress(3, 3, "done")
            return Outcome({"found": 1})

        work(look)
        job_id = ask().job_id
        run_job(job_id)
        run_job(job_id)  # a message may come twice
        job = Job.objects.get()
        assert (job.status, job.summary, job.attempts) == ("success", {"found": 1}, 1)
        assert (job.progress_done, job.progress_total) == (3, 3)
        assert [line.message for line in job.log_lines.all()] == ["looked"]
        assert heard == ["success"]

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (JobFailed("The registry is away."), "The registry is away."),
            (ValueError("password=hunter2"), "An error inside Dockrev"),
        ],
    )
    def test_it_fails_with_words_for_people_and_no_secret(
        self, work: Callable[..., None], error: Exception, words: str
    ) -> None:
        def look(run: Run) -> Outcome:
            raise error

        work(look)
        run_job(ask().job_id)
        job = Job.objects.get()
        assert job.status == "failed"
        assert job.summary["error"].startswith(words)
        assert "hunter2" not in job.log_lines.get().message

    def test_it_stops_between_steps_when_cancelled(self, work: Callable[..., None]) -> None:
        def look(run: Run) -> Outcome:
            assert queue.cancel(run.job.pk)
            run.stop_if_cancelled()
            raise AssertionError("went on")

        work(look)
        run_job(ask().job_id)
        assert Job.objects.get().status == "cancelled"

    @pytest.mark.usefixtures("work")
    def test_it_is_not_lost_where_that_comes_as_it_ends(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the two statements that end it: PostgreSQL lets another process in there."""
        job = claimed(ask().job_id)
        ask()
        whole, cancelled = LeasedQuerySet.release, list[bool]()

        def release(self: Any, row: Job, **changes: Any) -> bool:
            done = whole(self, row, **changes)
            if not cancelled:
                cancelled.append(queue.cancel(row.pk))
            return done

        monkeypatch.setattr(LeasedQuerySet, "release", release)
        assert queue.finish(job, Outcome())
        assert status(job.pk) == "success"

    def test_one_that_goes_on_and_has_not_begun_anew_is_joined_as_it_is(
        self, work: Callable[..., None]
    ) -> None:
        work(goes_on=True)
        job = claimed(ask().job_id)
        ask()
        assert queue.finish(job, Outcome())
        assert ask().reused
        job.refresh_from_db()
        assert (job.status, job.rerun_requested) == ("queued", False)

    @pytest.mark.usefixtures("work")
    def test_what_was_wanted_before_is_cancelled_too(self) -> None:
        job = claimed(ask().job_id)
        ask()
        queue.cancel(job.pk)
        assert queue.finish(job, Outcome())
        assert status(job.pk) == "success"

    def test_what_is_wanted_after_that_is_done(self, work: Callable[..., None]) -> None:
        """A registry tells of an image while a job ends that somebody cancelled."""
        runs: list[Run] = []

        def look(run: Run) -> Outcome:
            runs.append(run)
            if len(runs) == 1:
                queue.cancel(run.job.pk)
                assert ask(reason="webhook").reused
                run.stop_if_cancelled()
            return Outcome()

        work(look)
        job_id = ask().job_id
        run_job(job_id)
        with time_machine.travel(timezone.now() + queue.RERUN_AFTER):
            run_job(job_id)
        assert (len(runs), status(job_id)) == (2, "success")

    @pytest.mark.usefixtures("work")
    def test_it_cancels_a_queued_job_at_once(self) -> None:
        job_id = ask().job_id
        assert queue.cancel(job_id)
        run_job(job_id)
        assert Job.objects.get().attempts == 0
        assert status(job_id) == "cancelled"
        assert not queue.cancel(job_id)

    @pytest.mark.usefixtures("work")
    def test_it_goes_back_to_the_queue_when_news_came_meanwhile(self) -> None:
        job = claimed(ask().job_id)
        ask()
        assert queue.finish(job, Outcome({"run": 1}))
        job.refresh_from_db()
        assert (job.status, job.rerun_requested, job.summary) == ("queued", False, {"run": 1})
        with time_machine.travel(timezone.now() + queue.RERUN_AFTER):
            queue.finish(claimed(job.pk), Outcome({"run": 2}))
        job.refresh_from_db()
        assert (job.status, job.summary) == ("success", {"run": 2})

    def test_it_does_not_run_an_update_twice_for_a_second_wish(
        self, work: Callable[..., None]
    ) -> None:
        work(repeatable=False)
        job = claimed(ask().job_id)
        ask()
        queue.finish(job, Outcome())
        assert status(job.pk) == "success"

    @pytest.mark.usefixtures("work")
    def test_it_leaves_no_row_of_a_schedule_that_found_nothing(self) -> None:
        quiet = Outcome(quiet=True)
        queue.finish(claimed(ask(reason="schedule").job_id), quiet)
        assert not Job.objects.exists()
        joined = ask(reason="schedule").job_id
        ask()
        queue.finish(claimed(joined), quiet)
        queue.finish(claimed(ask(scope="stack", reason="ui").job_id), quiet)
        assert Job.objects.count() == 2


class TestPartial:
    def test_it_shows_what_a_running_job_found_so_far(self, work: Callable[..., None]) -> None:
        seen: list[Any] = []

        def look(run: Run) -> Outcome:
            for found in (1, 2):
                run.partial({"found": found})
                seen.append(Job.objects.get().summary)
            run.partial({"found": 3}, force=True)
            seen.append(Job.objects.get().summary)
            return Outcome({"found": 4})

        work(look)
        run_job(ask().job_id)
        assert seen == [{"found": 1}, {"found": 1}, {"found": 3}]
        assert Job.objects.get().summary == {"found": 4}

    @pytest.mark.parametrize(
        ("error", "status", "words"),
        [
            (JobFailed("It broke."), "failed", "It broke."),
            (Cancelled(), "cancelled", "cancelled"),
        ],
    )
    def test_it_keeps_what_was_found_before_the_end(
        self, work: Callable[..., None], error: Exception, status: str, words: str
    ) -> None:
        def look(run: Run) -> Outcome:
            for found in (1, 2):
                run.partial({"found": found})
            raise error

        work(look)
        run_job(ask().job_id)
        job = Job.objects.get()
        assert (job.status, job.summary) == (status, {"found": 2, "error": words})

    def test_it_keeps_what_a_dead_worker_had_found(self, work: Callable[..., None]) -> None:
        work(repeatable=False)
        Run(claimed(ask().job_id)).partial({"found": 1})
        upkeep.recover(timezone.now() + LEASE + timedelta(seconds=1))
        assert Job.objects.get().summary == {"found": 1, "error": "worker_lost"}

    @pytest.mark.usefixtures("work")
    def test_it_writes_nothing_into_a_job_that_was_taken_away(self) -> None:
        slow = claimed(ask().job_id)
        upkeep.recover(timezone.now() + LEASE + timedelta(seconds=1))
        Run(slow).partial({"by": "slow"})
        assert Job.objects.get().summary == {}


class TestPause:
    WAIT = timedelta(minutes=40)

    @pytest.fixture
    def until(self, work: Callable[..., None]) -> Iterator[datetime]:
        """A job that pauses once, in a world whose clock stands still."""
        with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
            self.clock = clock
            until = timezone.now() + self.WAIT

            def look(run: Run) -> Outcome:
                done = run.summary.get("done", 0) + 1
                return Outcome({"done": done}, again_at=until if done == 1 else None)

            work(look, resources=lambda job: ["account:1"])
            yield until

    def test_it_waits_in_the_queue_and_goes_on_with_what_it_has(self, until: datetime) -> None:
        job_id = ask().job_id
        run_job(job_id)
        job = Job.objects.get()
        assert (job.status, job.not_before, job.started_at) == ("queued", until, timezone.now())
        assert job.summary == {"done": 1, "resumesAt": "2026-03-01T12:40:00Z"}
        assert not Hold.objects.exists()
        assert upkeep.dispatch_due(timezone.now()) == 0
        self.clock.shift(self.WAIT)
        assert upkeep.dispatch_due(timezone.now()) == 1
        run_job(job_id)
        job.refresh_from_db()
        assert (job.status, job.summary) == ("success", {"done": 2})

    @pytest.mark.usefixtures("until")
    def test_it_begins_anew_where_it_did_not_pause(self) -> None:
        job = claimed(ask().job_id)
        ask()
        queue.finish(job, Outcome({"done": 7}))
        self.clock.shift(queue.RERUN_AFTER)
        assert Run(claimed(job.pk)).summary == {}

    def test_it_ends_where_it_is_to_be_cancelled(self, until: datetime) -> None:
        job = claimed(ask().job_id)
        queue.cancel(job.pk)
        assert queue.finish(job, Outcome({"done": 1}, again_at=until))
        assert (job.status, job.summary) == ("cancelled", {"done": 1})
        assert not Hold.objects.exists()

    @pytest.mark.usefixtures("until")
    def test_it_is_cancelled_while_it_waits(self) -> None:
        job_id = ask().job_id
        run_job(job_id)
        assert queue.cancel(job_id)
        assert status(job_id) == "cancelled"

    def test_it_looks_at_news_after_that(self, until: datetime) -> None:
        job = claimed(ask().job_id)
        ask()
        queue.finish(job, Outcome({"done": 1}, again_at=until))
        assert job.not_before == until
        self.clock.shift(self.WAIT)
        queue.finish(claimed(job.pk), Outcome({"done": 2}))
        assert status(job.pk) == "queued"

    def test_it_is_nobodys_after_it_was_taken_away(self, until: datetime) -> None:
        slow = claimed(ask().job_id)
        upkeep.recover(timezone.now() + LEASE + timedelta(seconds=1))
        assert not queue.finish(slow, Outcome({"by": "slow"}, again_at=until))
        assert Job.objects.get().summary == {}


@pytest.mark.usefixtures("work")
class TestLostWorkers:
    def test_it_requeues_and_gives_up_after_three_losses(self) -> None:
        with time_machine.travel(timezone.now(), tick=False) as clock:
            job_id = ask().job_id
            for loss in (1, 2, 3):
                claimed(job_id)
                upkeep.recover(timezone.now())
                assert status(job_id) == "running"
                clock.shift(LEASE + timedelta(seconds=1))
                upkeep.recover(timezone.now())
                assert Job.objects.get().losses == loss
        job = Job.objects.get()
        assert (job.status, job.summary) == ("failed", {"error": "worker_lost"})

    def test_it_fails_what_may_not_be_repeated(self, work: Callable[..., None]) -> None:
        work(repeatable=False)
        job_id = ask().job_id
        claimed(job_id)
        upkeep.recover(timezone.now() + LEASE + timedelta(seconds=1))
        assert status(job_id) == "failed"

    def test_it_hears_of_a_wish_to_cancel_that_came_since_it_looked(self) -> None:
        job = claimed(ask().job_id)
        with time_machine.travel(timezone.now() + LEASE + timedelta(seconds=1)):
            queue.cancel(job.pk)
            queue.take_from_dead(job, timezone.now())
            assert status(job.pk) == "running"
            upkeep.recover(timezone.now())
        assert status(job.pk) == "cancelled"

    def test_what_is_wanted_after_a_wish_to_cancel_is_done(self) -> None:
        job = claimed(ask().job_id)
        queue.cancel(job.pk)
        ask()
        with time_machine.travel(timezone.now() + LEASE + timedelta(seconds=1)):
            upkeep.recover(timezone.now())
            claimed(job.pk)

    def test_it_drops_the_result_of_a_worker_that_was_replaced(self) -> None:
        slow = claimed(ask().job_id)
        upkeep.recover(timezone.now() + LEASE + timedelta(seconds=1))
        with time_machine.travel(timezone.now() + LEASE + timedelta(seconds=2)):
            second = claimed(slow.pk)
            assert not queue.renew(slow)
            assert not queue.finish(slow, Outcome({"by": "slow"}))
            assert queue.finish(second, Outcome({"by": "second"}))
        assert Job.objects.get().summary == {"by": "second"}

    def test_it_keeps_a_job_whose_lease_is_renewed(self) -> None:
        job = claimed(ask().job_id)
        with time_machine.travel(timezone.now() + LEASE - timedelta(seconds=1)):
            assert queue.renew(job)
        upkeep.recover(timezone.now() + LEASE + timedelta(seconds=1))
        assert status(job.pk) == "running"

    def test_it_goes_on_renewing_after_the_database_was_busy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else another worker would begin the same, beside one that is in the midst of it."""
        tries: list[Job] = []
        renewed = threading.Event()

        def renew(job: Job) -> bool:
            tries.append(job)
            if len(tries) == 1:
                raise OperationalError("database is locked")
            renewed.set()
            return True

        monkeypatch.setattr(queue, "renew", renew)
        monkeypatch.setattr("checks.run.RENEW_EVERY", timedelta(milliseconds=1))
        with kept_alive(claimed(ask().job_id)):
            assert renewed.wait(PATIENCE)

    def test_it_hands_out_again_a_job_whose_message_was_lost(self) -> None:
        ask()
        OrmQ.objects.all().delete()
        later = timezone.now() + LOST_AFTER + timedelta(seconds=1)
        upkeep.recover(later)
        assert upkeep.dispatch_due(later) == 1

    def test_it_does_not_double_messages_behind_a_full_queue(self) -> None:
        ask()
        later = timezone.now() + LOST_AFTER + timedelta(seconds=1)
        upkeep.recover(later)
        assert upkeep.dispatch_due(later) == 0

    def test_it_hands_everything_out_again_after_a_cluster_died(self) -> None:
        ask()
        upkeep.redispatch("long")
        assert upkeep.dispatch_due(timezone.now()) == 0
        upkeep.redispatch("quick")
        assert upkeep.dispatch_due(timezone.now()) == 1


class TestHolds:
    @pytest.fixture(autouse=True)
    def holding(self, work: Callable[..., None]) -> None:
        work(name="test.update", repeatable=False, resources=lambda job: [job.service_id])
        work(resources=lambda job: [job.service_id])

    def test_it_leaves_a_job_queued_whose_hold_is_taken(self) -> None:
        update = ask(kind="test.update", scope="service", service_id="svc_1").job_id
        check = ask(scope="service", service_id="svc_1").job_id
        other = ask(scope="service", service_id="svc_2").job_id
        holder = claimed(update)
        assert queue.claim(check) is None
        assert status(check) == "queued"
        claimed(other)
        queue.finish(holder, Outcome())
        with time_machine.travel(timezone.now() + queue.HELD_PAUSE):
            assert upkeep.dispatch_due(timezone.now()) == 1
            claimed(check)

    def test_it_drops_the_holds_of_a_dead_worker(self) -> None:
        claimed(ask(scope="service", service_id="svc_1").job_id)
        assert Hold.objects.count() == 1
        upkeep.recover(timezone.now() + LEASE + timedelta(seconds=1))
        assert not Hold.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("work")
class TestAtOnce:
    def test_it_makes_one_job_of_many_wishes(self) -> None:
        results = at_once(ask)
        assert len({queued.job_id for queued in results}) == 1
        assert sorted(queued.reused for queued in results) == [False] + [True] * 15

    def test_no_wish_is_lost_on_a_job_that_ends_meanwhile(self) -> None:
        for _round in range(5):
            job = claimed(ask().job_id)
            first: list[None] = [None]

            def finish_or_ask(job: Job = job, first: list[None] = first) -> object:
                return queue.finish(job, Outcome()) if pop(first) else ask()

            at_once(finish_or_ask, times=4)
            left = Job.objects.active().get()  # the job, which runs again, or another
            assert queue.cancel(left.pk)

    @pytest.mark.parametrize("again", [False, True])
    def test_it_leaves_no_wish_to_cancel_on_a_job_that_went_back(self, again: bool) -> None:
        """Nobody would take such a job, and all that is wanted later would join it."""
        for _round in range(5):
            job = claimed(ask().job_id)
            if again:
                ask()
            pauses = Outcome(again_at=None if again else timezone.now())
            first: list[None] = [None]

            def finish_or_cancel(
                job: Job = job, first: list[None] = first, end: Outcome = pauses
            ) -> object:
                return queue.finish(job, end) if pop(first) else queue.cancel(job.pk)

            at_once(finish_or_cancel, times=2)
            assert not Job.objects.queued().filter(cancel_requested=True).exists()
            Job.objects.all().delete()

    def test_it_lets_one_worker_claim(self) -> None:
        job_id = ask().job_id
        results = at_once(lambda: queue.claim(job_id))
        assert sum(job is not None for job in results) == 1

    def test_it_hands_a_due_job_out_once(self) -> None:
        ask()
        upkeep.redispatch("quick")
        assert sum(at_once(lambda: upkeep.dispatch_due(timezone.now()))) == 1
        assert OrmQ.objects.count() == 2


@pytest.fixture
def delivered(work: Callable[..., None]) -> Iterator[Any]:
    """Ask for a check of each service as one delivery does."""

    def ask(*services: str, after: datetime | None = None) -> list[queue.Queued]:
        requests = [
            queue.Request("test.look", "webhook", notify=True, by_delivery=True, after=after,
                          scope="service", service_id=service) for service in services
        ]  # fmt: skip
        with transaction.atomic():
            return queue.enqueue_after_last(requests, queue.RERUN_AFTER, now=timezone.now())

    with time_machine.travel(datetime(2026, 5, 4, 12, tzinfo=UTC), tick=False) as clock:
        ask.clock = clock  # type: ignore[attr-defined]
        yield ask


class TestMany:
    """Each of many is queued by the rules for one."""

    def test_it_makes_joins_and_reruns_each_as_it_must(self, delivered: Any) -> None:
        running = ask(scope="service", service_id="runs").job_id
        claimed(running)
        queued = ask(scope="service", service_id="waits").job_id
        answers = delivered("new", "runs", "waits")
        assert [answer.reused for answer in answers] == [False, True, True]
        assert [answer.job_id for answer in answers[1:]] == [running, queued]
        jobs = {job.service_id: job for job in Job.objects.all()}
        assert [jobs[name].rerun_requested for name in ("new", "runs", "waits")] == [0, 1, 0]
        assert [jobs[name].joined for name in ("new", "runs", "waits")] == [0, 1, 1]
        assert all(job.notify and job.by_delivery for job in jobs.values())
        assert OrmQ.objects.count() == 3

    def test_it_never_takes_back_what_another_asked_for(self, delivered: Any) -> None:
        delivered("a", "b")
        ask(scope="service", service_id="a")
        job = Job.objects.get(service_id="a")
        assert (job.notify, job.by_delivery, job.joined) == (True, True, True)

    def test_it_pulls_each_forward_and_none_back(self, delivered: Any) -> None:
        now = timezone.now()
        ask(scope="service", service_id="late", after=now + timedelta(seconds=60))
        ask(scope="service", service_id="soon", after=now + timedelta(seconds=1))
        delivered("late", "soon", after=now + timedelta(seconds=5))
        due = dict(Job.objects.values_list("service_id", "not_before"))
        assert due["late"] == now + timedelta(seconds=5)
        assert due["soon"] == now + timedelta(seconds=1)

    def test_it_waits_after_those_alone_that_ended_lately(self, delivered: Any) -> None:
        for name in ("old", "lately"):
            for _run in range(2):
                delivered(name)
                delivered.clock.shift(3)
                job = claimed(Job.objects.active().get(service_id=name).pk)
                queue.finish(job, Outcome())
                delivered.clock.shift(4)
        ended = Job.objects.filter(service_id="lately").latest("finished_at").finished_at
        assert ended is not None
        OrmQ.objects.all().delete()
        now = timezone.now()
        delivered("lately", "new", "old")
        due = dict(Job.objects.active().values_list("service_id", "not_before"))
        assert due == {"lately": ended + queue.RERUN_AFTER, "new": now, "old": now}
        assert OrmQ.objects.count() == 2

    def test_it_is_all_or_nothing(self, delivered: Any) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            delivered("a", "b", "c")
            raise ZeroDivisionError
        assert (Job.objects.count(), OrmQ.objects.count()) == (0, 0)

    def test_it_needs_as_few_statements_for_hundreds(
        self, delivered: Any, django_assert_num_queries: Any
    ) -> None:
        names = [f"svc_{number}" for number in range(300)]
        delivered(*names)
        savepoints = 2 if connection.vendor == "postgresql" else 0
        with django_assert_num_queries(4 + 2 + savepoints):  # those of the transaction among them
            delivered(*(f"other_{number}" for number in range(300)))
        with django_assert_num_queries(3 + 2):
            delivered(*names)
        with django_assert_num_queries(2 + 2):  # there is nothing left to change
            delivered(*names)
        Job.objects.update(status="running")
        with django_assert_num_queries(3 + 2):
            delivered(*names)
        assert Job.objects.filter(rerun_requested=True).count() == 300


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    def test_it_makes_one_job_of_many_wishes_for_each(self, delivered: Any) -> None:
        names = [f"svc_{number}" for number in range(20)]
        shares = iter([names[::2], names[::-1], names[::3], names] * 4)
        answers = [answer for many in at_once(lambda: delivered(*next(shares))) for answer in many]
        assert Job.objects.count() == OrmQ.objects.count() == 20
        assert sum(not answer.reused for answer in answers) == 20
        assert len({answer.job_id for answer in answers}) == 20


class TestResuming:
    """A kind that leaves things half done goes on until it has ended that."""

    @pytest.fixture(autouse=True)
    def half_done(self, work: Callable[..., None]) -> None:
        work(repeatable=False, resumes=True, resources=lambda job: ["service:1"])

    def lose(self, job: Job) -> None:
        now = timezone.now()
        Job.objects.filter(pk=job.pk).update(lease_until=now - timedelta(seconds=1))
        queue.take_from_dead(job, now)
        job.refresh_from_db()

    def test_it_goes_on_with_its_holds(self) -> None:
        job = claimed(ask().job_id)
        self.lose(job)
        assert job.status == "queued"
        assert Hold.objects.get().job_id == job.pk
        assert claimed(job.pk).losses == 1
        assert Hold.objects.get().job_id == job.pk

    def test_it_keeps_what_it_took_while_it_ran(self) -> None:
        job = claimed(ask().job_id)
        assert holds.take(job, ["svc_another"])
        self.lose(job)
        claimed(job.pk)
        assert set(Hold.objects.values_list("job", flat=True)) == {job.pk}
        assert Hold.objects.filter(resource=holds.resource("svc_another")).exists()

    def test_nobody_else_takes_what_it_holds_meanwhile(self) -> None:
        job = claimed(ask().job_id)
        self.lose(job)
        assert queue.claim(ask(params={"another": 1}).job_id) is None

    def test_it_goes_on_though_it_is_to_be_cancelled(self) -> None:
        job = claimed(ask().job_id)
        assert queue.cancel(job.pk)
        self.lose(job)
        assert job.status == "queued"
        assert queue.cancel(job.pk)
        assert status(job.pk) == "queued"
        assert claimed(job.pk).cancel_requested

    def test_one_that_has_not_begun_is_cancelled_at_once(self) -> None:
        job_id = ask().job_id
        assert queue.cancel(job_id)
        assert status(job_id) == "cancelled"

    def test_it_is_given_up_one_day(self) -> None:
        job = claimed(ask().job_id)
        for _loss in range(queue.MAX_RESUMPTIONS):
            self.lose(job)
            job = queue.claim(job.pk) or job
        assert (job.status, job.summary["error"]) == ("failed", "left_half_done")
        assert not Hold.objects.exists()
