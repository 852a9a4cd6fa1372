"""Asks a registry each question once, however many services and threads have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

from checks.decide import Child, Remote
from checks.registry.configs import About
from checks.registry.lanes import Lanes
from checks.registry.reference import Reference

T = TypeVar("T")


class Once:
    """A `Remote` that remembers answers, and refusals too, for as long as one run lasts.

    Its `lanes` ask the registry; who starts them closes them.
    """

    def __init__(self, remote: Remote, lanes: Lanes) -> None:
        self._remote = remote
        self.lanes = lanes
        self._lock = Lock()
        self._answers: dict[tuple[str, ...], Future[Any]] = {}

    def head(self, reference: Reference) -> str:
        key = ("head", reference.repository, reference.target)
        digest: str = self._once(key, lambda: self._remote.head(reference))
        return digest

    def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
        key = ("children", reference.repository, digest)
        children: tuple[Child, ...] | None = self._once(
            key, lambda: self._remote.children(reference, digest)
        )
        return children

    def about(self, repository: str, digest: str) -> About:
        about: About = self._once(("about", digest), lambda: self._remote.about(repository, digest))
        return about

    def tags(self, repository: str) -> Iterable[str]:
        tags: Iterable[str] = self._once(
            ("tags", repository), lambda: self._remote.tags(repository)
        )
        return tags

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        return self.lanes.together(calls)

    def _once(self, key: tuple[str, ...], ask: Callable[[], Any]) -> Any:
        """Ask, or wait for the thread that is asking already."""
        mine: Future[Any] = Future()
        with self._lock:
            asked = self._answers.setdefault(key, mine)
        if asked is mine:
            try:
                mine.set_result(ask())
            except BaseException as error:  # whatever it is, those who wait must hear of it
                mine.set_exception(error)
        return asked.result()
