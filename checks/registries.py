"""Which registries there are for us, how each is reached and as whom, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks.models import Registry, Service
from checks.registry.access import IDENTITY_TOKEN
from checks.registry.docker_config import DockerConfig, read_config
from checks.remotes import way_to
from dockrev import authorities
from dockrev.authorities import Authority

ENTERED, DOCKER_LOGIN, HELPER, NOBODY = "registry", "docker_login", "helper", "nobody"


@dataclass(frozen=True)
class SignIn:
    """Who we are to a registry, and who says so: the row, Docker's file, or a helper by name."""

    kind: str = NOBODY
    name: str = ""

    @property
    def words(self) -> str:
        name = _("an identity token") if self.name == IDENTITY_TOKEN else self.name
        return {
            ENTERED: _("as %(name)s"),
            DOCKER_LOGIN: _("as %(name)s, by docker login"),
            HELPER: _("as %(name)s says"),
            NOBODY: _("as nobody"),
        }[self.kind] % {"name": name}


@dataclass(frozen=True)
class Known:
    """A registry that a service uses, or that has a row. `row` has no password: it is deferred.

    `is_plain` says that it is asked over plain http; `authorities` are those trusted for it alone.
    `services` use it; of those, `failing` were not checked. `checked_at` is when one last was.
    """

    host: str
    row: Registry
    sign_in: SignIn
    is_plain: bool
    authorities: tuple[Authority, ...] = ()
    services: int = 0
    failing: int = 0
    checked_at: datetime | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the row is in the database, and not only made for this look."""
        return not self.row._state.adding

    @property
    def answered_at(self) -> datetime | None:
        return max(filter(None, [self.row.last_ok_at, self.checked_at]), default=None)

    @property
    def mark(self) -> str:
        if self.row.rests:
            return "waiting"
        if self.row.last_error:
            return "error"
        if self.failing:
            return "attention"
        return "on" if self.answered_at else "unknown"

    @property
    def word(self) -> str:
        return {
            "waiting": _("rests"),
            "error": _("does not answer as it should"),
            "attention": _("some of its services could not be checked"),
            "on": _("answers"),
            "unknown": _("not asked yet"),
        }[self.mark]


def look() -> list[Known]:
    """All of them by host. Two queries."""
    config = read_config(settings.DOCKER_CONFIG)
    rows = {row.host: row for row in Registry.objects.defer("password")}
    used = _used()
    return [
        _known(host, rows.get(host), used.get(host, {}), config)
        for host in sorted(rows.keys() | used.keys())
    ]


def look_at(host: str, row: Registry | None) -> Known:
    """One of them. One query."""
    config = read_config(settings.DOCKER_CONFIG)
    return _known(host, row, _used(host).get(host, {}), config)


@dataclass(frozen=True)
class Health:
    """How all of them are together: the mark and word of the worst, and what to do about it."""

    known: list[Known]

    @property
    def services(self) -> int:
        return sum(each.services for each in self.known)

    @property
    def entered(self) -> int:
        return sum(each.sign_in.kind == ENTERED for each in self.known)

    @property
    def worst(self) -> Known | None:
        """Of those that services use, or that are there in place of others."""
        order = ["error", "attention", "waiting"]
        used = [each for each in self.known if each.services or each.row.asked_first]
        wrong = [each for each in used if each.mark in order]
        return min(wrong, key=lambda each: order.index(each.mark), default=None)

    @property
    def mark(self) -> str:
        if self.worst:
            return self.worst.mark
        return "on" if any(each.answered_at for each in self.known) else "unknown"

    @property
    def word(self) -> str:
        marks = [each.mark for each in self.known if each.services or each.row.asked_first]
        wrong = sum(mark in {"error", "attention"} for mark in marks)
        if wrong:
            return ngettext(
                "%(number)d registry needs you", "%(number)d registries need you", wrong
            ) % {"number": wrong}
        if resting := marks.count("waiting"):
            return ngettext("%(number)d rests", "%(number)d rest", resting) % {"number": resting}
        return _("all answer") if self.mark == "on" else _("none was asked yet")


def _used(host: str = "") -> dict[str, dict[str, Any]]:
    services = Service.objects.present().exclude(registry="")
    if host:
        services = services.filter(registry=host)
    rows = services.order_by().values_list("registry")
    found = rows.annotate(
        used=Count("pk"),
        wrong=Count("pk", filter=~Q(error="")),
        # An image that was built here, or has no tag, is decided without its registry.
        asked=Max(
            "checked_at",
            filter=Q(error="") & ~Q(tag="") & ~Q(status="unknown", running_digests=[]),
        ),
    )
    names = ("services", "failing", "checked_at")
    return {each[0]: dict(zip(names, each[1:], strict=True)) for each in found}


def _known(host: str, row: Registry | None, used: dict[str, Any], config: DockerConfig) -> Known:
    row = row or Registry(host=host)
    way = way_to(row)
    trusted = tuple(authorities.read(way.authorities)) if way.authorities else ()
    return Known(host, row, _sign_in(host, row, config), way.is_plain, trusted, **used)


def _sign_in(host: str, row: Registry, config: DockerConfig) -> SignIn:
    if row.username:
        return SignIn(ENTERED, row.username)
    if helper := config.helpers.get(host, config.store):
        return SignIn(HELPER, f"docker-credential-{helper}")
    if account := config.accounts.get(host):
        return SignIn(DOCKER_LOGIN, account.username)
    return SignIn()
