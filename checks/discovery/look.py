"""One look at a host: its engine, and for the local one the folders of compose files.

No database. Importing this loads the Docker SDK and PyYAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from django.utils.translation import gettext as _

from checks.discovery.engine import look_at_engine
from checks.discovery.files import projects_below
from checks.discovery.labels import merged
from checks.discovery.places import Place
from checks.discovery.projects import EngineUnavailable, FoundEngine, FoundHost, FoundProject

ENGINE, FILES = "engine", "files"


def look_at(place: Place, folders: Sequence[Path] = (), *, probe: bool = False) -> FoundHost:
    """See what is there; what could not be seen is in `error` and not in `sources`. With `probe`
    it is also asked whether anything could be changed."""
    errors: list[str] = []
    sources: set[str] = set()
    engine = FoundEngine(platform="", projects=())
    try:
        engine = look_at_engine(place, probe=probe)
        sources.add(ENGINE)
    except EngineUnavailable as error:
        errors.append(str(error))
    written, problems = _in_folders(folders)
    if not problems:
        sources.add(FILES)
    return FoundHost(
        platform=engine.platform,
        projects=_together(engine.projects, written),
        sources=frozenset(sources),
        error="\n".join([*errors, *problems]),
        version=engine.version,
        containers=engine.containers,
        is_read_only=engine.is_read_only,
    )


def _in_folders(folders: Iterable[Path]) -> tuple[dict[str, FoundProject], list[str]]:
    found: dict[str, FoundProject] = {}
    problems: list[str] = []
    for folder in folders:
        try:
            for project in projects_below(folder):
                found.setdefault(project.name, project)
        except OSError as error:
            text = _("The folder %(folder)s of DOCKREV_COMPOSE_DIRS cannot be read (%(why)s).")
            problems.append(text % {"folder": folder, "why": error.strerror})
    return found, problems


def _together(
    running: Iterable[FoundProject], written: dict[str, FoundProject]
) -> tuple[FoundProject, ...]:
    """The engine wins where both know a project; its files add services never started."""
    both = []
    for project in running:
        files = written.get(project.name)
        services = merged(project.services, files.services) if files else project.services
        both.append(replace(project, services=services))
    names = {project.name for project in both}
    return (*both, *(project for name, project in written.items() if name not in names))
