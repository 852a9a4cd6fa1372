"""Stacks, and the services in them."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Count, Q, Subquery
from django.utils.translation import gettext_lazy as _

from checks.models.findings import Finding
from checks.models.hosts import Host
from checks.models.images import Image
from checks.versions.shapes import read
from dockrev.fields import IdField
from dockrev.models import Setting

MAX_WORDS = 10  # of a search


class StackQuerySet(models.QuerySet["Stack"]):
    def matching(self, words: str) -> Self:
        """Stacks that have every word in their name."""
        found = self
        for word in words.split()[:MAX_WORDS]:
            found = found.filter(name__icontains=word)
        return found

    def counted(self) -> Self:
        """With `service_count` and `update_count` of the services that are not archived."""
        there = Q(services__archived_at=None)
        updates = there & Q(services__status=Service.Status.UPDATE_AVAILABLE)
        return self.annotate(
            service_count=Count("services", filter=there),
            update_count=Count("services", filter=updates),
        )


class Stack(models.Model):
    """A Compose project on a host.

    active: seen at the last look; missing: not seen there any more, kept with its history;
    invalid: seen, but its files cannot be used, and `error` says why and how to mend it.
    `policy` is what is said of all its services (`versions/policies.py`).
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        MISSING = "missing", _("missing")
        INVALID = "invalid", _("invalid")

    class Source(models.TextChoices):
        ENGINE = "engine", _("Docker Engine")
        FILES = "files", _("compose files")

    id = IdField("stk")
    host = models.ForeignKey(Host, models.CASCADE, related_name="stacks", verbose_name=_("host"))
    name = models.CharField(_("project"), max_length=255)
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.ACTIVE
    )
    source = models.CharField(_("known from"), max_length=16, choices=Source.choices)
    error = models.TextField(_("error"), blank=True)
    config_files = models.JSONField(_("compose files"), default=list, blank=True)
    environment_files = models.JSONField(_("environment files"), default=list, blank=True)
    working_dir = models.CharField(_("working directory"), max_length=4096, blank=True)
    policy = models.JSONField(_("policy"), default=dict, blank=True, editable=False)
    seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = StackQuerySet.as_manager()

    class Meta:
        ordering = ["name", "host"]
        verbose_name = _("stack")
        verbose_name_plural = _("stacks")
        constraints = [
            models.UniqueConstraint(fields=["host", "name"], name="one_stack_per_host_and_project")
        ]

    def __str__(self) -> str:
        return self.name


ARCHIVED = Q(archived_at__isnull=False) | Q(stack__archived_at__isnull=False)
"""Of services: they, or their stack."""
POLICY_FOR_ALL = "policy"
"""The key of the setting that keeps it."""


class ServiceQuerySet(models.QuerySet["Service"]):
    def current(self) -> Self:
        """Services that are neither archived nor in an archived stack."""
        return self.filter(archived_at=None, stack__archived_at=None)

    def matching(self, words: str) -> Self:
        """Services that have every word in their name, their stack's or their image."""
        found = self
        for word in words.split()[:MAX_WORDS]:
            found = found.filter(
                Q(name__icontains=word)
                | Q(stack__name__icontains=word)
                | Q(image_ref__icontains=word)
            )
        return found

    def with_pauses(self) -> Self:
        """With what keeps them from updating themselves, if anything does."""
        return self.select_related("pause")

    def with_policies(self) -> Self:
        """With all that says what is wanted of them: `policy_for_all`, too."""
        for_all = Setting.objects.filter(key=POLICY_FOR_ALL).values("value")[:1]
        return self.select_related("stack").annotate(policy_for_all=Subquery(for_all))

    def present(self) -> Self:
        """Those of them that the last look still found."""
        return self.current().filter(missing_since=None)


