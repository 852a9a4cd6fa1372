"""What the worker process does for each app, told by the app in `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dockrev.dispatch import Cluster  # models load after apps


class Share(Protocol):
    """One app's share of the work: a module with these functions.

    The process ticks ten times a second, so each is one indexed query when nothing is to do.
    """

    def dispatch_due(self, now: datetime) -> object:
        """Hand what became due to a cluster."""

    def recover(self, now: datetime) -> object:
        """Bring back what a dead worker had."""

    def redispatch(self, cluster: Cluster) -> object:
        """Send again what this cluster had taken but not begun."""

    def busy(self, cluster: Cluster, now: datetime) -> int:
        """How many workers of this cluster hold a live lease."""

    def is_late(self, cluster: Cluster, since: datetime) -> bool:
        """Whether something was handed to this cluster before `since` and not begun."""


SHARES: list[Share] = []
PRELOAD: list[str] = []
# What runs in a thread of each quick worker, beside its messages, until it is told to leave: what
# would keep a worker waiting, such as for a server. It is given what says so.
BESIDE: list[Callable[[Callable[[], bool]], None]] = []


def register(share: Share) -> None:
    if share not in SHARES:
        SHARES.append(share)


def preload(*modules: str) -> None:
    """Have modules that jobs need imported before the workers are forked, which then share them."""
    PRELOAD.extend(module for module in modules if module not in PRELOAD)


def beside(run: Callable[[Callable[[], bool]], None]) -> None:
    if run not in BESIDE:
        BESIDE.append(run)
