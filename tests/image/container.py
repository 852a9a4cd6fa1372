"""Containers of the image under test, run the way compose.yaml runs them."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import uuid4

import requests
from docker import DockerClient
from docker.models.containers import Container

from tests.waiting import until

STARTS = 90  # seconds, on a machine that is busy with other tests


class Runner:
    """Starts containers on one network and one data volume, and takes all of it away again."""

    def __init__(self, client: DockerClient, image: str) -> None:
        self.client = client
        self.image = image
        name = f"dockrev-image-{uuid4().hex[:8]}"
        self.name = name
        self.network = client.networks.create(name)
        self.volume = client.volumes.create(name)
        self._containers: list[Container] = []

    def __call__(self, *command: str, **environment: str) -> Running:
        container = self.client.containers.run(
            self.image,
            list(command) or None,
            detach=True,
            environment=environment,
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            network=self.name,
            volumes={self.volume.name: {"bind": "/data", "mode": "rw"}},
            healthcheck={"interval": 1_000_000_000},
        )
        self._containers.append(container)
        return Running(container, self.name)

    def gateway(self) -> str:
        """This machine's address in the containers' network."""
        self.network.reload()
        address: str = self.network.attrs["IPAM"]["Config"][0]["Gateway"]
        return address

    def clean(self) -> None:
        for container in self._containers:
            container.remove(force=True, v=True)
        self.volume.remove(force=True)
        self.network.remove()


class Running:
    def __init__(self, container: Container, network: str) -> None:
        self.container = container
        container.reload()
        address = container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
        self.url = f"http://{address}:50883"

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(self.url + path, headers=headers, timeout=5, allow_redirects=False)

    def execute(self, *command: str) -> tuple[int, str]:
        """Run a command in it; return its exit code and what it printed."""
        finished = self.container.exec_run(list(command))
        assert isinstance(finished.output, bytes)
        return finished.exit_code or 0, finished.output.decode()

    def wait_until_it_answers(self, path: str = "/api/health?require=worker") -> dict[str, Any]:
        """Wait for a 200; return the answer's JSON. Raises AssertionError with the log."""

        def answers() -> bool:
            with contextlib.suppress(requests.RequestException):
                return self.get(path).status_code == 200
            return False

        self._wait(answers, path)
        body: dict[str, Any] = self.get(path).json()
        return body

    def wait_until_healthy(self) -> None:
        """Wait for what Docker itself finds with the image's HEALTHCHECK."""
        self._wait(lambda: self._state()["Health"]["Status"] == "healthy", "healthy")

    def stop(self) -> int:
        """Stop it as `docker stop` does; return its exit code, 137 where it had to be killed."""
        self.container.stop(timeout=20)
        code: int = self._state()["ExitCode"]
        return code

    def log(self) -> str:
        return self.container.logs().decode()

    def is_running(self) -> bool:
        running: bool = self._state()["Running"]
        return running

    def _state(self) -> dict[str, Any]:
        self.container.reload()
        state: dict[str, Any] = self.container.attrs["State"]
        return state

    def _wait(self, condition: Any, what: str) -> None:
        def is_so() -> bool:
            assert self.is_running(), f"it ended:\n{self.log()[-3000:]}"
            return bool(condition())

        try:
            until(is_so, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}") from None
