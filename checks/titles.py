"""What a job is called, and what is said of one that failed. Other apps register their kinds."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.models import Job

TITLES: dict[str, str | Promise] = {
    "check.service": gettext_lazy("Check %(subject)s"),
    "check.stack": gettext_lazy("Check stack %(subject)s"),
    "check.all": gettext_lazy("Check everything"),
    "discovery": gettext_lazy("Look for stacks and services"),
    "maintenance": gettext_lazy("Delete what was kept long enough"),
    "update": gettext_lazy("Update %(subject)s"),
}
LABELS: dict[str, str | Promise] = {
    "check.service": gettext_lazy("Service checks"),
    "check.stack": gettext_lazy("Stack checks"),
    "check.all": gettext_lazy("Full checks"),
    "discovery": gettext_lazy("Discovery"),
    "maintenance": gettext_lazy("Maintenance"),
    "update": gettext_lazy("Updates"),
}
# What `summary["error"]` says where it is a word and not a sentence.
ERRORS: dict[str, str | Promise] = {
    "worker_lost": gettext_lazy(
        "Its worker ended in the middle of it, three times. The log of the worker says why; "
        "too little memory is the usual reason."
    ),
    "left_half_done": gettext_lazy(
        "Its worker ended in the middle of it again and again: it may be half done. Compare what "
        "runs with the compose file. The log of the worker says why it ends."
    ),
    "cancelled": gettext_lazy("Somebody cancelled it."),
}


def register(kind: str, *, title: str | Promise, label: str | Promise) -> None:
    """Name a kind of job; `title` may hold %(subject)s, `label` names all of them."""
    TITLES[kind], LABELS[kind] = title, label


def title(job: Job) -> str:
    pattern = TITLES.get(job.kind)
    if pattern is None:
        return f"{job.kind} {job.subject}".strip()
    return (str(pattern) % {"subject": job.subject}).strip()


def kind_label(kind: str) -> str:
    return str(LABELS.get(kind, kind))


def error_of(summary: dict[str, Any]) -> str:
    """Why a job ended as it did, or nothing."""
    error = str(summary.get("error") or "")
    return str(ERRORS.get(error, error))


def asked_by(job: Job) -> str:
    """Who asked for a job, and why, as one short phrase."""
    match job.reason:
        case Job.Reason.UI:
            return job.created_by or _("a person")
        case Job.Reason.API:
            return _("%(who)s, by the API") % {"who": job.created_by or _("a program")}
        case Job.Reason.WEBHOOK:
            if not job.created_by:
                return _("a webhook")
            return _("%(who)s, by a webhook") % {"who": job.created_by}
        case Job.Reason.SCHEDULE:
            return _("the schedule")
        case _reason:
            return job.get_reason_display()
