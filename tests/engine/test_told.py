"""From the call of a registry to what channels hear of the update, with real processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.engine.updating import CRASHES, HEALTHCHECK, SCRIPT, Shop
from tests.processes.api import Api
from tests.processes.instance import Instance
from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.senders import SECRET, proven
from tests.sink import Sink, sink
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.engine

SIGNATURE = "X-Doco-OCI-Signature-256"


@pytest.fixture
def shop(engine: Engine, compose_2: Compose, make_image: ImageMaker, tmp_path: Path) -> Shop:
    """A service with a healthcheck, one whose tag stands in `.env`, and two in one network."""
    folder = tmp_path / "shop"
    folder.mkdir()
    made = Shop(folder, compose_2, engine, make_image.registry, make_image)
    for name in ("acme/web", "acme/api", "acme/gate", "acme/side"):
        made.push("1.0.0", name=name)
    (folder / ".env").write_text("# which api\nAPI_TAG=1.0.0\n")
    serves = f"command: {SCRIPT}, restart: always, {HEALTHCHECK}"
    made.write(
        web=f"image: '{made.image('1.0.0', 'acme/web')}', {serves}",
        api=f"image: '{made.image('${API_TAG}', 'acme/api')}', {serves}",
        gate=f"image: '{made.image('1.0.0', 'acme/gate')}', {serves}",
        side=f"image: '{made.image('1.0.0', 'acme/side')}', {serves}, network_mode: 'service:gate'",
    )
    made.up()
    return made


@pytest.fixture
def instance(tmp_path: Path, engine: Engine) -> Iterator[Instance]:
    made = Instance(tmp_path)
    made.environment["DOCKREV_DOCKER_HOST"] = engine.host
    made.migrate()
    yield made
    made.end()


@pytest.fixture
def api(instance: Instance, shop: Shop) -> Api:
    instance.run()
    api = Api(instance)
    api.call("PATCH", "/api/receivers/oci", enabled=True, secret=SECRET)

    def are_checked() -> bool:
        return [bool(each["checkedAt"]) for each in services(api).values()] == [True] * 4

    until(are_checked, what="the services are known and were checked")
    return api


def services(api: Api) -> dict[str, Any]:
    return {each["name"]: each for each in api.call("GET", "/api/services")["services"]}


def hear(api: Api, kind: str, place: Sink) -> None:
    """Have a channel of this kind hear of what updates came to."""
    api.call(
        "POST",
        "/api/notifications/channels",
        kind=kind,
        name=kind,
        config={"url": place.url, "secret": SECRET},
        events=["job_finished"],
    )


def receive(api: Api, body: bytes, headers: dict[str, str]) -> Any:
    """What the receiver for such calls makes of one."""
    asked = Request(api.instance.url("/v1/webhook"), body, headers, method="POST")  # noqa: S310
    with urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310 - our own
        assert answer.status == 202
        return json.load(answer)


def announce(api: Api, image: str, digest: str) -> None:
    """As a registry that calls because an image was pushed."""
    incoming = proven("oci", {"source": "oci", "artifact": image, "digest": digest})
    assert receive(api, incoming.body, dict(incoming.headers))["decision"] == "processed"


def update(api: Api, name: str, digest: str) -> Any:
    """Plan what is offered, do what was planned, and wait until that is over."""

    def offered() -> Any:
        # Not by its tag: the registry may hold one from before, with something else under it.
        candidate = services(api)[name]["candidate"]
        return candidate and candidate["digest"] == digest

    until(offered, what=f"{digest} of {name} is known")
    order = {"scope": "service", "serviceId": services(api)[name]["id"]}
    dry = api.call("POST", "/api/updates", **order, mode="dry-run")["jobId"]
    plan = api.call("GET", f"/api/jobs/{dry}")["summary"]
    asked = api.call("POST", "/api/updates", **order, mode="apply", fingerprint=plan["fingerprint"])

    def over() -> Any:
        job = api.call("GET", f"/api/jobs/{asked['jobId']}")
        return job["finishedAt"] and job

    return until(over, what=f"the update of {name} is over")


@pytest.fixture
def deploys() -> Iterator[Sink]:
    with sink() as place:
        yield place


@pytest.fixture
def hooks() -> Iterator[Sink]:
    with sink() as place:
        yield place


def test_an_update_that_a_registry_called_for_is_told_to_doco_cd(
    api: Api, shop: Shop, deploys: Sink, hooks: Sink
) -> None:
    hear(api, "doco-cd", deploys)
    hear(api, "webhook", hooks)
    image, digest = shop.image("1.0.1"), shop.push("1.0.1", note="newer")
    announce(api, image, digest)
    done = update(api, "api", digest)
    assert done["status"] == "success", done
    assert shop.runs("api") == {digest}
    assert (shop.folder / ".env").read_text() == "# which api\nAPI_TAG=1.0.1\n"
    [told] = deploys.wait_for(1)
    assert told.json == {"source": "oci", "artifact": image, "digest": digest}
    answer = receive(api, told.body, {SIGNATURE: told.headers[SIGNATURE]})
    assert answer["images"] == [f"{image}@{digest}"]
    [good] = hooks.wait_for(1)
    assert good.json["schema"] == "dockrev.notification.job.v2"
    assert (good.json["job"]["status"], good.json["job"]["error"]) == ("success", None)


def test_an_update_that_was_taken_back_is_told_with_its_reason_and_to_no_doco_cd(
    api: Api, shop: Shop, deploys: Sink, hooks: Sink
) -> None:
    hear(api, "doco-cd", deploys)
    hear(api, "webhook", hooks)
    before = shop.file.read_bytes()
    digest = shop.push("1.0.1", CRASHES, name="acme/web")
    announce(api, shop.image("1.0.1", "acme/web"), digest)
    done = update(api, "web", digest)
    assert done["status"] == "rolled_back", done
    assert shop.file.read_bytes() == before
    [told] = hooks.wait_for(1)
    assert told.json["schema"] == "dockrev.notification.job.v2"
    job = told.json["job"]
    # By what is seen first: that it ended, or that it is started again.
    says = any(each in job["error"] for each in ("it ended (3)", "ended with exit code 3"))
    assert (job["status"], says) == ("rolled_back", True), job
    assert "about to fail" in str(told.json["log"]), told.json
    # What comes after it is all that doco-cd hears of; those of one network go together.
    sides = shop.containers("side")[0].id
    digest = shop.push("1.0.1", note="newer", name="acme/gate")
    announce(api, shop.image("1.0.1", "acme/gate"), digest)
    done = update(api, "gate", digest)
    assert done["status"] == "success", done
    [gate], [side] = shop.containers("gate"), shop.containers("side")
    assert side.id != sides
    assert side.attrs["HostConfig"]["NetworkMode"] == f"container:{gate.id}"
    assert [each.json["digest"] for each in deploys.wait_for(1)] == [digest]
