"""The repositories of an account: found, counted, and whether they run. `tracking` changes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.models import Registry, Service
from dockrev.errors import NotFound
from integrations.callbacks import shown_callback
from integrations.hooks.plan import same_url
from integrations.hooks.tokens import fingerprint
from integrations.matching import FRONTS
from integrations.models import HookAccount, HookTarget
from integrations.receivers import RECEIVERS

State = HookTarget.HookState

MAX_NAME = 300  # characters, as its column has

ATTENTION = (State.MISSING, State.CONFLICT, State.DRIFT, State.ERROR)
SELECTIONS = {
    "all": Q(),
    "selected": Q(selected=True),
    "unselected": Q(selected=False),
}


class Filter(NamedTuple):
    label: str | Promise
    condition: Q


FILTERS = {
    "all": Filter(gettext_lazy("All"), SELECTIONS["all"]),
    "selected": Filter(gettext_lazy("Selected"), SELECTIONS["selected"]),
    "unselected": Filter(gettext_lazy("Not selected"), SELECTIONS["unselected"]),
    "attention": Filter(
        gettext_lazy("Needs attention"),
        Q(selected=True, hook_state__in=[str(state) for state in ATTENTION]),
    ),
}


@dataclass(frozen=True)
class Counts:
    """Of everything that is tracked; `states` are those of the selected."""

    total: int
    selected: int
    states: dict[str, int]

    @property
    def wrong(self) -> int:
        return sum(self.states[state] for state in ATTENTION)


@dataclass(frozen=True)
class Look:
    """`repositories` is not read yet: the caller takes a page of it."""

    repositories: QuerySet[HookTarget]
    show: str
    words: str
    filters: list[tuple[str, Filter, int]]
    found: int


def present(account: HookAccount) -> QuerySet[HookTarget]:
    """What is tracked. A row that only waits for its hook's deletion is not."""
    return account.targets.filter(removed=False)


def look(account: HookAccount, *, show: str, words: str) -> Look:
    """Gather the repositories for one filter and one search. Counts are of the server."""
    chosen = show if show in FILTERS else "all"
    within = matching(present(account), words)
    counts = within.aggregate(
        **{f"n_{key}": Count("pk", filter=filter_.condition) for key, filter_ in FILTERS.items()}
    )
    return Look(
        repositories=shown(within.filter(FILTERS[chosen].condition)),
        show=chosen,
        words=words,
        filters=[(key, FILTERS[key], counts[f"n_{key}"]) for key in FILTERS],
        found=counts[f"n_{chosen}"],
    )


def matching(repositories: QuerySet[HookTarget], words: str) -> QuerySet[HookTarget]:
    """Those that have every word in their name."""
    for word in words.lower().split():
        repositories = repositories.filter(name_key__contains=word)
    return repositories


def shown(repositories: QuerySet[HookTarget]) -> QuerySet[HookTarget]:
    """Without the column that only the sync reads, and that may be long."""
    return repositories.defer("hooks_seen")


def find(account: HookAccount, full_name: str, *, field: str = "repo") -> HookTarget:
    """The repository of that name. Raises NotFound."""
    row = present(account).filter(name_key=full_name.lower()).first()
    if row is None:
        raise NotFound(_("This repository is not tracked."), field=field)
    return row


def with_hook(account: HookAccount) -> QuerySet[HookTarget]:
    """What has a hook of ours, what was removed here included."""
    return account.targets.exclude(hook_id="")


def pending(account: HookAccount) -> int:
    """How many repositories a sync would do something to, as far as is known here. Two queries.

    What a sync left as an error or a conflict is not waiting for a sync but for a person.
    """
    receiver = account.receiver
    if not (receiver.enabled and receiver.secret and account.credential):
        return 0
    callback = shown_callback(account)
    urls = with_hook(account).values_list("hook_url", flat=True).distinct()
    others = [url for url in urls.order_by() if not same_url(url, callback)]
    stale = Q(last_sync_at=None) | Q(hook_url__in=others)
    stale |= ~Q(secret_sent=fingerprint(receiver.secret)) & ~Q(hook_id="")
    wanted = Q(selected=True) & stale & ~Q(last_op__in=["error", "conflict"])
    unwanted = Q(selected=False) & ~Q(hook_id="")
    return account.targets.filter(wanted | unwanted).count()


def count(account: HookAccount) -> Counts:
    """One query."""
    counts = present(account).aggregate(**_counted())
    return Counts(counts.pop("total"), counts.pop("chosen"), counts)


def counts_of(accounts: Iterable[HookAccount]) -> dict[str, Counts]:
    """Those of many accounts, by their ids. One query."""
    keys = [account.pk for account in accounts]
    rows = HookTarget.objects.filter(account__in=keys, removed=False).order_by()
    names = ("total", "chosen", *State.values)
    counted = rows.values("account").annotate(**_counted()).values_list("account", *names)
    found = {key: numbers for key, *numbers in counted}
    none = [0] * len(names)
    return {key: _counts(names, found.get(key, none)) for key in keys}


def _counts(names: Iterable[str], numbers: Iterable[int]) -> Counts:
    named = dict(zip(names, numbers, strict=True))
    return Counts(named.pop("total"), named.pop("chosen"), named)


def _counted() -> dict[str, Count]:
    selected = Q(selected=True)
    states = {state: Count("pk", filter=selected & Q(hook_state=state)) for state in State.values}
    return {"total": Count("pk"), "chosen": Count("pk", filter=selected), **states}


def failing(account: HookAccount, heard: datetime | None) -> HookTarget | None:
    """The repository whose last delivery failed, unless something got through since: `heard`."""
    unmended = Q(last_delivery_at=None) | Q(last_failure_at__gte=F("last_delivery_at"))
    if heard is not None:
        unmended &= Q(last_failure_at__gt=heard)
    rows = shown(present(account)).filter(unmended, selected=True, last_failure_at__isnull=False)
    return rows.order_by("-last_failure_at").first()


def deployed(account: HookAccount, owner: str = "") -> set[str]:
    """The names, owner/name in lower case, under which images run here; of one owner, or all."""
    receiver = account.receiver
    host = receiver.registry_host or RECEIVERS[receiver.kind].registry_host
    hosts = {host, FRONTS.get(host, host)}
    mirrors = Registry.objects.filter(mirror_of__in=hosts).values("host")
    running = Service.objects.present().filter(Q(registry__in=hosts) | Q(registry__in=mirrors))
    if owner:
        running = running.filter(repository__startswith=f"{owner.lower()}/")
    paths = running.order_by().values_list("repository", flat=True).distinct()
    return {"/".join(path.split("/")[:2]) for path in paths}
