"""Jobs in words, for templates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _

from checks import titles
from checks.models import Job
from checks.registry.traffic import shown

register = template.Library()


class Fact(NamedTuple):
    """`words` are for the line below a job's title; empty for what only the job's page tells."""

    label: str | Promise
    words: str | Promise


# What a summary may count that is worth a line, in the order in which it is shown.
_FACTS = {
    "projectsSeen": Fact(
        _("Stacks"), ngettext_lazy("%(number)d stack", "%(number)d stacks", "number")
    ),
    "servicesSeen": Fact(
        _("Services"), ngettext_lazy("%(number)d service", "%(number)d services", "number")
    ),
    "services": Fact(
        _("Services"), ngettext_lazy("%(number)d service", "%(number)d services", "number")
    ),
    "updates": Fact(
        _("Updates"), ngettext_lazy("%(number)d update", "%(number)d updates", "number")
    ),
    "taken": Fact(_("Brought in"), _("%(number)d brought in")),
    "left": Fact(_("Left for later"), _("%(number)d left for later")),
    "errors": Fact(_("Not reached"), _("%(number)d not reached")),
    "requests": Fact(_("Requests to registries"), ""),
    "countedPulls": Fact(_("Counted as pulls"), ""),
    "tooManyRequests": Fact(_("Refused as too many"), ""),
    "servicesCreated": Fact(_("New"), _("%(number)d new")),
    "servicesChanged": Fact(_("Changed"), _("%(number)d changed")),
    "servicesMissing": Fact(_("Missing"), _("%(number)d missing")),
    "servicesBack": Fact(_("Back again"), _("%(number)d back again")),
    "reposFound": Fact(
        _("Repositories"),
        ngettext_lazy("%(number)d repository", "%(number)d repositories", "number"),
    ),
    "reposAdded": Fact(_("New"), _("%(number)d new")),
}

# What became of each of many, which a page of the job lists.
_OUTCOMES = {
    "created": _("%(number)d created"),
    "updated": _("%(number)d updated"),
    "deleted": _("%(number)d deleted"),
    "noop": _("%(number)d as it should be"),
    "ok": _("%(number)d as it should be"),
    "missing": _("%(number)d missing"),
    "drift": _("%(number)d drifted"),
    "conflict": _("%(number)d in conflict"),
    "error": _("%(number)d with an error"),
}


@register.filter
def job_title(job: Job) -> str:
    return titles.title(job)


@register.filter
def job_error(job: Job) -> str:
    return titles.error_of(job.summary)


@register.filter
def job_asked_by(job: Job) -> str:
    return titles.asked_by(job)


@register.filter
def job_facts(job: Job) -> list[tuple[str, int | str]]:
    """The counts of a summary, by their names, and what else it says of registries."""
    counts = [(str(fact.label), count) for fact, count in _counts(job)]
    return [*counts, *_registries(job.summary)]


@register.filter
def job_line(job: Job) -> str:
    """One line below the title: where it is, why it failed, or what it came to."""
    if job.is_active:
        return job.progress_message or job.get_status_display()
    if error := titles.error_of(job.summary):
        return error
    outcomes = job.summary.get("counts", {})
    told = [(fact.words, count) for fact, count in _counts(job) if fact.words]
    told += [(words, outcomes[key]) for key, words in _OUTCOMES.items() if key in outcomes]
    said = [str(words % {"number": count}) for words, count in told if count]
    return ", ".join(said) or job.get_status_display()


def _counts(job: Job) -> list[tuple[Fact, int]]:
    counts = ((fact, job.summary.get(key)) for key, fact in _FACTS.items())
    return [(fact, count) for fact, count in counts if isinstance(count, int)]


def _registries(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if slowest := summary.get("slowestHost"):
        yield gettext("Slowest registry"), gettext("%(host)s, %(seconds)s s a request") % slowest
    for each in summary.get("resting", ()):
        words = gettext("%(host)s until %(time)s") % _with_time(each)
        yield gettext("Rests"), words
    for each in summary.get("waiting", ()):
        text = ngettext(
            "%(services)d service of %(host)s until %(time)s",
            "%(services)d services of %(host)s until %(time)s",
            each["services"],
        )
        yield gettext("Wait"), text % _with_time(each)


def _with_time(each: dict[str, Any]) -> dict[str, Any]:
    return {**each, "time": shown(datetime.fromisoformat(each["until"]))}
