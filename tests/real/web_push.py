"""The npm package `web-push-testing`: a push service that checks who sends, and decrypts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.push.service import GLOBAL, HOST, at_global_addresses
from tests.real.processes import Server as Program
from tests.real.processes import accepts, free_port
from tests.real.requirements import require, unavailable
from tests.servers import Asked, Reply, Server

PINNED = Path(__file__).parents[1] / "push" / "node"
SCRIPT = "node_modules/web-push-testing/src/bin/server.js"
INSTALL_SECONDS, TIMEOUT = 180, 20
_HOP = {"host", "connection", "content-length", "accept-encoding"}


@dataclass(frozen=True)
class Subscribed:
    """A browser that the service made up, and its name for it."""

    subscription: dict[str, Any]
    name: str


class WebPushTesting:
    """It speaks plain http on loopback; what is in front of it is where push services are."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[Asked] = []
        self._session = requests.Session()

    def subscribe(self, server_key: str) -> Subscribed:
        given = {"userVisibleOnly": "true", "applicationServerKey": server_key}
        made = self._told("subscribe", given)["data"]
        name = made["clientHash"]
        there = {"endpoint": f"https://{HOST}/notify/{name}", "keys": made["keys"]}
        return Subscribed(there, name)

    def shown(self, browser: Subscribed) -> list[str]:
        found: list[str] = self._told("get-notifications", {"clientHash": browser.name})["data"][
            "messages"
        ]
        return found

    def expire(self, browser: Subscribed) -> None:
        self._session.post(f"{self.url}/expire-subscription/{browser.name}", timeout=TIMEOUT)

    def pass_on(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        answer = self._session.request(
            asked.method,
            f"{self.url}{asked.path}",
            headers={name: text for name, text in asked.headers.items() if name not in _HOP},
            data=asked.body,
            timeout=TIMEOUT,
        )
        return Reply(answer.status_code, answer.content)

    def _told(self, path: str, given: dict[str, Any]) -> Any:
        answer = self._session.post(f"{self.url}/{path}", json=given, timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def web_push_testing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the running package, installed once for all tests."""
    programs = require("node")
    folder = tmp_path_factory.mktemp("web-push-testing")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINNED / name, folder)
    command = [str(programs["npm"]), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        unavailable("node", "npm does not install web-push-testing in time")
    if done.returncode:
        unavailable("node", f"npm does not install web-push-testing: {done.stderr[-300:]}")
    port = free_port()
    program = Program([programs["node"], folder / SCRIPT, str(port)], folder / "log")
    try:
        program.wait_until(lambda: accepts(port))
        yield port
    finally:
        program.stop()


@pytest.fixture
def real_service(web_push_testing: int, tmp_path: Path) -> Iterator[WebPushTesting]:
    real = WebPushTesting(web_push_testing)
    with at_global_addresses(Server(real.pass_on), list(GLOBAL), [], tmp_path):
        yield real
