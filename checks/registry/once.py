"""Asks a registry each question once, however many services and threads have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from checks.decide import Child, Remote
from checks.registry.configs import About
from checks.registry.lanes import Lanes
from checks.registry.questions import Questions
from checks.registry.reference import Reference

T = TypeVar("T")


class Once:
    """A `Remote` that remembers answers, and refusals too, for as long as one run lasts.

    Its `lanes` ask the registry; who starts them closes them.
    """

    def __init__(self, remote: Remote, lanes: Lanes) -> None:
        self._remote = remote
        self.lanes = lanes
        self._questions = Questions()

    def head(self, reference: Reference) -> str:
        key = ("head", reference.repository, reference.target)
        return self._questions.ask(key, lambda: self._remote.head(reference))

    def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
        key = ("children", reference.repository, digest)
        return self._questions.ask(key, lambda: self._remote.children(reference, digest))

    def about(self, repository: str, digest: str) -> About:
        return self._questions.ask(
            ("about", digest), lambda: self._remote.about(repository, digest)
        )

    def tags(self, repository: str) -> Iterable[str]:
        return self._questions.ask(("tags", repository), lambda: self._remote.tags(repository))

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        return self.lanes.together(calls)
