"""Real processes on a real engine: a worker that is killed in the middle of an update."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.updating import SCRIPT, Shop
from tests.processes.api import Api
from tests.processes.instance import Instance
from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture
def instance(tmp_path: Path, engine: Engine) -> Iterator[Instance]:
    made = Instance(tmp_path)
    made.environment["DOCKREV_DOCKER_HOST"] = engine.host
    made.migrate()
    yield made
    made.end()


@pytest.fixture
def shop(engine: Engine, compose_2: Compose, make_image: ImageMaker, tmp_path: Path) -> Shop:
    folder = tmp_path / "shop"
    folder.mkdir()
    return Shop(folder, compose_2, engine, make_image.registry, make_image)


@pytest.mark.parametrize("at", ["up", "wait"])
def test_an_update_ends_though_its_worker_is_killed(
    instance: Instance, shop: Shop, engine: Engine, at: str
) -> None:
    """While Compose makes the container, and ends with the worker; and while that is waited for."""
    shop.push("1.0.0")
    image = shop.image("1.0.0")
    shop.write(api=f"image: '{image}', command: {SCRIPT}, restart: always")
    shop.up()
    new = shop.push("1.0.1", note="newer")
    instance.run()
    api = Api(instance)

    def candidate() -> Any:
        services = api.call("GET", "/api/services")["services"]
        return services and services[0]["candidate"]

    until(candidate, what="the newer image is known")
    events = engine.client.events(decode=True, filters={"event": "create", "type": "container"})
    job_id = api.call("POST", "/api/updates", scope="all", mode="apply")["jobId"]

    def job() -> Any:
        return api.call("GET", f"/api/jobs/{job_id}")

    def is_waiting() -> bool:
        return [each["step"] for each in job()["summary"].get("steps", [])][-1:] == ["wait"]

    if at == "up":
        next(events)
    else:
        until(is_waiting, what="the new container is waited for")
    for worker in instance.workers("long"):
        os.kill(worker, signal.SIGKILL)
    until(lambda: job()["finishedAt"], what="the update is over")
    done = job()
    assert done["status"] == "success", done
    assert [each["outcome"] for each in done["summary"]["services"]] == ["updated"]
    assert "lost" in [each["outcome"] for each in done["summary"]["steps"]]
    assert (len(shop.containers()), shop.runs()) == (1, {new})
    assert shop.image("1.0.1") in shop.file.read_text()
