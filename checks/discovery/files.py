"""Compose projects from their files alone, with no engine and no Compose at hand."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext as _

from checks.discovery.composition import Composition, Scope
from checks.discovery.dotenv import read_environment
from checks.discovery.projects import FoundProject, FoundService

# In the order in which Compose looks, the first wins; an override of any name goes with any base.
DEFAULT_FILES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_FILES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_OURS = ("COMPOSE_", "DOCKREV_", "DATABASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
MAX_LEVELS = 4
MAX_FOLDERS = 5000


def read_project(
    files: Sequence[Path],
    *,
    working_dir: Path | None = None,
    project_name: str | None = None,
    environment_files: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
) -> FoundProject:
    """Read one project as Compose would; what is wrong with its files is in `error`.

    Relative to the first file's folder, with the `.env` there unless environment files are given.
    Variables of the environment, this process's unless another is given, win over those of files.
    """
    paths = tuple(_absolute(file) for file in files)
    folder = _absolute(working_dir) if working_dir else paths[0].parent
    known = os.environ if environment is None else environment
    composition, variables = compose(paths, folder, environment_files, known)
    named = variables.get("COMPOSE_PROJECT_NAME", "") or composition.name or folder.name
    services, problems = _services(composition, paths[0])
    return FoundProject(
        name=project_name or normal_name(named) or "default",
        source="files",
        working_dir=folder,
        config_files=paths,
        environment_files=tuple(environment_files),
        services=services,
        error="\n".join(problems) or ("" if services else _no_services(paths[0])),
    )


def compose(
    files: Sequence[Path],
    folder: Path,
    environment_files: Sequence[Path],
    environment: Mapping[str, str],
    *,
    texts: Mapping[str, bytes] | None = None,
) -> tuple[Composition, Mapping[str, str]]:
    """Put a project's files together; also return the variables that they may use."""
    composition = Composition(texts=texts)
    variables = composition.variables(environment_files or [folder / ".env"], environment)
    composition.add(files, Scope(variables))
    return composition, variables


def normal_name(text: str) -> str:
    """Make a project's name of a folder's, as Compose does."""
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("_-")


def compose_files(folder: Path, environment: Mapping[str, str] | None = None) -> list[Path]:
    """Return the files that Compose would take in this folder, or none.

    These are what COMPOSE_FILE in the environment or the folder's `.env` names, else the first
    default name and the first override.
    """
    known = os.environ if environment is None else environment
    try:
        variables = {**read_environment(folder / ".env", known), **known}
    except OSError:
        variables = dict(known)
    if named := variables.get("COMPOSE_FILE", ""):
        separator = variables.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        # What holds a null is no path: to ask for it is an error of another kind than its absence.
        return [folder / part for part in named.replace("\0", "").split(separator) if part]
    base = _first(folder, DEFAULT_FILES)
    return base + _first(folder, OVERRIDE_FILES) if base else []


def environment_of_projects() -> dict[str, str]:
    """This process's variables, without its own settings: any project's file may name them, and
    what it makes of them is shown and sent to a registry."""
    return {k: v for k, v in os.environ.items() if not k.upper().startswith(_OURS)}


def projects_below(folder: Path) -> list[FoundProject]:
    """Return the projects in a folder and the folders in it, each name once.

    Below a folder that is a project nothing more is looked for: its data is there. Raises OSError
    where the folder itself cannot be listed.
    """
    environment = environment_of_projects()
    found: dict[str, FoundProject] = {}
    for place in _folders_with_files(folder, environment):
        files = compose_files(place, environment)
        project = read_project(files, environment=environment)
        first = found.setdefault(project.name, project)
        if first is not project:
            text = _("%(folder)s holds a project of the same name; give one of them a `name:`.")
            error = "\n".join(filter(None, [first.error, text % {"folder": place}]))
            found[project.name] = replace(first, error=error)
    return list(found.values())


def _folders_with_files(top: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    level, seen = _subfolders(top), 0
    if compose_files(top, environment):
        yield top
    for _level in range(MAX_LEVELS):
        deeper: list[Path] = []
        for folder in level[: MAX_FOLDERS - seen]:
            if _is_project(folder, environment):
                yield folder
            else:
                deeper.append(folder)
        seen += len(level)
        level = [inner for folder in deeper for inner in _readable_subfolders(folder)]


def _is_project(folder: Path, environment: Mapping[str, str]) -> bool:
    """A folder that may not be entered, such as `lost+found`, must not hide those beside it."""
    try:
        return bool(compose_files(folder, environment))
    except OSError:
        return False


def _readable_subfolders(folder: Path) -> list[Path]:
    try:
        return _subfolders(folder)
    except OSError:
        return []


def _subfolders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name[0] != "." and _is_folder(entry)]
    return [folder / name for name in sorted(names)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads to itself, or to where we may not look


def _absolute(path: Path) -> Path:
    """As Compose does it: a link is kept as it is named."""
    return Path(os.path.normpath(Path(path).absolute()))


def _first(folder: Path, names: Sequence[str]) -> list[Path]:
    return [path for name in names if (path := folder / name).is_file()][:1]


def _no_services(file: Path) -> str:
    return _("%(file)s: it has no services") % {"file": file}


def _services(composition: Composition, file: Path) -> tuple[tuple[FoundService, ...], list[str]]:
    found, problems = [], list(composition.problems)
    for name, part in composition.services.items():
        image = part.get("image") or ""
        if image or part.get("build"):
            platform, labels = part.get("platform") or "", part.get("labels") or {}
            found.append(FoundService(name, image, platform=platform, labels=labels))
        elif not part.get("provider"):
            text = _("%(file)s: the service %(name)s has neither an image nor a build")
            problems.append(text % {"file": file, "name": name})
    return tuple(found), problems
