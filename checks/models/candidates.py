"""What is newer than what runs, and what people do not want to hear about."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checks.models.findings import Finding
from checks.models.images import Image
from checks.models.stacks import Service, Stack
from checks.versions.shapes import read
from dockrev.fields import IdField


class CandidateQuerySet(models.QuerySet["Candidate"]):
    def unclosed(self) -> Self:
        """Those that are open, and those that wait to be."""
        return self.filter(closed_at=None)

    def open(self) -> Self:
        return self.unclosed().filter(waits_until=None)

    def offered(self) -> Self:
        """Those that are open and that no rule hides."""
        return self.open().filter(ignored_by=None)


class Candidate(models.Model):
    """An image that a service could run instead: open from when it was found until it is not.

    Closed as `applied` when what runs now is it, `superseded` when a newer digest took its
    place, `gone` when the registry or the service no longer has it. While a rule hides it, it
    stays open, and `ignored_by` names the rule; `checks/ignoring.py` writes that, and in `hidings`
    when which rule did so. One that is younger than a policy wants waits until `waits_until`
    before it is open; `offered_at` is when it was old enough. `superseded_by` took its place.
    `arch` and `platform_digest` are what it has for `platform`, or for none where that is empty.
    `version_tag` is a version that is known to have the same digest, where `tag` is none.
    """

    MAX_HIDINGS = 20

    class Step(models.TextChoices):
        REBUILT = "rebuilt", _("rebuilt")
        PATCH = "patch", _("patch")
        MINOR = "minor", _("minor")
        MAJOR = "major", _("major")
        OTHER = "other", _("other")

    class Arch(models.TextChoices):
        MATCH = "match", _("for this platform")
        MISMATCH = "mismatch", _("not for this platform")
        UNKNOWN = "unknown", _("unknown")

    class Closed(models.TextChoices):
        APPLIED = "applied", _("applied")
        SUPERSEDED = "superseded", _("superseded")
        GONE = "gone", _("gone")

    id = IdField("cnd")
    service = models.ForeignKey(
        Service, models.CASCADE, related_name="candidates", verbose_name=_("service")
    )
    step = models.CharField(_("step"), max_length=16, choices=Step.choices)
    image_ref = models.CharField(_("for the reference"), max_length=1024)
    tag = models.CharField(_("tag"), max_length=128)
    digest = models.CharField(_("digest"), max_length=160)
    platform_digest = models.CharField(_("digest of our platform"), max_length=160, blank=True)
    platform = models.CharField(_("compared for"), max_length=60, blank=True)
    platforms = models.JSONField(_("platforms"), default=list, blank=True)
    arch = models.CharField(
        _("platform"), max_length=16, choices=Arch.choices, default=Arch.UNKNOWN
    )
    opened_at = models.DateTimeField(_("found"))
    ignored_by = models.ForeignKey(
        "IgnoreRule",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="hidden",
        verbose_name=_("ignored by"),
    )
    hidings = models.JSONField(default=list, blank=True, editable=False)
    waits_until = models.DateTimeField(_("waits until"), null=True, blank=True)
    offered_at = models.DateTimeField(_("old enough since"), null=True, blank=True)
    announced_at = models.DateTimeField(_("announced"), null=True, blank=True)
    announced_to = models.PositiveIntegerField(_("announced to"), default=0)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_as = models.CharField(_("closed as"), max_length=16, choices=Closed.choices, blank=True)
    superseded_by = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="superseded",
        verbose_name=_("superseded by"),
    )
    image = models.ForeignKey(
        Image,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="candidates",
        verbose_name=_("image"),
    )
    version_tag = models.CharField(max_length=128, blank=True, editable=False)
    finding: Finding | None  # no column: `checks/findings.py` sets it for whoever shows it

    objects = CandidateQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at"]
        verbose_name = _("candidate")
        verbose_name_plural = _("candidates")
        constraints = [
            models.UniqueConstraint(
                fields=["service", "step"],
                condition=Q(closed_at=None, waits_until=None),
                name="one_open_candidate_per_step",
            ),
            models.UniqueConstraint(
                fields=["service", "step", "tag", "digest"],
                condition=Q(closed_at=None, waits_until__isnull=False),
                name="one_waiting_candidate_per_image",
            ),
        ]
        indexes = [models.Index(fields=["service", "-opened_at"], name="candidates_of_service")]

    def __str__(self) -> str:
        return f"{self.tag}@{self.digest[:19]}"

    @property
    def display_tag(self) -> str:
        """Its tag; where that is no version, the version behind it. Asks for `image`."""
        if read(self.tag):
            return self.tag
        return self.version_tag or (self.image.version if self.image else "") or self.tag

    @property
    def source(self) -> str:
        """Where its source is, as it says, or else the image of its repository that runs; empty
        where neither does. Asks for `image`, and that of its service."""
        runs = self.service.runs
        return (self.image.source if self.image else "") or (runs.source if runs else "")


class Announcement(models.Model):
    """That people were told of a digest for a service: once, until a newer one takes its place.

    Several candidates may have one digest, such as a rebuilt tag and the version behind it, and
    one may be found again after it was gone. `claim` is whose transaction wrote the row: two that
    found the same at once cannot both write it.
    """

    id = models.BigAutoField(primary_key=True)
    service = models.ForeignKey(
        Service, models.CASCADE, related_name="announcements", verbose_name=_("service")
    )
    digest = models.CharField(_("digest"), max_length=160)
    at = models.DateTimeField(_("announced"))
    channels = models.PositiveIntegerField(_("channels"), default=0)
    claim = models.CharField(max_length=40, editable=False)

    class Meta:
        ordering = ["-at"]
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")
        constraints = [
            models.UniqueConstraint(
                fields=["service", "digest"], name="one_announcement_per_service_and_digest"
            )
        ]

    def __str__(self) -> str:
        return f"{self.digest[:19]} for {self.service_id}"


class IgnoreRuleQuerySet(models.QuerySet["IgnoreRule"]):
    def in_effect(self, now: datetime) -> Self:
        ended = Q(expires_at__isnull=False, expires_at__lte=now)
        return self.filter(~ended, enabled=True)

    def over_since(self, moment: datetime) -> Self:
        """Those that are off and whose time was over by then, such as last year's snoozes."""
        return self.filter(enabled=False, expires_at__lte=moment)

    def over(self, service: Service) -> Self:
        """Those whose scope has a service in it."""
        return self.filter(Q(scope="all") | Q(stack=service.stack_id) | Q(service=service.pk))


