"""Which containers are Dockrev's own, and what it could not go on without while it changes it."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from checks.discovery.places import SSH, Place, scheme_of
from checks.updating import containers as here
from checks.updating.containers import Container, own_container
from checks.updating.engines import Engine
from checks.updating.failing import Untouchable, UpdateFailed
from checks.updating.runs import Runs

OURS = "Dockrev"  # the title of our own image
FIRST_PROCESS = Path("/proc/1/cmdline")


def is_among(ids: Collection[str]) -> bool:
    """Whether this process runs in one of these containers."""
    return own_container() in ids


def why_not_itself(runs: Runs, beside: Collection[str], place: Place) -> str:
    """Why Dockrev's own service cannot be updated by itself, in words; nothing where it can.

    `beside` are services in its network, `place` is where its engine is.
    """
    if runs.replicas > 1 or _is_a_part():
        return _(
            "Server and worker of this Dockrev run in containers of their own, which must change "
            "together. Update them by hand: docker compose pull and docker compose up -d."
        )
    if beside:
        text = _("%(names)s runs in the network of Dockrev's container and would lose it.")
        return text % {"names": ", ".join(beside)}
    if place.is_encrypted or scheme_of(place.url) == SSH:
        # Whoever may inspect containers would see the key in what updates it from outside.
        return _(
            "Dockrev reaches its own Docker Engine with keys, which the container that updates it "
            "does not get. Mount the engine's socket into Dockrev, or update it by hand: docker "
            "compose pull and docker compose up -d."
        )
    if not _keeps_its_data():
        text = _(
            "What Dockrev keeps in %(path)s would be lost with its container. Mount a volume there."
        )
        return text % {"path": settings.DATA_DIR}
    return ""


def cautions() -> Iterator[str]:
    """What to know before Dockrev updates itself."""
    yield _(
        "This is Dockrev itself, version %(version)s. These pages and webhooks are away for some "
        "seconds, and registries that call meanwhile may not call again. The page of the job "
        "comes back by itself."
    ) % {"version": settings.VERSION}
    if connection.vendor == "sqlite":
        yield _(
            "Its database is copied before the new version starts. If that does not run well, the "
            "old one comes back, with the copy where the new one had changed the tables."
        )
    else:
        yield _(
            "Its database is on a PostgreSQL server, of which Dockrev makes no copy: make a dump "
            "first. Once a new version has changed the tables, the old one cannot come back."
        )


def refuse(engine: Engine, containers: Sequence[Container], *, itself: bool = False) -> None:
    """Raises UpdateFailed where one of these is Dockrev, its way to the engine or its database;
    with `itself` where they are not Dockrev's own."""
    if itself:
        if not is_among({each.id for each in containers}):
            raise UpdateFailed(_("This is not the container that Dockrev runs in any more."))
        return
    if are_ours(engine, containers):
        text = _(
            "This is Dockrev itself, or another one, and can be updated from its own page only "
            "where it runs in one container. "
            "Update it by hand: docker compose pull and docker compose up -d."
        )
        raise Untouchable(text)
    if carry_us(engine, containers):
        text = _(
            "Dockrev reaches the Docker Engine or its own database through this, and cannot make "
            "it anew without losing it on the way. "
            "Update it by hand: docker compose pull and docker compose up -d."
        )
        raise Untouchable(text)


def _is_a_part() -> bool:
    """Whether server or worker alone run in this container."""
    try:
        words = FIRST_PROCESS.read_text(errors="replace").split("\0")
    except OSError:
        return False
    return bool({"server", "worker"} & set(words))


def _keeps_its_data() -> bool:
    """Whether the data directory is on something that is mounted into the container."""
    try:
        lines = here.MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return False
    mounted = {line.split(" ")[4] for line in lines if line.count(" ") > 4}
    path = Path(settings.DATA_DIR)
    return any(str(each) in mounted for each in (path, *path.parents[:-1]))


def are_ours(engine: Engine, containers: Sequence[Container]) -> bool:
    """Whether one of these is Dockrev."""
    titles = {engine.title(image_id) for image_id in {each.image_id for each in containers}}
    return OURS in titles or is_among({each.id for each in containers})


def carry_us(engine: Engine, containers: Sequence[Container]) -> bool:
    """Whether Dockrev reaches its engine or its database through one of these."""
    theirs = frozenset[str]().union(*(each.addresses for each in containers))
    return bool(theirs & _addresses(_hosts(engine)))


def _hosts(engine: Engine) -> Iterator[str]:
    with suppress(ValueError):
        if engine.place.startswith("tcp://") and (name := urlsplit(engine.place).hostname):
            yield name
    if name := connection.settings_dict.get("HOST"):
        yield str(name)


def _addresses(names: Iterator[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        with suppress(OSError, UnicodeError):  # a socket's path, or a name that nobody knows
            found.update(str(each[4][0]) for each in socket.getaddrinfo(name, None))
    return found
