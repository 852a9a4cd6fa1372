"""Pages of stacks, services and jobs. What changes something is in `actions.py`."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from checks import chronicle, findings, history, hosts, overview, policies, results
from checks.automatic import shown as automatic
from checks.explaining import dropped_words
from checks.holds import CHANGING
from checks.kinds import KINDS
from checks.models import Candidate, IgnoreRule, Job, Registry, Replaced, Service
from checks.policy_form import PolicyForm
from checks.releases import markup, reading
from checks.updating.job import NoWayBack, way_back
from dockrev import probes
from dockrev.errors import RateLimited
from dockrev.pages import PageRequest, given, page_of, words_of
from dockrev.permissions import Role, requires, role_of

LINES = 500  # of a log at once
RULES = 50  # on a service's page
RECENT = 10  # jobs on a service's page
PAST = 5  # candidates that are over, on a service's page


@require_safe
@requires(Role.VIEWER)
def show_overview(request: PageRequest) -> HttpResponse:
    looked = overview.look(
        show=request.GET.get("show", "all"),
        words=words_of(request),
        page=request.GET.get("page"),
    )
    context = {
        "overview": looked,
        "page": looked.page,
        "compose_dirs": settings.COMPOSE_DIRS,
        "concerns": probes.concerns(),
    }
    return render(request, "checks/overview.html", context)


@require_safe
@requires(Role.VIEWER)
def show_service(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    service = _service(stack_id, service_id)
    return _service_page(request, service, PolicyForm(policies.of_service(service)))


@require_POST
@requires(Role.OPERATOR)
def change_policy(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    """Keep a policy; where it cannot be read, the page comes back with what was typed."""
    service = _service(stack_id, service_id)
    form = PolicyForm(policies.of_service(service), request.POST)
    if not form.is_valid():
        return _service_page(request, service, form)
    form.write(request.user.get_username())
    messages.success(request, _("The policy of %(name)s is saved.") % {"name": service.name})
    # A browser would keep the form's #policy, and the message is at the top.
    return redirect(reverse("service", args=[stack_id, service_id]) + "#main")


def _service(stack_id: str, service_id: str) -> Service:
    services = Service.objects.with_policies().with_pauses()
    services = services.select_related("stack__host", "image")
    return get_object_or_404(services, pk=service_id, stack_id=stack_id)


def _service_page(request: PageRequest, service: Service, form: PolicyForm) -> HttpResponse:
    unclosed = list(service.candidates.unclosed().select_related("image"))
    findings.set_beside_all([(service, unclosed)])
    there = overview.by_step(row for row in unclosed if not row.waits_until)
    candidates = [row for row in there if not row.ignored_by_id]
    underway = overview.active()
    checking = (
        underway.services.get(service.pk)
        or underway.stacks.get(service.stack_id)
        or underway.everything
    )
    context = {
        "service": service,
        "candidates": candidates,
        "waiting": overview.waiting(unclosed),
        "past": _past(service),
        "offer": overview.offer(candidates),
        "form": form,
        "rows": form.rows(),
        "minimum_age": form.level.held["minimumAge"].value,
        "platform": form.level.held["platform"].value or service.platform,
        "steps": overview.side_by_side(service, there),
        "rules": _rules(service, there),
        "registry": Registry.objects.filter(host=service.registry).first(),
        "tags_left": dropped_words(service.tags_left),
        "checking": checking,
        "changing": CHANGING,
        "way_back": _way_back(service),
        **automatic.shown(form.level, candidates, timezone.now()),
        "jobs": Job.objects.filter(service_id=service.pk).defer("params")[:RECENT],
    }
    return render(request, "checks/service.html", context)


@require_safe
@requires(Role.VIEWER)
def show_history(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    """What became of all that was ever newer for a service."""
    service = _service(stack_id, service_id)
    page = page_of(request, chronicle.candidates_of(service))
    told = [(candidate, chronicle.events_of(candidate)) for candidate in page]
    context = {"service": service, "page": page, "told": told}
    return render(request, "checks/history.html", context)


@require_safe
@requires(Role.VIEWER)
def show_notes(
    request: PageRequest, stack_id: str, service_id: str, candidate_id: str
) -> HttpResponse:
    """A candidate's release notes: a page, or for htmx what stands on it."""
    service = _service(stack_id, service_id)
    rows = Candidate.objects.filter(service=service).select_related("image")
    candidate = get_object_or_404(rows, pk=candidate_id)
    candidate.service = service
    try:
        notes = reading.notes_of(candidate)
    except RateLimited as error:
        notes = reading.Notes(trouble=str(error))
    body = markup.as_html(notes.release.body) if notes.release else ""
    context = {"service": service, "candidate": candidate, "notes": notes, "body": body}
    template = "checks/notes_text.html" if request.htmx else "checks/notes.html"
    return render(request, template, context)


