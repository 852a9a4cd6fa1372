"""Job `deliveries.reconcile`: bring in what a provider sent and nobody was there to take.

A provider that got no answer does not call again, but it lists its attempts for some days. Each
hook's list is read newest first, down to what was handled before; what the inbox does not hold is
fetched and runs through the same pipeline, oldest first. Who asks twice for the same list is told
that nothing changed, so a quiet quarter of an hour costs one small request per hook.

Attempts carry the provider's time, and are compared with nothing but the provider's time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks import queue
from checks.kinds import JobKind, Outcome
from checks.models import Job, JobLog
from checks.run import Run
from checks.tasks import JobFailed
from dockrev import preferences
from dockrev.errors import PayloadTooLarge
from dockrev.fields import UnreadableSecret
from integrations import ingest
from integrations.hooks import credentials
from integrations.hooks.errors import (
    CredentialInvalid,
    NotSeen,
    ProviderError,
    RateLimited,
    Unavailable,
)
from integrations.hooks.provider import Provider, Sent, Standing
from integrations.hooks.providers import PROVIDERS, provider_of
from integrations.models import Delivery, HookAccount, HookTarget
from integrations.proof import entry_of
from integrations.receivers import RECEIVERS
from integrations.receivers.base import BadHeaders, Incoming

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=3)  # as long as github.com keeps its list for sure
OVERLAP = timedelta(minutes=10)  # attempts are not listed strictly in the order of their time
WHOLE_SECONDS = timedelta(seconds=1)  # what providers cut off their times
MAX_PAGES = 100
MAX_READ = 32 * 1024 * 1024  # bytes of what one hook sent, where the list itself holds that
MAX_FETCHED = 300  # in one run; the rest is left to the next
MAX_FAILURES = 100  # named in the summary
_BATCH = 500  # ids asked for in one query


@dataclass(frozen=True)
class Window:
    """Which attempts are looked at. `handled` is by the provider's clock, `earliest` by ours."""

    handled: datetime | None
    earliest: datetime

    def since(self, clock: datetime | None) -> datetime:
        """The bound by the provider's clock, which shows `clock` now, if it says so."""
        now = timezone.now()
        there = clock or now
        earliest = self.earliest + (there - now) - WHOLE_SECONDS
        if self.handled is None or self.handled > there:  # that clock was put back since
            return earliest
        return max(earliest, self.handled - OVERLAP)


@dataclass(frozen=True)
class Listed:
    """The attempts of a hook, newest first. `cut`: older ones were left unread."""

    items: tuple[Sent, ...] = ()
    since: datetime | None = None
    etag: str = ""
    unchanged: bool = False
    cut: bool = False


@dataclass
class Missed:
    """What a hook sent and we do not have: by guid, oldest first. What is handled leaves it."""

    target: HookTarget
    listed: Listed
    left: dict[str, Sent]


@dataclass
class Counts:
    repositories: int = 0
    unchanged: int = 0
    taken: int = 0
    left: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        return {
            "repositories": self.repositories,
            "unchanged": self.unchanged,
            "taken": self.taken,
            "left": self.left,
            "errors": len(self.failures),
            "failures": self.failures[:MAX_FAILURES],
        }


def reconcile(run: Run) -> Outcome:
    rows = _ready().filter(pk=run.job.params["account"]).select_related("receiver")
    try:
        account = rows.first()
    except UnreadableSecret as error:
        raise JobFailed(str(error)) from None
    if account is None:
        return Outcome(quiet=True)  # it was switched off, or lost its token, in the meantime
    work = _Reconciliation(run, account, provider_of(account))
    try:
        work.do()
    except CredentialInvalid as error:
        credentials.note_refused(account, error)
        raise JobFailed(str(error)) from None
    except RateLimited as error:
        return Outcome(work.counts.summary(), again_at=error.until)
    return _outcome(work.counts)


KIND = JobKind("deliveries.reconcile", cluster="long", repeatable=True, run=reconcile)


def enqueue_scheduled() -> None:
    """Queue a run for each account that has hooks to ask about, and none under way.

    One that waits, for a worker or for a rate limit to end, must not be hurried. A token that was
    refused is said on the page of settings, and not tried four times an hour: the audit does that
    once a day, and so does everybody who asks for something.
    """
    for pk, name, report in _ready().values_list("pk", "name", "credential_report"):
        if report.get("state") == Standing.INVALID:
            continue
        request = queue.Request(
            kind=KIND.name, reason=Job.Reason.SCHEDULE, subject=name, params={"account": pk}
        )
        if not Job.objects.active().filter(dedupe_key=request.dedupe_key).exists():
            queue.enqueue(request)


