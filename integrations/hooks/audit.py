"""Job `hooks.audit`: compare the hooks at a provider with what is selected here; repair nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from checks import queue
from checks.kinds import JobKind, Outcome
from checks.models import Job, JobLog
from checks.run import Run
from checks.tasks import JobFailed
from dockrev.permissions import Role
from integrations import rotation
from integrations.hooks import credentials
from integrations.hooks.accounts import Aim, aim_of, hooks_of, known_of, open_account, proven
from integrations.hooks.book import BAD, Book, conflict_of, keep_book
from integrations.hooks.errors import ProviderError
from integrations.hooks.jobs import request_for, resources
from integrations.hooks.plan import Action, Plan, plan
from integrations.hooks.provider import Provider, Standing
from integrations.hooks.repository import error_words, in_line, several, words_of
from integrations.hooks.round import ENDS, Done, Gate, go_round
from integrations.models import HookAccount, HookTarget
from notifications import announce
from notifications.announce import Anomaly

State = HookTarget.HookState


def audit(run: Run) -> Outcome:
    account, provider = open_account(run)
    _try_again(account)
    book = Book(run, says="state", at="last_audit_at")
    rows = proven(account).filter(selected=True, removed=False).order_by("name_key")
    targets = [row for row in rows if row.full_name not in book.said]
    work = partial(_compare, provider, aim_of(account, provider))
    results = go_round(run, provider, targets, work, before=len(book.said))
    try:
        outcome = keep_book(run, account, book, results)
    except JobFailed as error:
        run.log(str(error), level=JobLog.Level.ERROR)
        outcome = Outcome({**run.summary, "error": str(error)}, status=Job.Status.FAILED)
        unseen = [_refused(row, error) for row in targets if row.full_name not in book.said]
    else:
        unseen = []
    rotation.complete(account, timezone.now())
    return replace(
        outcome, write=partial(_announce, [*_anomalies(book.results), *unseen], _page_of(account))
    )


KIND = JobKind(
    "hooks.audit",
    cluster="long",
    repeatable=True,
    run=audit,
    resources=resources,
    role=Role.ADMIN,
    goes_on=True,
)


def enqueue_scheduled() -> None:
    """Queue an audit of each account that is on and has a token."""
    for account in HookAccount.objects.filter(receiver__enabled=True):
        if account.credential:
            asked = request_for(KIND.name, account, reason=Job.Reason.SCHEDULE)
            queue.enqueue(replace(asked, notify=True))


def _try_again(account: HookAccount) -> None:
    """Nothing else tries by itself a token that was refused: that may have been a fault there."""
    report = credentials.report_of(account)
    if report is not None and report.state == Standing.INVALID:
        credentials.try_and_store(account)


def _compare(provider: Provider, aim: Aim, gate: Gate, target: HookTarget) -> Done:
    columns: dict[str, Any] = {}
    try:
        hooks, columns = hooks_of(gate, provider, target, aim)
    except ENDS as error:
        return Done(target, State.ERROR, cut_short=error)
    except ProviderError as error:
        state, message = State.ERROR, error_words(target, error)
        made = Plan(Action.NOTHING)
    else:
        sought = aim.sought.of(hooks.offered)
        made = plan(sought, known_of(target, hooks.ahead), hooks.items)
        state, message = _judge(made)
    columns |= {"hook_state": state, "last_error": message, "conflict_hooks": []}
    if made.action == Action.CONFLICT:
        columns["conflict_hooks"] = conflict_of(made.conflict)
    if made.action == Action.NOOP and made.hook is not None and not made.after:
        columns = in_line(aim.sought, made.hook) | columns
    changes = {name: value for name, value in columns.items() if getattr(target, name) != value}
    hook_id = made.hook.id if made.hook else target.hook_id
    return Done(target, state.value, changes, hook_id, made.conflict, message)


def _judge(made: Plan) -> tuple[State, str]:
    """The state that a plan stands for, and why."""
    if made.action == Action.CREATE:
        return State.MISSING, _("There is no webhook that calls the callback URL.")
    if made.action == Action.CONFLICT:
        return State.CONFLICT, several(made.conflict)
    words = [words_of(made)] if made.why else []
    if made.after:
        words.append(_("a former webhook is still there"))
    if made.hook is not None and made.hook.last_failure:
        words.append(_("its last delivery failed (%(why)s)") % {"why": made.hook.last_failure})
    if not words:
        return State.OK, ""
    text = "; ".join(words)
    return State.DRIFT, f"{text[:1].upper()}{text[1:]}."


def _anomalies(results: Iterable[Mapping[str, Any]]) -> list[Anomaly]:
    return [
        Anomaly(result["repo"], result["state"], result["message"] or "")
        for result in results
        if result["state"] in BAD
    ]


def _refused(target: HookTarget, error: JobFailed) -> Anomaly:
    """Nothing is known of a repository that was not looked at, and people have to hear it."""
    return Anomaly(target.full_name, State.ERROR.value, str(error))


def _page_of(account: HookAccount) -> str:
    """Where people see to an account's hooks."""
    if account.provider == HookAccount.Provider.GITHUB:
        return reverse("github_packages")
    return reverse("hook_account", args=[account.pk])


def _announce(found: Sequence[Anomaly], page: str, job: Job) -> None:
    """Tell what a scheduled audit found. Called in the transaction that finishes the job."""
    if not job.notify:
        return
    counts = Counter(anomaly.state for anomaly in found)
    of_each = {state: counts[state] for state in sorted(BAD)}
    announce.anomalies(
        announce.Audit(job.pk, job.status, **of_each, settings_path=page), found, timezone.now()
    )
