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

from checks.models import Job
from dockrev.errors import CredentialRejected, InvalidArgument
from dockrev.fields import MASK, SecretInput
from dockrev.pages import PageRequest, page_of, words_of
from dockrev.permissions import Role, View, requires
from dockrev.sections import Section
from integrations import rotation, targets, tracking
from integrations.callbacks import base_url, callback_of, default_callback, url_of
from integrations.endpoints import MAX_URL
from integrations.forms import MAX_PAT
from integrations.github import packages, reachability
from integrations.github.health import health_of
from integrations.github.inputs import MAX_INPUT
from integrations.hooks import buttons, credentials, listing, results
from integrations.hooks.wording import REPOSITORIES, repositories_waiting
from integrations.models import HookAccount
from integrations.receivers.github import GitHubPackages


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
    response = render(request, "integrations/hooks/work.html", {"work": last, **_shared()})
    return buttons.followed(request, last, response)


def action(act: Callable[[PageRequest, packages.Packages], None]) -> View:
    """A button of an admin's. Why it was refused is said at the top of the page."""

    @require_POST
    @requires(Role.ADMIN)
    @wraps(act)
    def view(request: PageRequest) -> HttpResponse:
        feature = packages.load()

        def button(request: PageRequest, account: HookAccount) -> None:
            act(request, feature)

        page = reverse("github_packages")
        return buttons.press(button, request, feature.account, page=page, part="repositories")

    return view


@action
def add(request: PageRequest, feature: packages.Packages) -> None:
    """A repository at once, an owner by a job: GitHub has to list what they have."""
    text = buttons.text_of(request, "input", MAX_INPUT)
    account = feature.account
    if tracking.read_input(account, text).kind == "owner":
        listing.ask(account, text, username=_who(request))
        return
    change = tracking.add(account, text, selected=None)
    words = _("%(name)s is tracked and selected.")
    messages.success(request, words % {"name": change.named.full_name})


@action
def forget_owner(request: PageRequest, feature: packages.Packages) -> None:
    change = tracking.remove(feature.account, buttons.text_of(request, "input", MAX_INPUT))
    messages.success(request, _("%(name)s is removed.") % {"name": change.named.full_name})


def _button(button: buttons.Button) -> View:
    @action
    def act(request: PageRequest, feature: packages.Packages) -> None:
        button(request, feature.account)

    return act


select = _button(buttons.select)
remove = _button(buttons.remove)
ping = _button(buttons.ping)
sync = _button(buttons.sync)
audit = _button(buttons.audit)
repair = _button(buttons.repair)
remove_hooks = _button(buttons.remove_hooks)
keep = _button(buttons.keep)


def _who(request: HttpRequest) -> str:
    return request.user.get_username()


def _shared() -> dict[str, Any]:
    """What the templates of all accounts need."""
    names = ("sync", "audit", "repair", "remove_hooks", "select", "remove", "ping", "keep", "work")
    return {
        "at": "GitHub",
        "sends_pings": True,
        "acts": {name: reverse(f"github_{name}") for name in names},
        "wording": REPOSITORIES,
        "place": reverse("github_packages"),
    }


def _page(
    request: PageRequest, *, form: ConnectionForm | None = None, status: int = 200, **more: Any
) -> HttpResponse:
    feature = packages.load()
    last = results.latest(feature.account)  # first: what a job that is over did is in the rest
    context = {
        "feature": feature,
        "receiver": feature.receiver,
        "health": health_of(feature, credentials.report_of(feature.account)),
        "form": form or ConnectionForm(initial=_initial(request, feature)),
        "work": last,
        **_shared(),
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
    pending = targets.pending(account)
    return {
        "owners": [note for note in account.inputs if note["kind"] == "owner"],
        "pending": pending,
        "pending_words": repositories_waiting(pending),
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
