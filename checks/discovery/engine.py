"""Compose projects from the Docker Engine, by the labels that Compose puts on containers.

The labels: github.com/docker/compose, `pkg/api/labels.go`. Version 1 writes paths as they were
typed, version 2 absolute. Importing this loads the Docker SDK: only workers do.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from requests import RequestException

from checks.discovery.labels import Label, origin_of, with_files
from checks.discovery.projects import (
    EngineUnavailable,
    FoundEngine,
    FoundProject,
    FoundService,
)
from checks.discovery.unreachable import explain
from checks.registry.configs import MAX_PLATFORM, About, about
from checks.registry.reference import BadReference, Reference, parse
from checks.versions.policies import known_labels
from checks.versions.shapes import read

CALL_TIMEOUT = 10  # seconds
BUDGET = 25.0  # seconds for one engine: well inside the time that a quick job has
RUNNING = frozenset({"running", "paused", "restarting"})

Answer = dict[str, Any]  # JSON of the engine's API


@dataclass(frozen=True)
class _Container:
    project: str
    service: str
    image_ref: str
    image_id: str
    is_running: bool
    created: int
    labels: Mapping[str, str]


def look_at_engine(docker_host: str = "") -> FoundEngine:
    """Ask an engine for its projects; empty means the one that the Docker CLI would take.

    Stopped containers count, one-off ones do not. Raises EngineUnavailable.
    """
    try:
        client = _connect(docker_host)
    except (DockerException, RequestException, OSError, ValueError) as error:
        raise EngineUnavailable(explain(error, docker_host)) from error
    try:
        return _Look(client).found()
    except (DockerException, RequestException, OSError) as error:
        raise EngineUnavailable(explain(error, docker_host)) from error
    finally:
        client.close()


def _connect(docker_host: str) -> docker.DockerClient:
    environment = {**os.environ, **({"DOCKER_HOST": docker_host} if docker_host else {})}
    return docker.from_env(
        version="auto", timeout=CALL_TIMEOUT, environment=environment, use_ssh_client=True
    )


class _Look:
    """One look at an engine. Each distinct image is asked for once."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self._api = client.api
        self._until = time.monotonic() + BUDGET
        self._images: dict[str, Answer] = {}

    def found(self) -> FoundEngine:
        version = self._api.version()
        containers = [container for each in self._listed() if (container := self._read(each))]
        for container in containers:
            self._inspect_image(container.image_id)
        projects = defaultdict(list)
        for container in containers:
            projects[container.project].append(container)
        return FoundEngine(
            platform=_platform(version.get("Os"), version.get("Arch")),
            projects=tuple(self._project(name, of) for name, of in sorted(projects.items())),
        )

    def _listed(self) -> list[Answer]:
        listed: list[Answer] = self._api.containers(all=True, filters={"label": [Label.PROJECT]})
        return listed

    def _read(self, listed: Answer) -> _Container | None:
        labels = listed.get("Labels") or {}
        if labels.get(Label.ONE_OFF, "").lower() == "true" or not labels.get(Label.SERVICE):
            return None
        image_id = listed["ImageID"]
        image_ref = listed["Image"]
        if _is_id(image_ref, image_id):
            # The list has the id where the tag has moved on; the container knows what was asked.
            image_ref = self._asked_for(listed["Id"]) or image_ref
        return _Container(
            project=labels[Label.PROJECT],
            service=labels[Label.SERVICE],
            image_ref="" if _is_id(image_ref, image_id) else image_ref,
            image_id=image_id,
            is_running=listed["State"] in RUNNING,
            created=listed["Created"],
            labels=labels,
        )

    def _asked_for(self, container_id: str) -> str:
        self._stop_when_late()
        try:
            config: Answer = self._api.inspect_container(container_id)["Config"]
        except NotFound:
            return ""  # it ended between two calls
        return str(config.get("Image") or "")

    def _inspect_image(self, image_id: str) -> None:
        if image_id in self._images:
            return
        self._stop_when_late()
        try:
            self._images[image_id] = self._client.images.get(image_id).attrs
        except (ImageNotFound, NotFound):
            self._images[image_id] = {}  # removed by force while its container stayed

    def _stop_when_late(self) -> None:
        if time.monotonic() > self._until:
            raise TimeoutError

    def _project(self, name: str, containers: list[_Container]) -> FoundProject:
        newest = max(containers, key=lambda container: container.created)
        origin = origin_of(newest.labels)
        by_service = defaultdict(list)
        for container in containers:
            by_service[container.service].append(container)
        services = [self._service(each, of) for each, of in sorted(by_service.items())]
        return with_files(name, origin, services)

    def _service(self, name: str, containers: list[_Container]) -> FoundService:
        running = [container for container in containers if container.is_running]
        counted = running or containers
        newest = max(counted, key=lambda container: container.created)
        image = self._images[newest.image_id]
        image_ref = newest.image_ref or _tag_of(image)
        if _is_built_here(image_ref, image, newest):
            image_ref = ""
        return FoundService(
            name=name,
            image_ref=image_ref,
            state="running" if running else "stopped",
            replicas=len(counted),
            platform=_platform(image.get("Os"), image.get("Architecture"), image.get("Variant")),
            running_digests=self._digests(image_ref, counted),
            running_image_id=newest.image_id,
            labels=_labels(newest.labels, image),
            about=_about(image),
            version_tag=_version_tag(image_ref, image),
        )

    def _digests(self, image_ref: str, containers: Iterable[_Container]) -> tuple[str, ...]:
        """What the images are called in the repository that the reference names."""
        wanted = _parsed(image_ref)
        found = set()
        for image_id in {container.image_id for container in containers}:
            for text in self._images[image_id].get("RepoDigests") or ():
                named = _parsed(text)
                if wanted and named and _repository(named) == _repository(wanted):
                    found.add(named.digest)
        return tuple(sorted(found))


