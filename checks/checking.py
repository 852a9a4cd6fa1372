"""Checks services: asks each distinct image's registry once, and writes down what it said."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue

from django.db import transaction
from django.db.models import Prefetch
from django.utils import timezone
from django.utils.translation import gettext as _

from checks import ignoring, policies, queue, spreading, tag_lists
from checks.decide import Found, Local, Verdict, about_image, decide
from checks.explaining import waiting_words
from checks.holds import is_held
from checks.kinds import JobKind, Outcome
from checks.models import Candidate, Job, JobLog, Service
from checks.models.stacks import ServiceQuerySet
from checks.registry.client import NotFound, RegistryError
from checks.registry.configs import About
from checks.registry.reference import Reference
from checks.remotes import Counted, remotes
from checks.rests import Ledger
from checks.run import Run
from checks.settle import Checked, announce, settle
from checks.tasks import JobFailed
from checks.versions.ignores import Ignores
from checks.versions.shapes import read
from checks.versions.wishes import Wishes
from dockrev.fields import UnreadableSecret

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 100  # services written in one transaction
HELD_PAUSE = timedelta(seconds=5)  # until a check looks again whether it may begin
WRITE_EVERY = 0.25  # seconds; so often it is seen, too, that somebody cancelled

Clients = dict[str, Counted]


def check_service(run: Run) -> Outcome:
    """Job `check.service`: one service, its result written as the job finishes. While another job
    changes the service it waits."""
    service = _services().annotate(held=is_held()).filter(pk=run.job.service_id).first()
    if service is None:
        raise JobFailed(_("The service is not there any more."))
    if vars(service)["held"]:
        return Outcome(run.summary, again_at=timezone.now() + HELD_PAUSE)
    ignores = ignoring.by_service([service], timezone.now())[service.pk]
    with _clients([service], run.job) as clients:
        checked = _look(service, clients, ignores)
    run.log(_words(checked))
    ledger = Ledger(run, clients)
    ledger.exchange()

    def write(job: Job) -> None:
        now = timezone.now()
        settle([checked], now)
        tag_lists.keep(_listers(clients), now)
        announce(job, [service.pk], now)

    return Outcome({**_summary([checked]), **ledger.figures()}, write=write)


def check_many(run: Run) -> Outcome:
    """Jobs `check.stack` and `check.all`: results are written as they come, told at the end.

    What registries do not let us ask now waits in the queue, and what was found so far is told.
    """
    # What a job is changing now is checked by itself when that is done.
    services = _services().present().exclude(is_held()).order_by("pk")
    if run.job.scope == Job.Scope.STACK:
        services = services.filter(stack=run.job.stack_id)
    chosen = list(services)
    with _clients(chosen, run.job) as clients:
        many = _Many(run, chosen, clients)
        many.look()
    return many.outcome()


class _Many:
    """One part of a check of many: all of it, unless registries want it otherwise."""

    def __init__(self, run: Run, services: list[Service], clients: Clients) -> None:
        self._run, self._clients = run, clients
        self._ids = [service.pk for service in services]
        self._part = spreading.begin(run.summary, services, timezone.now())
        self._ledger = Ledger(run, clients)
        self._done: list[Checked] = []
        run.summary = dict(self._part.before)

    def look(self) -> None:
        plan = self._part.plan
        self._run.log_all(map(str, plan.shortages), level=JobLog.Level.WARN)
        why = {each.host: str(each) for each in plan.shortages}
        put_off = [Checked(each, failure=why[each.registry], asked=False) for each in plan.later]
        if put_off:
            _write(put_off, self._clients)
        before = self._part.before.get("services", 0)
        total = before + len(plan.now) + len(plan.later)
        for some in _look_at_all(plan.now, self._clients):
            self._done += some
            if some:
                self._run.log_all([_words(each) for each in some])
                _write(some, self._clients)
                self._run.progress(before + len(self._done), total, str(some[-1].service))
            self._ledger.exchange()
            self._run.stop_if_cancelled()

    def outcome(self) -> Outcome:
        traffics = {host: client.traffic for host, client in self._clients.items()}
        put_off = self._part.put_off(
            [each.service for each in self._done if each.trouble], traffics
        )
        waiting = {service.pk for service in put_off.services}
        over = [each for each in self._done if each.service.pk not in waiting]
        found = spreading.added(self._part.before, {**_summary(over), **self._ledger.figures()})
        write = partial(_tell, self._ids)
        if waiting and self._part.may_go_on(self._run.job.started_at, got_on=bool(over)):
            with transaction.atomic():
                write(self._run.job)
            self._run.log(str(put_off), level=JobLog.Level.WARN)
            self._run.progress(found["services"], found["services"] + len(waiting), str(put_off))
            return Outcome({**found, **put_off.summary}, again_at=put_off.until)
        left = {"services": len(waiting), "errors": len(waiting)}
        return Outcome(spreading.added(found, left), write=write)


CHECK_SERVICE = JobKind("check.service", cluster="quick", repeatable=True, run=check_service)
CHECK_STACK = JobKind("check.stack", cluster="long", repeatable=True, run=check_many)
CHECK_ALL = JobKind("check.all", cluster="long", repeatable=True, run=check_many)


def enqueue_scheduled() -> queue.Queued:
    """The safety net below the webhooks."""
    return queue.enqueue(
        queue.Request(kind=CHECK_ALL.name, reason=Job.Reason.SCHEDULE, notify=True)
    )


def _services() -> ServiceQuerySet:
    """Services with all that a look at them needs; of their candidates, those not closed."""
    unclosed = Candidate.objects.unclosed().select_related("image")
    # As a list: a query set for each service would take longer than the query.
    candidates = Prefetch("candidates", unclosed, to_attr="unclosed")
    services = Service.objects.with_policies().select_related("stack__host", "image")
    return services.prefetch_related(candidates)


@transaction.atomic
def _write(checked: list[Checked], clients: Clients) -> None:
    now = timezone.now()
    settle(checked, now)
    tag_lists.keep(_listers(clients), now)


def _tell(service_ids: list[str], job: Job) -> None:
    announce(job, service_ids, timezone.now())


def _look_at_all(services: list[Service], clients: Clients) -> Iterator[list[Checked]]:
    """Check services at once, as many for each registry as it has lanes, some as they are done.

    Those that ask most begin first, so that none is left at the end to ask alone. Where nothing
    comes for a while that is said, too: by an empty list.
    """
    ignores = ignoring.by_service(services, timezone.now())
    done: SimpleQueue[Future[Checked]] = SimpleQueue()
    for each in sorted(services, key=lambda each: read(each.tag) is None):
        lanes = clients[each.registry].lanes
        lanes.start(_look, each, clients, ignores[each.pk]).add_done_callback(done.put)
    left = len(services)
    while left:
        some = _take(done, min(left, MOST_AT_ONCE))
        left -= len(some)
        yield some


def _take(done: SimpleQueue[Future[Checked]], most: int) -> list[Checked]:
    """Wait for results for a while, so that not each is written by itself."""
    some: list[Checked] = []
    until = time.monotonic() + WRITE_EVERY
    while len(some) < most and (left := until - time.monotonic()) > 0:
        with suppress(Empty):
            some.append(done.get(timeout=left).result())
    return some


@contextmanager
def _clients(services: list[Service], job: Job) -> Iterator[Clients]:
    """Clients for all their registries, which know the lists of tags that are kept."""
    try:
        clients = remotes(
            {service.registry for service in services},
            _trusted_since(job),
            repositories={service.repository for service in services},
        )
    except UnreadableSecret as error:
        raise JobFailed(str(error)) from None
    for client in clients.values():
        client.traffic.saves = job.scope != Job.Scope.SERVICE
    tag_lists.lend(_listers(clients), services)
    try:
        yield clients
    finally:
        for client in clients.values():
            client.lanes.close()


def _trusted_since(job: Job) -> datetime | None:
    """From when on lists of tags are as good as new: who asks for a check wants to know it now."""
    if job.reason == Job.Reason.SCHEDULE and not job.joined:
        return timezone.now() - tag_lists.TRUSTED
    return None


def _listers(clients: Clients) -> dict[str, tag_lists.Lister]:
    return {host: client.lister for host, client in clients.items()}


def _look(service: Service, clients: Clients, ignores: Ignores) -> Checked:
    """Ask the registry about one service. No database, no exception: what nobody foresaw in what
    one registry says must not end the check of all the others."""
    if not service.repository:
        return Checked(service, Verdict("unknown", reason=_("It names no image.")))
    try:
        return _compared(service, clients[service.registry], ignores)
    except NotFound as error:
        return Checked(service, Verdict("unknown", reason=str(error), gone=True))
    except RegistryError as error:
        return Checked(service, failure=str(error))
    except Exception:
        logger.exception("a service cannot be checked", extra={"service": service.pk})
        return Checked(service, failure=_("Dockrev failed at it; its log says how."))


def _compared(service: Service, client: Counted, ignores: Ignores) -> Checked:
    """Raises RegistryError."""
    wishes = Wishes(ignores, policies.of_service(service).held)
    local = _local_of(service, wishes)
    verdict = decide(local, client, wishes)
    runs = _what_runs(service, local, verdict, client)
    return Checked(service, verdict, local.platform, runs=runs)


def _what_runs(
    service: Service, local: Local, verdict: Verdict, client: Counted
) -> tuple[str, About] | None:
    """What the image behind a tag that is no version says of itself, where neither an engine nor
    an earlier check has said so."""
    stand_in = local.reference.digest or local.baseline or verdict.baseline
    known = bool(local.running) or service.image_id == stand_in
    if known or not stand_in or read(local.reference.tag):
        return None
    about = about_image(local, client, stand_in)
    return (stand_in, about) if about else None


def _local_of(service: Service, wishes: Wishes) -> Local:
    """What runs of a service, as far as the rows say, to be compared for the platform that is
    wished for, if any is. Asks no database."""
    platform = wishes.platform or service.runs_on
    unclosed: list[Candidate] = vars(service)["unclosed"]
    # What is for one platform alone has nothing in it to choose from.
    candidates = [c for c in unclosed if c.platform == platform or not c.platforms]
    return Local(
        Reference(service.registry, service.repository, service.tag, service.pinned_digest),
        running=frozenset(service.running_digests),
        baseline=service.baseline,
        platform=platform,
        started=service.state != Service.State.ABSENT,
        known={row.digest: _known(row) for row in candidates},
        equal=service.equal_indexes.get(platform, {}),
        reads_about=wishes.needs_about(service.tag),
    )


def _known(row: Candidate) -> Found:
    return Found(
        row.step,
        row.tag,
        row.digest,
        row.arch,
        row.platform_digest,
        tuple(row.platforms),
        about=row.image.about if row.image else None,
        seen_at=row.opened_at,
    )


def _words(checked: Checked) -> str:
    verdict = checked.verdict
    label = Service.Status(checked.status).label
    why = checked.trouble or (verdict.reason if verdict else "")
    found = ", ".join(f"{each.tag}@{each.digest}" for each in _shown(checked))
    name = f"{checked.service.stack.name} / {checked.service.name}"
    told = [f"{label} {found}".rstrip(), *waiting_words(verdict.waiting if verdict else ())]
    return f"{name}: {'; '.join(told)}{f'. {why}' if why else ''}"


def _shown(checked: Checked) -> list[Found]:
    return [each for each in checked.verdict.found if not each.hidden] if checked.verdict else []


def _summary(done: list[Checked]) -> dict[str, int]:
    return {
        "services": len(done),
        "updates": sum(bool(_shown(each)) for each in done),
        "errors": sum(bool(each.trouble) for each in done),
    }
