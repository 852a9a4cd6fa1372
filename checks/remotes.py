"""The registries as their rows, the environment and Docker's own file say that they are reached."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from checks.decide import Remote
from checks.models import Registry
from checks.registry.client import Access, RegistryClient
from checks.registry.docker_config import Account, accounts
from checks.registry.once import Once
from checks.registry.reference import normal_host


def remotes(hosts: Iterable[str]) -> dict[str, Remote]:
    """A client for each host, which asks each question once. One query; raises UnreadableSecret."""
    wanted = set(hosts)
    rows = {row.host: row for row in Registry.objects.filter(host__in=wanted)}
    known = accounts(settings.DOCKER_CONFIG)
    return {
        host: Once(RegistryClient(_access(host, rows.get(host), known.get(host))))
        for host in wanted
    }


def _access(host: str, row: Registry | None, known: Account | None) -> Access:
    """A row's user wins over the one that `docker login` has left."""
    insecure = host in map(normal_host, settings.INSECURE_REGISTRIES)
    account = Account(row.username, row.password) if row else Account("", "")
    if not account.username and known:
        account = known
    return Access(host, insecure or bool(row and row.insecure), *account)
