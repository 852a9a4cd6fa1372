"""What scans of images found."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from dockrev.fields import IdField


class Finding(models.Model):
    """How many known weaknesses an image has, by the last scan that its registry told of.

    `tag` is empty where the scan names a digest: that is the image, whatever tag is moved on. Only
    `checks/findings.py` writes these rows. `source` is the receiver that it came by.
    """

    MAX_SCANNER = 100

    id = IdField("fnd")
    registry = models.CharField(_("registry"), max_length=255)
    repository = models.CharField(_("repository"), max_length=512)
    tag = models.CharField(_("tag"), max_length=128, blank=True)
    digest = models.CharField(_("digest"), max_length=160, blank=True)
    critical = models.PositiveIntegerField(_("critical"))
    high = models.PositiveIntegerField(_("high"))
    other = models.PositiveIntegerField(_("other"))
    scanner = models.CharField(_("scanner"), max_length=MAX_SCANNER, blank=True)
    source = models.CharField(_("told by"), max_length=100)
    at = models.DateTimeField(_("scanned"), db_index=True)

    class Meta:
        ordering = ["-at"]
        verbose_name = _("finding")
        verbose_name_plural = _("findings")
        constraints = [
            models.UniqueConstraint(
                fields=["registry", "repository", "digest", "tag"], name="one_finding_per_image"
            )
        ]
        indexes = [models.Index(fields=["digest"], name="findings_of_digest")]

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository} {self.tag or self.digest[:19]}"
