"""The image: built from the Dockerfile, started as compose.yaml starts it."""

from __future__ import annotations

import re

import pytest

import dockrev
from tests.image.conftest import COMMIT
from tests.image.container import Runner
from tests.real.engine import Engine

pytestmark = pytest.mark.engine


def test_it_runs_server_and_worker_as_a_user(run: Runner) -> None:
    dockrev_ = run()
    health = dockrev_.wait_until_it_answers()
    assert health["checks"] == {"database": "ok", "worker": "ok", "engine": "absent"}
    assert dockrev_.execute("id", "-u") == (0, "1000\n")
    assert dockrev_.get("/api/version").json() == {
        "version": dockrev.__version__,
        "commit": COMMIT,
    }
    dockrev_.wait_until_healthy()
    assert dockrev_.stop() != 137


def test_it_writes_to_its_data_alone(run: Runner) -> None:
    dockrev_ = run()
    dockrev_.wait_until_it_answers()
    assert dockrev_.execute("touch", "/opt/dockrev/written")[0] != 0
    mode = dockrev_.execute("stat", "--format=%a %U", "/data/encryption.key")
    assert mode == (0, "600 dockrev\n")
    changed = {each["Path"] for each in dockrev_.container.diff() or []}
    assert changed <= {"/data", "/tmp"}


def test_it_serves_the_files_that_its_pages_load(run: Runner) -> None:
    dockrev_ = run("server")
    dockrev_.wait_until_it_answers("/api/health")
    page = dockrev_.get("/login").text
    loaded = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert loaded
    assert {path: dockrev_.get(path).status_code for path in loaded} == dict.fromkeys(loaded, 200)


def test_it_keeps_its_data(run: Runner) -> None:
    first = run()
    first.wait_until_it_answers()
    code, token = first.execute("dockrev", "token", "create", "--user", "admin")
    assert code == 0, token
    first.stop()
    second = run()
    second.wait_until_it_answers()
    authorization = f"Bearer {token.strip()}"
    assert second.get("/api/services", Authorization=authorization).status_code == 200
    assert second.get("/api/services").status_code == 401


def test_it_runs_server_and_worker_apart(run: Runner) -> None:
    server = run("server")
    assert server.wait_until_it_answers("/api/health")["checks"]["worker"] != "ok"
    worker = run("worker")
    server.wait_until_it_answers("/api/health?require=worker")
    server.wait_until_healthy()
    worker.wait_until_healthy()
    assert worker.stop() != 137
    assert server.stop() != 137


def test_it_is_healthy_under_a_public_name(run: Runner) -> None:
    dockrev_ = run("server", DOCKREV_PUBLIC_URL="https://dockrev.example.org")
    dockrev_.wait_until_healthy()
    assert dockrev_.get("/api/health").status_code == 400


def test_it_brings_what_updates_need(run: Runner) -> None:
    dockrev_ = run("server")
    code, output = dockrev_.execute("docker", "compose", "version", "--short")
    assert (code, output.split(".")[0]) == (0, "2")


def test_it_says_what_it_is(docker_engine: Engine, image: str) -> None:
    labels = docker_engine.client.images.get(image).labels
    assert labels["org.opencontainers.image.version"] == dockrev.__version__
    assert labels["org.opencontainers.image.revision"] == COMMIT
