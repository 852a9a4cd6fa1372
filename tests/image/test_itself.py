"""Dockrev updates itself: a real one, in a container that Compose started, from image to image."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.processes import free_port
from tests.real.registry import Registry
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.engine

# A newer version that makes the tables anew, and then cannot run.
CRASHES = """
COPY 9999_of_the_future.py {migrations}/
ENTRYPOINT ["sh", "-c", "dockrev migrate --no-input && echo about to fail; exit 3"]
"""
MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("checks", "{last}")]
    operations = [migrations.RunSQL("CREATE TABLE of_the_future (id integer)")]
"""
FILE = """
services:
  dockrev:
    image: {image}  # ours
    user: "0:0"
    network_mode: host
    restart: unless-stopped
    environment:
      DOCKREV_HTTP_ADDR: 127.0.0.1:{port}
      DOCKREV_DOCKER_HOST: unix:///var/run/docker.sock
    volumes:
      - data:/data
      - {socket}:/var/run/docker.sock
      - {folder}:{folder}
    healthcheck:
      test: ["CMD", "python", "/usr/local/bin/healthcheck.py"]
      interval: 1s
      retries: 60
volumes:
  data:
"""


class Itself:
    """A folder with a compose file for Dockrev, and the Dockrev that runs by it."""

    def __init__(self, folder: Path, engine: Engine, registry: Registry, compose: Compose) -> None:
        self.folder, self.engine, self.registry, self.compose = folder, engine, registry, compose
        self.repository = f"acme/itself-{uuid4().hex[:8]}"
        self.port = free_port()
        self.token = ""

    @property
    def file(self) -> Path:
        return self.folder / "compose.yaml"

    def image(self, tag: str) -> str:
        return f"{self.registry.address}/{self.repository}:{tag}"

    def publish(self, base: str, tag: str, lines: str = "", **files: str) -> None:
        """An image that says its tag as its commit, on top of another."""
        dockerfile = f"FROM {base}\nENV DOCKREV_COMMIT={tag}\n{lines}"
        context = _packed({"Dockerfile": dockerfile, **files})
        images = self.engine.client.images
        images.build(fileobj=context, custom_context=True, tag=self.image(tag), rm=True)
        pushed = images.push(self.image("")[:-1], tag, stream=True, decode=True)
        assert not [line for line in pushed if "error" in line]
        images.remove(self.image(tag), noprune=True)

    def start(self, tag: str) -> None:
        text = FILE.format(
            image=self.image(tag),
            port=self.port,
            socket=self.engine.host.removeprefix("unix://"),
            folder=self.folder,
        )
        self.file.write_text(text)
        self.compose("-p", "home", "-f", str(self.file), "up", "-d", folder=self.folder)
        until(lambda: self.commit() == tag, what="Dockrev answers")
        created = self.container().exec_run(["dockrev", "token", "create", "--user", "admin"])
        self.token = created.output.decode().split()[-1]

    def container(self) -> Any:
        [found] = self.engine.client.containers.list(
            filters={"label": "com.docker.compose.project=home"}
        )
        return found

    def commit(self) -> str:
        """Which version answers, by its commit; empty where none does."""
        with contextlib.suppress(requests.RequestException):
            return str(self.ask("GET", "/api/version").get("commit", ""))
        return ""

    def ask(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        answer = requests.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            headers={"Authorization": f"Bearer {self.token}"},
            json=body or None,
            timeout=PATIENCE,
        )
        found: dict[str, Any] = answer.json()
        return found

    def service(self) -> dict[str, Any]:
        """Once it is found, and checked."""
        found: list[dict[str, Any]] = []

        def is_found() -> bool:
            found[:] = self.ask("GET", "/api/services").get("services", [])
            if found and found[0]["status"] != "update_available":
                self.ask("POST", "/api/checks", scope="all")
            return bool(found) and found[0]["status"] == "update_available"

        until(is_found, what="it sees its own update")
        return found[0]

    def update(self, mode: str = "apply") -> dict[str, Any]:
        """Ask for it, and wait for the end of its job, whoever finishes that."""
        service = self.service()
        order = {"scope": "service", "serviceId": service["id"], "mode": mode}
        asked = self.ask("POST", "/api/updates", **order)
        job: dict[str, Any] = {}

        def is_over() -> bool:
            with contextlib.suppress(requests.RequestException, json.JSONDecodeError):
                job.update(self.ask("GET", f"/api/jobs/{asked['jobId']}"))
            return job.get("status") not in (None, "queued", "running")

        until(is_over, what=f"the job ends: {asked}")
        return job

    def helpers(self) -> list[Any]:
        found: list[Any] = self.engine.client.containers.list(
            all=True, filters={"label": "io.dockrev.self-update"}
        )
        return found

    def execute(self, script: str) -> str:
        code, output = self.container().exec_run(["python", "-c", script])
        assert code == 0, output
        return str(output.decode().strip())


