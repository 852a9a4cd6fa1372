"""A Docker Engine as far as plans, pruning and logs ask it: its containers, what these wrote, and
its images.

It follows the Engine API's `GET /version`, `GET /containers/json`, `GET /containers/{id}/json`,
`GET /containers/{id}/logs`, `GET /images/json`, `GET /images/{name}/json` and `DELETE
/images/{name}`. What a plan makes of real containers is tested with a real engine; this one is
there where rows and pages are the subject.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checks.models import Host, Service
from tests.rows import service
from tests.servers import Asked, Reply, Server, as_json

IMAGE_ID = "sha256:" + "1" * 64


@dataclass(frozen=True)
class Written:
    """What a container wrote at once; `second` is after the engine's first one."""

    data: bytes
    second: float = 0.0
    stream: int = 1

    @property
    def at(self) -> float:
        return 1_700_000_000 + self.second

    def framed(self) -> bytes:
        moment = datetime.fromtimestamp(int(self.at), UTC)
        nanoseconds = round((self.at - int(self.at)) * 1_000_000) * 1000
        line = f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z ".encode() + self.data
        return bytes([self.stream, 0, 0, 0]) + len(line).to_bytes(4) + line


class FakeEngine:
    """`deploy` starts a service: a row, its place in a compose file, and a container.

    `images` are by their ids, as the engine lists them; `titles` are what images call themselves.
    `write` has a container write, `silence` is how the engine refuses to read what it wrote.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.silence: Reply | None = None
        self.driver = "json-file"
        self._wrote: dict[str, list[Written]] = {}
        self.containers: list[dict[str, Any]] = []
        self.images: dict[str, dict[str, Any]] = {}
        self.titles: dict[str, str] = {}
        self.labels: dict[str, dict[str, str]] = {}  # of images
        self.server = Server(self._answer)
        self._written: dict[str, dict[str, str]] = {}

    def deploy(
        self, name: str = "api", image: str = "ghcr.io/acme/api:1.2.0", *, stack: str = "shop"
    ) -> Service:
        Host.objects.update_or_create(
            name="local", defaults={"docker_host": f"tcp://{self.server.address}", "plain": True}
        )
        row = service(image, name=name, stack=stack)
        path = self.file(stack)
        self._written.setdefault(stack, {})[name] = image
        path.parent.mkdir(exist_ok=True)
        lines = (f"  {each}:\n    image: {of}\n" for each, of in self._written[stack].items())
        path.write_text("services:\n" + "".join(lines))
        labels = {
            "com.docker.compose.project": stack,
            "com.docker.compose.service": name,
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.project.working_dir": str(path.parent),
            "com.docker.compose.project.config_files": str(path),
        }
        self.containers.append(
            {
                "Id": f"{len(self.containers):064x}",
                "Names": [f"/{stack}-{name}-1"],
                "Image": image,
                "ImageID": IMAGE_ID,
                "State": "running",
                "Status": "Up 2 hours (healthy)",
                "Created": 1_700_000_000 + len(self.containers),
                "Labels": labels,
                "HostConfig": {"NetworkMode": "default"},
            }
        )
        return row

    def file(self, stack: str = "shop") -> Path:
        return self.folder / stack / "compose.yaml"

    def bring(self, image_id: str, *tags: str, size: int = 1000) -> None:
        """Have an image here."""
        self.images[image_id] = {"Id": image_id, "RepoTags": list(tags), "Size": size}

    def _answer(self, asked: Asked) -> Reply:
        path = asked.path.partition("?")[0]
        if path.endswith("/version"):
            return as_json(ApiVersion="1.44", MinAPIVersion="1.24", Os="linux", Arch="amd64")
        kind, name = path.removeprefix("/v1.44/").removesuffix("/json").partition("/")[::2]
        if name.endswith("/logs"):
            return self._log(name.removesuffix("/logs"), asked)
        if kind == "containers":
            return _list(self._listed(asked)) if not name else self._inspected(name)
        if not name:
            return _list(list(self.images.values()))
        return self._removed(name) if asked.method == "DELETE" else self._image(name)

    def write(self, *lines: Written, container: int = 0) -> None:
        self._wrote.setdefault(self.containers[container]["Id"], []).extend(lines)

    def _log(self, container_id: str, asked: Asked) -> Reply:
        if self.silence:
            return self.silence
        tail, since = int(asked.query["tail"][0]), float(asked.query.get("since", ["0"])[0])
        last = self._wrote.get(container_id, [])[-tail:]
        data = b"".join(each.framed() for each in last if each.at >= since)
        return Reply(200, data, {"Content-Type": "application/vnd.docker.multiplexed-stream"})

    def _listed(self, asked: Asked) -> list[dict[str, Any]]:
        wanted = json.loads(asked.query.get("filters", ["{}"])[0]).get("label", [])
        return [
            each
            for each in self.containers
            if {f"{name}={value}" for name, value in each["Labels"].items()}.issuperset(wanted)
        ]

    def _inspected(self, container_id: str) -> Reply:
        [found] = [each for each in self.containers if each["Id"] == container_id]
        health = found["Status"].rpartition("(")[2].rstrip(")") if "(" in found["Status"] else ""
        state = {"Status": found["State"], "ExitCode": 0, "StartedAt": ""}
        host = {"LogConfig": {"Type": self.driver}}
        if health:
            state["Health"] = {"Status": health, "Log": []}
        return as_json(
            Id=found["Id"], Image=found["ImageID"], State=state, Config={}, HostConfig=host
        )

    def _image(self, name: str) -> Reply:
        labels = {"org.opencontainers.image.title": self.titles.get(name, "")}
        labels |= self.labels.get(name, {})
        return as_json(Id=name, Config={"Labels": labels})

    def _removed(self, name: str) -> Reply:
        if name not in self.images:
            return as_json(404, message=f"No such image: {name}")
        if name in {each["ImageID"] for each in self.containers}:
            return as_json(409, message="conflict: image is being used by a container")
        del self.images[name]
        return _list([{"Deleted": name}])


def _list(found: list[dict[str, Any]]) -> Reply:
    return Reply(200, json.dumps(found).encode(), {"Content-Type": "application/json"})


@pytest.fixture
def fake_engine(tmp_path: Path) -> Iterator[FakeEngine]:
    engine = FakeEngine(tmp_path)
    with engine.server.running():
        yield engine
