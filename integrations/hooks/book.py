"""What became of every repository: rows are written as it comes, and the summary shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Max
from django.utils import timezone

from checks.kinds import Outcome
from checks.models import JobLog
from checks.run import Run
from checks.tasks import JobFailed
from integrations.hooks import credentials
from integrations.hooks.errors import CredentialInvalid, RateLimited
from integrations.hooks.provider import Hook
from integrations.hooks.round import Done, resting
from integrations.models import Delivery, HookAccount, HookTarget

BATCH = 50  # rows of which nothing but the time changed, written at once
SHOWN_AT_ONCE = 1000  # results that may be written again with each that comes
GOOD = {"noop", "ok"}
BAD = {"conflict", "drift", "error", "missing"}


class Book:
    """`says` is what the summary calls the word for each; `at` the column with the time."""

    def __init__(
        self, run: Run, *, dry_run: bool = False, says: str = "action", at: str = "last_sync_at"
    ) -> None:
        self.dry_run, self.is_whole = dry_run, False
        self._run, self._says, self._at = run, says, at
        self.results: list[dict[str, Any]] = list(run.summary.get("results", ()))
        self.said = {result["repo"] for result in self.results}
        self._unchanged: list[str] = []

    def enter(self, done: Done) -> None:
        self._write(done)
        if done.cut_short is not None:
            return
        self.results.append(
            {
                "repo": done.target.full_name,
                self._says: done.word,
                "hookId": done.hook_id or None,
                "conflictHooks": conflict_of(done.conflict),
                "message": done.message or None,
            }
        )
        if done.message and done.word not in GOOD:
            level = JobLog.Level.WARN if done.word in BAD else JobLog.Level.INFO
            self._run.log(f"{done.target.full_name}: {done.message}", level=level)
        if len(self.results) <= SHOWN_AT_ONCE or len(self.results) % BATCH == 0:
            self._run.partial(self.summary())

    def close(self) -> None:
        self._write_unchanged()
        self._run.partial(self.summary(), force=True)

    def summary(self) -> dict[str, Any]:
        counts = Counter(result[self._says] for result in self.results)
        return {
            "ok": self.is_whole and not any(counts[word] for word in BAD),
            "dryRun": self.dry_run,
            "counts": dict(sorted(counts.items())),
            "results": self.results,
        }

    def _write(self, done: Done) -> None:
        """A repository where nothing changed is only written with others like it."""
        if self.dry_run:
            return
        if not done.changes:
            if done.cut_short is None:
                self._unchanged.append(done.target.pk)
            if len(self._unchanged) >= BATCH:
                self._write_unchanged()
            return
        rows = HookTarget.objects.filter(pk=done.target.pk)
        hook_id = done.changes.get("hook_id")
        if done.target.hook_id and hook_id:
            pinged_at = _last_ping(done.target, hook_id)
            rows.exclude(hook_id=hook_id).update(verified_at=pinged_at, deliveries_etag="")
        changes = {**done.changes, self._at: timezone.now()}
        if not rows.update(**changes) and hook_id:
            _bring_back(done.target, changes)

    def _write_unchanged(self) -> None:
        rows = HookTarget.objects.filter(pk__in=self._unchanged)
        if self._unchanged:
            rows.update(**{self._at: timezone.now()})
        self._unchanged = []


def _last_ping(target: HookTarget, hook_id: str) -> datetime | None:
    """The ping of a new hook may have come before we hear that there is one."""
    pings = Delivery.objects.filter(
        receiver__accounts=target.account_id, hook_id=hook_id, event="ping"
    )
    last: datetime | None = pings.aggregate(last=Max("received_at"))["last"]
    return last


def _bring_back(target: HookTarget, changes: dict[str, Any]) -> None:
    """A row that was removed while its hook was made: the next sync has to delete that hook."""
    for name, value in {**changes, "selected": False, "removed": True}.items():
        setattr(target, name, value)
    HookTarget.objects.bulk_create([target], ignore_conflicts=True)


def keep_book(run: Run, account: HookAccount, book: Book, results: Iterable[Done]) -> Outcome:
    """Enter what comes of a round, also where it ends before its end."""
    try:
        for done in results:
            book.enter(done)
        book.is_whole = True
    except RateLimited as error:
        run.log(resting(error.until))
        return Outcome(book.summary(), again_at=error.until)
    except CredentialInvalid as error:
        credentials.note_refused(account, error)
        raise JobFailed(str(error)) from None
    finally:
        book.close()
    return Outcome(book.summary())


def conflict_of(hooks: Iterable[Hook]) -> list[dict[str, Any]]:
    return [
        {
            "id": hook.id,
            "url": hook.url,
            "events": list(hook.events),
            "active": hook.active,
            "lastFailure": hook.last_failure or None,
        }
        for hook in hooks
    ]