class IgnoreRule(models.Model):
    """Candidates that match it are not shown as updates and not announced."""

    class Scope(models.TextChoices):
        SERVICE = "service", _("service")
        STACK = "stack", _("stack")
        ALL = "all", _("everything")

    class Kind(models.TextChoices):
        EXACT = "exact", _("this tag")
        PREFIX = "prefix", _("tags that begin with")
        REGEX = "regex", _("tags that match")
        SEMVER = "semver", _("versions in range")
        DIGEST = "digest", _("this digest")

    id = IdField("ign")
    scope = models.CharField(_("scope"), max_length=16, choices=Scope.choices)
    stack = models.ForeignKey(Stack, models.CASCADE, null=True, blank=True, verbose_name=_("stack"))
    service = models.ForeignKey(
        Service, models.CASCADE, null=True, blank=True, verbose_name=_("service")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=256)
    note = models.CharField(_("note"), max_length=500, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.CharField(_("made by"), max_length=150, blank=True, editable=False)

    objects = IgnoreRuleQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("ignore rule")
        verbose_name_plural = _("ignore rules")
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="all", stack=None, service=None)
                | Q(scope="stack", stack__isnull=False, service=None)
                | Q(scope="service", stack=None, service__isnull=False),
                name="ignore_rule_names_its_scope",
                violation_error_message=_("Name the stack or the service that the scope asks for."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"

    @property
    def over(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()
