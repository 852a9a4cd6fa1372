"""That a service does not update itself for the time being."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from checks.models.stacks import Service


class Pause(models.Model):
    """An update of a service did not end well, or somebody went back from it.

    It holds until a person says so, until something is found that is newer and has another digest,
    or until an update that a person asks for ends well. `checks/automatic/pauses.py` writes it.
    """

    service = models.OneToOneField(
        Service,
        models.CASCADE,
        primary_key=True,
        related_name="pause",
        verbose_name=_("service"),
    )
    tag = models.CharField(_("tag"), max_length=128, blank=True)
    digest = models.CharField(_("digest"), max_length=160, blank=True)
    job_id = models.CharField(_("job"), max_length=32, blank=True)
    why = models.TextField(_("because"))
    at = models.DateTimeField(_("since"))

    class Meta:
        ordering = ["-at"]
        verbose_name = _("pause of automatic updates")
        verbose_name_plural = _("pauses of automatic updates")

    def __str__(self) -> str:
        return f"{self.service_id} {self.tag}".strip()