class Service(models.Model):
    """One service of a stack and the image that it runs.

    `image_ref` is what the compose file says; `registry`, `repository`, `tag` and `pinned_digest`
    are the same normalised (`docker.io`, `library/nginx`). `running_digests` is what its
    containers have of that repository, by the engine's word; without an engine the digest first
    seen for the reference stands in for it (`baseline_*`). `tags_left` counts by rule the tags that
    the last check looked at and left; it is empty where the tag is followed by its digest alone.
    `equal_indexes` are indexes that the last check had under its tags and that hold what runs: by
    platform, the index's digest and that of its image.
    `tags_hidden` says of each rule how many of these it hides, and which is the highest of them.
    `tag_gone` says that the registry listed its tag no more, or no longer had it, at that check.
    `backup_targets` says of single volumes and bind mounts, named `volume:name` and `bind:/path`,
    how they are backed up.
    `policy` is what is said of it alone, `labels` what its `dockrev.*` labels say; what holds
    follows from these and others (`versions/policies.py`).
    `image` is what runs, or ran last, as it speaks of itself; `version_tag` is another tag that the
    engine has for it, where `tag` is no version.
    """

    class Status(models.TextChoices):
        UP_TO_DATE = "up_to_date", _("up to date")
        UPDATE_AVAILABLE = "update_available", _("update available")
        ARCH_MISMATCH = "arch_mismatch", _("not for this platform")
        IGNORED = "ignored", _("ignored")
        UNKNOWN = "unknown", _("unknown")
        ERROR = "error", _("error")

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        STOPPED = "stopped", _("stopped")
        ABSENT = "absent", _("never started")

    id = IdField("svc")
    stack = models.ForeignKey(
        Stack, models.CASCADE, related_name="services", verbose_name=_("stack")
    )
    name = models.CharField(_("name"), max_length=255)
    image_ref = models.CharField(_("image"), max_length=1024)
    registry = models.CharField(_("registry"), max_length=255, blank=True)
    repository = models.CharField(_("repository"), max_length=512, blank=True)
    tag = models.CharField(_("tag"), max_length=128, blank=True)
    pinned_digest = models.CharField(_("pinned digest"), max_length=160, blank=True)
    platform = models.CharField(_("platform"), max_length=60, blank=True)
    state = models.CharField(_("state"), max_length=16, choices=State.choices, default=State.ABSENT)
    replicas = models.PositiveIntegerField(_("containers"), default=0)
    running_digests = models.JSONField(_("running digests"), default=list, blank=True)
    running_image_id = models.CharField(_("running image"), max_length=160, blank=True)
    image = models.ForeignKey(
        Image,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="services",
        verbose_name=_("image that runs"),
    )
    version_tag = models.CharField(max_length=128, blank=True, editable=False)
    baseline_ref = models.CharField(max_length=1024, blank=True, editable=False)
    baseline_digest = models.CharField(max_length=160, blank=True, editable=False)
    baseline_at = models.DateTimeField(null=True, blank=True, editable=False)
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.UNKNOWN, db_index=True
    )
    reason = models.TextField(_("because"), blank=True)
    error = models.TextField(_("error"), blank=True)
    tags_left = models.JSONField(_("tags left"), default=dict, blank=True, editable=False)
    equal_indexes = models.JSONField(default=dict, blank=True, editable=False)
    tags_hidden = models.JSONField(_("tags hidden"), default=dict, blank=True, editable=False)
    tag_gone = models.BooleanField(_("tag is gone"), default=False, editable=False)
    policy = models.JSONField(_("policy"), default=dict, blank=True, editable=False)
    backup_targets = models.JSONField(
        _("backup of single targets"), default=dict, blank=True, editable=False
    )
    labels = models.JSONField(_("labels"), default=dict, blank=True, editable=False)
    checked_at = models.DateTimeField(_("checked"), null=True, blank=True)
    missing_since = models.DateTimeField(_("missing since"), null=True, blank=True)
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    finding: Finding | None  # no column: `checks/findings.py` sets it for whoever shows it

    objects = ServiceQuerySet.as_manager()

    class Meta:
        ordering = ["stack", "name"]
        verbose_name = _("service")
        verbose_name_plural = _("services")
        constraints = [
            models.UniqueConstraint(fields=["stack", "name"], name="one_service_per_stack_and_name")
        ]
        indexes = [models.Index(fields=["repository", "registry"], name="service_image")]

    def __str__(self) -> str:
        return self.name

    @property
    def runs_on(self) -> str:
        """The platform that its images have to be for; empty where nothing says so."""
        return self.platform or self.stack.host.platform

    @property
    def baseline(self) -> str:
        """The digest that was first seen for the reference that it has now."""
        return self.baseline_digest if self.baseline_ref == self.image_ref else ""

    @property
    def digests(self) -> list[str]:
        """What runs, or stands in for it."""
        stand_in = self.pinned_digest or self.baseline
        return self.running_digests or list(filter(None, [stand_in]))

    @property
    def runs(self) -> Image | None:
        """What runs, as it speaks of itself. Asks for `image`."""
        return self.image if self.image_id in self.digests else None

    @property
    def can_be_updated(self) -> bool:
        """Whether there is something that an update would make anew, and its host lets us. Asks for
        its stack and that one's host."""
        is_there = self.state != self.State.ABSENT and self.missing_since is None
        archived = self.archived_at or self.stack.archived_at
        if not is_there or archived or self.stack.source != Stack.Source.ENGINE:
            return False
        return self.stack.host.is_asked and not self.stack.host.read_only

    @property
    def display_tag(self) -> str:
        """Its tag; where that is no version, the version behind it as far as that is known."""
        if not self.tag or read(self.tag):
            return self.tag
        return self.version_tag or (self.runs.version if self.runs else "") or self.tag
