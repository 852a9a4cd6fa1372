"""What a service has to show after it was made anew, and whether it is put back where it does not.

Read from its policy when it is needed, so what was said last counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from checks import policies
from checks.models import Service, Stack
from checks.versions.policies import MARGIN, Held
from checks.versions.probes import HttpProbe, http_probe


@dataclass(frozen=True)
class Demands:
    """`settle` and `margin` in seconds; a `settle` of 0 is left to whether there is a healthcheck.
    `log` is a pattern. What is empty is not asked for."""

    rolls_back: bool = True
    settle: float = 0
    margin: float = MARGIN
    http: HttpProbe | None = None
    tcp: int = 0
    log: str = ""

    @property
    def has_probes(self) -> bool:
        return bool(self.http or self.tcp or self.log)

    @property
    def without_probes(self) -> Self:
        return replace(self, http=None, tcp=0, log="")


def demands_of(stack: Stack, names: Iterable[str]) -> dict[str, Demands]:
    """For services by name; one that Dockrev does not know has to show the usual. One query."""
    rows = Service.objects.with_policies().filter(stack=stack, name__in=list(names))
    return {each.name: _read(policies.of_service(each).held) for each in rows}


def _read(held: Mapping[str, Held]) -> Demands:
    written = held["probeHttp"].value
    return Demands(
        rolls_back=held["rollback"].value,
        settle=held["settleTime"].value,
        margin=held["healthMargin"].value,
        http=http_probe(written) if written else None,
        tcp=held["probeTcp"].value,
        log=held["probeLog"].value,
    )