@require_safe
@requires(Role.VIEWER)
def show_queue(request: PageRequest) -> HttpResponse:
    looked = history.look(
        show=request.GET.get("show", "all"),
        kind=given(request.GET, "kind"),
        service_id=given(request.GET, "service"),
    )
    context = {"queue": looked, "page": page_of(request, looked.jobs)}
    return render(request, "checks/queue.html", context)


@require_safe
@requires(Role.VIEWER)
def show_job(request: PageRequest, job_id: str) -> HttpResponse:
    job = get_object_or_404(Job, pk=job_id)
    kind = KINDS.get(job.kind)
    context = {
        "job": job,
        "rate": _rate(job, timezone.now()),
        "may_repeat": kind is not None
        and kind.repeatable
        and not job.is_active
        and role_of(request.user) >= kind.role,
        "service": Service.objects.filter(pk=job.service_id).select_related("stack").first(),
        **_log_after(job, 0),
        **results.shown(request, job),
    }
    return render(request, "checks/job.html", context)


@require_safe
@requires(Role.VIEWER)
def show_log(request: PageRequest, job_id: str) -> HttpResponse:
    """The lines after one that the reader has, and whether to ask again."""
    after = request.GET.get("after", "")
    job = get_object_or_404(Job, pk=job_id)  # before its lines: the last one is not missed
    lines = _log_after(job, int(after) if after.isdecimal() and len(after) < 19 else 0)
    return render(request, "checks/log.html", {"job": job, **lines})


def _rules(
    service: Service, found: list[Candidate]
) -> list[tuple[IgnoreRule, list[Candidate], str]]:
    """The rules in effect for a service, each with what it hides at present: what is open, and the
    highest of what gave way to a lower version."""
    rules = IgnoreRule.objects.in_effect(timezone.now()).over(service)[:RULES]
    return [
        (
            rule,
            [each for each in found if each.ignored_by_id == rule.pk],
            service.tags_hidden.get(rule.pk, [0, ""])[1],
        )
        for rule in rules
    ]


def _way_back(service: Service) -> Replaced | None:
    """What a rollback would go back to; none where there is no way."""
    if hosts.reason_not_to_change(service.stack.host):
        return None
    try:
        return way_back(service)
    except NoWayBack:
        return None


def _past(service: Service) -> list[tuple[Candidate, chronicle.Event]]:
    """The last candidates that are over, each with what ended it."""
    over = chronicle.candidates_of(service).exclude(closed_at=None).order_by("-closed_at", "-pk")
    return [(each, chronicle.events_of(each)[-1]) for each in over[:PAST]]


def _log_after(job: Job, after: int) -> dict[str, object]:
    lines = list(job.log_lines.filter(pk__gt=after)[: LINES + 1])
    more = len(lines) > LINES
    shown = lines[:LINES]
    last = shown[-1].pk if shown else after
    return {"lines": shown, "more": more, "last_line": last}


def _rate(job: Job, now: datetime) -> float:
    """How many a second, since the job started; of services that are changed nobody counts so."""
    if job.started_at is None or not job.progress_done or job.kind in CHANGING:
        return 0.0
    seconds = ((job.finished_at or now) - job.started_at).total_seconds()
    return job.progress_done / seconds if seconds > 0 else 0.0
