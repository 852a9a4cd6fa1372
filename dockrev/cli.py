"""The console script. `dockrev COMMAND` is a management command; `check` needs no database."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from dockrev.environment import CannotStart


def manage(argv: list[str] | None = None) -> None:
    """Run a management command; a start that cannot work says why in one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dockrev.settings")
    try:
        execute_from_command_line(argv or sys.argv)
    except CannotStart as error:
        sys.exit(f"dockrev: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def main() -> None:
    manage()
