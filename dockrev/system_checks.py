"""System checks: settings that would let it start and then fail later.

dockrev.E001  the queue's messages would not commit together with the rows that they are about
dockrev.E002  a cluster would hand out a message again while its first worker still has it
dockrev.E003  a lease would run out, or not be renewed in time
dockrev.E004  SQLite does not use its write-ahead log
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from dockrev import sqlite
from dockrev.dispatch import CLUSTERS, cluster_settings

Apps = Sequence[AppConfig] | None


def queue_is_transactional(app_configs: Apps, **_: Any) -> list[CheckMessage]:
    if settings.Q_CLUSTER.get("orm") == "default":
        return []
    return [
        Error(
            "Queue messages do not commit together with the rows that they are about.",
            hint='Set Q_CLUSTER["orm"] to "default".',
            id="dockrev.E001",
        )
    ]


def messages_outlive_their_work(app_configs: Apps, **_: Any) -> list[CheckMessage]:
    clusters = {name: cluster_settings(name) for name in CLUSTERS}
    return [
        Error(
            f"The cluster {name} would hand out a message again while it is being worked on.",
            hint=f"Set its retry above {cluster['timeout']} seconds, or its timeout lower.",
            id="dockrev.E002",
        )
        for name, cluster in clusters.items()
        if cluster["retry"] <= cluster["timeout"]
    ]


def leases_are_renewed_in_time(app_configs: Apps, **_: Any) -> list[CheckMessage]:
    if settings.LEASE >= 2 * settings.LEASE_RENEW_EVERY:
        return []
    return [
        Error(
            "A lease would run out before it is renewed.",
            hint="Set LEASE to twice LEASE_RENEW_EVERY at least.",
            id="dockrev.E003",
        )
    ]


def sqlite_keeps_a_log(app_configs: Apps, **given: Any) -> list[CheckMessage]:
    """Only asked for with `check --database default`: it opens the database."""
    engine: str = settings.DATABASES["default"]["ENGINE"]
    if "default" not in (given.get("databases") or []) or not engine.endswith("sqlite3"):
        return []
    if (mode := sqlite.journal_mode()) == "wal":
        return []
    return [
        Error(
            f"SQLite is in journal mode {mode}; writers would block readers.",
            hint="Put the data directory on a local disk.",
            id="dockrev.E004",
        )
    ]


def register_all() -> None:
    register(queue_is_transactional, "work")
    register(messages_outlive_their_work, "work")
    register(leases_are_renewed_in_time, "work")
    register(sqlite_keeps_a_log, Tags.database)
