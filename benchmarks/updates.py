"""What an update costs beyond Compose, and how long its service is away.

    python -m benchmarks.updates [ROUNDS]

As root, with `dockerd`, `docker-registry`, Compose v2 and a static `busybox` at hand: an engine and
a registry of its own are started. One service listens on a port of this machine. It is updated to
another tag in turns by Dockrev, as a page's button asks for it, and by hand: the tag is changed in
the file, then `docker compose pull` and `docker compose up -d`. Meanwhile a connection to the port
is tried every two milliseconds, and from the last that was taken before to the first that was taken
after is the time that the service was away.

Our own work is everything from the wish to the end of the job but calls of Compose and waiting for
the new container to have settled: planning, looking at the engine, writing the file, all rows.
Last, 100 services of one file are planned, with no engine.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.facts import machine
from benchmarks.instance import data_directory, python

ROUNDS = 5
SERVICES = 100
PAUSE = 0.002
RUN = "from benchmarks.updating import measure; measure({rounds})"
PLAN = """
import json, time
from pathlib import Path
from checks.updating.diffs import diffs
from checks.updating.image_names import Goal
from checks.updating.images import Files
folder = Path({folder!r})
def files():
    return Files([folder / "compose.yaml"], working_dir=folder, environment={{}})
names = [f"s{{n}}" for n in range({count})]
begun = time.process_time()
found = files().edit_together({{name: Goal("1.2.4") for name in names}})
together = time.process_time() - begun
assert len(found) == {count}
begun = time.process_time()
shown = diffs([edit for each in found.values() for edit in each.edits])
page = time.process_time() - begun
few, read = names[:5], files()
begun = time.process_time()
assert [read.edit(name, tag="1.2.4") for name in few] == [found[name] for name in few]
each = (time.process_time() - begun) / len(few)
print(json.dumps([together, page, each]))
"""
SERVICE = """  s{n}:
    image: registry.example/acme/s{n}:1.2.3
    restart: unless-stopped
    environment: {{A: one, B: "two"}}
    ports: ["127.0.0.1:{port}:80"]
    volumes:
      - data{n}:/data
    healthcheck: {{test: ["CMD", "true"], interval: 10s}}
"""


def main() -> None:
    missing = [name for name in ("dockerd", "docker-registry") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        sys.exit(f"as root, with {' and '.join(missing) or 'what it needs'} installed")
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(machine())
    with data_directory("pass") as environment:
        result = json.loads(python(environment, RUN.format(rounds=rounds)).splitlines()[-1])
        for name, values in result.items():
            listed = ", ".join(f"{1000 * each:.0f}" for each in values)
            print(f"{name}: median {1000 * median(values):.0f} ms ({listed})")
        plan_many(environment)


def plan_many(environment: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        services = "".join(SERVICE.format(n=n, port=8000 + n) for n in range(SERVICES))
        Path(folder, "compose.yaml").write_text(f"services:\n{services}")
        code = PLAN.format(folder=folder, count=SERVICES)
        together, page, each = json.loads(python(environment, code))
    print(
        f"edits of {SERVICES} services of one file: {together:.2f} s of processor together, "
        f"{each:.2f} s for each by itself ({each * SERVICES:.0f} s); their diffs {page:.2f} s"
    )


@contextmanager
def watched(port: int) -> Iterator[Callable[[], float]]:
    """The longest time for which nothing listened on a port."""
    longest = [0.0]
    over = threading.Event()

    def watch() -> None:
        last = time.perf_counter()
        while not over.is_set():
            begun = time.perf_counter()
            with socket.socket() as client:
                client.settimeout(1)
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    longest[0] = max(longest[0], begun - last)
                    last = begun
            time.sleep(PAUSE)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: longest[0]
        until_it_listens(port)
    finally:
        over.set()
        thread.join()


def until_it_listens(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(PAUSE)
    raise TimeoutError(port)


if __name__ == "__main__":
    main()
