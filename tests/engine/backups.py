"""What tests of backups need: an image for the helper, and looks into volumes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest
from django.utils import timezone

from checks import queue
from checks.backups import stopping
from checks.backups.helper import Helper
from checks.models import Job
from checks.tasks import run_job
from dockrev.leases import LEASE
from tests.engine.updating import SCRIPT, Shop
from tests.real.requirements import STATIC_BUSYBOX


class Killed(BaseException):
    """As a worker that is gone: nothing after it is done."""


def die_at(patch: pytest.MonkeyPatch, program: str, time: int = 1) -> None:
    """Have the worker die when it calls a program in the helper for the so-manieth time."""
    output = Helper.output
    times = [0]

    def dies(self: Helper, *command: str) -> Iterator[bytes]:
        if command[0] == program:
            times[0] += 1
            if times[0] == time:
                raise Killed
        return output(self, *command)

    patch.setattr(Helper, "output", dies)
    # Who is dead starts nothing again.
    patch.setattr(stopping, "start_again", lambda engine, steps: None)


def run_until_killed(job_id: str) -> None:
    """And let its lease run out."""
    with pytest.raises(Killed):
        run_job(job_id)
    queue.take_from_dead(Job.objects.get(pk=job_id), timezone.now() + LEASE * 2)
    Job.objects.filter(pk=job_id).update(not_before=timezone.now())


HELPER = "dockrev-tests/helper:1"
APPLETS = (
    "cat", "chmod", "chown", "cp", "dd", "du", "find", "grep", "ls", "mkdir", "mv", "rm", "rmdir",
    "sh", "sleep", "sort", "stat", "tar", "test", "timeout",
)  # fmt: skip


def make_helper(shop: Shop) -> str:
    """An image as busybox's own is: nothing but applets."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        _add(archive, "Dockerfile", b"FROM scratch\nCOPY bin /bin\n", 0o644)
        _add(archive, "bin/busybox", STATIC_BUSYBOX.read_bytes(), 0o755)
        for name in APPLETS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    packed.seek(0)
    shop.engine.client.images.build(fileobj=packed, custom_context=True, tag=HELPER, rm=True)
    return HELPER


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    archive.addfile(member, io.BytesIO(data))


def in_volume(shop: Shop, script: str, volume: str = "shop_data") -> str:
    """What a shell says in a volume, at /data."""
    said: bytes = shop.engine.client.containers.run(
        HELPER,
        ["sh", "-c", script],
        remove=True,
        network_mode="none",
        volumes={volume: {"bind": "/data", "mode": "rw"}},
    )
    return said.decode()


def start_with_data(shop: Shop, name: str, mounts: str = "[data:/data]") -> None:
    """A service with a volume, running its first image."""
    shop.push("1", note="first", name=name)
    image = shop.image("1", name)
    shop.file.write_text(
        'version: "3.4"\nservices:\n'
        f"  api: {{image: '{image}', command: {SCRIPT}, volumes: {mounts}}}\n"
        "volumes: {data: {}}\n"
    )
    shop.up()
    shop.discover()
