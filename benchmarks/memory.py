"""Proportional set size of all of Dockrev's processes: idle after its start, and after checks.

    python -m benchmarks.memory

Default settings, as `dockrev run` starts it. A thousand checks of services against a real registry
(`docker-registry` must be on the path). Shared pages count in proportion; Linux only.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.facts import machine
from benchmarks.instance import Instance, free_port, python, running
from tests.real.registry import Registry

CHECKS, IMAGES = 1000, 50
SETTLE_SECONDS, LIMIT_SECONDS = 10, 600
PREPARE = """
from tests import rows
for n in range({checks}):
    image = "{address}/acme/image%d:1" % (n % {images})
    rows.service(image, name="service%d" % n, running=("sha256:" + "0" * 64,))
"""
ASK = """
from checks import queue
from checks.models import Service
for pk in Service.objects.values_list("pk", flat=True):
    queue.enqueue(queue.Request(kind="check.service", reason="ui", scope="service", service_id=pk))
"""
LEFT = """
from checks.models import Job
print(Job.objects.filter(kind="check.service").exclude(status="success").count())
"""


def main() -> None:
    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is not installed")
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder), free_port())
        registry.start()
        try:
            for n in range(IMAGES):
                registry.push_image(f"acme/image{n}", "1")
            prepare = PREPARE.format(checks=CHECKS, images=IMAGES, address=registry.address)
            with running(prepare=prepare) as dockrev:
                measure(dockrev)
        finally:
            registry.stop()


def measure(dockrev: Instance) -> None:
    time.sleep(SETTLE_SECONDS)
    show("idle", dockrev)
    python(dockrev.environment, ASK)
    deadline = time.monotonic() + LIMIT_SECONDS
    while int(python(dockrev.environment, LEFT)):
        assert time.monotonic() < deadline, "the checks did not end"
        time.sleep(2)
    time.sleep(SETTLE_SECONDS)
    show(f"after {CHECKS} checks", dockrev)


def show(when: str, dockrev: Instance) -> None:
    sizes = {pid: proportional(pid) for pid in family(dockrev.pid)}
    parts = ", ".join(f"{name_of(pid)} {size / 1024:.0f}" for pid, size in sizes.items())
    print(f"{when}: {sum(sizes.values()) / 1024:.0f} MB in {len(sizes)} processes ({parts})")


def family(pid: int) -> list[int]:
    """A process and all that came of it."""
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [pid] + [each for child in children for each in family(child)]


def proportional(pid: int) -> int:
    """Its proportional set size in KiB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


if __name__ == "__main__":
    main()
