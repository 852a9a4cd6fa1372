"""What discovery finds, whichever way it looked. Plain facts: nothing here knows of rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from checks.registry.configs import About


@dataclass(frozen=True)
class FoundService:
    """A service of a project.

    `image_ref` is what the compose file says, interpolated; empty where the service is built here
    and names no image. `state` is one of `Service.State`; without an engine it is `absent`.
    `platform` is `os/arch[/variant]` of what runs, or what the file asks for. `running_digests`
    are what its containers have of that repository (of a multi-platform image the index's), each
    once, sorted. `running_image_id` is the engine's own id of the newest container's image, `about`
    what that says of itself, and `version_tag` a tag of that repository that the engine has for it,
    too, and that is a version, as `latest` is not. `labels` are those that are about policy.
    """

    name: str
    image_ref: str
    state: str = "absent"
    replicas: int = 0
    platform: str = ""
    running_digests: tuple[str, ...] = ()
    running_image_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    about: About | None = None
    version_tag: str = ""


@dataclass(frozen=True)
class FoundProject:
    """A Compose project. `source` is one of `Stack.Source`.

    `error` says what is wrong with its files and how to mend it; what could be found in spite of
    that is in `services`.
    """

    name: str
    source: str
    working_dir: Path | None = None
    config_files: tuple[Path, ...] = ()
    environment_files: tuple[Path, ...] = ()
    services: tuple[FoundService, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class FoundEngine:
    """What one Docker Engine said: its platform (`linux/amd64`) and its Compose projects, and how
    many containers those have. `is_read_only` is None where that was not asked, or is not clear."""

    platform: str
    projects: tuple[FoundProject, ...]
    version: str = ""
    containers: int = 0
    is_read_only: bool | None = None


class EngineUnavailable(Exception):
    """The engine could not be asked; the text says why, and how to mend it."""


@dataclass(frozen=True)
class FoundHost:
    """What one look at a host came to.

    `sources` are those (of `Stack.Source`) that were seen whole: only what they do not have is
    missing. `error` says what could not be seen, and how to mend it. `version`, `containers` and
    `is_read_only` are the engine's, as in FoundEngine. With `is_part` one project alone was asked
    for, which says nothing of the host.
    """

    platform: str = ""
    projects: tuple[FoundProject, ...] = ()
    sources: frozenset[str] = frozenset()
    error: str = ""
    version: str = ""
    containers: int = 0
    is_read_only: bool | None = None
    is_part: bool = False
