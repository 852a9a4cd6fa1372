"""A container beside a service's, on the same engine, that reads and writes its data.

Every command is a list of arguments; no shell is involved. Importing this loads the Docker SDK.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from docker.errors import APIError
from docker.types import Mount

from checks.discovery.labels import OF_NO_SERVICE
from checks.registry.reference import BadReference, parse
from checks.updating.containers import own_container, plain
from checks.updating.engines import Engine
from checks.updating.failing import Forbidden, UpdateFailed
from checks.updating.plan import Data

ROOT = "/dockrev"  # where it has the data, by number
PACKED = "/dockrev-packed.tar"
OWNER = "dockrev.helper"  # the label that says what it is for
LIFETIME = "86400"  # seconds; it goes by itself when whoever made it died
SAID = 1000  # bytes of what a command complains about

Answer = dict[str, Any]  # JSON of the engine's API


class HelperAbsent(UpdateFailed):
    """No image for a helper is there."""


class CommandFailed(UpdateFailed):
    """A command in the helper did not end well."""

    def __init__(self, command: str, code: int | None, said: str) -> None:
        text = _("%(command)s failed in the helper container (%(code)s): %(said)s")
        super().__init__(text % {"command": command, "code": code, "said": said or "?"})
        self.code, self.said = code, said


class Helper:
    """The data is at `/dockrev/0`, `/dockrev/1`, in the order it was given."""

    def __init__(self, engine: Engine, container_id: str) -> None:
        self._engine = engine
        self._id = container_id

    def output(self, *command: str) -> Iterator[bytes]:
        """What a command prints, as it comes. Raises CommandFailed at its end."""
        said = b""
        with self._engine.api() as api:
            made = api.exec_create(self._id, list(command), user="0:0")
            for out, err in api.exec_start(made["Id"], stream=True, demux=True):
                said = (said + (err or b""))[-SAID:]
                if out:
                    yield out
            code = api.exec_inspect(made["Id"])["ExitCode"]
        if code != 0:
            words = " ".join(plain(line) for line in said.decode(errors="replace").splitlines())
            raise CommandFailed(command[0], code, words)

    def run(self, *command: str) -> str:
        """Raises CommandFailed."""
        return b"".join(self.output(*command)).decode(errors="replace")

    def is_true(self, *command: str) -> bool:
        try:
            self.run(*command)
        except CommandFailed as error:
            if error.code == 1:
                return False
            raise
        return True

    def take(self, archive: Iterable[bytes], size: int) -> None:
        """Have a tar archive of so many bytes in the file PACKED, outside of the data."""
        with self._engine.api() as api:
            api.put_archive(self._id, "/", _around(archive, size))

    def unpack(self, folder: str) -> Iterator[bytes]:
        """Unpack what was taken, with owners and modes as they are in it, and say what, as it goes.

        By a program in the helper: the engine itself refuses archives with links that lead out of
        them, and every link to somewhere else in its container does so.
        """
        return self.output("tar", "--numeric-owner", "-xvpf", PACKED, "-C", folder)


@contextmanager
def helper(
    engine: Engine, data: Sequence[Data], *, owner: str, writes: bool = False, pulls: bool = True
) -> Iterator[Helper]:
    """With `pulls` the image is pulled where it is not there. Raises UpdateFailed."""
    image = image_for(engine, pulls=pulls)
    _remove_left(engine, owner)
    container_id = _start(engine, image, data, owner=owner, writes=writes)
    try:
        yield Helper(engine, container_id)
    finally:
        with suppress(UpdateFailed):
            _remove(engine, container_id)


def image_for(engine: Engine, *, pulls: bool) -> str:
    """Our own where we run in a container of this engine. Raises HelperAbsent."""
    ours = engine.container(own) if (own := own_container()) else None
    if ours:
        return ours.image_id
    if not engine.image_id(settings.HELPER_IMAGE):
        if not pulls:
            text = _(
                "Backups need the image %(image)s as a helper, which is not on the Docker host. "
                "It is pulled before anything is touched; where that fails, the update stops."
            )
            raise HelperAbsent(text % {"image": settings.HELPER_IMAGE})
        _pull(engine, settings.HELPER_IMAGE)
    return settings.HELPER_IMAGE


def _pull(engine: Engine, image: str) -> None:
    try:
        named = parse(image)
        name = f"{named.registry}/{named.repository}"
        engine.pull(name, named.digest or named.tag, None)
    except (BadReference, UpdateFailed) as error:
        if isinstance(error, Forbidden):
            raise
        text = _(
            "The helper image %(image)s is neither on the Docker host nor can it be pulled, so no "
            "backup can be made or restored: %(why)s Load it there, name another one in "
            "DOCKREV_HELPER_IMAGE, or update without a backup."
        )
        why = f"{str(error).rstrip('.')}."
        raise HelperAbsent(text % {"image": image, "why": why}) from error


def _start(engine: Engine, image: str, data: Sequence[Data], *, owner: str, writes: bool) -> str:
    mounts = [_mount(number, each, writes=writes) for number, each in enumerate(data)]
    with engine.api() as api:
        host = api.create_host_config(
            mounts=mounts, network_mode="none", auto_remove=True, security_opt=["label=disable"]
        )
        made = api.create_container(
            image,
            entrypoint=["sleep"],
            command=[LIFETIME],
            user="0:0",
            host_config=host,
            labels={OWNER: owner, **OF_NO_SERVICE},
            healthcheck={"test": ["NONE"]},
        )
        try:
            api.start(made["Id"])
        except APIError:
            api.remove_container(made["Id"], v=True, force=True)
            raise
    return str(made["Id"])


def _mount(number: int, data: Data, *, writes: bool) -> Mount:
    at, reads = f"{ROOT}/{number}", not writes
    if data.kind == "volume":
        return Mount(at, data.name, "volume", read_only=reads, no_copy=True)
    return Mount(at, data.name, "bind", read_only=reads)


def _around(archive: Iterable[bytes], size: int) -> Iterator[bytes]:
    """An archive that has nothing in it but another, as a file."""
    member = tarfile.TarInfo(PACKED.removeprefix("/"))
    member.size, member.mode = size, 0o600
    yield member.tobuf(tarfile.GNU_FORMAT)
    yield from archive
    yield bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _remove(engine: Engine, container_id: str) -> None:
    with engine.api() as api:
        api.remove_container(container_id, v=True, force=True)


def _remove_left(engine: Engine, owner: str) -> None:
    """What a worker had that was lost."""
    with engine.api() as api:
        left = api.containers(all=True, filters={"label": f"{OWNER}={owner}"})
    for each in left:
        with suppress(UpdateFailed):
            _remove(engine, each["Id"])
