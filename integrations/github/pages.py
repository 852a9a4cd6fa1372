"""Settings, GitHub Packages (GHCR) webhook: its section, its page, and what the buttons do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from checks.models import Job
from dockrev.errors import ApiError, CredentialRejected, InvalidArgument
from dockrev.fields import MASK, SecretInput
from dockrev.pages import PageRequest, acted, given, page_of, words_of
from dockrev.permissions import Role, View, requires
from dockrev.sections import Section
from integrations import rotation, targets, tracking
from integrations.callbacks import base_url, callback_of, default_callback, url_of
from integrations.endpoints import MAX_URL
from integrations.forms import MAX_PAT
from integrations.github import packages, reachability
from integrations.github.health import health_of
from integrations.github.inputs import MAX_INPUT
from integrations.hooks import asking, credentials, listing, results
from integrations.receivers.github import GitHubPackages

MAX_NAMES = 200  # repositories of one form


class ConnectionForm(forms.Form):
    """The fields have the names of the API, which checks what is in them."""

    enabled = forms.BooleanField(label=gettext_lazy("Enable"), required=False)
    pat = SecretInput(label=gettext_lazy("GitHub PAT"), max_length=MAX_PAT)
    callbackUrl = forms.CharField(
        label=gettext_lazy("Callback URL"), required=False, max_length=MAX_URL
    )
    apiUrl = forms.CharField(
        label=gettext_lazy("GitHub API URL"), required=False, max_length=MAX_URL
    )
    webhookSecret = SecretInput(
        label=gettext_lazy("A secret of your own"), max_length=rotation.MAX_SECRET
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.ADMIN)
def show(request: PageRequest) -> HttpResponse:
    """The page, and what its own buttons do: those that show what may be shown only once."""
    if request.method != "POST":
        return _page(request)
    act = _ACTS.get(request.POST.get("act", ""))
    return act(request) if act else redirect("github_packages")


def _save(request: PageRequest) -> HttpResponse:
    form = ConnectionForm(request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    try:
        packages.change(form.cleaned_data)
    except (InvalidArgument, CredentialRejected) as error:
        field = error.details.get("field") or "pat"
        form.add_error(field if field in form.fields else None, error.message)
        return _page(request, form=form, status=422)
    messages.success(request, _("The connection is saved."))
    return redirect("github_packages")


def _forget(request: PageRequest) -> HttpResponse:
    packages.change({"clearPat": True})
    messages.success(request, _("The token is removed. Revoke it at GitHub, too."))
    return redirect("github_packages")


def _rotate(request: PageRequest) -> HttpResponse:
    """Not redirected: the secret is in this answer, and nowhere else in clear."""
    _receiver, secret = packages.rotate_secret(username=_who(request), reason=Job.Reason.UI)
    return _page(request, new_secret=secret)


def _test(request: PageRequest) -> HttpResponse:
    receiver, account = packages.load()
    tried = reachability.try_callback(account, receiver)
    return _page(request, tried=tried, proxy=reachability.what_a_proxy_must_keep())


_ACTS = {"save": _save, "forget": _forget, "rotate": _rotate, "test": _test}


@require_safe
@requires(Role.VIEWER)
def show_work(request: PageRequest) -> HttpResponse:
    """The last job. Whoever followed it to its end is told to look at all else again."""
    last = results.latest(packages.load().account)
    response = render(request, "integrations/github/work.html", {"work": last})
    followed = request.GET.get("following", "")
    if followed and (last is None or last.job.pk != followed or not last.job.is_active):
        trigger_client_event(response, "changed", after="settle")
    return response


def action(act: Callable[[PageRequest, packages.Packages], None]) -> View:
    """A button of an admin's. Why it was refused is said at the top of the page."""

    @require_POST
    @requires(Role.ADMIN)
    @wraps(act)
    def view(request: PageRequest) -> HttpResponse:
        try:
            act(request, packages.load())
        except ApiError as error:
            messages.error(request, error.message)
            if request.htmx:
                return HttpResponseClientRedirect(reverse("github_packages"))
        return acted(request, reverse("github_packages") + "#repositories")

    return view


@action
def add(request: PageRequest, feature: packages.Packages) -> None:
    """A repository at once, an owner by a job: GitHub has to list what they have."""
    text = _text(request, "input", MAX_INPUT)
    account = feature.account
    if tracking.read_input(account, text).kind == "owner":
        listing.ask(account, text, username=_who(request))
        return
    change = tracking.add(account, text, selected=None)
    words = _("%(name)s is tracked and selected.")
    messages.success(request, words % {"name": change.named.full_name})


@action
def forget_owner(request: PageRequest, feature: packages.Packages) -> None:
    change = tracking.remove(feature.account, _text(request, "input", MAX_INPUT))
    messages.success(request, _("%(name)s is removed.") % {"name": change.named.full_name})


@action
def select(request: PageRequest, feature: packages.Packages) -> None:
    """One repository, all that a filter finds, or, without scripts, what one page showed."""
    given = request.POST
    if "all" in given:
        looked = targets.look(
            feature.account, show=given.get("show", ""), words=given.get("q", "")[:200]
        )
        tracking.select(looked.repositories, selected=given["all"] == "on")
        return
    names = [given["only"]] if "only" in given else given.getlist("shown")[:MAX_NAMES]
    chosen = {name.lower() for name in given.getlist("on")[:MAX_NAMES]}
    keys = {name.lower() for name in names}
    rows = targets.present(feature.account)
    tracking.select(rows.filter(name_key__in=keys & chosen), selected=True)
    tracking.select(rows.filter(name_key__in=keys - chosen), selected=False)


