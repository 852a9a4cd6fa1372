"""`dockrev check`: are the images of these compose files current? No database, no engine."""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.discovery.files import projects_below, read_project
from checks.discovery.projects import FoundProject
from checks.from_files import Line, check_all
from checks.listing import as_json, as_table, plain
from checks.registry.certs_d import authorities_in
from checks.registry.client import Access
from checks.registry.docker_config import Logins, read_config
from checks.registry.reference import normal_host

CURRENT, UPDATES, NOT_CHECKED = 0, 1, 2


class Command(BaseCommand):
    help = str(
        gettext_lazy(
            "Check the images that compose files name, each on its registry. Exits with 0 where "
            "nothing newer was found, with 1 where there are updates, and with 2 where something "
            "could not be checked."
        )
    )
    requires_system_checks = ()
    suppressed_base_arguments = {
        "--version",
        "--verbosity",
        "--settings",
        "--pythonpath",
        "--traceback",
        "--no-color",
        "--force-color",
        "--skip-checks",
    }

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="+",
            type=Path,
            metavar="FILE_OR_FOLDER",
            help=_("a compose file, or a folder with projects in it"),
        )
        parser.add_argument("--json", action="store_true", help=_("print JSON instead of a table"))
        parser.add_argument(
            "--explain", action="store_true", help=_("say which tags were left, and by which rule")
        )
        parser.add_argument(
            "--insecure-registry",
            action="append",
            default=[],
            metavar="HOST",
            help=_("ask this registry with plain http; may be given again"),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        projects, troubles = _read(options["paths"])
        troubles += [f"{each.name}: {each.error}" for each in projects if each.error]
        for line in "\n".join(troubles).splitlines():
            self.stderr.write(plain(line))
        insecure = [*options["insecure_registry"], *settings.INSECURE_REGISTRIES]
        logins = Logins(read_config(settings.DOCKER_CONFIG))
        lines = check_all(projects, _Accesses(insecure, logins))
        if options["json"]:
            self.stdout.write(as_json(lines, len(troubles), explain=options["explain"]))
        elif lines:
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            self.stdout.write(as_table(lines, width, explain=options["explain"]))
        sys.exit(_exit_code(lines, failed=bool(troubles)))


class _Accesses:
    """How each registry is reached, as the command line and Docker's own file say."""

    def __init__(self, insecure: Iterable[str], logins: Logins) -> None:
        self._insecure = {normal_host(host) for host in insecure}
        self._logins = logins

    def __call__(self, host: str) -> Access:
        login = self._logins.of(host)
        insecure = host in self._insecure
        return Access(
            host,
            insecure,
            *login.account,
            login_trouble=login.trouble,
            authorities=authorities_in(settings.DOCKER_CERTS, host),
        )


def _read(paths: Iterable[Path]) -> tuple[list[FoundProject], list[str]]:
    """The projects, each once, and what is wrong with paths that hold none."""
    projects: dict[tuple[Path, ...], FoundProject] = {}
    troubles = []
    for path in paths:
        try:
            found = projects_below(path) if path.is_dir() else [_project(path)]
        except OSError as error:
            troubles.append(f"{path}: {error.strerror}")
            continue
        if not found:
            troubles.append(_("%(path)s: no compose file is in there") % {"path": path})
        projects.update({project.config_files: project for project in found})
    return list(projects.values()), troubles


def _project(file: Path) -> FoundProject:
    file.stat()
    return read_project([file])


def _exit_code(lines: Sequence[Line], *, failed: bool) -> int:
    if failed or any(line.error for line in lines):
        return NOT_CHECKED
    return UPDATES if any(line.found for line in lines) else CURRENT
