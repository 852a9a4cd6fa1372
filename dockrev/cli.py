"""The console script. `dockrev COMMAND` is a management command; `check` needs no database."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import execute_from_command_line, load_command_class

from dockrev import addresses
from dockrev.environment import CannotStart, docker_certs, env, flag


def manage(argv: list[str] | None = None) -> None:
    """Run a management command; a start that cannot work says why in one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dockrev.settings")
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        execute_from_command_line(argv or sys.argv)
    except CannotStart as error:
        sys.exit(f"dockrev: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def main() -> None:
    if sys.argv[1:2] == ["check"]:
        check(sys.argv)
    else:
        manage(_named_as_files(sys.argv))


def _named_as_files(argv: list[str]) -> list[str]:
    """Commands are typed with hyphens; those of Django are files, which have underscores."""
    name = argv[1:2]
    if name and not name[0].startswith("-"):
        name = [name[0].replace("-", "_")]
    return [*argv[:1], *name, *argv[2:]]


def check(argv: list[str]) -> None:
    """Check compose files. Interrupted, it ends at once, with a line that says so and 130."""
    try:
        _configure()
        try:
            load_command_class("checks", "check_compose").run_from_argv(argv)
        finally:
            sys.stdout.flush()
    except CannotStart as error:
        sys.stderr.write(f"dockrev: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.stderr.flush()
        os._exit(130)  # at once: threads that wait for a registry would be waited for
    except BrokenPipeError:
        os._exit(130)


def _configure() -> None:
    """Of the settings only what a check needs: the others make a data directory."""
    settings.configure(
        DOCKER_CONFIG=env.str("DOCKREV_DOCKER_CONFIG", default=""),
        DOCKER_CERTS=docker_certs(),
        INSECURE_REGISTRIES=env.list("DOCKREV_INSECURE_REGISTRIES", default=[]),
        PUBLIC_TARGETS_ONLY=flag("DOCKREV_PUBLIC_TARGETS_ONLY"),
        LOCALE_PATHS=[Path(__file__).resolve().parent.parent / "locale"],
        TIME_ZONE="UTC",
    )
    django.setup(set_prefix=False)
    addresses.enforce()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
