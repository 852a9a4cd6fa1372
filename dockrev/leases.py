"""Work that a process holds for a while: claimed, renewed, finished, or taken away when it dies.

`attempts` is the fencing token. It goes up with every claim, and whoever writes a result names
the number that it claimed with, so a worker that was only slow cannot overwrite its successor.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

LEASE: timedelta = settings.LEASE
RENEW_EVERY: timedelta = settings.LEASE_RENEW_EVERY


Row = TypeVar("Row", bound="Leased", covariant=True)


class LeasedQuerySet(models.QuerySet[Row]):
    """Conditional updates: each says by its count whether the row was still ours to change."""

    lease: ClassVar[timedelta] = LEASE

    def held(self, row: Leased) -> Self:
        """The row, if it is still held under the claim that `row` was made with."""
        return self.filter(pk=row.pk, attempts=row.attempts, lease_until__isnull=False)

    def take(self, now: datetime, **changes: Any) -> int:
        """Claim every row of this query set."""
        return self.update(attempts=F("attempts") + 1, lease_until=now + self.lease, **changes)

    def renew(self, row: Leased, now: datetime, lease: timedelta | None = None) -> bool:
        return self.held(row).update(lease_until=now + (lease or self.lease)) == 1

    def release(self, row: Leased, **changes: Any) -> bool:
        """Write a result and let go. False: the row was taken away meanwhile."""
        return self.held(row).update(lease_until=None, **changes) == 1

    def expired(self, now: datetime) -> Self:
        return self.filter(lease_until__lt=now).order_by("lease_until")


class Leased(models.Model):
    """A row that one process at a time works on."""

    attempts = models.PositiveIntegerField(_("attempts"), default=0, editable=False)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True, editable=False)

    class Meta:
        abstract = True
        indexes = [
            models.Index(
                fields=["lease_until"],
                name="%(class)s_lease",
                condition=models.Q(lease_until__isnull=False),
            )
        ]
