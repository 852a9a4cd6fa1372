"""Explain a payload: a call is pasted, and each step of the pipeline says what it would do."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from dockrev.errors import ApiError
from dockrev.pages import PageRequest, given
from dockrev.permissions import Role, requires
from integrations import pasted, roster, walk
from integrations.models import Delivery, Receiver
from integrations.payloads import pasteable
from integrations.receivers import RECEIVERS
from integrations.roster import Known


class PastedForm(forms.Form):
    headers = forms.CharField(
        label=_("Headers"),
        required=False,
        strip=False,
        max_length=pasted.MAX_LINES,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text=_("A line each, as Name: value. What is missing is said, and read on."),
    )
    body = forms.CharField(
        label=_("Body"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false"}),
        help_text=_("The bytes as they came: a proof over them counts every blank."),
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.OPERATOR)
def explain_payload(request: PageRequest) -> HttpResponse:
    """Nothing is kept, so what was pasted comes back with what is said of it."""
    delivery = _delivery(request)
    known = [each for each in roster.look().known if each.is_receiver]
    chosen = _chosen(request, known, delivery)
    if request.method != "POST":
        form = PastedForm(initial=_initial(request, chosen.row, delivery))
        return _page(request, known, chosen, form, delivery=delivery)
    form = PastedForm(request.POST)
    if not form.is_valid():
        return _page(request, known, chosen, form, status=422)
    try:
        call = pasted.checked(
            pasted.read_lines(form.cleaned_data["headers"]),
            form.cleaned_data["body"].replace("\r\n", "\n"),  # which a browser makes of each line
        )
    except ApiError as error:
        form.add_error(
            "headers" if error.details.get("field") == "headers" else "body", error.message
        )
        return _page(request, known, chosen, form, status=422)
    walked = walk.explain(Receiver.objects.get(pk=chosen.row.pk), call.headers, call.body)
    return _page(request, known, chosen, form, walk=walked)


def _page(
    request: PageRequest,
    known: list[Known],
    chosen: Known,
    form: PastedForm,
    *,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    examples = RECEIVERS[chosen.row.kind].examples("0")
    context = {
        "known": known,
        "chosen": chosen,
        "examples": [example.name for example in examples],
        "form": form,
        **more,
    }
    return render(request, "integrations/receivers/explain.html", context, status=status)


def _delivery(request: PageRequest) -> Delivery | None:
    wanted = given(request.GET, "delivery")
    if not wanted:
        return None
    return get_object_or_404(Delivery, pk=wanted[:32], receiver__kind__in=RECEIVERS)


def _chosen(request: PageRequest, known: list[Known], delivery: Delivery | None) -> Known:
    """The one that was asked for, else the delivery's, else the first that is on."""
    wanted = delivery.receiver_id if delivery else request.GET.get("receiver", "")
    named = [each for each in known if each.row.pk == wanted]
    return next(iter([*named, *(each for each in known if each.row.enabled), *known]))


def _initial(request: PageRequest, row: Receiver, delivery: Delivery | None) -> dict[str, str]:
    if delivery is not None:
        body = pasteable(delivery.payload, pasted.MAX_BODY)
        return {"headers": _lines(delivery.headers), "body": body}
    number = request.GET.get("example", "")
    examples = RECEIVERS[row.kind].examples("example")
    if not (number.isascii() and number.isdigit() and int(number[:3]) < len(examples)):
        return {}
    example = examples[int(number[:3])]
    body = json.dumps(example.body, indent=2, ensure_ascii=False)
    return {"headers": _lines(dict(example.headers)), "body": body}


def _lines(headers: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())