@action
def remove(request: PageRequest, feature: packages.Packages) -> None:
    tracking.remove_one(feature.account, _name(request))


@action
def ping(request: PageRequest, feature: packages.Packages) -> None:
    row = targets.find(feature.account, _name(request))
    asking.ping(feature.account, row)
    words = _("GitHub sends a ping for %(name)s. It shows here once it came.")
    messages.success(request, words % {"name": row.full_name})


@action
def sync(request: PageRequest, feature: packages.Packages) -> None:
    repos = [_name(request)] if "repo" in request.POST else None
    dry_run = request.POST.get("dryRun") == "on"
    asking.sync(
        feature.account, username=_who(request), reason=Job.Reason.UI, repos=repos, dry_run=dry_run
    )


@action
def audit(request: PageRequest, feature: packages.Packages) -> None:
    asking.audit(feature.account, username=_who(request), reason=Job.Reason.UI)


@action
def repair(request: PageRequest, feature: packages.Packages) -> None:
    asking.repair(feature.account, username=_who(request), reason=Job.Reason.UI)


@action
def remove_hooks(request: PageRequest, feature: packages.Packages) -> None:
    asking.remove_all(feature.account, username=_who(request), reason=Job.Reason.UI)


@action
def keep(request: PageRequest, feature: packages.Packages) -> None:
    """End a conflict: the hook that was chosen stays, the others that were shown go."""
    row = targets.find(feature.account, _name(request))
    kept = request.POST.get(f"keep-{row.pk}", "")
    shown = [str(hook["id"]) for hook in row.conflict_hooks]
    if kept not in shown:
        raise InvalidArgument("keep", _("Choose one of the hooks that are shown."))
    others = [hook_id for hook_id in shown if hook_id != kept]
    choice = {"repo": row.full_name, "keepHookId": kept, "deleteHookIds": others}
    asking.sync(
        feature.account,
        username=_who(request),
        reason=Job.Reason.UI,
        repos=[row.full_name],
        resolve=[choice],
    )


def _who(request: HttpRequest) -> str:
    return request.user.get_username()


def _name(request: HttpRequest) -> str:
    return _text(request, "repo", targets.MAX_NAME)


def _text(request: HttpRequest, name: str, limit: int) -> str:
    return given(request.POST, name).strip()[: limit + 1]


def _page(
    request: PageRequest, *, form: ConnectionForm | None = None, status: int = 200, **more: Any
) -> HttpResponse:
    feature = packages.load()
    last = results.latest(feature.account)  # first: what a job that is over did is in the rest
    context = {
        "feature": feature,
        "place": reverse("github_packages"),
        "health": health_of(feature, credentials.report_of(feature.account)),
        "form": form or ConnectionForm(initial=_initial(request, feature)),
        "work": last,
        **_beside_the_fields(feature),
        **_repositories(request, feature),
        **more,
    }
    return render(request, "integrations/github/page.html", context, status=status)


def _beside_the_fields(feature: packages.Packages) -> dict[str, Any]:
    """What is said beside the fields."""
    account, url = feature.account, callback_of(feature.account)
    return {
        "report": credentials.report_of(account),
        "token_set_at": account.credential_set_at,
        "token_tried_at": credentials.checked_at(account),
        "pat_masked": packages.pat_masked(account.credential),
        "secret_masked": MASK,
        "may_test": bool(url),
        "callback_warnings": reachability.warnings(url) if url else [],
    }


def _repositories(request: PageRequest, feature: packages.Packages) -> dict[str, Any]:
    account, is_on = feature.account, feature.receiver.enabled
    looked = targets.look(account, show=request.GET.get("show", "all"), words=words_of(request))
    return {
        "owners": [note for note in account.inputs if note["kind"] == "owner"],
        "pending": targets.pending(feature.account),
        "left": 0 if is_on else targets.with_hook(account).count(),
        "look": looked,
        "page": page_of(request, looked.repositories),
        "deployed": targets.deployed(account),
    }


def _initial(request: HttpRequest, feature: packages.Packages) -> dict[str, Any]:
    return {
        "enabled": feature.receiver.enabled,
        "callbackUrl": callback_of(feature.account)
        or default_callback(GitHubPackages.kind, base_url(request)),
        "apiUrl": feature.account.api_url,
    }


def connection_of(request: HttpRequest) -> dict[str, Any]:
    """How GitHub Packages is, and where GitHub is to call; for pages of other things."""
    feature = packages.load()
    health = health_of(feature, credentials.report_of(feature.account))
    url = callback_of(feature.account) or url_of(GitHubPackages.kind, base_url(request))
    return {
        "feature": feature,
        "health": health,
        "connected": health.is_set_up,
        "receiver_url": url,
    }


SECTION = Section(
    slug="github-packages",
    title=gettext_lazy("GitHub Packages (GHCR) webhook"),
    template="integrations/settings_github.html",
    load=connection_of,
    place=10,
)
