"""What people were told of: one digest of a service once, whoever found it, and how often.

The row is written before anybody is told, in the same transaction. Of two that find the same at
the same moment the database lets one write it; the other waits for that, and tells nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import Exists, OuterRef

from checks.models import Announcement, Candidate
from dockrev.ids import new_id

Key = tuple[str, str]


def claim(rows: Sequence[Candidate], now: datetime) -> tuple[str, list[Candidate]]:
    """Those that nobody was told of, one for each digest of a service, and the claim on them.

    Of several the one that needs no other tag speaks for all.
    """
    rebuilt_first = sorted(rows, key=lambda row: row.step != Candidate.Step.REBUILT)
    first: dict[Key, Candidate] = {}
    for row in rebuilt_first:
        first.setdefault((row.service_id, row.digest), row)
    ours = new_id("ann")
    Announcement.objects.bulk_create(
        [
            Announcement(service_id=service, digest=digest, at=now, claim=ours)
            for service, digest in sorted(first)  # so that two do not wait for each other
        ],
        ignore_conflicts=True,
    )
    written = set(Announcement.objects.filter(claim=ours).values_list("service_id", "digest"))
    return ours, [row for row in rows if row is first[key(row)] and key(row) in written]


def keep(ours: str, told: Mapping[str, int]) -> None:
    """Keep to how many channels each service's went. What no channel wanted was not announced, and
    what a newer digest took the place of may come again."""
    claimed = Announcement.objects.filter(claim=ours)
    claimed.exclude(service__in=list(told)).delete()
    for channels in set(told.values()):
        services = [service for service, count in told.items() if count == channels]
        claimed.filter(service__in=services).update(channels=channels)
    there = Candidate.objects.unclosed().filter(
        service=OuterRef("service"), digest=OuterRef("digest")
    )
    before = Announcement.objects.filter(service__in=list(told)).exclude(claim=ours)
    before.filter(~Exists(there)).delete()


def mark(rows: Sequence[Candidate]) -> None:
    """Note on candidates that people were told of their digest."""
    told = {
        (service, digest): (at, channels)
        for service, digest, at, channels in Announcement.objects.filter(
            service__in={row.service_id for row in rows}
        ).values_list("service_id", "digest", "at", "channels")
    }
    of: dict[tuple[datetime, int], list[str]] = {}
    for row in rows:
        if key(row) in told:
            of.setdefault(told[key(row)], []).append(row.pk)
    for (at, channels), pks in of.items():
        Candidate.objects.filter(pk__in=pks).update(announced_at=at, announced_to=channels)


def key(row: Candidate) -> Key:
    return row.service_id, row.digest