def _ready() -> QuerySet[HookAccount]:
    """Accounts with a token, a receiver that is on, and a hook of something that is selected."""
    telling = [key for key, provider in PROVIDERS.items() if provider.keeps_history]
    with_hooks = HookTarget.objects.filter(selected=True).exclude(hook_id="")
    return HookAccount.objects.alias(token_length=Length("credential")).filter(
        token_length__gt=0,
        receiver__enabled=True,
        provider__in=telling,
        pk__in=with_hooks.values("account"),
    )


def _earliest(account: HookAccount, now: datetime) -> datetime:
    """Nothing from before the receiver was on, nor what was kept long enough already."""
    kept = timedelta(days=preferences.get("retention_days"))
    earliest = now - min(LOOK_BACK, kept)
    return max(earliest, account.receiver.enabled_at or earliest)


class _Reconciliation:
    """One run. Threads ask the provider; the database is this thread's alone."""

    def __init__(self, run: Run, account: HookAccount, provider: Provider) -> None:
        self.run, self.account, self.provider = run, account, provider
        self.counts = Counts()
        self.fetched = 0
        self.earliest = _earliest(account, timezone.now())
        self.pool = ThreadPoolExecutor(provider.limit, thread_name_prefix="reconcile")

    def do(self) -> None:
        targets = self.account.targets.filter(selected=True).exclude(hook_id="")
        try:
            missed = list(self._missed(list(targets)))
            for one in missed:
                self._take(one)
        finally:
            self.pool.shutdown(cancel_futures=True)

    def _missed(self, targets: Sequence[HookTarget]) -> Iterator[Missed]:
        """Read every list; what needs nothing more is settled at once."""
        asked = {self._ask(target): target for target in targets}
        seen: set[str] = set()  # an event may be in the lists of two hooks
        self.counts.repositories = total = len(asked)
        for done, future in enumerate(as_completed(list(asked)), start=1):
            target = asked.pop(future)  # with it goes its list, which may be long
            self.run.stop_if_cancelled()
            listed = self._listed(target, future)
            self.run.progress(done, total, target.full_name)
            self.run.partial(self.counts.summary())
            if listed is None or listed.unchanged:
                self.counts.unchanged += listed is not None
                continue
            missed = Missed(target, listed, self._absent(listed, seen))
            seen |= missed.left.keys()
            if missed.left:
                yield missed
            else:
                _settle(missed)

    def _ask(self, target: HookTarget) -> Future[Listed]:
        window = Window(target.reconciled_until, self.earliest)
        name, hook, etag = target.full_name, target.hook_id, target.deliveries_etag
        return self.pool.submit(_read, self.provider, name, hook, etag=etag, window=window)

    def _listed(self, target: HookTarget, future: Future[Listed]) -> Listed | None:
        try:
            listed = future.result()
        except (CredentialInvalid, RateLimited):
            raise
        except NotSeen as error:
            self._warn(target, str(error))  # the audit says what is missing
            return None
        except ProviderError as error:
            self._failed(target, str(error))
            return None
        if listed.cut:
            self._warn(
                target, _("Its list is longer than can be read; what is older was left alone.")
            )
        return listed

    def _absent(self, listed: Listed, seen: set[str]) -> dict[str, Sent]:
        """What the inbox does not hold, each event once by its last attempt, oldest first."""
        events = {
            self._guid_of(sent): sent
            for sent in reversed(listed.items)
            if sent.event in self.provider.events
            and (listed.since is None or sent.delivered_at >= listed.since)
        }
        known = seen | self._held(list(events))
        return {guid: sent for guid, sent in events.items() if guid not in known}

    def _guid_of(self, sent: Sent) -> str:
        """What the inbox knows the event by: the provider says it, or the call itself does."""
        if sent.incoming is None:
            return sent.guid
        protocol = RECEIVERS[self.account.receiver.kind]
        return protocol.read(sent.incoming, entry_of(self.account.receiver).setup).dedupe_key

    def _held(self, guids: list[str]) -> set[str]:
        ours = Delivery.objects.filter(receiver=self.account.receiver)
        held: set[str] = set()
        for start in range(0, len(guids), _BATCH):
            same = ours.filter(dedupe_key__in=guids[start : start + _BATCH])
            held.update(same.values_list("dedupe_key", flat=True))
        return held

    def _take(self, missed: Missed) -> None:
        """Fetch and take what was missed, as far as this run goes; note how far that is."""
        before, at_once = self.counts.taken, self.provider.limit
        wanted = list(missed.left)[: MAX_FETCHED - self.fetched]
        self.fetched += len(wanted)
        try:
            for start in range(0, len(wanted), at_once):
                self.run.stop_if_cancelled()
                self._take_some(missed, wanted[start : start + at_once])
        finally:
            self.counts.left += len(missed.left)
            self._say(missed.target, self.counts.taken - before)
            _settle(missed)
            self.run.partial(self.counts.summary())

    def _take_some(self, missed: Missed, guids: Sequence[str]) -> None:
        target, fetch = missed.target, self._fetch
        fetched = [self.pool.submit(fetch, target, missed.left[guid]) for guid in guids]
        for guid, future in zip(guids, fetched, strict=True):
            try:
                self._take_one(future.result())
            except (CredentialInvalid, RateLimited):
                raise
            except Unavailable as error:
                self._failed(target, str(error))
                continue
            except (ProviderError, BadHeaders, PayloadTooLarge) as error:
                words = _("Delivery %(id)s cannot be read and is skipped: %(why)s")
                self._warn(target, words % {"id": guid, "why": error})
            del missed.left[guid]

    def _fetch(self, target: HookTarget, sent: Sent) -> Incoming:
        if sent.incoming is not None:
            return sent.incoming
        return self.provider.sent_payload(target.full_name, target.hook_id, sent.id)

    def _take_one(self, incoming: Incoming) -> None:
        """What would not be read if it came by itself is not brought in either."""
        most = RECEIVERS[self.account.receiver.kind].max_body
        if len(incoming.body) > most:
            raise PayloadTooLarge(_("The body is longer than %(limit)d bytes.") % {"limit": most})
        try:
            ingest.take_reconciled(self.account.receiver, incoming)
        except IntegrityError:
            return  # it came by itself at this very moment
        self.counts.taken += 1

    def _failed(self, target: HookTarget, words: str) -> None:
        self.counts.failures.append({"repo": target.full_name, "message": words})
        self._warn(target, words)

    def _warn(self, target: HookTarget, words: str) -> None:
        logger.warning("deliveries not read", extra={"repo": target.full_name, "why": words})
        self.run.log(f"{target.full_name}: {words}", level=JobLog.Level.WARN)

    def _say(self, target: HookTarget, number: int) -> None:
        if number:
            words = ngettext(
                "%(repo)s: %(number)d delivery that never came was brought in.",
                "%(repo)s: %(number)d deliveries that never came were brought in.",
                number,
            )
            self.run.log(words % {"repo": target.full_name, "number": number})


