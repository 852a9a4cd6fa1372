"""A check of 100 images at a registry 30 ms away, and a choice among 50,000 tags.

    python -m benchmarks.checks

Half of the images are followed by their digest alone, half are versions with 500 tags each. The
registry is real (`docker-registry` must be on the path), the 30 ms before each answer are ours; so
that the registry's own processor time is not measured, its answers are recorded in a first run
that does not count. The job `check.all` runs in a process of its own, prepared as a worker is,
twice on one database: the second time it knows what the first has found. Where `skopeo` is on the
path, it asks for the same images' digests and tags in a shell loop, as many at once; it chooses
nothing. Of several rounds the median counts, by the time that each took. Then 1,000 services, half
and half, each of an image in a repository of its own: how much memory a worker needs for that.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.facts import machine
from benchmarks.instance import data_directory, free_port, python
from benchmarks.slow import Slow, slow
from checks.registry.lanes import PER_HOST
from tests.real.registry import Registry

LATENCY = 0.03
ROUNDS = 5
COUNT = 1000
EACH = 50  # images followed by digest, and as many by version
RUNNING, NEWEST = "2.4.5", ("2.4.9", "2.9.9", "5.9.9")
TAGS = [
    f"{major}.{minor}.{patch}"
    for major in range(1, 6)
    for minor in range(10)
    for patch in range(10)
]
PREPARE = """
from tests import rows
for n, digest in enumerate({digests!r}):
    rows.service(f"{address}/acme/digest{{n}}:latest", name=f"digest{{n}}", running=(digest,))
for n, digest in enumerate({versions!r}):
    rows.service(f"{address}/acme/version{{n}}:{running}", name=f"version{{n}}", running=(digest,))
"""
MANY = """
from tests import rows
for n in range({count}):
    kind, digest = ("digest", {digests!r}) if n % 2 else ("version", {versions!r})
    tag = "latest" if n % 2 else "{running}"
    image = f"{address}/copies/{{n}}/acme/{{kind}}{{n % len(digest)}}:{{tag}}"
    rows.service(image, name=f"s{{n}}", running=(digest[n % len(digest)],))
"""
CHECK = """
import json, resource, time
from checks.inline import run_now
from checks.queue import Request
from dockrev import sharing, worker
worker.load()
sharing.prepare_to_fork()
wall, cpu = time.perf_counter(), time.process_time()
job = run_now(Request(kind="check.all", reason="ui"))
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([wall, cpu, job.status, job.summary, peak]))
"""
CHOOSE = """
import json, resource, time
from checks.registry.client import Tags
from checks.registry.tags import read_page
from checks.versions.choice import choose
COUNT, PAGE = 50_000, 1000
def page(start):
    numbers = range(start, start + PAGE)
    tags = [f"{n // 5000}.{n // 100 % 50}.{n % 100}" for n in numbers]
    return json.dumps({"tags": tags}).encode()
