"""Compose projects from the Docker Engine, by the labels that Compose puts on containers.

The labels: github.com/docker/compose, `pkg/api/labels.go`. Version 1 writes paths as they were
typed, version 2 absolute. Importing this loads the Docker SDK: only workers do.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.tls import TLSConfig
from docker.transport import UnixHTTPAdapter
from docker.utils import kwargs_from_env
from requests import RequestException

from checks.discovery.labels import (
    Label,
    given_by_compose,
    is_of_a_service,
    origin_of,
    project_of,
    with_files,
)
from checks.discovery.places import Place, Unreachable
from checks.discovery.projects import (
    EngineUnavailable,
    FoundEngine,
    FoundProject,
    FoundService,
)
from checks.discovery.unreachable import explain
from checks.discovery.ways import CA, CERTIFICATE, KEY, Way, reaching, way_to
from checks.registry.configs import MAX_PLATFORM, About, about
from checks.registry.reference import BadReference, Reference, parse
from checks.versions.policies import known_labels
from checks.versions.shapes import read

CALL_TIMEOUT = 10  # seconds
BUDGET = 25.0  # seconds for one engine: well inside the time that a quick job has
RUNNING = frozenset({"running", "paused", "restarting"})
HERE = Place()
REFUSALS = (HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED)  # of socket proxies

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


def look_at_engine(place: Place = HERE, project: str = "", *, probe: bool = False) -> FoundEngine:
    """Ask an engine for its projects, or for one; with `probe` also whether it lets us change
    anything.

    Stopped containers count, one-off ones do not. Raises EngineUnavailable.
    """
    with call_on(place) as client:
        found = _Look(client, project, has_files=place.has_files).found()
        return replace(found, is_read_only=is_read_only(client)) if probe else found


class Client(docker.DockerClient):
    """The SDK's, which closes the way that it took, too."""

    way: ExitStack

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.way.close()


@contextmanager
def call_on(place: Place, *, timeout: int = CALL_TIMEOUT) -> Iterator[Client]:
    """Ask an engine. Raises EngineUnavailable, whatever keeps it from answering, then or within."""
    with reaching(place):
        try:
            client = connect(place, timeout=timeout)
        except (DockerException, RequestException, OSError, ValueError) as error:
            raise EngineUnavailable(explain(error, place)) from error
        try:
            yield client
        except (DockerException, RequestException, OSError) as error:
            raise EngineUnavailable(explain(error, place)) from error
        finally:
            client.close()


def connect(place: Place, *, timeout: int = CALL_TIMEOUT) -> Client:
    """Raises DockerException, RequestException, OSError, ValueError."""
    with ExitStack() as opened:
        way = opened.enter_context(way_to(place))
        try:
            client = _client(way, timeout)
        except (DockerException, RequestException, OSError) as error:
            if way.complaint:
                raise Unreachable(way.complaint) from error
            raise
        client.way = opened.pop_all()
        return client


def _client(way: Way, timeout: int) -> Client:
    if not way.place.is_typed:
        environment = {**os.environ, **({"DOCKER_HOST": way.url} if way.url else {})}
        said = kwargs_from_env(environment=environment)
        return Client(version="auto", timeout=timeout, use_ssh_client=True, **said)
    client = Client(base_url=way.url, version="auto", timeout=timeout, tls=_tls(way))
    if way.tunnel:
        client.api.mount("http+docker://", _OnePool(f"http+{way.url}", timeout))
    return client


class _OnePool(UnixHTTPAdapter):
    """The SDK's takes a connection for each URL, and each of these is a sign-in by ssh."""

    def get_connection(self, url: bytes | str, proxies: Any = None) -> Any:
        return super().get_connection("http+docker://localhost", proxies)


def _tls(way: Way) -> TLSConfig | bool:
    if way.certificates is None:
        return False
    folder = way.certificates
    ours = (str(folder / CERTIFICATE), str(folder / KEY))
    return _Tls(
        client_cert=ours if way.has_client_certificate else None,
        ca_cert=str(folder / CA),
        verify=True,
    )


class _Tls(TLSConfig):
    def configure_client(self, client: docker.APIClient) -> None:
        """Authorities that the environment names for everybody would stand in for those of one."""
        super().configure_client(client)
        client.trust_env = False


def is_read_only(client: docker.DockerClient) -> bool | None:
    """Whether whoever stands before the engine lets us only look; None where that is not clear.

    What is asked for can do nothing: no container has such a name.
    """
    name = f"dockrev-asks-{secrets.token_hex(8)}"
    try:
        client.api.rename(name, f"{name}-again")
    except NotFound:
        return False
    except APIError as error:
        return True if error.status_code in REFUSALS else None
    return None


class _Look:
    """One look at an engine. Each distinct image is asked for once."""

    def __init__(self, client: docker.DockerClient, project: str, *, has_files: bool) -> None:
        self._client = client
        self._has_files = has_files
        self._label = f"{Label.PROJECT}={project}" if project else str(Label.PROJECT)
        self._api = client.api
        self._until = time.monotonic() + BUDGET
        self._images: dict[str, Answer] = {}

    def found(self) -> FoundEngine:
        version = self._api.version()
        containers = [container for each in self._listed() if (container := self._read(each))]
        for container in containers:
            self._inspect_image(container.image_id)
        containers = [
            replace(container, labels=given)
            for container in containers
            if (given := given_by_compose(container.labels, self._brought(container.image_id)))
        ]
        projects = defaultdict(list)
        for container in containers:
            projects[container.project].append(container)
        return FoundEngine(
            platform=_platform(version.get("Os"), version.get("Arch")),
            projects=tuple(self._project(name, of) for name, of in sorted(projects.items())),
            version=str(version.get("Version") or ""),
            containers=len(containers),
        )

    def _listed(self) -> list[Answer]:
        listed: list[Answer] = self._api.containers(all=True, filters={"label": [self._label]})
        return listed

    def _read(self, listed: Answer) -> _Container | None:
        if not is_of_a_service(listed):
            return None
        labels = listed["Labels"]
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

    def _brought(self, image_id: str) -> Mapping[str, str]:
        return (self._images[image_id].get("Config") or {}).get("Labels") or {}

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
        if not self._has_files:
            return project_of(name, origin, services)
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
    """Whether Compose gave the image its name: nobody must ask a registry for that name.

    An engine that keeps images in containerd's store gives digests to what was built, too; then
    Compose's own labels on the image say so.
    """
    if image_ref.removesuffix(":latest") not in {
        f"{container.project}{mark}{container.service}" for mark in "-_"
    }:
        return False
    brought = (image.get("Config") or {}).get("Labels") or {}
    ours = (brought.get(Label.PROJECT), brought.get(Label.SERVICE))
    return not image.get("RepoDigests") or ours == (container.project, container.service)


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
