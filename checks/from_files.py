"""Checks the images of compose files with no rows, no engine and no worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from django.utils.translation import gettext as _

from checks.decide import Found, Local, Verdict, decide
from checks.discovery.projects import FoundProject, FoundService
from checks.explaining import fault_words
from checks.registry.client import Access, NotFound, RegistryClient, RegistryError
from checks.registry.lanes import Lanes, at_once
from checks.registry.once import Once
from checks.registry.reference import BadReference, Reference, parse
from checks.versions.choice import Choice
from checks.versions.policies import Source, holding, read_labels
from checks.versions.wishes import Wishes


@dataclass(frozen=True)
class Line:
    """One service and what came of it.

    `error` says why it, or a part of it, could not be checked; `notes`, what else somebody should
    know of its labels.
    """

    stack: str
    service: str
    image: str
    verdict: Verdict
    error: str = ""
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return self.verdict.status

    @property
    def found(self) -> tuple[Found, ...]:
        """The best comes first."""
        return self.verdict.found

    @property
    def choice(self) -> Choice | None:
        return self.verdict.choice

    @property
    def listing_trouble(self) -> str:
        """That the registry lists the present tag no more, though it may still answer for it."""
        return _("The registry does not list its present tag.") if self.verdict.gone else ""


def check_all(
    projects: Sequence[FoundProject],
    access_of: Callable[[str], Access],
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Line]:
    """Check every service of the projects, in their order. Never raises for one of them.

    `progress` is told how many services of how many are done.
    """
    with _hosts(access_of) as at_host:
        pending = [
            _begin(project.name, service, at_host)
            for project in projects
            for service in project.services
        ]
        waiting = [each.verdict for each in pending if each.verdict]
        done = len(pending) - len(waiting)
        for _each in as_completed(waiting):
            done += 1
            progress(done, len(pending))
        return [each.line() for each in pending]


class _Host:
    """A registry and the lanes to it: a slow one takes none from the others."""

    def __init__(self, access: Access) -> None:
        self.lanes = Lanes(at_once(access.host))
        self.remote = Once(RegistryClient(access), self.lanes)


@contextmanager
def _hosts(access_of: Callable[[str], Access]) -> Iterator[Callable[[str], _Host]]:
    hosts: dict[str, _Host] = {}

    def at(name: str) -> _Host:
        if name not in hosts:
            hosts[name] = _Host(access_of(name))
        return hosts[name]

    try:
        yield at
    finally:
        for host in hosts.values():
            host.lanes.close()


class _Pending(NamedTuple):
    """A service that is being checked; without a `verdict` to wait for, it is done already."""

    line: Callable[[], Line]
    verdict: Future[Verdict] | None = None


def _begin(stack: str, service: FoundService, at_host: Callable[[str], _Host]) -> _Pending:
    """Start to check a service."""
    wishes, notes = _wanted(service)

    def line(verdict: Verdict, error: str = "") -> Line:
        names = (stack, service.name, service.image_ref)
        return Line(*names, verdict, error or verdict.trouble, notes)

    if not service.image_ref:
        reason = _("Built here, and it names no image.")
        return _Pending(partial(line, Verdict("unknown", reason=reason)))
    try:
        reference = parse(service.image_ref)
    except BadReference as error:
        return _Pending(partial(line, Verdict("error"), str(error)))
    host = at_host(reference.registry)
    local = _local(reference, wishes.platform or service.platform, wishes)
    future: Future[Verdict] = host.lanes.start(decide, local, host.remote, wishes)

    def wait() -> Line:
        try:
            return line(future.result())
        except NotFound as error:
            return line(Verdict("unknown"), str(error))
        except RegistryError as error:
            return line(Verdict("error"), str(error))

    return _Pending(wait, future)


def _wanted(service: FoundService) -> tuple[Wishes, tuple[str, ...]]:
    """What its labels wish, for nobody else says anything here, and what is wrong with them."""
    said, faults = read_labels(service.labels)
    wishes = Wishes(held=holding({Source.LABEL: said}))
    return wishes, tuple(fault_words(fault) for fault in faults)


def _local(reference: Reference, platform: str, wishes: Wishes) -> Local:
    """Nothing runs as far as files know, and nothing was seen before: a pin is all there is."""
    return Local(
        reference,
        platform=platform,
        keeps_baseline=False,
        reads_about=wishes.needs_about(reference.tag),
    )
