"""The names that keep old images from pruning, for as long as somebody may go back to them.

They carry the name of this instance: another Dockrev may keep images on the same engine.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby

from django.utils import timezone

from checks.discovery.job import place_of
from checks.models import Host, JobLog, Replaced
from checks.run import Run
from checks.updating.engines import engine_at
from checks.updating.failing import Forbidden, UpdateFailed
from dockrev.models import Setting

REPOSITORY = "dockrev/kept"
KEPT = f"{REPOSITORY}:"  # what names begin with that keep images from pruning
KEEP = 2  # images of a service that a rollback may need
GRACE = timedelta(days=30)  # in which a person may need what no button leads to
MOST = 100  # taken off one engine at a time
INSTANCE = "instance"

State = Replaced.State


def name_for(service_id: str, job_id: str) -> str:
    return f"{_prefix()}{service_id}-{job_id}"


def tidy(run: Run) -> int:
    """Take names of ours off images that nobody needs any more, on every engine that is asked.
    How many."""
    taken = 0
    for host in Host.objects.asked().exclude(seen_at=None):
        try:
            taken += _tidy_on(host)
        except UpdateFailed as error:
            run.log(f"{host.name}: {error}", level=JobLog.Level.WARN)
    return taken


def needed(now: datetime) -> set[str]:
    """The names that something may go back to: a job under way, the button, or a person by hand."""
    rows = (
        Replaced.objects.exclude(state=State.UNDONE)
        .select_related("service")
        .defer("change", "project", "before")
        .order_by("service", "-pk")
    )
    by_service = groupby(rows, key=lambda row: row.service_id)
    return {name for _id, of in by_service for name in _needed_of(of, now) if name}


def _needed_of(rows: Iterable[Replaced], now: datetime) -> Iterable[str]:
    """Of one service, the newest first: each leads on to the one before it."""
    runs: str | None = None
    ways, is_open = 0, True
    for row in rows:
        runs = row.service.running_image_id if runs is None else runs
        leads = row.state in Replaced.HALF_DONE or row.leads_from(runs)
        is_open = is_open and leads and ways < KEEP
        if row.state in Replaced.HALF_DONE or is_open or (row.ended_at or now) > now - GRACE:
            yield row.kept
        ways += is_open
        runs = row.image_id


def _tidy_on(host: Host) -> int:
    with engine_at(place_of(host)) as engine:
        # In this order: a job that begins meanwhile writes its row before it makes its name.
        names = engine.names_in(REPOSITORY)
        known = set(Replaced.objects.exclude(kept="").values_list("kept", flat=True))
        prefix = _prefix()
        ours = {name for name in names if name.startswith(prefix) or name in known}
        gone = []
        for name in sorted(ours - needed(timezone.now()))[:MOST]:
            try:
                engine.untag(name)
            except Forbidden:
                raise
            except UpdateFailed:
                continue  # a container still uses it, and by no other name
            gone.append(name)
    Replaced.objects.filter(kept__in=gone).update(kept="")
    return len(gone)


def _prefix() -> str:
    made = {"value": secrets.token_hex(4)}
    setting, _made = Setting.objects.get_or_create(key=INSTANCE, defaults=made)
    return f"{KEPT}{setting.value}-"
