"""What a project runs at this moment, by one question to its engine.

Importing this loads the Docker SDK; `planning.py` does so once a plan is wanted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import ImageNotFound, NotFound

from checks.discovery.engine import RUNNING, Client, call_on
from checks.discovery.labels import Label, Origin, given_by_compose, is_of_a_service, origin_of
from checks.discovery.places import Place
from checks.updating.runs import Mount, Running, Runs

PATIENCE = 4  # seconds for each of three calls: a person waits
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")

Answer = dict[str, Any]  # JSON of the engine's API


def ask(place: Place, project: str) -> Running:
    """Ask an engine for a project's containers. Raises EngineUnavailable."""
    with call_on(place, timeout=PATIENCE) as client:
        label = f"{Label.PROJECT}={project}"
        listed = client.api.containers(all=True, filters={"label": [label]})
        kept = [each for each in listed if is_of_a_service(each)]
        return _running(kept, _origin(client, kept))


@dataclass(frozen=True)
class _Container:
    id: str
    service: str
    image_id: str
    is_running: bool
    health: str
    network_of: str
    created: int
    mounts: tuple[Mount, ...]
    depends_on: Mapping[str, bool] | None


def _origin(client: Client, listed: list[Answer]) -> Origin:
    """By the newest that Compose made. An image may say that it is of any project's files."""
    for each in sorted(listed, key=lambda each: int(each["Created"]), reverse=True):
        if labels := given_by_compose(each["Labels"], _brought(client, each["ImageID"])):
            return origin_of(labels)
    return Origin(None, (), ())


def _brought(client: Client, image_id: str) -> Mapping[str, str]:
    try:
        image = client.images.get(image_id).attrs
    except (ImageNotFound, NotFound):
        return {}  # removed by force while its container stayed
    return (image.get("Config") or {}).get("Labels") or {}


def _running(kept: list[Answer], origin: Origin) -> Running:
    containers = [_read(each) for each in kept]
    by_service = defaultdict(list)
    for container in containers:
        by_service[container.service].append(container)
    names = {container.id: container.service for container in containers}
    return Running(
        origin=origin,
        services={name: _runs(of, names) for name, of in by_service.items()},
    )


def _read(listed: Answer) -> _Container:
    health = _HEALTH.search(str(listed.get("Status") or ""))
    mode = str((listed.get("HostConfig") or {}).get("NetworkMode") or "")
    return _Container(
        id=listed["Id"],
        service=listed["Labels"][Label.SERVICE],
        image_id=listed["ImageID"],
        is_running=listed["State"] in RUNNING,
        health=health[1] if health else "",
        network_of=mode.removeprefix("container:") if mode.startswith("container:") else "",
        created=listed["Created"],
        mounts=tuple(sorted(mounts_of(listed), key=lambda each: each.destination)),
        depends_on=_depends_on(listed["Labels"].get(Label.DEPENDS_ON)),
    )


def mounts_of(listed: Answer) -> Iterator[Mount]:
    """Of a container in the engine's list; what is in memory alone is none."""
    for each in listed.get("Mounts") or ():
        kind = str(each.get("Type") or "")
        name = str(each.get("Name" if kind == "volume" else "Source") or "")
        if kind in ("volume", "bind") and name:
            writable = each.get("RW") is not False
            yield Mount(kind, name, str(each.get("Destination") or ""), writable)


def _depends_on(label: str | None) -> Mapping[str, bool] | None:
    """Compose writes `db:service_healthy:true,cache:service_started:false`."""
    if label is None:
        return None
    parts = (each.split(":") for each in label.split(",") if each)
    return {name: more[-1:] == ["true"] for name, *more in parts}


def _runs(containers: list[_Container], names: dict[str, str]) -> Runs:
    running = [each for each in containers if each.is_running]
    counted = running or containers
    newest = max(counted, key=lambda each: each.created)
    healths = {each.health for each in counted}
    return Runs(
        image_id=newest.image_id,
        replicas=len(counted),
        is_running=bool(running),
        health="unhealthy" if "unhealthy" in healths else newest.health,
        network_of=names.get(newest.network_of, ""),
        mounts=tuple({(m.kind, m.name): m for each in containers for m in each.mounts}.values()),
        ids=frozenset(each.id for each in containers),
        stopped=len(containers) - len(running),
        depends_on=newest.depends_on,
    )