def _is_id(image_ref: str, image_id: str) -> bool:
    """Whether a reference is only the engine's own id of the image, whole or short."""
    bare = image_ref.removeprefix("sha256:")
    return len(bare) >= 12 and image_id.removeprefix("sha256:").startswith(bare)


def _is_built_here(image_ref: str, image: Answer, container: _Container) -> bool:
    """Whether Compose gave the image its name: nobody must ask a registry for that name."""
    given = {f"{container.project}{mark}{container.service}" for mark in "-_"}
    return not image.get("RepoDigests") and image_ref.removesuffix(":latest") in given


def _labels(labels: Mapping[str, str], image: Answer) -> dict[str, str]:
    """The labels about policy that whoever started the container gave it. What the image brings
    along does not count: its maker must not say what people hear of it. What one brought that is
    not there any more nobody knows: then only the files tell."""
    if not image:
        return {}
    brought = (image.get("Config") or {}).get("Labels") or {}
    given = {name: text for name, text in labels.items() if brought.get(name) != text}
    return known_labels(given)


def _tag_of(image: Answer) -> str:
    return str((image.get("RepoTags") or [""])[0])


def _about(image: Answer) -> About | None:
    config = image.get("Config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    platform = _platform(image.get("Os"), image.get("Architecture"), image.get("Variant"))
    return about(labels, image.get("Created"), platform[:MAX_PLATFORM]) if image else None


def _version_tag(image_ref: str, image: Answer) -> str:
    """The most exact of the image's other tags, where its own is no version."""
    ours = _parsed(image_ref)
    if ours is None or read(ours.tag):
        return ""
    named = [_parsed(text) for text in image.get("RepoTags") or ()]
    tags = [each.tag for each in named if each and _repository(each) == _repository(ours)]
    versions = [(len(version.numbers), tag) for tag in tags if (version := read(tag))]
    return max(versions, default=(0, ""))[1]


def _parsed(text: str) -> Reference | None:
    try:
        return parse(text)
    except BadReference:
        return None


def _repository(reference: Reference) -> tuple[str, str]:
    return reference.registry, reference.repository


def _platform(*parts: Any) -> str:
    return "/".join(str(part) for part in parts if part)
