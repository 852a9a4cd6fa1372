"""Whether a Docker Engine answered when discovery last looked."""

from __future__ import annotations

from checks.models import Host
from dockrev.probes import Health


def engine_health() -> Health:
    """`absent` is no trouble by itself: folders of compose files are enough to check."""
    reached = Host.objects.asked().filter(error="", seen_at__isnull=False)
    return "ok" if reached.exists() else "absent"
