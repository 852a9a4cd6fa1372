"""Jobs: the truth about work. A queue message only hints that there is some."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from dockrev.fields import IdField
from dockrev.leases import Leased, LeasedQuerySet


class JobQuerySet(LeasedQuerySet["Job"]):
    """Jobs, and the conditional updates of their leases."""

    def active(self) -> Self:
        """Queued or running. Said by `finished_at`, which is what the small indexes are on:
        SQLite uses no index whose condition the query gives as a parameter."""
        return self.filter(finished_at=None)

    def queued(self) -> Self:
        return self.active().filter(status=Job.Status.QUEUED)

    def running(self) -> Self:
        return self.active().filter(status=Job.Status.RUNNING)


class Job(Leased):
    """A piece of work that somebody asked for. Only `checks/queue.py` writes `status`.

        queued -> running -> success | failed | rolled_back | cancelled
           ^         |
           +---------+  its worker died (repeatable kinds), or news came while it ran

    `dedupe_key` names kind, scope and parameters: the database holds one active job per key.
    `because` says, of one that a policy asks for, what that policy is and where it was said.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCESS = "success", _("success")
        FAILED = "failed", _("failed")
        ROLLED_BACK = "rolled_back", _("rolled back")
        CANCELLED = "cancelled", _("cancelled")

    class Reason(models.TextChoices):
        UI = "ui", _("a person")
        API = "api", _("the API")
        WEBHOOK = "webhook", _("a webhook")
        SCHEDULE = "schedule", _("a schedule")
        POLICY = "policy", _("a policy")

    class Scope(models.TextChoices):
        SERVICE = "service", _("service")
        STACK = "stack", _("stack")
        ALL = "all", _("everything")

    ACTIVE = (Status.QUEUED, Status.RUNNING)

    id = IdField("job")
    kind = models.CharField(_("kind"), max_length=40)
    scope = models.CharField(_("scope"), max_length=16, choices=Scope.choices)
    # Text, not foreign keys: the record of work outlives what it was done to.
    stack_id = models.CharField(_("stack"), max_length=32, blank=True)
    service_id = models.CharField(_("service"), max_length=32, blank=True)
    subject = models.CharField(_("subject"), max_length=520, blank=True)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    dedupe_key = models.CharField(max_length=200, editable=False)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.QUEUED
    )
    reason = models.CharField(_("reason"), max_length=16, choices=Reason.choices)
    created_by = models.CharField(_("asked for by"), max_length=150, blank=True)
    because = models.TextField(_("because"), blank=True)
    notify = models.BooleanField(_("announces what it finds"), default=False)
    by_delivery = models.BooleanField(_("asked for by a delivery"), default=False)
    joined = models.BooleanField(_("asked for more than once"), default=False)
    rerun_requested = models.BooleanField(_("runs once more"), default=False)
    cancel_requested = models.BooleanField(_("cancel requested"), default=False)
    losses = models.PositiveIntegerField(_("workers lost"), default=0)
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    dispatched_at = models.DateTimeField(_("handed to a worker"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    progress_done = models.PositiveIntegerField(_("done"), default=0)
    progress_total = models.PositiveIntegerField(_("of"), default=0)
    progress_message = models.CharField(_("at"), max_length=300, blank=True)
    summary = models.JSONField(_("summary"), default=dict, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta(Leased.Meta):
        abstract = False
        ordering = ["-id"]
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            models.UniqueConstraint(
                fields=["dedupe_key"],
                condition=Q(finished_at=None),
                name="one_active_job_per_key",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running"], finished_at=None)
                | Q(~Q(status__in=["queued", "running"]), finished_at__isnull=False),
                name="finished_job_says_when",
            ),
        ]
        indexes = [
            *Leased.Meta.indexes,
            models.Index(
                fields=["status", "not_before"],
                name="active_jobs",
                condition=Q(finished_at=None),
            ),
            models.Index(
                fields=["dedupe_key", "finished_at"],
                name="last_finished",
                condition=Q(finished_at__isnull=False),
            ),
            models.Index(fields=["service_id", "-id"], name="jobs_of_service"),
            models.Index(fields=["stack_id", "-id"], name="jobs_of_stack"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE


class JobLog(models.Model):
    """One line of a job's log."""

    class Level(models.TextChoices):
        INFO = "info", _("info")
        WARN = "warn", _("warning")
        ERROR = "error", _("error")

    job = models.ForeignKey(Job, models.CASCADE, related_name="log_lines", verbose_name=_("job"))
    at = models.DateTimeField(_("at"))
    level = models.CharField(_("level"), max_length=8, choices=Level.choices)
    message = models.TextField(_("message"))

    class Meta:
        ordering = ["pk"]
        verbose_name = _("log line")
        verbose_name_plural = _("log lines")

    def __str__(self) -> str:
        return self.message[:80]


class Hold(models.Model):
    """A running job's sole right to touch something: a service, a hook account."""

    resource = models.CharField(_("resource"), max_length=100, primary_key=True)
    job = models.ForeignKey(Job, models.CASCADE, related_name="holds", verbose_name=_("job"))

    class Meta:
        ordering = ["resource"]
        verbose_name = _("hold")
        verbose_name_plural = _("holds")

    def __str__(self) -> str:
        return self.resource
