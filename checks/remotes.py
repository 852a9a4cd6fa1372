"""The registries as their rows, the environment and Docker's own file say that they are reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.conf import settings

from checks.models import Candidate, Image, Registry
from checks.registry.certs_d import authorities_in
from checks.registry.client import Access, RegistryClient
from checks.registry.configs import About
from checks.registry.credential_helpers import Account
from checks.registry.docker_config import Login, Logins, read_config
from checks.registry.lanes import Lanes, at_once, threads_for
from checks.registry.mirrors import Mirrored
from checks.registry.once import Once
from checks.registry.reference import normal_host
from checks.registry.traffic import Traffic
from checks.tag_lists import Lister


class Counted(Once):
    """A registry in one run: each question is asked once, and what that cost is counted.

    `traffics` has, by host, its own and that of the mirrors that are asked first. `lister` is the
    registry itself. `told` is what images have said of themselves already, by digest: they are
    not asked again.
    """

    def __init__(
        self,
        lister: Lister,
        lanes: Lanes,
        mirrors: Sequence[Access],
        *,
        told: Mapping[str, About],
    ) -> None:
        others = [RegistryClient(each) for each in mirrors]
        super().__init__(Mirrored(lister, others) if others else lister, lanes)
        self.lister = lister
        access = lister.access
        self.traffic = access.traffic
        self.traffics = {each.host: each.traffic for each in (access, *mirrors)}
        self._told = told

    def about(self, repository: str, digest: str) -> About:
        return self._told.get(digest) or super().about(repository, digest)


def remotes(
    hosts: Iterable[str],
    trusted_since: datetime | None = None,
    *,
    repositories: Iterable[str] = (),
) -> dict[str, Counted]:
    """A client for each host, which asks each question once. Two queries; raises UnreadableSecret.

    Lists of tags that are kept and were fetched since `trusted_since` are not asked for again, nor
    is what is newer in the `repositories` for one service and has spoken of itself already.
    """
    wanted = set(hosts)
    rows = {row.host: row for row in Registry.objects.reaching(wanted)}
    candidates = Candidate.objects.unclosed().filter(
        service__registry__in=wanted, service__repository__in=set(repositories)
    )
    images = Image.objects.filter(pk__in=candidates.values("image"))
    # That one registry could not show an image's config says nothing of what another has.
    told = {row.pk: row.about for row in images if row.about.says_anything}
    logins = Logins(read_config(settings.DOCKER_CONFIG))
    known = {host: access_of(host, rows.get(host), logins) for host in wanted | rows.keys()}
    lanes = {host: at_once(host, len(wanted), each.traffic.rests) for host, each in known.items()}
    for host, access in known.items():
        access.traffic.keep_to(lanes[host])
    return {
        host: Counted(
            Lister(known[host], trusted_since),
            Lanes(threads_for(lanes[host], len(wanted))),
            [known[row.host] for row in rows.values() if row.stands_for(host)],
            told=told,
        )
        for host in wanted
    }


def access_of(host: str, row: Registry | None, logins: Logins) -> Access:
    """A row's user wins over the one that `docker login` has left."""
    row = row or Registry(host=host)
    entered = Account(row.username, row.password)
    login = Login(entered) if entered.username else logins.of(host)
    account = login.account if login.account.username else entered
    way = way_to(row)
    return replace(
        way, username=account.username, password=account.password, login_trouble=login.trouble
    )


def way_to(row: Registry) -> Access:
    """How a registry is reached, as nobody. Its password is not looked at."""
    return Access(
        row.host,
        row.insecure or row.host in map(normal_host, settings.INSECURE_REGISTRIES),
        token_host=row.token_host,
        authorities=row.authorities or authorities_in(settings.DOCKER_CERTS, row.host),
        traffic=Traffic(row.cooldown_until, row.rests_in_a_row),
    )
