"""Which of Dockrev's processes this is."""

from __future__ import annotations

import os
from typing import Literal

from django.conf import settings
from django.db import connection

Role = Literal["web", "worker"]


def become(role: Role) -> None:
    """Take on a role after a fork: the web process does not wait long for SQLite's lock."""
    os.environ["DOCKREV_PROCESS"] = settings.PROCESS = role
    if connection.vendor == "sqlite":
        connection.settings_dict["OPTIONS"]["timeout"] = settings.SQLITE_PATIENCE[role]
