"""Job `hooks.sync`: bring the hooks at a provider in line with what is selected here.

Every repository is listed before anything is done to it, so a sync that was cut off at any place
can simply be run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django.db.models import Q
from django.utils import timezone

from checks.kinds import JobKind, Outcome
from checks.run import Run
from dockrev.permissions import Role
from integrations import rotation
from integrations.hooks.accounts import aim_of, open_account, proven
from integrations.hooks.book import Book, keep_book
from integrations.hooks.jobs import resources
from integrations.hooks.plan import Choice
from integrations.hooks.repository import bring_in_line
from integrations.hooks.round import go_round
from integrations.models import HookAccount, HookTarget


def sync(run: Run) -> Outcome:
    account, provider = open_account(run)
    params = run.job.params
    book = Book(run, dry_run=bool(params.get("dryRun")))
    rows = _takes_part(account, params.get("repos"))
    targets = [row for row in rows if row.full_name not in book.said]
    work = partial(
        bring_in_line,
        provider,
        aim_of(account, provider),
        choices=choices_of(params.get("resolve", ())),
        dry_run=book.dry_run,
    )
    results = go_round(run, provider, targets, work, before=len(book.said))
    outcome = keep_book(run, account, book, results)
    if not book.dry_run:
        _tidy(account)
    return outcome


KIND = JobKind(
    "hooks.sync",
    cluster="long",
    repeatable=True,
    run=sync,
    resources=resources,
    role=Role.ADMIN,
    goes_on=True,
)


def choices_of(given: Iterable[Mapping[str, Any]]) -> dict[str, Choice]:
    """What people decided about conflicts, by the repository's name in lower case."""
    return {
        each["repo"].lower(): Choice(each["keepHookId"], frozenset(each["deleteHookIds"]))
        for each in given
    }


def _takes_part(account: HookAccount, names: Iterable[str] | None) -> list[HookTarget]:
    """What is selected, and what still has a hook and is not any more; or of all rows the named."""
    rows = proven(account).order_by("name_key")
    if names is None:
        rows = rows.filter(Q(selected=True, removed=False) | ~Q(hook_id=""))
    else:
        rows = rows.filter(name_key__in=[name.lower() for name in names])
    return list(rows)


def _tidy(account: HookAccount) -> None:
    """What was removed and has no hook any more is forgotten; so is a secret that no hook has."""
    account.targets.filter(removed=True, hook_id="").delete()
    rotation.complete(account, timezone.now())
