"""The engine's side of an update: a service's containers, and which image a name means.

Importing this loads the Docker SDK: only workers do.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import docker
from django.utils.translation import gettext as _
from docker.auth import encode_header
from docker.errors import (
    APIError,
    DockerException,
    ImageNotFound,
    NotFound,
    create_api_error_from_http_exception,
)
from requests import HTTPError, RequestException, Response

from checks.discovery.engine import CALL_TIMEOUT, REFUSALS, connect
from checks.discovery.labels import Label, is_one_off
from checks.discovery.places import Place
from checks.discovery.unreachable import explain
from checks.discovery.ways import reaching
from checks.registry.reference import BadReference, parse
from checks.updating.containers import LONGEST_LINE, Answer, Container, plain, read_container
from checks.updating.failing import EngineAway, Forbidden, UpdateFailed

PULL_LIMIT = 3600.0  # seconds, as for a pull by Compose
PULL_SILENCE = 120.0  # seconds until the engine says more
LAST_LINES = 200
PROBED_LINES = 1000  # of a log, for a probe
PROBED_BYTES = 1 << 20
TITLE = "org.opencontainers.image.title"


@dataclass(frozen=True)
class LocalImage:
    """An image that an engine has. `size` has in it what it shares with others."""

    id: str
    tags: tuple[str, ...]
    size: int


class Engine:
    """One engine. Every method raises UpdateFailed where the engine does not do as it is asked."""

    def __init__(self, client: docker.DockerClient, place: Place) -> None:
        self._client = client
        self._api = client.api
        self._place = place

    @property
    def place(self) -> str:
        return self._place.url or os.environ.get("DOCKER_HOST", "")

    @property
    def is_local(self) -> bool:
        """Whether it surely runs on this machine."""
        return not self.place or self.place.startswith("unix://")

    def containers(self, project: str, service: str) -> list[Container]:
        """All of a service's, also those that ended; not those of `compose run`."""
        labels = [f"{Label.PROJECT}={project}", f"{Label.SERVICE}={service}"]
        with self._told():
            listed = self._api.containers(all=True, filters={"label": labels})
            found = [self._inspect(each["Id"]) for each in listed if not is_one_off(each)]
        return sorted((each for each in found if each), key=lambda each: each.name)

    def container(self, container_id: str) -> Container | None:
        """None where it is not there."""
        with self._told():
            return self._inspect(container_id)

    def image_id(self, reference: str) -> str:
        """What a reference means here; empty where it means nothing."""
        return str(self._image(reference).get("Id") or "")

    def digests(self, reference: str) -> set[str]:
        """What an image is called in registries, whatever the repository."""
        named = self._image(reference).get("RepoDigests") or ()
        return {text.rpartition("@")[2] for text in named}

    def title(self, image_id: str) -> str:
        """What an image calls itself."""
        labels = (self._image(image_id).get("Config") or {}).get("Labels") or {}
        return str(labels.get(TITLE) or "")

    def tag(self, image_id: str, reference: str) -> None:
        """Have a reference mean an image. One with a digest means what it says anyway."""
        if "@" in reference or self.image_id(reference) == image_id:
            return
        repository, tag = _split(reference)
        with self._told():
            self._api.tag(image_id, repository, tag, force=True)

    def untag(self, reference: str) -> None:
        """Take a name away; an image that a container runs, or that has another, stays."""
        with self._told():
            try:
                self._api.remove_image(reference, noprune=True)
            except (ImageNotFound, NotFound):
                return

    def pull(
        self,
        repository: str,
        digest: str,
        login: Answer | None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """`look` is called often, and raises where it is to stop. The engine must go on telling of
        it: other than the SDK's own call, which waits for ever and tells of no failure."""
        ends = time.monotonic() + PULL_LIMIT
        with self._told(), self._pulling(repository, digest, login) as answer:
            for line in answer.iter_lines():
                look()
                if error := json.loads(line or b"{}").get("error"):
                    named = {"image": f"{repository}@{digest}", "why": plain(str(error))[:500]}
                    raise UpdateFailed(_("%(image)s cannot be pulled: %(why)s") % named)
                if time.monotonic() > ends:
                    raise TimeoutError

    def images(self) -> list[LocalImage]:
        with self._told():
            listed = self._api.images()
        return [
            LocalImage(each["Id"], tuple(_named(each.get("RepoTags"))), int(each.get("Size") or 0))
            for each in listed
        ]

    def images_in_use(self) -> set[str]:
        """Those that containers were made of, also of containers that ended."""
        with self._told():
            return {str(each["ImageID"]) for each in self._api.containers(all=True)}

    def remove(self, image_id: str) -> None:
        """The engine itself refuses for one that a container uses or that is named twice."""
        with self._told():
            try:
                self._api.remove_image(image_id)
            except (ImageNotFound, NotFound):
                return

    def last_lines(self, container_id: str) -> tuple[str, ...]:
        """The end of a container's log, as far as its log driver lets it be read."""
        try:
            text = self._api.logs(container_id, tail=LAST_LINES, timestamps=False)
        except (DockerException, RequestException, OSError):
            return ()
        lines = text.decode(errors="replace").splitlines()[-LAST_LINES:]
        return tuple(plain(line)[:LONGEST_LINE] for line in lines)

    def lines_since(self, container: Container) -> list[str]:
        """What a container has logged since it started, the end of that. None of it where its log
        driver does not let it be read."""
        text = b""
        try:
            since = datetime.fromisoformat(container.started_at)
            stream = self._api.logs(
                container.id,
                stream=True,
                follow=False,
                since=int(since.timestamp()),
                tail=PROBED_LINES,
            )
            for part in stream:
                text += part
                if len(text) > PROBED_BYTES:
                    break
            stream.close()
        except (DockerException, RequestException, OSError, ValueError):
            pass
        return [plain(line)[:LONGEST_LINE] for line in text.decode(errors="replace").splitlines()]

    def names_in(self, repository: str) -> list[str]:
        """The tags that images here have in a repository, with it."""
        with self._told():
            found = self._api.images(filters={"reference": repository})
        names = (name for each in found for name in each.get("RepoTags") or ())
        return [name for name in names if name.startswith(f"{repository}:")]

    def _pulling(self, repository: str, digest: str, login: Answer | None) -> Response:
        headers = {"X-Registry-Auth": encode_header(login)} if login else {}
        answer: Response = self._api.post(
            f"{self._api.base_url}/v{self._api.api_version}/images/create",
            params={"fromImage": repository, "tag": digest},
            headers=headers,
            stream=True,
            timeout=PULL_SILENCE,
        )
        try:
            answer.raise_for_status()
        except HTTPError as error:
            raise create_api_error_from_http_exception(error) from error
        return answer

    @contextmanager
    def api(self) -> Iterator[docker.APIClient]:
        """The calls of the SDK, for what only one place does."""
        with self._told():
            yield self._api

    def look_inside(self, container_id: str) -> Answer:
        """All that the engine says of a container; empty where there is none."""
        with self._told():
            try:
                found: Answer = self._api.inspect_container(container_id)
            except NotFound:
                return {}
        return found

    def labelled(self, label: str) -> list[str]:
        """The ids of all containers with a label, also of those that ended."""
        with self._told():
            listed = self._api.containers(all=True, filters={"label": [label]})
        return [each["Id"] for each in listed]

    def create(self, name: str, description: Answer) -> str:
        """Make a container, as the engine's API describes one, and return its id."""
        with self._told():
            made = self._api.create_container_from_config(description, name)  # type: ignore[no-untyped-call]
        return str(made["Id"])

    def join(self, container_id: str, network: str, alias: str) -> None:
        with self._told():
            self._api.connect_container_to_network(container_id, network, aliases=[alias])

    def start(self, container_id: str) -> None:
        with self._told():
            self._api.start(container_id)

    def stop(self, container_id: str, seconds: int) -> None:
        """By its own signal, and by force after these seconds."""
        with self._told():
            try:
                self._api.stop(container_id, timeout=seconds)
            except NotFound:
                return

    def remove_container(self, container_id: str) -> None:
        """Its volumes stay: others use them."""
        with self._told():
            try:
                self._api.remove_container(container_id, force=True)
            except NotFound:
                return

    def _inspect(self, container_id: str) -> Container | None:
        try:
            return read_container(self._api.inspect_container(container_id))
        except NotFound:
            return None  # it went between two calls

    def _image(self, reference: str) -> Answer:
        with self._told():
            try:
                found: Answer = self._client.images.get(reference).attrs
            except (ImageNotFound, NotFound):
                return {}
        return found

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except APIError as error:
            if error.status_code in REFUSALS:
                text = _(
                    "The Docker Engine lets Dockrev look, and change nothing. If a socket proxy "
                    "stands before it, let that pass POST on containers, images and networks."
                )
                raise Forbidden(text) from error
            text = _("The Docker Engine refused: %(why)s")
            raise UpdateFailed(text % {"why": str(error.explanation or error)[:500]}) from error
        except (DockerException, RequestException, OSError) as error:
            raise EngineAway(explain(error, self._place)) from error


@contextmanager
def engine_at(place: Place, *, timeout: int = CALL_TIMEOUT) -> Iterator[Engine]:
    """Raises UpdateFailed."""
    with reaching(place):
        try:
            client = connect(place, timeout=timeout)
        except (DockerException, RequestException, OSError, ValueError) as error:
            raise EngineAway(explain(error, place)) from error
        try:
            yield Engine(client, place)
        finally:
            client.close()


def _named(tags: list[str] | None) -> Iterator[str]:
    """Older engines say `<none>:<none>` where there is none."""
    return (tag for tag in tags or () if not tag.startswith("<none>"))


def _split(reference: str) -> tuple[str, str]:
    """Raises UpdateFailed."""
    try:
        named = parse(reference)
    except BadReference as error:
        raise UpdateFailed(str(error)) from error
    return f"{named.registry}/{named.repository}", named.tag