def _packed(files: dict[str, str]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    packed.seek(0)
    return packed


@pytest.fixture
def itself(
    image: str, docker_engine: Engine, registry: Registry, compose_2: Compose, tmp_path: Path
) -> Iterator[Itself]:
    made = Itself(tmp_path, docker_engine, registry, compose_2)
    made.publish(image, "1.0.0")
    made.start("1.0.0")
    try:
        yield made
    finally:
        docker_engine.clear()
        docker_engine.client.volumes.get("home_data").remove(force=True)


def test_it_replaces_itself_with_a_newer_version(image: str, itself: Itself) -> None:
    itself.publish(image, "1.1.0")
    plan = itself.update("dry-run")["summary"]
    assert plan["itself"] is True
    assert any("This is Dockrev itself" in each for each in plan["changes"][0]["warnings"])
    before = itself.container().id
    job = itself.update()
    assert (job["kind"], job["status"]) == ("self_update", "success"), job
    assert itself.commit() == "1.1.0"
    assert itself.container().id != before
    assert itself.image("1.1.0") in itself.file.read_text()
    assert [each["step"] for each in job["summary"]["steps"]] == [
        *("note", "edit", "pull"),
        *("save", "up", "wait"),
        "settle",
    ]
    assert itself.helpers() == []
    assert itself.execute("import os; print(os.listdir('/data/self-update'))") == "[]"
    # The new one goes on where the old one ended.
    assert itself.ask("GET", "/api/services")["services"][0]["status"] != "update_available"


def test_it_comes_back_where_the_newer_version_does_not_run(image: str, itself: Itself) -> None:
    script = "import checks.migrations as m; print(m.__path__[0])"
    migrations = itself.execute(f"import sys; sys.path[:] = sys.path; {script}")
    last = itself.execute(
        f"import os; print(sorted(n for n in os.listdir({migrations!r}) if n[:4].isdigit())[-1])"
    )
    migration = MIGRATION.format(last=last.removesuffix(".py"))
    lines = CRASHES.format(migrations=migrations)
    itself.publish(image, "1.1.0", lines, **{"9999_of_the_future.py": migration})
    text = itself.file.read_bytes()
    job = itself.update()
    assert (job["kind"], job["status"]) == ("self_update", "rolled_back"), job
    assert itself.commit() == "1.0.0"
    assert itself.file.read_bytes() == text
    assert "about to fail" in job["summary"]["troubles"][0]["log"]
    steps = [each["step"] for each in job["summary"]["steps"]]
    assert steps[:6] == ["note", "edit", "pull", "save", "up", "wait"]
    assert steps[6:11] == ["undo", "bring_back", "up", "wait", "prove"]
    assert itself.helpers() == []
    assert itself.execute("import os; print(os.listdir('/data/self-update'))") == "[]"
    # Its database is the one of before, or the old version would not have started.
    assert itself.service()["status"] == "update_available"
