"""A Docker Engine of the suite's own: own socket, data, networks and process namespace."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from pathlib import Path

import docker
import requests
from docker.errors import DockerException

from tests.real.processes import Server
from tests.waiting import PATIENCE, until


class Engine:
    """`host` goes into DOCKER_HOST or DOCKREV_DOCKER_HOST; `client` is the SDK's. `options` are
    more of dockerd's."""

    def __init__(
        self, directory: Path, insecure_registry: str, options: tuple[str, ...] = ()
    ) -> None:
        self.directory = directory
        self.host = f"unix://{directory}/docker.sock"
        self.client = docker.DockerClient(base_url=self.host, version="1.41", timeout=int(PATIENCE))
        self._registry = insecure_registry
        self._options = options
        # Far from what another engine of this machine takes by itself, or one of this suite.
        self._pool = f"10.{130 + secrets.randbelow(120)}.{16 * secrets.randbelow(16)}.0/20"
        self._server: Server | None = None
        directory.joinpath("daemon.json").write_text("{}")

    def start(self) -> None:
        """Start it, or start it again on the same data, and wait until it answers."""
        self._server = Server(self._command(), self.directory / "dockerd.log")
        self._server.wait_until(self.is_up)

    def stop(self) -> None:
        """Stop it with its containers; its data stays."""
        if self._server is None:
            return
        process = self._server.process
        # `unshare` keeps signals to itself: its child is the engine.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        for daemon in children.read_text().split() if children.exists() else ():
            os.kill(int(daemon), signal.SIGTERM)
            until(lambda: process.poll() is not None, what="dockerd stops")
        self._server.stop()
        self._server = None

    def remove(self) -> None:
        """Stop it and leave nothing behind: no container, bridge, mount or file."""
        if self.is_up():
            self.clear()
        self.stop()
        self.client.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def clear(self) -> None:
        """Remove every container and network; images stay."""
        for container in self.client.containers.list(all=True):
            container.remove(force=True, v=True)
        self.client.networks.prune()

    def is_up(self) -> bool:
        try:
            return bool(self.client.ping())
        except (DockerException, requests.RequestException):
            return False

    def _command(self) -> list[str]:
        place = self.directory
        return [
            # Own mounts and process ids: what it starts and mounts goes when it does.
            *("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"),
            *("dockerd", "--config-file", f"{place}/daemon.json", "--host", self.host),
            *("--data-root", f"{place}/data", "--exec-root", f"{place}/exec"),
            *("--pidfile", f"{place}/docker.pid", "--insecure-registry", self._registry),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
            *("--default-address-pool", f"base={self._pool},size=24"),
            # A transfer that breaks off is not tried for a minute: tests see what comes of it.
            "--max-download-attempts=1",
            *self._options,
        ]
