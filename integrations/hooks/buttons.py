"""What the buttons beside an account's hooks do. Each raises an ApiError where it may not."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from checks.models import Job
from dockrev.errors import ApiError, InvalidArgument
from dockrev.pages import PageRequest, acted, given
from integrations import targets, tracking
from integrations.hooks import asking, setup
from integrations.hooks.results import Work
from integrations.models import HookAccount

MAX_NAMES = 200  # targets of one form
Button = Callable[[PageRequest, HookAccount], None]


def press(
    button: Button, request: PageRequest, account: HookAccount, *, page: str, part: str
) -> HttpResponse:
    """Do it, and answer. Why it was refused is said at the top of the page."""
    try:
        button(request, account)
    except ApiError as error:
        messages.error(request, error.message)
        if request.htmx:
            return HttpResponseClientRedirect(page)
    return acted(request, f"{page}#{part}")


def followed(request: PageRequest, last: Work | None, response: HttpResponse) -> HttpResponse:
    """Whoever followed a job to its end is told to look at all else again."""
    name = request.GET.get("following", "")
    if name and (last is None or last.job.pk != name or not last.job.is_active):
        trigger_client_event(response, "changed", after="settle")
    return response


def select(request: PageRequest, account: HookAccount) -> None:
    """One target, all that a filter finds, or, without scripts, what one page showed."""
    sent = request.POST
    if "all" in sent:
        looked = targets.look(account, show=sent.get("show", ""), words=sent.get("q", "")[:200])
        tracking.select(looked.repositories, selected=sent["all"] == "on")
        return
    names = [sent["only"]] if "only" in sent else sent.getlist("shown")[:MAX_NAMES]
    chosen = {name.lower() for name in sent.getlist("on")[:MAX_NAMES]}
    keys = {name.lower() for name in names}
    rows = targets.present(account)
    tracking.select(rows.filter(name_key__in=keys & chosen), selected=True)
    tracking.select(rows.filter(name_key__in=keys - chosen), selected=False)


def remove(request: PageRequest, account: HookAccount) -> None:
    setup.remove_target(account, name_of(request))


def ping(request: PageRequest, account: HookAccount) -> None:
    row = targets.find(account, name_of(request))
    asking.ping(account, row)
    words = _("%(account)s sends a ping for %(name)s. It shows here once it came.")
    messages.success(request, words % {"account": account.name, "name": row.full_name})


def sync(request: PageRequest, account: HookAccount) -> None:
    repos = [name_of(request)] if "repo" in request.POST else None
    dry_run = request.POST.get("dryRun") == "on"
    asking.sync(account, **_asked(request), repos=repos, dry_run=dry_run)


def audit(request: PageRequest, account: HookAccount) -> None:
    asking.audit(account, **_asked(request))


def repair(request: PageRequest, account: HookAccount) -> None:
    asking.repair(account, **_asked(request))


def remove_hooks(request: PageRequest, account: HookAccount) -> None:
    asking.remove_all(account, **_asked(request))


def keep(request: PageRequest, account: HookAccount) -> None:
    """End a conflict: the hook that was chosen stays, the others that were shown go."""
    row = targets.find(account, name_of(request))
    kept = request.POST.get(f"keep-{row.pk}", "")
    shown = [str(hook["id"]) for hook in row.conflict_hooks]
    if kept not in shown:
        raise InvalidArgument("keep", _("Choose one of the hooks that are shown."))
    others = [hook_id for hook_id in shown if hook_id != kept]
    choice = {"repo": row.full_name, "keepHookId": kept, "deleteHookIds": others}
    asking.sync(account, **_asked(request), repos=[row.full_name], resolve=[choice])


# By the last part of the address of each.
BUTTONS: dict[str, Button] = {
    "select": select,
    "remove": remove,
    "ping": ping,
    "sync": sync,
    "audit": audit,
    "repair": repair,
    "remove-hooks": remove_hooks,
    "keep": keep,
}


def name_of(request: HttpRequest) -> str:
    return text_of(request, "repo", targets.MAX_NAME)


def text_of(request: HttpRequest, name: str, limit: int) -> str:
    return given(request.POST, name).strip()[: limit + 1]


def _asked(request: HttpRequest) -> asking.Asked:
    return {"username": request.user.get_username(), "reason": Job.Reason.UI}
