"""Release notes that were read once."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from dockrev.fields import IdField


class ReleaseNotes(models.Model):
    """What a host said when it was asked for one release of one project, or that it has none.

    `place` is host and path of the project. Read when a person opens the notes, never by a check;
    after a while asked for again, with the `etag`. `body` is Markdown by a stranger's hand.
    """

    MAX_NAME = 200
    MAX_BODY = 32 * 1024
    MAX_ETAG = 200

    id = IdField("rnt")
    place = models.CharField(_("project"), max_length=800)
    tag = models.CharField(_("release"), max_length=128)
    found = models.BooleanField(_("there is one"), default=False)
    name = models.CharField(_("name"), max_length=MAX_NAME, blank=True)
    body = models.TextField(_("text"), blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    etag = models.CharField(max_length=MAX_ETAG, blank=True, editable=False)
    fetched_at = models.DateTimeField(_("fetched"))

    class Meta:
        ordering = ["-fetched_at"]
        verbose_name = _("release notes")
        verbose_name_plural = _("release notes")
        constraints = [
            models.UniqueConstraint(fields=["place", "tag"], name="one_text_per_release")
        ]

    def __str__(self) -> str:
        return f"{self.place} {self.tag}"
