"""`dockrev check`: are the images of these compose files current? No database, no engine."""

from __future__ import annotations

import shutil
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.discovery.files import projects_below, read_project
from checks.discovery.projects import FoundProject
from checks.from_files import check_all
from checks.listing import Findings, as_json, as_table, plain
from checks.markdown import as_markdown
from checks.progress_bar import ProgressBar
from checks.registry.certs_d import authorities_in
from checks.registry.client import Access
from checks.registry.docker_config import Logins, read_config
from checks.registry.lanes import BRIDGE, IN_ALL
from checks.registry.reference import normal_host

CURRENT, UPDATES, NOT_CHECKED = 0, 1, 2
FORMATS = ("table", "json", "markdown")


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
        _add_printing(parser)
        parser.add_argument(
            "--concurrency",
            type=_at_once,
            metavar="N",
            help=_("requests at once to all registries together, 1 to %(most)d") % {"most": IN_ALL},
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
        troubles += [each.error for each in projects if each.error]  # these name their files
        for line in "\n".join(troubles).splitlines():
            self.stderr.write(plain(line))
        insecure = [*options["insecure_registry"], *settings.INSECURE_REGISTRIES]
        accesses = _Accesses(insecure, Logins(read_config(settings.DOCKER_CONFIG)))
        if options["concurrency"]:
            BRIDGE.keep_to(options["concurrency"])
        bar = ProgressBar(sys.stderr)
        try:
            lines = check_all(projects, accesses, progress=bar.draw)
        finally:
            bar.erase()
        wanted = {name: options[name] for name in ("explain", "only_updates")}
        findings = Findings(lines, len(troubles), **wanted)
        if lines or options["format"] == "json":
            self.stdout.write(_PRINTERS[options["format"]](findings))
        sys.exit(_exit_code(findings))


def _add_printing(parser: ArgumentParser) -> None:
    """What is printed, and how much of it."""
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help=_("what to print; a table if not said"),
    )
    printed.add_argument(
        "--json",
        action="store_const",
        dest="format",
        const="json",
        default="table",
        help=_("short for --format json"),
    )
    parser.add_argument(
        "--only-updates",
        action="store_true",
        help=_("leave out services that have no update and could be checked"),
    )
    parser.add_argument(
        "--explain", action="store_true", help=_("say which tags were left, and by which rule")
    )


def _table(findings: Findings) -> str:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return as_table(findings, width)


_PRINTERS: dict[str, Callable[[Findings], str]] = {
    "table": _table,
    "json": as_json,
    "markdown": as_markdown,
}


def _at_once(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    if not 1 <= number <= IN_ALL:
        message = _("a number from 1 to %(most)d is wanted, not %(given)s")
        raise ArgumentTypeError(message % {"most": IN_ALL, "given": plain(text)})
    return number


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


def _exit_code(findings: Findings) -> int:
    if findings.errors:
        return NOT_CHECKED
    return UPDATES if findings.updates else CURRENT
