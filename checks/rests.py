"""What registries say of how much they can bear: kept where every process sees it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from checks import outages
from checks.models import JobLog, Registry
from checks.registry.traffic import Traffic, iso, shown
from checks.remotes import Counted
from checks.run import Run


class Ledger:
    """What a run asks of registries: told in its log and its summary, shared with other runs."""

    def __init__(self, run: Run, clients: Mapping[str, Counted]) -> None:
        self._run = run
        self._traffics = {
            host: traffic
            for client in clients.values()
            for host, traffic in client.traffics.items()
        }
        self._told: set[str] = set()

    def exchange(self) -> None:
        exchange(self._traffics, timezone.now())
        for host, until in sorted(self._resting().items()):
            if host not in self._told:
                text = _("%(host)s rests until %(time)s.") % {"host": host, "time": shown(until)}
                self._run.log(text, level=JobLog.Level.WARN)
        self._told = set(self._resting())

    def figures(self) -> dict[str, Any]:
        return _figures(self._traffics)

    def _resting(self) -> dict[str, datetime]:
        return _resting(self._traffics)


def exchange(traffics: Mapping[str, Traffic], now: datetime) -> None:
    """Write what this run was told, and let it know of rests that others were told to take.

    A row is made only for what there is to say: most registries never say anything.
    """
    rows = Registry.objects.filter(host__in=traffics)
    known = dict(rows.values_list("host", "unreachable_since"))
    said = {host for host, each in traffics.items() if _says_something(each)}
    unheard = [host for host in known.keys() | said if traffics[host].is_unheard]
    back = [host for host, since in known.items() if since and traffics[host].is_heard]
    with transaction.atomic():
        new = [Registry(host=host) for host in said if host not in known]
        Registry.objects.bulk_create(new, ignore_conflicts=True)
        for host in known.keys() | said:
            _write(host, traffics[host], now)
        if unheard:
            outages.note_silence(Registry.objects.filter(host__in=unheard), now)
        if back:
            outages.note_answer(Registry.objects.filter(host__in=back), now)
    resting = Registry.objects.filter(host__in=traffics, cooldown_until__gt=now)
    for host, until in resting.values_list("host", "cooldown_until"):
        if until:
            traffics[host].rest_with_others(until)


def _says_something(traffic: Traffic) -> bool:
    return bool(traffic.told_to_rest or traffic.limit or traffic.is_unheard)


def _write(host: str, traffic: Traffic, now: datetime) -> None:
    row = Registry.objects.filter(host=host)
    if traffic.limit and traffic.answered_at:
        limit = traffic.limit
        row.update(
            limit_most=limit.most,
            limit_remaining=limit.remaining,
            limit_window=limit.window,
            limit_seen_at=traffic.answered_at,
        )
    if traffic.answered_at:
        row.update(last_ok_at=traffic.answered_at)
    if traffic.told_to_rest:
        until = traffic.rests_until
        shorter = Q(cooldown_until=None) | Q(cooldown_until__lt=until)
        row.filter(shorter).update(
            cooldown_until=until, rests_in_a_row=traffic.rests, last_error=traffic.trouble
        )
    elif traffic.answered_at:
        # A rest that began meanwhile, in another process, goes on.
        over = row.exclude(cooldown_until__gt=now)
        over.update(cooldown_until=None, rests_in_a_row=0, last_error=traffic.trouble)
    elif traffic.trouble:
        row.update(last_error=traffic.trouble)


def _figures(traffics: Mapping[str, Traffic]) -> dict[str, Any]:
    """What a run cost, for its summary."""
    asked = {host: each for host, each in traffics.items() if each.requests}
    told: dict[str, Any] = {
        "requests": sum(each.requests for each in asked.values()),
        "countedPulls": sum(each.pulls for each in asked.values()),
        "tooManyRequests": sum(each.refused for each in asked.values()),
    }
    if asked:
        host = max(asked, key=lambda each: asked[each].seconds / asked[each].requests)
        seconds = asked[host].seconds / asked[host].requests
        told["slowestHost"] = {"host": host, "seconds": round(seconds, 3)}
    if resting := _resting(traffics):
        told["resting"] = [
            {"host": host, "until": iso(until)} for host, until in sorted(resting.items())
        ]
    return told


def _resting(traffics: Mapping[str, Traffic]) -> dict[str, datetime]:
    """The hosts that rest now, and until when."""
    return {host: until for host, each in traffics.items() if (until := each.resting_until)}
