"""Tries a registry while a person waits: can it be reached, as whom, and what can be read?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from checks import rests
from checks.models import Registry, Service
from checks.registry.access import Access
from checks.registry.docker_config import Logins, read_config
from checks.registry.reference import Reference
from checks.registry.visit import FAILED, REACH, Step, visit
from checks.remotes import access_of
from dockrev.aside import begin
from dockrev.turns import turns

LIMIT = 10.0  # seconds in all
BRIEF = (3.0, 4.0)  # seconds to connect and between bytes

Visited = tuple[Access, list[Step]]


@dataclass(frozen=True)
class Tried:
    """What a test found, step by step."""

    host: str
    steps: list[Step]

    @property
    def ok(self) -> bool:
        return all(each.outcome != FAILED for each in self.steps)


def try_out(host: str) -> Tried:
    """Knock at a registry, sign in and read what a service uses, for ten seconds at the most.

    Never inside a transaction. Raises UnreadableSecret, and RateLimited where too many wait.
    """
    row = Registry.objects.filter(host=host).first()
    logins = Logins(read_config(settings.DOCKER_CONFIG))
    reference = _reference(host)

    def go() -> Visited:
        access = replace(access_of(host, row, logins), timeout=BRIEF)
        return access, visit(access, reference)

    with turns.aside():
        try:
            access, steps = begin(go).result(LIMIT)
        except TimeoutError:
            text = _("%(host)s did not answer within %(limit)d s.")
            return Tried(host, [Step(REACH, FAILED, text % {"host": host, "limit": LIMIT})])
    rests.exchange({host: access.traffic}, timezone.now())
    return Tried(host, steps)


def _reference(host: str) -> Reference | None:
    """An image that a service runs from there; rather one that could not be checked."""
    rows = Service.objects.present().filter(registry=host).exclude(repository="")
    row = rows.order_by("error", "pk").last()
    return Reference(host, row.repository, row.tag, row.pinned_digest) if row else None
