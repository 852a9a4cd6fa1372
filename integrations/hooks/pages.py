"""Settings, Registries, webhooks there: the accounts of all providers but GitHub, which has a page
of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from checks.models import Job
from checks.registry_links import Link
from dockrev import preferences
from dockrev.errors import ApiError, InvalidArgument, NotFound
from dockrev.fields import MASK
from dockrev.pages import PageRequest, acted, given, page_of, words_of
from dockrev.permissions import Role, requires, role_of
from integrations import targets
from integrations.callbacks import base_url, default_callback, shown_callback
from integrations.endpoints import is_plain
from integrations.forms import HookAccountForm
from integrations.hooks import buttons, credentials, picking, results, setup
from integrations.hooks.health import health_of, mark_of
from integrations.hooks.provider import Provider, Standing
from integrations.hooks.providers import PROVIDERS
from integrations.hooks.wording import TARGETS, targets_waiting
from integrations.models import HookAccount

LINK = Link("hook_accounts", gettext_lazy("Webhooks there"))
MAX_PICKED = picking.MOST_SHOWN


class Shown(NamedTuple):
    account: HookAccount
    mark: str
    word: str
    counts: targets.Counts


@require_safe
@requires(Role.VIEWER)
def show_accounts(request: PageRequest) -> HttpResponse:
    rows = list(setup.accounts().exclude(provider="github")[: setup.MOST])
    counts = targets.counts_of(rows)
    base = preferences.get("public_base_url")
    shown = [Shown(row, *mark_of(row, counts[row.pk], base), counts[row.pk]) for row in rows]
    context = {"shown": shown, "providers": [PROVIDERS[key] for key in setup.OTHERS]}
    return render(request, "integrations/hooks/accounts.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def add_account(request: PageRequest, provider: str) -> HttpResponse:
    if provider not in setup.OTHERS:
        raise Http404
    kind, row = PROVIDERS[provider], HookAccount(provider=provider, name=PROVIDERS[provider].label)
    if request.method != "POST":
        return _form_page(request, kind, HookAccountForm(instance=row))
    sent = _sent(request)
    try:
        made = setup.make(provider, sent)
    except ApiError as error:
        return _form_page(request, kind, _wrong(row, sent, error), status=422)
    report = credentials.report_of(made)
    if report is not None and report.state is Standing.INVALID:
        refused = _("%(name)s is saved, and its token is refused: replace it below.")
        messages.error(request, refused % {"name": made.name})
    else:
        saved = _("%(name)s is saved. Pick what it is to keep webhooks of.")
        messages.success(request, saved % {"name": made.name})
    return redirect("hook_account", made.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.ADMIN)
def show_account(request: PageRequest, account_id: str) -> HttpResponse:
    """The page of one, and what its own buttons do."""
    account = _account(account_id)
    if request.method != "POST":
        return _page(request, account)
    acts = {"save": _save, "try": _try, "forget": _forget, "rotate": _rotate, "delete": _delete}
    act = acts.get(request.POST.get("act", ""))
    return act(request, account) if act else redirect("hook_account", account.pk)


@require_safe
@requires(Role.VIEWER)
def show_account_work(request: PageRequest, account_id: str) -> HttpResponse:
    account = _account(account_id)
    last = results.latest(account)
    context = {"work": last, **_shared(account)}
    response = render(request, "integrations/hooks/work.html", context)
    return buttons.followed(request, last, response)


@require_POST
@requires(Role.ADMIN)
def add_targets(request: PageRequest, account_id: str) -> HttpResponse:
    """What was typed, or those that were ticked in the list."""
    account = _account(account_id)
    page = reverse("hook_account", args=[account.pk])
    typed = buttons.text_of(request, "name", targets.MAX_NAME)
    names = [typed] if typed else request.POST.getlist("pick")[:MAX_PICKED]
    try:
        for name in names:
            setup.add_target(account, name)
    except ApiError as error:
        messages.error(request, error.message)
        return redirect(f"{page}#targets")
    if names:
        messages.success(request, _("Added. A sync makes the webhooks."))
    return acted(request, f"{page}#targets")


@require_POST
@requires(Role.ADMIN)
def press_button(request: PageRequest, account_id: str, button: str) -> HttpResponse:
    if button not in buttons.BUTTONS:
        raise Http404
    account = _account(account_id)
    page = reverse("hook_account", args=[account.pk])
    return buttons.press(buttons.BUTTONS[button], request, account, page=page, part="targets")


def _account(pk: str) -> HookAccount:
    try:
        account = setup.find(pk)
    except NotFound:
        raise Http404 from None
    if account.provider == "github":
        raise Http404
    return account


def _save(request: PageRequest, account: HookAccount) -> HttpResponse:
    sent = _sent(request)
    try:
        setup.change(account, sent)
    except ApiError as error:
        kept = _account(account.pk)
        return _page(request, kept, form=_wrong(kept, sent, error), status=422)
    messages.success(request, _("The connection is saved."))
    return redirect("hook_account", account.pk)


def _try(request: PageRequest, account: HookAccount) -> HttpResponse:
    """What is kept is tried, not what stands in the form."""
    try:
        credentials.require_given(account)
        credentials.try_and_store(account)
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("hook_account", account.pk)
    return _page(request, account)


def _forget(request: PageRequest, account: HookAccount) -> HttpResponse:
    setup.change(account, {"clearToken": True})
    messages.success(request, _("The token is removed. Revoke it where it was made, too."))
    return redirect("hook_account", account.pk)


def _rotate(request: PageRequest, account: HookAccount) -> HttpResponse:
    username = request.user.get_username()
    setup.rotate(account, username=username, reason=Job.Reason.UI)
    messages.success(
        request, _("There is a new secret. The old one counts until every webhook has the new.")
    )
    return redirect("hook_account", account.pk)


def _delete(request: PageRequest, account: HookAccount) -> HttpResponse:
    leave = request.POST.get("leave") == "on"
    try:
        setup.forget(account, leave_hooks=leave)
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("hook_account", account.pk)
    messages.success(request, _("%(name)s is removed.") % {"name": account.name})
    return redirect("hook_accounts")


def _sent(request: PageRequest) -> dict[str, Any]:
    """What the form says, under the names of the API. A box that is not ticked says no."""
    texts = ("name", "apiUrl", "username", "token", "authorities", "callbackUrl")
    sent: dict[str, Any] = {name: given(request.POST, name) for name in texts}
    return {**sent, **{name: request.POST.get(name) == "on" for name in ("enabled", "verifyTls")}}


def _wrong(row: HookAccount, sent: dict[str, Any], error: ApiError) -> HookAccountForm:
    """The form as it was sent, with what is wrong with it."""
    form = setup.form_of(row, {**sent, "token": ""})
    form.full_clean()
    form.errors.clear()
    field = error.details.get("field", "") if isinstance(error, InvalidArgument) else ""
    form.add_error(setup.FIELDS.get(field), error.message)
    return form


def _form_page(
    request: PageRequest, kind: type[Provider], form: HookAccountForm, *, status: int = 200
) -> HttpResponse:
    place = reverse("add_hook_account", args=[kind.key])
    context = {"kind": kind, "form": form, "place": place, "enabled": True, **_guess(request, kind)}
    return render(request, "integrations/hooks/add_account.html", context, status=status)


def _guess(request: PageRequest, kind: type[Provider]) -> dict[str, Any]:
    """Where it could call. Without a public URL that is an example only: nothing is made of it."""
    return {
        "callback_guess": default_callback(kind.receiver, base_url(request)),
        "has_public_url": bool(preferences.get("public_base_url")),
    }


def _page(
    request: PageRequest,
    account: HookAccount,
    *,
    form: HookAccountForm | None = None,
    status: int = 200,
) -> HttpResponse:
    last = results.latest(account)  # first: what a job that is over did is in the rest
    report = credentials.report_of(account)
    context = {
        "kind": PROVIDERS[account.provider],
        "account": account,
        "enabled": account.receiver.enabled,
        "form": form or HookAccountForm(instance=account),
        "report": report,
        "token_tried_at": credentials.checked_at(account),
        "pat_masked": MASK if account.credential else None,
        "health": health_of(account, report),
        "callback": shown_callback(account),
        "plain": is_plain(account.api_url),
        "work": last,
        **_guess(request, PROVIDERS[account.provider]),
        **_shared(account),
        **_targets(request, account),
        **_picked(request, account),
    }
    return render(request, "integrations/hooks/account.html", context, status=status)


def _targets(request: PageRequest, account: HookAccount) -> dict[str, Any]:
    looked = targets.look(account, show=request.GET.get("show", "all"), words=words_of(request))
    pending = targets.pending(account)
    return {
        "pending": pending,
        "pending_words": targets_waiting(pending),
        "left": 0 if account.receiver.enabled else targets.with_hook(account).count(),
        "look": looked,
        "page": page_of(request, looked.repositories),
        "deployed": set(),
    }


def _picked(request: PageRequest, account: HookAccount) -> dict[str, Any]:
    """What the provider has, where somebody asks: its answer is waited for."""
    may_ask = request.method == "GET" and role_of(request.user) >= Role.ADMIN
    if not may_ask or "pick" not in request.GET:
        return {}
    words = given(request.GET, "pick").strip()[:200]
    try:
        return {"picking": True, "pick": words, "found": picking.look(account, words)}
    except ApiError as error:
        return {"picking": True, "pick": words, "pick_error": error.message}


def _shared(account: HookAccount) -> dict[str, Any]:
    """What the templates of all accounts need."""
    kind, key = PROVIDERS[account.provider], account.pk
    names = (name for name in buttons.BUTTONS if name != "ping" or kind.can_ping)
    acts = {
        name.replace("-", "_"): reverse("press_hook_button", args=[key, name]) for name in names
    }
    acts["work"] = reverse("hook_account_work", args=[key])
    return {
        "at": account.name,
        "acts": acts,
        "receiver": account.receiver,
        "wording": TARGETS,
        "place": reverse("hook_account", args=[key]),
    }
