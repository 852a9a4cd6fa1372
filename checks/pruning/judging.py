"""Which images of an engine may go: those that an update of ours left behind and nobody needs.

What Dockrev never replaced is not even looked at, whoever uses it or does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from checks import holds
from checks.models import Host, Job, Replaced, Service
from checks.registry.reference import BadReference, parse
from checks.updating.engines import LocalImage
from checks.updating.keeping import KEPT

State = Replaced.State


@dataclass(frozen=True)
class Judged:
    """`why` says why it stays; it is empty for what may go."""

    image: LocalImage
    name: str
    why: str = ""


@dataclass(frozen=True)
class Known:
    """What the database knows of a host's images, by their ids.

    `left` are those that updates left behind, each by the name that it had, `needed` those that a
    rollback, a service or a job under way needs, and `names` what services say they run, or will
    after a job that waits or is under way: what that has just pulled no container has yet.
    """

    left: dict[str, str]
    needed: frozenset[str]
    names: frozenset[tuple[str, str, str]]


def known_of(host: Host) -> Known:
    """Four queries."""
    rows = list(Replaced.objects.filter(service__stack__host=host).order_by("-pk"))
    services = Service.objects.filter(stack__host=host)
    columns = services.values_list("running_image_id", "registry", "repository", "tag")
    running, names = set[str](), set[tuple[str, str, str]]()
    for image_id, *name in columns:
        running.add(image_id)
        names.add((name[0], name[1], name[2]))
    names.update(map(_name, _to_come()))
    needed = frozenset(running | set(_needed(rows, holds.held_services())))
    return Known(dict(_left(rows)), needed, frozenset(names))


def judge(known: Known, images: Iterable[LocalImage], in_use: set[str]) -> list[Judged]:
    """Of those that updates left behind, each with what keeps it here."""
    return [
        Judged(image, known.left[image.id], _why_it_stays(image, known, in_use))
        for image in images
        if image.id in known.left
    ]


def _why_it_stays(image: LocalImage, known: Known, in_use: set[str]) -> str:
    if image.id in in_use:
        return _("A container uses it.")
    if image.id in known.needed or any(tag.startswith(KEPT) for tag in image.tags):
        return _("A rollback may need it.")
    own = _name(known.left[image.id])
    for tag in image.tags:
        name = _name(tag)
        if name in known.names:
            return _("A service is to run %(name)s.") % {"name": tag}
        if name != own:
            return _("It is also called %(name)s.") % {"name": tag}
    return ""


def _left(rows: Iterable[Replaced]) -> Iterator[tuple[str, str]]:
    for row in rows:
        change = row.planned
        if row.state == State.APPLIED:
            yield row.image_id, change.image
        elif row.state == State.UNDONE and row.new_image_id:
            yield row.new_image_id, change.target_image


def _to_come() -> Iterator[str]:
    """The images that jobs change services to."""
    jobs = Job.objects.active().filter(kind__in=holds.CHANGING)
    for params in jobs.values_list("params", flat=True):
        for change in params.get("plan", {}).get("changes", ()):
            yield change["target_image"]


def _needed(rows: Iterable[Replaced], held: set[str]) -> Iterator[str]:
    """`rows` with the last one first: a service goes back to the last that was not undone."""
    seen: set[str] = set()
    for row in rows:
        is_last = row.state != State.UNDONE and row.service_id not in seen
        if is_last:
            seen.add(row.service_id)
        over = row.state in (State.APPLIED, State.UNDONE) and row.service_id not in held
        if row.kept or is_last or not over:
            yield row.image_id
        if is_last or not over:
            yield row.new_image_id


def _name(text: str) -> tuple[str, str, str]:
    try:
        named = parse(text)
    except BadReference:
        return ("", text, "")
    return (named.registry, named.repository, named.tag)