def _read(provider: Provider, name: str, hook_id: str, *, etag: str, window: Window) -> Listed:
    """Read a hook's list down to the window's bound. Runs in a thread, without the database."""
    items: list[Sent] = []
    first, since, size = None, None, 0
    for number, page in enumerate(provider.sent(name, hook_id, etag=etag), start=1):
        if page.unchanged:
            return Listed(unchanged=True)
        if first is None:
            first, since = page, window.since(page.clock)
        items += page.items
        size += sum(len(sent.incoming.body) for sent in page.items if sent.incoming)
        if since is not None and page.items and page.items[-1].delivered_at < since:
            break
        if number == MAX_PAGES or size > MAX_READ:
            return Listed(tuple(items), since, first.etag, cut=True)
    return Listed(tuple(items), since, first.etag if first else "")


def _settle(missed: Missed) -> None:
    """Note how far a hook's list was handled, and what it says of the hook.

    While something is left, the list has to be read again, and from there.
    """
    target, items, left = missed.target, missed.listed.items, missed.left.values()
    times = [sent.delivered_at for sent in items]
    until = min((sent.delivered_at for sent in left), default=max(times, default=None))
    changes: dict[str, Any] = {"deliveries_etag": "" if left else missed.listed.etag}
    if until:
        changes["reconciled_until"] = until
    if times:
        changes["last_delivery_at"] = max(times)
    if failed := next((sent for sent in items if sent.failure), None):
        changes |= {"last_failure_at": failed.delivered_at, "last_failure": failed.failure[:300]}
    # A sync may have made another hook meanwhile.
    HookTarget.objects.filter(pk=target.pk, hook_id=target.hook_id).update(**changes)


def _outcome(counts: Counts) -> Outcome:
    summary = counts.summary()
    if counts.failures and len(counts.failures) >= counts.repositories and not counts.taken:
        summary["error"] = counts.failures[0]["message"]
        return Outcome(summary, status=Job.Status.FAILED)
    return Outcome(summary, quiet=not (counts.taken or counts.left))
