"""The web server: granian, with one process."""

from __future__ import annotations

import logging
import sys
from typing import Any

from django.conf import settings
from django.urls import get_resolver
from django.utils.module_loading import import_string
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import MPServer

from dockrev import parenthood, process
from dockrev.together import together
from dockrev.turns import THREADS


class _WithoutAdvice(logging.Filter):
    """Granian warns of many threads at every start. Ours mostly wait."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "Python threads" not in record.getMessage()


OPTIONS: dict[str, Any] = {
    "interface": Interfaces.WSGI,
    "http": HTTPModes.http1,
    "websockets": False,
    "workers": 1,
    "blocking_threads": THREADS,  # few of them work at a time: see `turns`
    "blocking_threads_idle_timeout": 600,  # each has a database connection to lose
    "backlog": 1024,
    "respawn_failed_workers": True,
    "workers_kill_timeout": 8,  # seconds for requests in hand when it stops
    "log_access": False,  # paths hold tokens
    "log_level": LogLevels.warning,
    "log_dictconfig": {
        "filters": {"advice": {"()": _WithoutAdvice}},
        "loggers": {"_granian": {"propagate": True, "filters": ["advice"]}},
    },
}

# `package.module:name`, as granian takes it.
_ENTRY = ":".join(settings.WSGI_APPLICATION.rsplit(".", 1))

# Python's threads take turns every 5 ms, and of four busy ones the unlucky waits for seconds.
TURN_SECONDS = 0.0005


def load() -> None:
    """Load the application before the forks, which then share its memory."""
    import_string(settings.WSGI_APPLICATION)
    get_resolver().url_patterns  # noqa: B018 - importing the views is what it is read for


def serve() -> int:
    """Serve until told to stop. A worker that dies is replaced."""
    process.become("web")
    sys.setswitchinterval(TURN_SECONDS)
    together.shares = True
    parenthood.show_as("dockrev server")
    MPServer(
        _ENTRY,
        address=settings.HTTP_HOST,
        port=settings.HTTP_PORT,
        **OPTIONS,
    ).serve()
    return 0
