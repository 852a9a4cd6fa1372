"""Opens candidates, keeps and closes them, as a verdict says. Inside the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from checks.decide import Found, Verdict
from checks.models import Candidate, Image, Service
from checks.registry.configs import About
from checks.versions.shapes import read
from dockrev.prepared import Insert

Key = tuple[str, str, str]

_insert = Insert(Candidate)


class Judged(NamedTuple):
    """A verdict over a service, for a platform."""

    service: Service
    verdict: Verdict
    platform: str


def settle_candidates(judged: Mapping[str, Judged], now: datetime) -> None:
    """Keep those that were found again; close the others, and open the new ones.

    `judged` is by service. What all of them need is read at once.
    """
    held: dict[str, list[Candidate]] = defaultdict(list)
    for row in Candidate.objects.unclosed().filter(service__in=judged):
        held[row.service_id].append(row)
    settled = [_Settling(each, held[pk], now) for pk, each in judged.items()]
    new = [row for each in settled for row in each.settle()]
    _name_versions(new)
    told = {digest: about for each in settled for digest, about in each.told.items()}
    keep_abouts(told, now)
    for row in new:
        _insert.of(row)


def close(candidate: Candidate, closed_as: str, now: datetime) -> None:
    Candidate.objects.filter(pk=candidate.pk, closed_at=None).update(
        closed_at=now, closed_as=closed_as
    )


def keep_abouts(told: Mapping[str, About], now: datetime) -> None:
    """Write down what images say of themselves, by digest, where nobody has yet.

    That it could not be read is one registry's word: another's, which has it, goes before.
    """
    rows = [Image.of(digest, about, now) for digest, about in told.items()]
    Image.objects.bulk_create(rows, ignore_conflicts=True)
    said = [digest for digest, about in told.items() if about.says_anything]
    for row in Image.objects.silent().filter(pk__in=said) if said else ():
        Image.of(row.pk, told[row.pk], now).save(force_update=True)


class _Settling:
    """What waits is settled before what is open: a step has room for one that is open."""

    def __init__(self, judged: Judged, held: list[Candidate], now: datetime) -> None:
        self.service, self.verdict, self.platform = judged
        self.now = now
        self.held = {_key_of(row): row for row in held}
        self.found = {
            (each.step, each.tag, each.digest): each
            for each in (*self.verdict.waiting, *self.verdict.found)
        }
        self.told: dict[str, About] = {}

    def settle(self) -> list[Candidate]:
        """Returns the rows to be made."""
        replaced = []
        for key, row in self.held.items():
            if not self._is_over(key, row):
                continue
            closed_as = self._why_over(row)
            close(row, closed_as, self.now)
            if closed_as == Candidate.Closed.SUPERSEDED:
                replaced.append(row)
        there = [self._row(key, found) for key, found in self.found.items()]
        by_step = {row.step: row for row in there}
        for row in replaced:
            # By its id: it may be one of those to be made.
            Candidate.objects.filter(pk=row.pk).update(superseded_by_id=by_step[row.step].pk)
        return [row for row in there if row._state.adding]

    def _is_over(self, key: Key, row: Candidate) -> bool:
        """While the versions could not be looked at, none of them is known to be over; where a part
        of them could, one is that has another in its place, or that runs."""
        if row.step == Candidate.Step.REBUILT:
            return key not in self.found
        if self.verdict.trouble:
            return False
        if self.verdict.in_part and not any(step == row.step for step, _tag, _d in self.found):
            return bool({row.digest, row.platform_digest} & set(self.service.running_digests))
        return key not in self.found

    def _why_over(self, row: Candidate) -> str:
        if {row.digest, row.platform_digest} & set(self.service.running_digests):
            return Candidate.Closed.APPLIED
        replaced = any(step == row.step for step, _tag, _digest in self.found)
        return Candidate.Closed.SUPERSEDED if replaced else Candidate.Closed.GONE

    def _row(self, key: Key, found: Found) -> Candidate:
        row = self.held.get(key)
        if found.about and (row is None or row.image_id != found.image_digest):
            self.told[found.image_digest] = found.about
        if row is None:
            return self._new(found)
        facts = self._facts(found)
        if found.about is None:
            del facts["image_id"]  # what was read before stays
        if row.waits_until and not found.waits_until:
            facts["offered_at"] = self.now
        if any(getattr(row, name) != value for name, value in facts.items()):
            Candidate.objects.filter(pk=row.pk).update(**facts)
        return row

    def _facts(self, found: Found) -> dict[str, Any]:
        """What an image has for the platform, and what it says of itself."""
        return {
            "arch": found.arch,
            "platform_digest": found.platform_digest,
            "platform": self.platform,
            "platforms": list(found.platforms),
            "waits_until": found.waits_until,
            "image_id": found.image_digest if found.about else None,
        }

    def _new(self, found: Found) -> Candidate:
        return Candidate(
            service=self.service,
            step=found.step,
            image_ref=self.service.image_ref,
            tag=found.tag,
            digest=found.digest,
            opened_at=self.now,
            **self._facts(found),
        )


def _name_versions(new: list[Candidate]) -> None:
    """Where a tag is no version, say which version has its digest, as far as that is known.

    Two queries, or none.
    """
    nameless = [row for row in new if not read(row.tag)]
    if not nameless:
        return
    known = _versions(new, {row.service.repository for row in nameless})
    for row in nameless:
        image = row.service.registry, row.service.repository
        names = (known.get((*image, digest)) for digest in (row.digest, row.platform_digest))
        row.version_tag = next(filter(None, names), "")


def _versions(new: list[Candidate], repositories: set[str]) -> dict[tuple[str, str, str], str]:
    """Versions by registry, repository and digest: those found now, that run, that are newer."""
    running = Service.objects.filter(repository__in=repositories)
    newer = Candidate.objects.unclosed().filter(service__repository__in=repositories)
    named = chain(
        ((row.service.registry, row.service.repository, row.tag, [row.digest]) for row in new),
        running.values_list("registry", "repository", "tag", "running_digests"),
        (
            (registry, repository, tag, [digest])
            for registry, repository, tag, digest in newer.values_list(
                "service__registry", "service__repository", "tag", "digest"
            )
        ),
    )
    found: dict[tuple[str, str, str], str] = {}
    for registry, repository, tag, digests in named:
        for digest in digests if read(tag) else ():
            found.setdefault((registry, repository, digest), tag)
    return found


def _key_of(row: Candidate) -> Key:
    return row.step, row.tag, row.digest
