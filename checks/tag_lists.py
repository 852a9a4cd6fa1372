"""Lists of tags that are kept from one check to the next, so that fewer are asked for.

Threads ask registries and touch no row: what is kept is lent to them before, and what they have
fetched is collected afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Sum

from checks import policies
from checks.models import Service, TagList
from checks.registry.access import Access
from checks.registry.client import RegistryClient
from checks.registry.tags import Tags, Unreadable
from checks.versions.shapes import read

TRUSTED = timedelta(hours=5, minutes=30)
"""How old a list may be for a scheduled check to ask for no other. With the schedule that is there
from the start, and its jitter, the one before is older."""
MOST_ROWS = 5_000
MOST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Lent:
    tags: Tags
    fetched_at: datetime


class Lister(RegistryClient):
    """A registry whose lists of tags are kept.

    Those fetched since `trusted_since` are as good as new; None: none are.
    """

    def __init__(self, access: Access, trusted_since: datetime | None = None) -> None:
        super().__init__(access)
        self._trusted_since = trusted_since
        self.lent: dict[str, Lent] = {}
        self.fetched: dict[str, Tags] = {}

    def tags(self, repository: str, known: Tags | None = None) -> Tags:
        lent = self.lent.pop(repository, None)
        if lent and self._trusted_since and lent.fetched_at >= self._trusted_since:
            return lent.tags
        tags = super().tags(repository, lent.tags if lent else known)
        self.fetched[repository] = tags
        return tags


def lend(listers: Mapping[str, Lister], services: Iterable[Service]) -> None:
    """Give the lists that are kept to those who may have to ask for them. One query.

    A row that cannot be read counts as none. Asks for services `with_policies`.
    """
    wanted = {(each.registry, each.repository) for each in services if _may_list(each)}
    rows = TagList.objects.filter(
        registry__in={registry for registry, _ in wanted},
        repository__in={repository for _, repository in wanted},
    )
    for row in rows.iterator() if wanted else ():
        if (row.registry, row.repository) in wanted:
            _lend(listers[row.registry], row)


def _may_list(service: Service) -> bool:
    """Whether its tag is a version, or may be made one of."""
    transform = policies.of_service(service).held["transform"]
    return bool(transform.value) or read(service.tag) is not None


def _lend(lister: Lister, row: TagList) -> None:
    try:
        tags = Tags.unpack(row.packed, row.etag)
    except Unreadable:
        return
    lister.lent[row.repository] = Lent(tags, row.fetched_at)


def keep(listers: Mapping[str, Lister], now: datetime) -> None:
    """Store what was fetched since the last time, inside the caller's transaction."""
    rows = [
        _row(registry, repository, lister.fetched.pop(repository), now)
        for registry, lister in listers.items()
        for repository in list(lister.fetched)
    ]
    if not rows:
        return
    TagList.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["registry", "repository"],
        update_fields=["etag", "fetched_at", "packed", "size"],
    )
    _let_go_of_surplus()


def _row(registry: str, repository: str, tags: Tags, now: datetime) -> TagList:
    return TagList(
        registry=registry,
        repository=repository,
        etag=tags.etag,
        fetched_at=now,
        packed=tags.packed,
        size=len(tags.packed),
    )


def _let_go_of_surplus() -> None:
    """Beyond so many rows or bytes, those go that were not asked for the longest."""
    there = TagList.objects.aggregate(rows=Count("pk"), bytes=Sum("size"))
    rows, size = there["rows"], there["bytes"]
    surplus = []
    for pk, its_size in TagList.objects.order_by("fetched_at").values_list("pk", "size").iterator():
        if rows <= MOST_ROWS and size <= MOST_BYTES:
            break
        surplus.append(pk)
        rows, size = rows - 1, size - its_size
    if surplus:
        TagList.objects.filter(pk__in=surplus).delete()
