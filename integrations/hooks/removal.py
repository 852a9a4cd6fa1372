"""Job `hooks.remove`: delete every hook that we made or matched, once the feature is off.

What is tracked and selected stays, so that switching it on and one sync bring the hooks back.
"""

from __future__ import annotations

from functools import partial

from checks.kinds import JobKind, Outcome
from checks.run import Run
from dockrev.permissions import Role
from integrations.hooks.accounts import aim_of, open_account
from integrations.hooks.book import Book, keep_book
from integrations.hooks.jobs import resources
from integrations.hooks.repository import bring_in_line
from integrations.hooks.round import go_round
from integrations.models import HookTarget


def remove(run: Run) -> Outcome:
    account, provider = open_account(run, enabled=False)
    book = Book(run)
    targets = [row for row in account.targets.exclude(hook_id="") if row.full_name not in book.said]
    for row in targets:
        row.selected = False  # here, for the plan; it is not saved
    work = partial(bring_in_line, provider, aim_of(account, provider))
    results = go_round(run, provider, targets, work, before=len(book.said))
    outcome = keep_book(run, account, book, results)
    HookTarget.objects.filter(account=account, removed=True, hook_id="").delete()
    return outcome


KIND = JobKind(
    "hooks.remove",
    cluster="long",
    repeatable=True,
    run=remove,
    resources=resources,
    role=Role.ADMIN,
    goes_on=True,
)
