"""From a signed delivery to the message at a webhook channel: server, worker, registry, sink.

    python -m benchmarks.latency

Default settings, one delivery after the other, each of another image whose tag has moved in a
real registry (`docker-registry` must be on the path). The clock starts before the delivery is sent
and stops when the sink has the message.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import requests

from benchmarks.facts import machine
from benchmarks.instance import free_port, running
from tests import github
from tests.real.registry import Registry
from tests.sink import Sink, sink

COUNT = 200
PREPARE = """
import json
from notifications.models import Channel
from tests import rows
rows.github_receiver()
Channel.objects.create(kind="webhook", name="sink", events=["new_version_discovered"],
                       config=json.dumps({{"url": {url!r}, "secret": "of the channel"}}))
for n in range({count}):
    rows.tracked(f"acme/image{{n}}")
    rows.service(f"{address}/acme/image{{n}}:1", name=f"service{{n}}", running=({old!r},))
from integrations.models import Receiver
Receiver.objects.filter(kind="github-packages").update(registry_host={address!r})
"""


def main() -> None:
    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is not installed")
    print(machine())
    with tempfile.TemporaryDirectory() as folder, sink() as place:
        registry = Registry(Path(folder), free_port())
        registry.start()
        try:
            for n in range(COUNT):
                registry.push_image(f"acme/image{n}", "1", content="new")
            old = github.digest("old")
            prepare = PREPARE.format(url=place.url, count=COUNT, address=registry.address, old=old)
            with running(prepare=prepare) as dockrev:
                report(*measure(dockrev.url, place))
        finally:
            registry.stop()


def measure(url: str, place: Sink) -> tuple[list[float], list[float]]:
    """Seconds until the answer, and until the message, of every delivery."""
    answered, told = [], []
    session = requests.Session()
    time.sleep(3)  # the workers have started
    for n in range(COUNT):
        time.sleep(random.uniform(0.05, 0.15))  # not in step with anything that polls
        body = json.dumps(github.published(f"acme/image{n}", "1", repository=f"acme/image{n}"))
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "package",
            "X-GitHub-Delivery": f"guid-{n}",
            "X-Hub-Signature-256": github.sign(body.encode()),
        }
        start = time.time()
        answer = session.post(url + github.PATH, data=body, headers=headers, timeout=20)
        answered.append(time.time() - start)
        assert answer.status_code == 202, answer.text
        message = place.wait_for(n + 1)[n]
        told.append(message.at - start)
    return answered, told


def report(answered: list[float], told: list[float]) -> None:
    for what, times in (("answered", answered), ("told", told)):
        p99 = statistics.quantiles(times, n=100)[98]
        print(
            f"{what}: median {statistics.median(times) * 1000:.0f} ms, "
            f"p99 {p99 * 1000:.0f} ms, most {max(times) * 1000:.0f} ms, of {len(times)}"
        )


if __name__ == "__main__":
    main()
