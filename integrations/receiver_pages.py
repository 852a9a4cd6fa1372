"""Settings, Registry webhooks: the section, the list, and the page of one receiver."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from checks.models import Job
from dockrev.errors import ApiError
from dockrev.fields import MASK
from dockrev.pages import PageRequest, given
from dockrev.permissions import Role, requires
from dockrev.sections import Section
from integrations import caller_list, roster, rotation, walk
from integrations.callbacks import base_url, shown_url, whole_url
from integrations.forms import ReceiverForm
from integrations.models import Receiver
from integrations.receivers import CALLERS, RECEIVERS
from integrations.receivers.base import Caller, Option
from integrations.receivers.trigger import Trigger

RECENT = 5  # deliveries on a receiver's page


@require_safe
@requires(Role.VIEWER)
def show_receivers(request: PageRequest) -> HttpResponse:
    return render(request, "integrations/receivers/list.html", {"roster": roster.look()})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.ADMIN)
def show_receiver(request: PageRequest, receiver_id: str) -> HttpResponse:
    """The page of one, and what its own buttons do."""
    row = _find(receiver_id)
    if request.method != "POST":
        return _page(request, row)
    act = _ACTS.get(request.POST.get("act", ""))
    return act(request, row) if act else redirect("receiver", row.pk)


@never_cache
@require_POST
@requires(Role.OPERATOR)
def test_receiver(request: PageRequest, receiver_id: str) -> HttpResponse:
    """Not redirected: what its steps came to is kept nowhere."""
    row = _find(receiver_id)
    if row.kind not in RECEIVERS:
        raise Http404
    return _page(request, row, walk=walk.send_test(row))


def _save(request: PageRequest, row: Receiver) -> HttpResponse:
    """Switching on makes a secret where there is none, which is then in this answer only."""
    form = ReceiverForm(_typed(request, row), instance=row)
    if not form.is_valid():
        return _page(request, row, form=form, status=422)
    form.write()
    made = form.data["secret"]
    if made and not request.POST.get("secret"):
        return _page(request, _find(row.pk), new_secret=made, just_on=True)
    messages.success(request, _("%(name)s is saved.") % {"name": row.name})
    return redirect("receiver", row.pk)


def _typed(request: PageRequest, row: Receiver) -> dict[str, Any]:
    caller = CALLERS[row.kind]
    secret = given(request.POST, "secret")
    enabled = request.POST.get("enabled") == "on"
    if enabled and not (secret or row.secret or caller.spare_secret()):
        secret = rotation.fresh_secret()
    return {
        "name": given(request.POST, "name"),
        "enabled": enabled,
        "registry_host": given(request.POST, "registry_host"),
        "secret": secret,
        "options": {option.name: _option(request, option) for option in caller.options},
    }


def _option(request: PageRequest, option: Option) -> bool | str:
    name = f"option-{option.name}"
    if option.is_flag:
        return request.POST.get(name) == "on"
    return given(request.POST, name).strip()


def _rotate(request: PageRequest, row: Receiver) -> HttpResponse:
    """Not redirected: the secret is in this answer, and nowhere else in clear."""
    username = request.user.get_username()
    secret = rotation.rotate(row, timezone.now(), username=username, reason=Job.Reason.UI)
    return _page(request, row, new_secret=secret)


def _add(request: PageRequest, row: Receiver) -> HttpResponse:
    """Another of the kind, off; it gets its secret as it is switched on."""
    data = {"name": given(request.POST, "name"), "enabled": False, "options": {}}
    form = ReceiverForm(data, instance=Receiver(kind=row.kind))
    if not form.is_valid():
        messages.error(request, _("Give the other receiver a name."))
        return redirect("receiver", row.pk)
    form.write()
    messages.success(request, _("%(name)s is there. Switch it on.") % {"name": form.instance.name})
    return redirect("receiver", form.instance.pk)


def _remove(request: PageRequest, row: Receiver) -> HttpResponse:
    try:
        roster.remove(row)
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("receiver", row.pk)
    messages.success(request, _("%(name)s is deleted.") % {"name": row.name})
    return redirect("receivers")


_ACTS: dict[str, Callable[[PageRequest, Receiver], HttpResponse]] = {
    "save": _save,
    "rotate": _rotate,
    "add": _add,
    "remove": _remove,
}


def _find(receiver_id: str) -> Receiver:
    row = get_object_or_404(Receiver, pk=receiver_id)
    if row.kind not in CALLERS:
        raise Http404
    return row


def _page(
    request: PageRequest,
    row: Receiver,
    *,
    form: ReceiverForm | None = None,
    new_secret: str = "",
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    stored = _find(row.pk) if form else row  # a form that was refused has changed the object
    caller, base = CALLERS[row.kind], base_url(request)
    url = whole_url(stored, base) if new_secret else shown_url(stored, base)
    deliveries = stored.deliveries.defer("payload", "headers").order_by("-id")
    context = {
        "known": roster.look_at(stored),
        "row": stored,
        "form": form or ReceiverForm(instance=stored),
        "options": list(_options(caller.options, form.data["options"] if form else row.options)),
        "url": url,
        "new_secret": new_secret,
        "masked": MASK,
        "has_secret": bool(stored.secret or caller.spare_secret()),
        "overlaps": bool(stored.previous_until and stored.previous_until > timezone.now()),
        "steps": list(_steps(stored, url, new_secret)),
        "snippet": _snippet(caller, url, new_secret),
        "docs": f"docs/{caller.docs}" if caller.docs else "",
        "recent": deliveries[:RECENT],
        "is_trigger": stored.kind == Trigger.kind,
        "callers": caller_list.look(stored) if stored.kind == Trigger.kind else [],
        "accounts": list(stored.accounts.order_by("id")),
        **more,
    }
    return render(request, "integrations/receivers/page.html", context, status=status)


class ShownOption(NamedTuple):
    option: Option
    value: Any


def _options(options: tuple[Option, ...], values: Any) -> Iterator[ShownOption]:
    for option in options:
        yield ShownOption(option, values.get(option.name, False if option.is_flag else ""))


class Piece(NamedTuple):
    """A part of a step: words, or something to enter there, which is hidden or to be copied."""

    text: str
    named: str = ""
    is_whole: bool = True


def _snippet(caller: Caller, url: str, secret: str) -> Piece:
    """The lines to paste at the sender; without the secret they are to be looked at."""
    lines = caller.snippet.replace("{url}", url).replace("{secret}", secret or MASK)
    return Piece(lines.strip(), _("the lines"), bool(secret))


def _steps(row: Receiver, url: str, secret: str) -> Iterator[list[Piece]]:
    """What to do at the registry, with what has to be entered filled in."""
    in_path = CALLERS[row.kind].token_in_path
    filled = {
        "{url}": Piece(url, _("the address"), bool(secret) or not in_path),
        "{secret}": Piece(secret or MASK, _("the secret"), bool(secret)),
    }
    for step in CALLERS[row.kind].steps:
        parts = re.split(r"(\{url\}|\{secret\})", str(step))
        yield [filled.get(part, Piece(part)) for part in parts if part]


def _state(request: HttpRequest) -> dict[str, Any]:
    return {"roster": roster.look()}


SECTION = Section(
    slug="receivers",
    title=gettext_lazy("Registry webhooks"),
    template="integrations/settings_receivers.html",
    load=_state,
    place=15,
)
