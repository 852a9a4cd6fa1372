"""Where a project comes from, by the labels on its containers, and what its files add."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from checks.discovery.files import environment_of_projects, read_project
from checks.discovery.projects import FoundProject, FoundService


class Label(StrEnum):
    PROJECT = "com.docker.compose.project"
    SERVICE = "com.docker.compose.service"
    ONE_OFF = "com.docker.compose.oneoff"
    CONFIG_HASH = "com.docker.compose.config-hash"
    DEPENDS_ON = "com.docker.compose.depends_on"
    CONFIG_FILES = "com.docker.compose.project.config_files"
    WORKING_DIR = "com.docker.compose.project.working_dir"
    ENVIRONMENT_FILES = "com.docker.compose.project.environment_file"


# For containers of ours: an image that Compose built has labels of its project and service, which
# a container takes over where it says nothing else.
OF_NO_SERVICE = {str(Label.PROJECT): "", str(Label.SERVICE): "", str(Label.ONE_OFF): "True"}


@dataclass(frozen=True)
class Origin:
    """The folder and files that a project was started from, absolute where they can be."""

    working_dir: Path | None
    config_files: tuple[Path, ...]
    environment_files: tuple[Path, ...]


def is_one_off(listed: Mapping[str, Any]) -> bool:
    """Whether a container in the engine's list is one of `compose run`."""
    return str((listed.get("Labels") or {}).get(Label.ONE_OFF, "")).lower() == "true"


def is_of_a_service(listed: Mapping[str, Any]) -> bool:
    return not is_one_off(listed) and bool((listed.get("Labels") or {}).get(Label.SERVICE))


def given_by_compose(labels: Mapping[str, str], brought: Mapping[str, str]) -> Mapping[str, str]:
    """A container's labels without what its image would have us read, by those that it brings.

    None at all where the project itself came with the image: Compose notes its project on images
    that it builds, but gives each container a hash of its own.
    """
    project, marked = Label.PROJECT, labels.get(Label.CONFIG_HASH, "")
    if brought.get(project) == labels.get(project) and marked == brought.get(Label.CONFIG_HASH, ""):
        return {}
    # Which Compose leaves out where there are none.
    named = labels.get(Label.ENVIRONMENT_FILES)
    if named is None or brought.get(Label.ENVIRONMENT_FILES) != named:
        return labels
    return {name: text for name, text in labels.items() if name != Label.ENVIRONMENT_FILES}


def origin_of(labels: Mapping[str, str]) -> Origin:
    named = labels.get(Label.WORKING_DIR, "")
    folder = Path(named) if named else None
    return Origin(
        working_dir=folder,
        config_files=_located(labels.get(Label.CONFIG_FILES, ""), folder),
        environment_files=_located(labels.get(Label.ENVIRONMENT_FILES, ""), folder),
    )


def project_of(name: str, origin: Origin, services: Sequence[FoundService]) -> FoundProject:
    """A project by the engine's word alone."""
    return FoundProject(
        name=name,
        source="engine",
        working_dir=origin.working_dir,
        config_files=origin.config_files,
        environment_files=origin.environment_files,
        services=tuple(services),
    )


def with_files(name: str, origin: Origin, services: Sequence[FoundService]) -> FoundProject:
    """Put a project together: what runs, by the engine's word, and what its files add to that."""
    project = project_of(name, origin, services)
    if error := what_is_missing(origin):
        return replace(project, error=error)
    read = read_project(
        origin.config_files,
        working_dir=origin.working_dir,
        project_name=name,
        environment_files=origin.environment_files,
        environment=environment_of_projects(),
    )
    return replace(project, services=merged(services, read.services), error=read.error)


def merged(
    running: Sequence[FoundService], written: Sequence[FoundService]
) -> tuple[FoundService, ...]:
    """What runs wins; files add services never started and labels that nothing running has yet,
    and know what is built here."""
    known = {service.name: service for service in written}
    ours = [_named(service, known.get(service.name)) for service in running]
    started = {service.name for service in running}
    return (*ours, *(service for service in written if service.name not in started))


def _named(service: FoundService, written: FoundService | None) -> FoundService:
    if written is None:
        return service
    if written.labels:
        service = replace(service, labels={**written.labels, **service.labels})
    if service.image_ref == written.image_ref:
        return service
    if not written.image_ref and not service.running_digests:
        return replace(service, image_ref="")
    return service if service.image_ref else replace(service, image_ref=written.image_ref)


def what_is_missing(origin: Origin, *, mode: str = ":ro") -> str:
    """Which of its files cannot be read, and how to mend that; `mode` is of the mount it needs."""
    if not origin.config_files:
        return _(
            "Its containers do not say which compose files they come from. "
            "Start it once more with a newer Docker Compose."
        )
    for path in (*origin.config_files, *origin.environment_files):
        if path.name == "-":
            return _(
                "Its compose file was given on standard input, so it cannot be read again. "
                "Start it once from a file."
            )
        if not _is_there(path):
            hint = _(
                "%(path)s is not there, or may not be read. If it is on the Docker host, mount its "
                "folder into Dockrev's container at the same path: %(folder)s:%(folder)s%(mode)s"
            )
            return hint % {"path": path, "folder": path.parent, "mode": mode}
    return ""


def _located(label: str, folder: Path | None) -> tuple[Path, ...]:
    """Return the label's paths: a list with commas, unless one file has a comma in its name."""
    texts = (text.strip() for text in label.replace("\n", ",").split(","))
    paths = tuple(dict.fromkeys(_locate(text, folder) for text in texts if text))
    whole = (folder or Path()) / label
    if len(paths) > 1 and not all(map(_is_there, paths)) and _is_there(whole):
        return (whole,)
    return paths


def _locate(text: str, folder: Path | None) -> Path:
    """Find a path that was typed in a folder which nobody noted, at or above the working one.

    Compose 1 keeps `-f deploy/compose.yml` as it was typed and calls `deploy` the working folder.
    """
    path = Path(text)
    if path.is_absolute() or folder is None:
        return path
    places = [folder / path, *(parent / path for parent in folder.parents), folder / path.name]
    found = next((place for place in places if _is_there(place)), places[0])
    return Path(os.path.normpath(found))


def _is_there(path: Path) -> bool:
    try:
        return path.is_absolute() and path.is_file() and os.access(path, os.R_OK)
    except (OSError, ValueError):
        return False  # also where the label holds what no path can
