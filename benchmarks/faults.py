"""A check of 200 images at four registries: one calm, one that refuses above 20 requests at once,
one that never answers, one that ends every connection.

    python -m benchmarks.faults

Behind the first two is a real registry (`docker-registry` must be on the path), with 30 ms before
each answer. The job `check.all` runs in a process of its own, with all its parts.
"""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import ExitStack

from benchmarks.checks import EACH, LATENCY, filled_registry
from benchmarks.facts import machine
from benchmarks.instance import data_directory, python
from benchmarks.slow import slow

FAULTS: dict[str, dict[str, object]] = {
    "calm": {},
    "crowded": {"most": 20},
    "silent": {"hangs": True},
    "cutting": {"resets": True},
}
PREPARE = """
from tests import rows
for name, address in {addresses!r}.items():
    for n, digest in enumerate({digests!r}):
        image = f"{{address}}/acme/digest{{n}}:latest"
        rows.service(image, name=f"{{name}}{{n}}", running=(digest,))
"""
CHECK = """
import json, time
from collections import Counter
from django.utils import timezone
from checks.inline import run_now
from checks.models import JobLog, Service
from checks.queue import Request
began, wall = timezone.now(), time.perf_counter()
job = run_now(Request(kind="check.all", reason="ui"))
wall = time.perf_counter() - wall
found = {}
for name in NAMES:
    rows = Service.objects.filter(name__startswith=name)
    calm = rows.filter(status="up_to_date")
    lines = JobLog.objects.filter(message__startswith=f"shop / {name}").order_by("-pk")
    last = (lines[0].at - began).total_seconds()
    found[name] = [dict(Counter(rows.values_list("status", flat=True))), last]
print(json.dumps([wall, job.status, job.summary, found]))
"""


def main() -> None:
    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is not installed")
    print(machine())
    with filled_registry(versions=0) as (registry, digests, _versions), ExitStack() as stack:
        ways = {
            name: stack.enter_context(slow(registry.port, LATENCY, **faults))
            for name, faults in FAULTS.items()
        }
        addresses = {name: way.address for name, way in ways.items()}
        prepare = PREPARE.format(addresses=addresses, digests=digests)
        with data_directory(prepare) as environment:
            names = f"NAMES = {list(FAULTS)!r}\n"
            wall, status, summary, found = json.loads(python(environment, names + CHECK))
        for name, (statuses, last) in found.items():
            print(
                f"{name}: {statuses}, {ways[name].requests} requests, the last after {last:.1f} s"
            )
            assert statuses.get("up_to_date", 0) == (EACH if name in {"calm", "crowded"} else 0)
        refused = summary["tooManyRequests"]
        print(f"{status} after {wall:.1f} s, {refused} refused, {summary['errors']} not reached")


if __name__ == "__main__":
    main()
