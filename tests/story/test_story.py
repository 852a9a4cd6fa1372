"""The main job for real: engine, registry, Compose, server, worker, and a place for messages."""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests import github
from tests.processes.instance import Instance
from tests.real.compose import Compose
from tests.real.images import ImageMaker
from tests.real.registry import Registry
from tests.sink import Sink, sink
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.engine

SECRET = "the secret that GitHub signs with"
COMPOSE = """
services:
  web:
    image: {registry}/acme/window:1
    stop_grace_period: 0s
"""


class Api:
    """Calls the API as a program with a token does."""

    def __init__(self, instance: Instance, token: str) -> None:
        self.instance = instance
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = self.session.request(
            method, self.instance.url(path), json=body or None, timeout=PATIENCE
        )
        assert answer.ok, answer.text
        return dict(answer.json())

    def finished(self, job_id: str) -> dict[str, Any]:
        def job() -> dict[str, Any] | None:
            found = self("GET", f"/api/jobs/{job_id}")
            return found if found["status"] not in {"queued", "running"} else None

        return dict(until(job, what=f"{job_id} finished"))

    def deliver(self, body: dict[str, Any]) -> requests.Response:
        raw = json.dumps(body).encode()
        return requests.post(
            self.instance.url(github.PATH),
            data=raw,
            timeout=PATIENCE,
            headers={
                "Content-Type": "application/json",
                "User-Agent": "GitHub-Hookshot/0123abc",
                "X-GitHub-Event": "package",
                "X-GitHub-Delivery": str(uuid4()),
                "X-Hub-Signature-256": github.sign(raw, SECRET),
            },
        )


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


@pytest.fixture
def folder(tmp_path: Path, registry: Registry, make_image: ImageMaker) -> Path:
    """A project's folder; what it runs is in the registry."""
    make_image("acme/window:1", "first")
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "compose.yaml").write_text(COMPOSE.format(registry=registry.address))
    return folder


@pytest.fixture
def project(folder: Path, compose_2: Compose) -> Iterator[Path]:
    compose_2.engine.clear()
    compose_2("up", "-d", folder=folder)
    yield folder
    compose_2.engine.clear()


@pytest.fixture
def api(tmp_path: Path, compose_2: Compose) -> Iterator[Api]:
    instance = Instance(tmp_path)
    instance.environment |= {
        "DJANGO_SETTINGS_MODULE": "dockrev.settings",
        "DOCKREV_DOCKER_HOST": compose_2.engine.host,
    }
    try:
        instance.run()
        token = instance.command("token", "create", "--user", "admin", "--name", "story")
        yield Api(instance, token.stdout.strip())
    finally:
        instance.end()


def configure(api: Api, registry: Registry, place: Sink) -> None:
    """What a new user does after the first sign-in."""
    api("PUT", "/api/github-packages/settings", enabled=True, webhookSecret=SECRET)
    api("POST", "/api/github-packages/targets/add", input="https://github.com/acme/window")
    api("PATCH", "/api/receivers/github-packages", registryHost=registry.address)
    api(
        "POST",
        "/api/notifications/channels",
        kind="webhook",
        name="sink",
        events=["new_version_discovered"],
        stackIds=[],
        config={"url": place.url, "secret": "of the channel"},
    )


def test_it_tells_of_a_new_image_as_it_is_published(
    api: Api, project: Path, registry: Registry, make_image: ImageMaker, place: Sink
) -> None:
    configure(api, registry, place)
    api.finished(api("POST", "/api/discovery/scan")["jobId"])
    [service] = api("GET", "/api/services")["services"]
    assert (service["stackName"], service["name"]) == ("shop", "web")
    assert service["status"] in {"unknown", "up_to_date"}  # its first check may be done already
    assert service["image"]["digest"] == registry.digest("acme/window", "1")

    new = make_image("acme/window:1", "second")
    answer = api.deliver(github.published("acme/window", "1", repository="acme/window"))
    assert answer.status_code == 202, answer.text
    taken = answer.json()
    assert taken["matchedServiceIds"] == [service["id"]]

    [message] = place.wait_for(1)
    assert message.json["kind"] == "new_version_discovered"
    [told] = message.json["links"]["serviceUrls"]
    assert (told["serviceId"], told["candidateDigest"]) == (service["id"], new)
    mac = hmac.new(b"of the channel", message.body, sha256).hexdigest()
    assert message.headers["X-Dockrev-Signature-256"] == f"sha256={mac}"

    assert api.finished(taken["jobIds"][0])["status"] == "success"
    seen = api("GET", f"/api/services/{service['id']}")
    assert seen["status"] == "update_available"
    assert (seen["candidate"]["step"], seen["candidate"]["digest"]) == ("rebuilt", new)


def test_it_finds_what_was_started_since_the_last_look(
    api: Api,
    folder: Path,
    compose_2: Compose,
    registry: Registry,
    make_image: ImageMaker,
    place: Sink,
) -> None:
    configure(api, registry, place)
    compose_2("up", "-d", folder=folder)
    try:
        new = make_image("acme/window:1", "third")
        taken = api.deliver(github.published("acme/window", "1", repository="acme/window")).json()
        [message] = place.wait_for(1)
    finally:
        compose_2.engine.clear()
    assert message.json["links"]["serviceUrls"][0]["candidateDigest"] == new
    if taken["fallbackUsed"]:  # unless the clock's own look came first
        assert taken["fallbackReason"] == "no_managed_service_match"


def test_it_closes_the_candidate_once_the_new_image_runs(
    api: Api,
    project: Path,
    compose_2: Compose,
    registry: Registry,
    make_image: ImageMaker,
    place: Sink,
) -> None:
    configure(api, registry, place)
    api.finished(api("POST", "/api/discovery/scan")["jobId"])
    make_image("acme/window:1", "fourth")
    api.deliver(github.published("acme/window", "1", repository="acme/window"))
    place.wait_for(1)
    compose_2("pull", folder=project)
    compose_2("up", "-d", folder=project)
    api.finished(api("POST", "/api/discovery/scan")["jobId"])
    [service] = api("GET", "/api/services")["services"]
    assert (service["status"], service["candidate"]) == ("up_to_date", None)


def test_it_takes_many_deliveries_of_one_push_at_once(
    api: Api, project: Path, registry: Registry, make_image: ImageMaker, place: Sink
) -> None:
    configure(api, registry, place)
    api.finished(api("POST", "/api/discovery/scan")["jobId"])
    make_image("acme/window:1", "fifth")
    statuses: list[int] = []

    def send(tag: str) -> None:
        body = github.published("acme/window", tag, repository="acme/window")
        statuses.append(api.deliver(body).status_code)

    threads = [threading.Thread(target=send, args=(tag,)) for tag in ("1", "", "", "", "")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 5
    place.wait_for(1)
    until(
        lambda: not [j for j in _checks(api) if j["status"] in {"queued", "running"}],
        what="all checks finished",
    )
    assert len(_checks(api)) <= 2
    assert len(place.received) == 1


def _checks(api: Api) -> list[dict[str, Any]]:
    return list(api("GET", "/api/jobs?kind=check.service")["jobs"])
