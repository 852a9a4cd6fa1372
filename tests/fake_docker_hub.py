"""Docker Hub as far as it asks to be told: pushes with a callback of their own, and who answers it.

It follows the part on validating callbacks that Docker's "Webhooks" page had until August 2024:
what the body may hold, and that each callback is validated once. `retired` is Docker Hub as it is
since, where every callback answers 404. It is a TLS server on loopback; to whoever resolves its
names it is at `addresses`, and a connection to any of those comes to it.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockrev import addresses
from tests.certificates import Authority
from tests.servers import Asked, Reply, Server, as_json

HOSTS = ("registry.hub.docker.com", "hub.docker.com")
STATES = {"success", "failure", "error"}
LIMITS = {"description": 255, "context": 100}
GLOBAL = ["44.208.254.194", "98.85.153.80"]


class FakeDockerHub:
    """`next` is answered instead of what it would answer; `dialled` is who was connected to."""

    def __init__(self) -> None:
        self.server = Server(self._answer)
        self.addresses = list(GLOBAL)
        self.dialled: list[tuple[str, int]] = []
        self.waiting: set[str] = set()  # paths of callbacks that nobody validated yet
        self.validated: dict[str, dict[str, Any]] = {}
        self.retired = False
        self.next: Reply | None = None
        self.hangs = False
        self._pushed_at = 1417566161

    def push(self, repo_name: str = "acme/api", tag: str = "1.2.0") -> dict[str, Any]:
        """What it sends when a tag is pushed: the body, with an address to be told at."""
        namespace, _slash, name = repo_name.rpartition("/")
        place = f"/u/{repo_name}" if namespace else f"/_/{name}"
        path = f"{place}/hook/{secrets.token_hex(18)}/"
        self.waiting.add(path)
        self._pushed_at += 1
        return {
            "callback_url": f"https://registry.hub.docker.com{path}",
            "push_data": {"pushed_at": self._pushed_at, "pusher": "ada", "tag": tag},
            "repository": {
                "name": name,
                "namespace": namespace or "library",
                "repo_name": repo_name,
                "status": "Active",
            },
        }

    @property
    def told(self) -> dict[str, Any]:
        """What the only callback was validated with."""
        [only] = self.validated.values()
        return only

    def _answer(self, asked: Asked) -> Reply | None:
        if self.hangs:
            return None
        if self.next is not None:
            return self.next
        if self.retired or asked.path not in self.waiting:
            return as_json(404, detail="Object not found")
        body = json.loads(asked.body)
        if asked.method != "POST" or not _is_valid(body):
            return as_json(400, detail="Bad request")
        self.waiting.discard(asked.path)
        self.validated[asked.path] = body
        return as_json(validated=True)


def _is_valid(body: dict[str, Any]) -> bool:
    texts = all(isinstance(value, str) for value in body.values())
    known = body.keys() <= {"state", "description", "context", "target_url"}
    fits = all(len(body.get(name, "")) <= most for name, most in LIMITS.items())
    return texts and known and fits and body.get("state") in STATES


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDockerHub]:
    fake, authority = FakeDockerHub(), Authority()
    bundle = tmp_path / "authority.pem"
    bundle.write_text(authority.pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    resolve, connect = socket.getaddrinfo, addresses._connect_to

    def resolve_hub(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in HOSTS:
            return resolve(host, port, *args, **kwargs)
        found = [resolve(each, port, type=socket.SOCK_STREAM) for each in fake.addresses]
        return [info for infos in found for info in infos]

    def connect_hub(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        fake.dialled.append(address)
        there = address[0] in fake.addresses and address[1] == 443
        return connect(("127.0.0.1", fake.server.port) if there else address, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_hub)
    monkeypatch.setattr(addresses, "_connect_to", connect_hub)
    fake.server.speak_tls(*authority.sign_for("127.0.0.1", tmp_path, *HOSTS))
    with fake.server.running():
        yield fake