pages = [page(start) for start in range(0, COUNT, PAGE)]
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, start = peak(), time.perf_counter()
choice = choose("2.4.5", Tags(tag for page in pages for tag in read_page(page, "registry.example")))
took, grown = time.perf_counter() - start, peak() - before
print(json.dumps([COUNT, took, grown, choice.newest]))
"""


class Took(NamedTuple):
    wall: float
    cpu: float
    requests: int
    most_at_once: int


def main() -> None:
    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is not installed")
    print(machine())
    with filled_registry() as (registry, digests, versions), slow(registry.port, LATENCY) as way:
        prepare = PREPARE.format(
            address=way.address, digests=digests, versions=versions, running=RUNNING
        )
        rounds = [check_twice(prepare, way) for _ in range(1 + ROUNDS)][1:]
        for when in ("cold", "warm"):
            report(f"check.all, {when}", [each[when] for each in rounds])
        if shutil.which("skopeo"):
            report("skopeo", [ask_with_skopeo(way) for _ in range(1 + ROUNDS)][1:])
        with data_directory(
            MANY.format(
                address=way.address,
                digests=digests,
                versions=versions,
                running=RUNNING,
                count=COUNT,
            )
        ) as environment:
            check_a_thousand(way, environment)
            choose(environment)


@contextmanager
def filled_registry(versions: int = EACH) -> Iterator[tuple[Registry, list[str], list[str]]]:
    """A registry with all images, and the digests that run: those by digest, those by version."""
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Path(folder), free_port())
        registry.start()
        try:
            digests = [registry.push_image(f"acme/digest{n}", "latest") for n in range(EACH)]
            filled = [fill(registry, f"acme/version{n}") for n in range(versions)]
            yield registry, digests, filled
        finally:
            registry.stop()


def fill(registry: Registry, repository: str) -> str:
    """Give a repository its 500 tags, by the registry's own files, and return what runs."""
    other = registry.push_image(repository, TAGS[0], content="other")
    tags = (
        registry.directory / f"blobs/docker/registry/v2/repositories/{repository}/_manifests/tags"
    )
    for tag in TAGS[1:]:
        shutil.copytree(tags / TAGS[0], tags / tag)
    assert registry.digest(repository, TAGS[-2]) == other
    for tag in NEWEST:
        registry.push_image(repository, tag, content=tag)
    return registry.push_image(repository, RUNNING, content="old")


def check_twice(prepare: str, way: Slow) -> dict[str, Took]:
    with data_directory(prepare) as environment:
        return {when: check(way, environment) for when in ("cold", "warm")}


def check(way: Slow, environment: dict[str, str]) -> Took:
    way.reset()
    wall, cpu, status, summary, _peak = json.loads(python(environment, CHECK))
    assert (status, summary["updates"]) == ("success", EACH), summary
    return Took(wall, cpu, way.requests, way.most_at_once)


def ask_with_skopeo(way: Slow) -> Took:
    """Digests of all, and tags of half: what a shell script would ask."""
    ask = "skopeo {} --tls-verify=false docker://" + way.address
    inspect = ask.format("inspect --no-tags --format '{{.Digest}}'")
    lines = [f"{inspect}/acme/digest{n}:latest" for n in range(EACH)]
    for n in range(EACH):
        lines += [
            f"{inspect}/acme/version{n}:{RUNNING}",
            f"{ask.format('list-tags')}/acme/version{n}",
        ]
    way.reset()
    before, start = children_seconds(), time.perf_counter()
    subprocess.run(
        ["xargs", "-d", "\n", "-P", str(PER_HOST), "-I", "LINE", "sh", "-c", "LINE"],
        input="\n".join(lines), text=True, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    wall, cpu = time.perf_counter() - start, children_seconds() - before
    return Took(wall, cpu, way.requests, way.most_at_once)


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(what: str, rounds: list[Took]) -> None:
    took = sorted(rounds, key=lambda each: each.wall)[len(rounds) // 2]
    bound = took.requests / PER_HOST * LATENCY
    walls = ", ".join(f"{each.wall:.2f}" for each in rounds)
    print(
        f"{what}: {took.wall:.2f} s ({walls}), {took.requests} requests, at most "
        f"{took.most_at_once} at once, {took.cpu:.2f} s of processor; bound {bound:.2f} s, "
        f"{took.wall / bound:.2f} of it"
    )


def check_a_thousand(way: Slow, environment: dict[str, str]) -> None:
    """Each image in a repository of its own; the peak is that of the whole process."""
    for when in ("cold", "warm"):
        way.reset()
        wall, cpu, status, summary, peak = json.loads(python(environment, CHECK))
        assert (status, summary["updates"]) == ("success", COUNT // 2), summary
        print(
            f"{COUNT} services, {when}: {wall:.1f} s, {way.requests} requests, "
            f"{cpu:.1f} s of processor, peak {peak:.0f} MB"
        )


def choose(environment: dict[str, str]) -> None:
    count, seconds, grown, newest = json.loads(python(environment, CHOOSE))
    print(f"{count} tags: read and chosen in {seconds:.2f} s, {grown:.0f} MB; {newest}")


if __name__ == "__main__":
    main()
