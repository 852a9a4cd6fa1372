"""The registries as their rows, the environment and Docker's own file say that they are reached."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings

from checks.models import Registry
from checks.registry.certs_d import authorities_in
from checks.registry.client import Access
from checks.registry.credential_helpers import Account
from checks.registry.docker_config import Login, Logins, read_config
from checks.registry.lanes import Lanes, at_once
from checks.registry.once import Once
from checks.registry.reference import normal_host
from checks.registry.traffic import Traffic
from checks.tag_lists import Lister


class Counted(Once):
    """A registry in one run: each question is asked once, and what that cost is counted."""

    def __init__(self, access: Access, lanes: Lanes, trusted_since: datetime | None) -> None:
        self.lister = Lister(access, trusted_since)
        super().__init__(self.lister, lanes)
        self.traffic = access.traffic


def remotes(hosts: Iterable[str], trusted_since: datetime | None = None) -> dict[str, Counted]:
    """A client for each host, which asks each question once. One query; raises UnreadableSecret.

    Lists of tags that are kept and were fetched since `trusted_since` are not asked for again.
    """
    wanted = set(hosts)
    rows = {row.host: row for row in Registry.objects.filter(host__in=wanted)}
    logins = Logins(read_config(settings.DOCKER_CONFIG))
    accesses = {host: _access(host, rows.get(host), logins) for host in wanted}
    return {
        host: Counted(each, Lanes(_at_once(each, len(wanted))), trusted_since)
        for host, each in accesses.items()
    }


def _at_once(access: Access, hosts: int) -> int:
    return at_once(access.host, hosts, access.traffic.rests)


def _access(host: str, row: Registry | None, logins: Logins) -> Access:
    """A row's user wins over the one that `docker login` has left."""
    insecure = host in map(normal_host, settings.INSECURE_REGISTRIES)
    account = Account(row.username, row.password) if row else Account("", "")
    login = Login(account) if account.username else logins.of(host)
    account = login.account if login.account.username else account
    known = row.authorities if row else ""
    return Access(
        host,
        insecure or bool(row and row.insecure),
        *account,
        login_trouble=login.trouble,
        token_host=row.token_host if row else "",
        authorities=known or authorities_in(settings.DOCKER_CERTS, host),
        traffic=Traffic(row.cooldown_until, row.rests_in_a_row) if row else Traffic(),
    )
