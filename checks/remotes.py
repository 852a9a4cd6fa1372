"""The registries as their rows in the settings say that they are reached."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from checks.models import Registry
from checks.registry.client import Access, RegistryClient


def remotes(hosts: Iterable[str]) -> dict[str, RegistryClient]:
    """A client for each host, in one query. Raises UnreadableSecret."""
    wanted = set(hosts)
    rows = {row.host: row for row in Registry.objects.filter(host__in=wanted)}
    return {host: RegistryClient(_access(host, rows.get(host))) for host in wanted}


def _access(host: str, row: Registry | None) -> Access:
    insecure = host in settings.INSECURE_REGISTRIES
    if row is None:
        return Access(host, insecure)
    return Access(host, insecure or row.insecure, row.username, row.password)
