"""The two ways to update one service that `benchmarks/updates.py` measures. Needs Django."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings

from benchmarks.instance import free_port
from benchmarks.updates import until_it_listens, watched
from checks.models import Job
from checks.tasks import run_job
from checks.updating import compose_cli, orders
from checks.updating.health import Waiting
from tests.engine.updating import Shop
from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.real.registry import Registry
from tests.real.requirements import compose_v2

COMMAND = '["/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:{port}"]'


def measure(rounds: int) -> None:
    """In the process that a worker would be; prints the seconds by what they were for."""
    taken: dict[str, list[float]] = {}
    port = free_port()
    with shop(port) as one:
        settings.DOCKER_HOST = one.engine.host
        for number in range(rounds):
            for how in (by_dockrev, by_hand):
                with watched(port) as away:
                    seconds = how(one, f"{number}-{how.__name__}")
                for name, value in {**seconds, f"away, {how.__name__}": away()}.items():
                    taken.setdefault(name, []).append(value)
    print(json.dumps(taken))


@contextmanager
def shop(port: int) -> Iterator[Shop]:
    """An engine and a registry of its own, and one service that listens on a port."""
    directory = Path(tempfile.mkdtemp(prefix="dockrev-real-"))
    registry = Registry(directory, free_port())
    engine = Engine(directory, registry.address)
    try:
        registry.start()
        engine.start()
        folder = directory / "shop"
        folder.mkdir()
        maker = ImageMaker(engine, registry)
        made = Shop(folder, Compose(compose_v2(), 2, engine), engine, registry, maker)
        made.push("0", note="first")
        given = f"command: {COMMAND.format(port=port)}, network_mode: host, restart: always"
        made.write(api=f"image: '{made.image('0')}', {given}")
        made.up()
        until_it_listens(port)
        yield made
    finally:
        engine.remove()
        registry.stop()
        shutil.rmtree(directory, ignore_errors=True)


def by_dockrev(shop: Shop, tag: str) -> dict[str, float]:
    shop.push(tag, note=tag)
    shop.discover()
    digest = shop.registry.digest("acme/api", tag)
    shop.candidate(digest=digest, tag=tag, step="minor")
    with ExitStack() as stack:
        in_compose = stack.enter_context(taken_by(compose_cli, "_call"))
        waiting = stack.enter_context(taken_by(Waiting, "wait"))
        begun = time.perf_counter()
        order = orders.Order(service=shop.service())
        [queued] = orders.update(order, "ada", reason="ui")
        planned = time.perf_counter() - begun
        run_job(queued.job_id)
        whole = time.perf_counter() - begun
    job = Job.objects.get(pk=queued.job_id)
    assert job.status == "success", job.summary
    return {
        "our own work": whole - sum(in_compose) - sum(waiting),
        "of it planning and queueing": planned,
        "Compose, pull and up": sum(in_compose),
        "waiting until it has settled": sum(waiting),
    }


def by_hand(shop: Shop, tag: str) -> dict[str, float]:
    shop.push(tag, note=tag)
    text = shop.file.read_text()
    before, image, rest = text.partition(f"{shop.registry.address}/acme/api:")
    shop.file.write_text(f"{before}{image}{tag}{rest[rest.index(chr(39)) :]}")
    named = ("-p", shop.name, "-f", str(shop.file))
    begun = time.perf_counter()
    shop.compose(*named, "pull", folder=shop.folder)
    shop.compose(*named, "up", "-d", folder=shop.folder)
    return {"pull and up by hand": time.perf_counter() - begun}


@contextmanager
def taken_by(owner: Any, name: str) -> Iterator[list[float]]:
    """How long each call of a function took."""
    real = getattr(owner, name)
    seconds: list[float] = []

    def timed(*given: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        try:
            return real(*given, **named)
        finally:
            seconds.append(time.perf_counter() - begun)

    with mock.patch.object(owner, name, timed):
        yield seconds
