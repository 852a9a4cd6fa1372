"""Job `hooks.list`: asks a provider for all repositories of an owner, and tracks them."""

from __future__ import annotations

from django.utils.translation import gettext as _

from checks import queue
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run
from checks.tasks import JobFailed
from dockrev.errors import ApiError, InvalidArgument
from dockrev.permissions import Role
from integrations import tracking
from integrations.hooks import credentials
from integrations.hooks.errors import RateLimited
from integrations.models import HookAccount


def ask(
    account: HookAccount,
    text: str,
    *,
    username: str,
    reason: str = Job.Reason.UI,
    selected: bool | None = None,
) -> queue.Queued:
    """Queue it. Raises InvalidArgument unless the text names an owner, or CredentialRejected."""
    named = tracking.read_input(account, text)
    if named.kind != "owner":
        raise InvalidArgument("input", _("This names a repository, not an owner."))
    credentials.require_given(account)
    return queue.enqueue(
        queue.Request(
            kind=KIND.name,
            reason=reason,
            subject=named.owner,
            params={"account": account.pk, "input": named.owner, "selected": selected},
            created_by=username,
        )
    )


def _list(run: Run) -> Outcome:
    account = HookAccount.objects.filter(pk=run.job.params["account"]).first()
    if account is None:
        raise JobFailed(_("This account is gone."))
    owner, selected = run.job.params["input"], run.job.params["selected"]

    def tell(done: int, total: int) -> None:
        run.stop_if_cancelled()
        run.progress(done, total, _("Repositories of %(owner)s") % {"owner": owner})

    try:
        change = tracking.add(account, owner, selected=selected, progress=tell)
    except ApiError as error:
        if isinstance(error.__cause__, RateLimited):
            return Outcome({"owner": owner}, again_at=error.__cause__.until)
        run.partial({"owner": owner, **error.details})  # why, and where to go about it
        raise JobFailed(error.message) from None
    return Outcome(
        {
            "owner": change.named.owner,
            "reposFound": change.found,
            "reposAdded": change.repositories,
            "warnings": list(change.warnings),
        }
    )


KIND = JobKind("hooks.list", cluster="quick", repeatable=True, run=_list, role=Role.ADMIN)
