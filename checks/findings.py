"""What scans found, kept for the images that matter here, and shown beside them.

A digest is the image itself, wherever it lies. A tag is not: what a scan says of a tag is shown
only where it must be of the image that has the tag.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, Protocol

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks.models import Candidate, Finding, Registry, Service

MOST = 20_000  # rows; the oldest go first
Key = tuple[str, str, str, str]  # registry, repository, digest, tag: one of these two
Beside = tuple[Service, Collection[Candidate]]


class Image(Protocol):
    @property
    def registry(self) -> str: ...
    @property
    def repository(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def digest(self) -> str: ...


class Scan(Protocol):
    """What a scan said of an image; `at` is when it ended, if it says so."""

    @property
    def image(self) -> Image: ...
    @property
    def critical(self) -> int: ...
    @property
    def high(self) -> int: ...
    @property
    def other(self) -> int: ...
    @property
    def scanner(self) -> str: ...
    @property
    def at(self) -> datetime | None: ...


def keep(scans: Iterable[Scan], *, source: str, now: datetime) -> None:
    """Keep what scans found, inside the caller's transaction. Four queries for up to 80 of them.

    Of images in repositories that no present service runs nothing is kept, and a later scan is not
    replaced by an earlier one that was told of late.
    """
    rows: dict[Key, Finding] = {}
    for scan in scans:
        row = _row(scan, source, now)
        if (key := _key(row)) not in rows or rows[key].at <= row.at:
            rows[key] = row
    rows = _of_what_runs(rows) if rows else {}
    fresh = _not_outdated(rows) if rows else []
    if fresh:
        Finding.objects.bulk_create(
            fresh,
            update_conflicts=True,
            unique_fields=["registry", "repository", "digest", "tag"],
            update_fields=["critical", "high", "other", "scanner", "source", "at"],
        )


def _row(scan: Scan, source: str, now: datetime) -> Finding:
    image = scan.image
    return Finding(
        registry=image.registry,
        repository=image.repository,
        tag="" if image.digest else image.tag,
        digest=image.digest,
        critical=scan.critical,
        high=scan.high,
        other=scan.other,
        scanner=scan.scanner[: Finding.MAX_SCANNER],
        source=source,
        at=min(scan.at or now, now),
    )


def _key(row: Finding) -> Key:
    return row.registry, row.repository, row.digest, row.tag


def _of_what_runs(rows: dict[Key, Finding]) -> dict[Key, Finding]:
    """Those of repositories that a present service runs, at that registry or at one it mirrors."""
    hosts = {row.registry for row in rows.values()}
    mirrors = Registry.objects.filter(host__in=hosts).exclude(mirror_of="")
    stands_for = dict(mirrors.values_list("host", "mirror_of"))
    services = Service.objects.present().filter(
        registry__in=hosts | set(stands_for.values()),
        repository__in={row.repository for row in rows.values()},
    )
    run = set(services.order_by().values_list("registry", "repository").distinct())

    def runs(row: Finding) -> bool:
        names = (row.registry, stands_for.get(row.registry, row.registry))
        return any((name, row.repository) in run for name in names)

    return {key: row for key, row in rows.items() if runs(row)}


def _not_outdated(rows: dict[Key, Finding]) -> list[Finding]:
    known = Finding.objects.filter(
        registry__in={row.registry for row in rows.values()},
        repository__in={row.repository for row in rows.values()},
        digest__in={row.digest for row in rows.values()},
        tag__in={row.tag for row in rows.values()},
    )
    later = {_key(row): row.at for row in known}
    return [row for key, row in rows.items() if key not in later or later[key] <= row.at]


class Known:
    """What is known of some images; of several scans of one digest the last."""

    def __init__(self, oldest_first: Iterable[Finding]) -> None:
        self._by_digest: dict[str, Finding] = {}
        self._by_tag: dict[tuple[str, str, str], Finding] = {}
        for row in oldest_first:
            if row.digest:
                self._by_digest[row.digest] = row
            else:
                self._by_tag[row.registry, row.repository, row.tag] = row

    def of(self, digests: Iterable[str]) -> Finding | None:
        found = (self._by_digest.get(digest) for digest in digests)
        return max(filter(None, found), key=lambda row: row.at, default=None)

    def of_tag(self, service: Service, tag: str) -> Finding | None:
        return self._by_tag.get((service.registry, service.repository, tag))


def set_beside(services: Iterable[Beside]) -> None:
    """Set `finding` of candidates, each with its service: what the last scan of it found, or None.

    One query.
    """
    pairs = list(services)
    known = _known(pairs)
    for service, candidates in pairs:
        _set_of_candidates(service, candidates, known)


def set_beside_all(services: Iterable[Beside]) -> None:
    """The same, and of the services, too: that of what runs. Asks for all candidates that are not
    closed."""
    pairs = list(services)
    known = _known(pairs)
    for service, candidates in pairs:
        _set_of_candidates(service, candidates, known)
        service.finding = known.of(_digests(service))
        if not service.finding and _has_its_tag(service, candidates):
            service.finding = known.of_tag(service, service.tag)


def _set_of_candidates(service: Service, candidates: Iterable[Candidate], known: Known) -> None:
    for each in candidates:
        each.finding = known.of({each.digest, each.platform_digest})
        tagged = known.of_tag(service, each.tag)
        if tagged and not each.finding and _is_of(tagged, each):
            each.finding = tagged


def _known(pairs: Iterable[Beside]) -> Known:
    digests, tags = set(), set()
    for service, candidates in pairs:
        digests.update(_digests(service))
        tags.add((service.registry, service.repository, service.tag))
        for each in candidates:
            digests.update((each.digest, each.platform_digest))
            tags.add((service.registry, service.repository, each.tag))
    of_tags = Q(
        digest="",
        registry__in={registry for registry, _repository, _tag in tags},
        repository__in={repository for _registry, repository, _tag in tags},
        tag__in={tag for _registry, _repository, tag in tags},
    )
    of_digests = Q(digest__in=digests - {""})
    return Known(Finding.objects.filter(of_digests | of_tags).order_by("at"))


def _digests(service: Service) -> set[str]:
    """What runs, and the indexes that are known to hold it."""
    digests = set(service.digests)
    for images in service.equal_indexes.values():
        digests.update(index for index, image in images.items() if image in digests)
    return digests


def _has_its_tag(service: Service, unclosed: Iterable[Candidate]) -> bool:
    """Whether what runs is what has its tag at the registry, by the last check."""
    moved = any(each.step == Candidate.Step.REBUILT for each in unclosed)
    known = bool(service.checked_at and service.digests and not service.error)
    return known and not (moved or service.tag_gone or service.pinned_digest)


def _is_of(tagged: Finding, candidate: Candidate) -> bool:
    """Whether the scan of a tag must be of the candidate: before it was found, the image that it
    replaces may have had the tag."""
    if candidate.closed_at:
        return False
    return candidate.step != Candidate.Step.REBUILT or tagged.at >= candidate.opened_at


def words(finding: Finding) -> str:
    """`2 critical, 5 high, 8 others`."""
    return ", ".join(_counted(finding)) or _("no known weaknesses")


def grave_words(finding: Finding) -> str:
    """Critical and high alone, for a narrow place; empty where there are none."""
    return ", ".join(list(_counted(finding))[: bool(finding.critical) + bool(finding.high)])


def _counted(finding: Finding) -> Iterator[str]:
    counts: dict[str, Any] = {"critical": finding.critical, "high": finding.high}
    if finding.critical:
        yield _("%(critical)d critical") % counts
    if finding.high:
        yield _("%(high)d high") % counts
    if finding.other:
        words = ngettext("%(count)d other", "%(count)d others", finding.other)
        yield words % {"count": finding.other}
