"""How many deliveries a second the receiver takes, every one new and durable.

    python -m benchmarks.receiver

Eight connections send GitHub deliveries, each of another image, so each commits a Delivery, a Job
and a queue entry. In the same run: the same server's `/api/version`, and `webhook` (the program
of that name) with the same HMAC rule running `/bin/true`. The rounds take turns; medians count.
Needs `wrk` and `webhook` on the path.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.facts import machine
from benchmarks.instance import ROOT, Instance, free_port, python, running
from tests import github

ROUNDS, SECONDS, CONNECTIONS = 3, 5, 8
IMAGES = 60_000
PREPARE = f"""
from tests import rows
from checks.models import Service
from integrations.models import HookAccount, HookTarget
rows.github_receiver()
rows.tracked("acme/image0")
first = rows.service("ghcr.io/acme/image0:1", name="service0")
account = HookAccount.objects.filter(targets__isnull=False).first()
numbers = range(1, {IMAGES})
HookTarget.objects.bulk_create(
    (HookTarget(account=account, full_name=f"acme/image{{n}}", name_key=f"acme/image{{n}}",
                owner_key="acme") for n in numbers), batch_size=5000)
Service.objects.bulk_create(
    (Service(stack=first.stack, name=f"service{{n}}", image_ref=f"ghcr.io/acme/image{{n}}:1",
             registry="ghcr.io", repository=f"acme/image{{n}}", tag="1") for n in numbers),
    batch_size=5000)
"""
COUNT = """
from checks.models import Job
from django_q.models import OrmQ
from integrations.models import Delivery
print(Delivery.objects.count(), Job.objects.count(), OrmQ.objects.count())
"""
DONE = """
function done(summary, latency, requests)
  io.write(string.format('{"rate": %f, "p50": %f, "p99": %f, "failed": %d, "answered": %d}\\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, summary.errors.status + summary.errors.timeout,
    summary.requests))
end
"""
SEND = """
local lines = io.lines("{file}")
function request()
  local signature, guid, body = lines(), lines(), lines()
  return wrk.format("POST", "{path}", {{
    ["Content-Type"] = "application/json", ["User-Agent"] = "GitHub-Hookshot/bench",
    ["X-GitHub-Event"] = "package", ["X-GitHub-Delivery"] = guid,
    ["X-GitHub-Hook-ID"] = "1", ["X-Hub-Signature-256"] = signature}}, body)
end
"""


def main() -> None:
    for program in ("wrk", "webhook"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed")
    print(machine())
    with (
        tempfile.TemporaryDirectory() as name,
        peer(Path(name)) as peer_url,
        running("--only", "server", prepare=PREPARE) as dockrev,
    ):
        measure(Path(name), dockrev, peer_url)


def measure(folder: Path, dockrev: Instance, peer_url: str) -> None:
    rounds: dict[str, list[dict[str, float]]] = {"deliver": [], "version": [], "webhook": []}
    for part in range(ROUNDS):
        file = write_deliveries(folder, part)
        ours = SEND.format(file=file, path=github.PATH)
        theirs = SEND.format(file=file, path="/hooks/run")
        rounds["version"].append(load(folder, f"{dockrev.url}/api/version", ""))
        rounds["deliver"].append(load(folder, dockrev.url, ours))
        rounds["webhook"].append(load(folder, peer_url, theirs))
    report(rounds, stored=python(dockrev.environment, COUNT).strip())


def report(rounds: dict[str, list[dict[str, float]]], *, stored: str) -> None:
    middle = {
        what: {key: statistics.median(each[key] for each in many) for key in many[0]}
        for what, many in rounds.items()
    }
    for what, figures in middle.items():
        print(f"{what}: {figures['rate']:.0f} a second, p99 {figures['p99']:.1f} ms", end="")
        print(f", median {figures['p50']:.1f} ms, {figures['failed']:.0f} failed")
    answered = sum(int(each["answered"]) for each in rounds["deliver"])
    print(f"answered {answered}; stored deliveries, jobs, queue entries: {stored}")
    rate = {what: figures["rate"] for what, figures in middle.items()}
    print(f"ratio to /api/version {rate['deliver'] / rate['version']:.2f}, ", end="")
    print(f"to webhook {rate['deliver'] / rate['webhook']:.2f}")


def write_deliveries(folder: Path, part: int) -> Path:
    """Signed deliveries, three lines each: signature, id, body."""
    file = folder / f"deliveries{part}"
    share = IMAGES // ROUNDS
    with file.open("w") as out:
        for n in range(part * share, (part + 1) * share):
            body = json.dumps(github.published(f"acme/image{n}", "1", repository=f"acme/image{n}"))
            out.write(f"{github.sign(body.encode())}\nguid-{n}\n{body}\n")
    return file


def load(folder: Path, url: str, script: str) -> dict[str, float]:
    lua = folder / "script.lua"
    lua.write_text(script + DONE)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(lua), url]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(output.splitlines()[-1]))


@contextmanager
def peer(folder: Path) -> Iterator[str]:
    """`webhook` with the same HMAC rule."""
    hook = {
        "id": "run",
        "execute-command": "/bin/true",
        # Its answer, like ours, then says that the work is done: else it runs later, or never.
        "include-command-output-in-response": True,
        "trigger-rule": {
            "match": {
                "type": "payload-hmac-sha256",
                "secret": github.SECRET,
                "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
            }
        },
    }
    hooks = folder / "hooks.json"
    hooks.write_text(json.dumps([hook]))
    port = free_port()
    process = subprocess.Popen(
        ["webhook", "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    main()
