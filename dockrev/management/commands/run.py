from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev import (
    first_admin,
    listening,
    parenthood,
    process,
    server,
    startup,
    static_files,
    worker,
)
from dockrev.environment import CannotStart
from dockrev.supervisor import Child, Supervisor

_POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = str(
        gettext_lazy("Run server and worker together in the foreground; Ctrl-C ends them both.")
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--only",
            choices=["server", "worker"],
            help=_("Run one of the two. The server prepares the database, the worker waits."),
        )
        parser.add_argument(
            "--end-with-parent",
            action="store_true",
            help=_("End when the process that started this one dies."),
        )

    def handle(self, *args: Any, only: str | None = None, **options: Any) -> None:
        parenthood.children_end_with_me()
        if options["end_with_parent"]:
            parenthood.end_with_parent(os.getppid())
        if only == "worker":
            self._apart(self._await_database)
        else:
            with listening.reserve():
                self._apart(self._prepare)
            self._say(_("Dockrev is at %(url)s (Ctrl-C ends it).") % {"url": listening.url()})
        children = []
        if only != "worker":
            server.load()
            children.append(Child("server", server.serve))
        if only != "server":
            worker.load()
            children.append(Child("worker", work))
        sys.exit(Supervisor(children).run())

    def _apart(self, prepare: Callable[[], None]) -> None:
        """Prepare in a process of its own: what that loads is not kept in memory."""
        apart = get_context("fork").Process(target=_or_one_line, args=(prepare,))
        apart.start()
        apart.join()
        if apart.exitcode:
            sys.exit(1)

    def _prepare(self) -> None:
        startup.refuse_unusable_database()
        startup.migrate()
        static_files.collect_if_changed()
        self._tell_of_admin(first_admin.make())

    def _await_database(self) -> None:
        startup.refuse_unusable_database()
        if not startup.is_migrated():
            self._say(_("Waiting for the server to prepare the database."))
            while not startup.is_migrated():
                time.sleep(_POLL_SECONDS)
        startup.refuse_unusable_database()

    def _tell_of_admin(self, made: tuple[str, str] | None) -> None:
        if made is None:
            return
        name, password = made
        if password:
            words = _("Sign in as %(name)s with the password %(password)s. It is not shown again.")
        else:
            words = _("Sign in as %(name)s with the password from DOCKREV_ADMIN_PASSWORD.")
        self._say(words % {"name": name, "password": password})

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def work() -> int:
    process.become("worker")
    return worker.Worker().run()


def _or_one_line(prepare: Callable[[], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    try:
        prepare()
    except CannotStart as error:
        sys.exit(f"dockrev: {error}")
