"""What images say of themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from checks.registry.configs import MAX_PLATFORM, MAX_REVISION, MAX_SOURCE, MAX_VERSION, About


class ImageQuerySet(models.QuerySet["Image"]):
    def silent(self) -> Self:
        """Those that say nothing: their registry did not have what it should."""
        return self.filter(built_at=None, version="", source="", revision="", platform="")


class Image(models.Model):
    """What an image says of itself, by its digest, or by that of its index.

    Read once, for it cannot change. Kept as long as a service or a candidate has it. All of it was
    written by whoever built the image: shown to people, and nothing follows from it but its age.
    """

    digest = models.CharField(_("digest"), max_length=160, primary_key=True)
    built_at = models.DateTimeField(_("built"), null=True, blank=True)
    version = models.CharField(_("version"), max_length=MAX_VERSION, blank=True)
    source = models.CharField(_("source"), max_length=MAX_SOURCE, blank=True)
    revision = models.CharField(_("revision"), max_length=MAX_REVISION, blank=True)
    platform = models.CharField(_("platform"), max_length=MAX_PLATFORM, blank=True)
    read_at = models.DateTimeField(_("read"))

    objects = ImageQuerySet.as_manager()

    class Meta:
        ordering = ["-read_at"]
        verbose_name = _("image")
        verbose_name_plural = _("images")

    def __str__(self) -> str:
        return self.digest[:19]

    @classmethod
    def of(cls, digest: str, about: About, now: datetime) -> Image:
        """A row that is not stored yet."""
        return cls(
            digest=digest,
            built_at=about.built_at,
            version=about.version,
            source=about.source,
            revision=about.revision,
            platform=about.platform,
            read_at=now,
        )

    @property
    def about(self) -> About:
        return About(self.built_at, self.version, self.source, self.revision, self.platform)
