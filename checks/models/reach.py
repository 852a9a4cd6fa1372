"""What may be out of reach."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Reached(models.Model):
    """Something that is asked again and again. Only `checks/outages.py` writes these fields.

    `unreachable_since` and `unreachable_at` are the first and the last time in a row that no answer
    came, `reached_at` is when one came after that, and `outage_told_at` when people were told.
    """

    unreachable_since = models.DateTimeField(
        _("unreachable since"), null=True, blank=True, editable=False
    )
    unreachable_at = models.DateTimeField(_("asked in vain"), null=True, blank=True, editable=False)
    reached_at = models.DateTimeField(_("reached again"), null=True, blank=True, editable=False)
    outage_told_at = models.DateTimeField(_("outage told"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_unreachable(self) -> bool:
        return self.unreachable_since is not None and self.reached_at is None
