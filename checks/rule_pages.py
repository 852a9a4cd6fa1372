"""Pages of ignore rules: the list, and one rule with what it hides before it is saved."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from checks import ignoring, rules
from checks.forms import MAX_RULES
from checks.models import IgnoreRule, Service
from checks.previewing import preview
from checks.rule_form import RuleForm, places
from dockrev.pages import PER_PAGE, PageRequest, acted, given, page_of, words_of
from dockrev.permissions import Role, requires
from dockrev.sections import Section

Scope = IgnoreRule.Scope


@require_safe
@requires(Role.VIEWER)
def show_rules(request: PageRequest) -> HttpResponse:
    now = timezone.now()
    looked = rules.look(show=request.GET.get("show", "all"), words=words_of(request), now=now)
    page = page_of(request, looked.rules)
    hidden = rules.hides(page)
    context = {
        "look": looked,
        "page": page,
        "rows": [(rule, hidden[rule.pk]) for rule in page],
        "is_full": looked.total >= MAX_RULES,
    }
    return render(request, "checks/rules.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.OPERATOR)
def add_rule(request: PageRequest) -> HttpResponse:
    rule = IgnoreRule(scope=Scope.ALL, kind=IgnoreRule.Kind.EXACT)
    if request.method == "POST":
        return _posted(request, rule)
    service_id = given(request.GET, "service")
    services = Service.objects.current().select_related("stack__host")
    if service := services.filter(pk=service_id).first():
        rule.scope, rule.service = Scope.SERVICE, service
    return _page(request, RuleForm(instance=rule))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.OPERATOR)
def show_rule(request: PageRequest, rule_id: str) -> HttpResponse:
    every = rules.annotated(timezone.now())
    rows = every.select_related("stack__host", "service__stack__host")
    rule = get_object_or_404(rows, pk=rule_id)
    if request.method == "POST":
        return _posted(request, rule)
    return _page(request, RuleForm(instance=rule), seen=preview(rule, timezone.now()))


@require_POST
@requires(Role.OPERATOR)
def change_rules(request: PageRequest) -> HttpResponse:
    """Switch or delete one rule, or those that are ticked."""
    act, ids = _act_of(request)
    chosen = list(IgnoreRule.objects.filter(pk__in=ids).select_related("stack", "service__stack"))
    if not chosen:
        messages.error(request, _("Tick the rules first."))
    else:
        _ACTS[act](request, chosen)
    return acted(request, reverse("ignores"))


def _act_of(request: HttpRequest) -> tuple[str, list[str]]:
    """What to do, and to which rules: a button of one row names it, the others take the ticks."""
    for act in _ACTS:
        if row := given(request.POST, act):
            return act, [row]
    ticked = [each.replace("\0", "") for each in request.POST.getlist("rule")[:PER_PAGE]]
    act = given(request.POST, "act")
    return (act, ticked) if act in _ACTS else ("on", [])


def _switch_on(request: HttpRequest, chosen: list[IgnoreRule]) -> None:
    done = ignoring.switch_on(chosen, request.user.get_username(), timezone.now())
    if done:
        text = ngettext("%(count)d rule is on.", "%(count)d rules are on.", done)
        messages.success(request, text % {"count": done})
    if over := len(chosen) - done:
        text = ngettext(
            "The time of %(count)d rule is over: give it another end.",
            "The time of %(count)d rules is over: give them another end.",
            over,
        )
        messages.error(request, text % {"count": over})


def _switch_off(request: HttpRequest, chosen: list[IgnoreRule]) -> None:
    ignoring.switch_off(chosen, request.user.get_username(), timezone.now())
    text = ngettext("%(count)d rule is off.", "%(count)d rules are off.", len(chosen))
    messages.success(request, text % {"count": len(chosen)})


def _delete(request: HttpRequest, chosen: list[IgnoreRule]) -> None:
    ignoring.delete(chosen, request.user.get_username(), timezone.now())
    text = ngettext("%(count)d rule is deleted.", "%(count)d rules are deleted.", len(chosen))
    messages.success(request, text % {"count": len(chosen)})


_ACTS = {"on": _switch_on, "off": _switch_off, "delete": _delete}


def _posted(request: PageRequest, rule: IgnoreRule) -> HttpResponse:
    """Save a rule, or, by any other button than that, show what it would hide."""
    form = RuleForm(request.POST, instance=rule, by=request.user.get_username())
    wants_it = request.POST.get("act") == "save"
    if wants_it and form.is_valid():
        form.write()
        messages.success(request, _("The rule is saved."))
        return redirect("ignores")
    status = 422 if wants_it else 200
    return _page(request, form, seen=form.look(), refused=wants_it, status=status)


def _page(request: PageRequest, form: RuleForm, *, status: int = 200, **more: Any) -> HttpResponse:
    rule = form.instance
    context = {
        "form": form,
        **({} if rule._state.adding else {"rule": rule, "hides": rules.hides([rule])[rule.pk]}),
        "place": request.path,
        "places": [] if request.htmx else places(),
        "tried": form.try_tag(),
        "time_zone": settings.TIME_ZONE,
        **more,
    }
    return render(request, "checks/rule.html", context, status=status)


def _summary(request: HttpRequest) -> dict[str, Any]:
    looked = rules.look(show="all", words="", now=timezone.now())
    return {"total": looked.total, "hiding": looked.hiding}


SECTION = Section(
    slug="ignores",
    title=gettext_lazy("Ignore rules"),
    template="checks/settings_rules.html",
    load=_summary,
    place=50,
)
