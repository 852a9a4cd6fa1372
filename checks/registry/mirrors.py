"""A registry, and others that have its images under the same names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from checks.decide import Child, Remote, SomeTags
from checks.registry.configs import About
from checks.registry.errors import RegistryError, Resting, Unavailable
from checks.registry.reference import Reference

T = TypeVar("T")


class Mirrored:
    """Images are asked of the mirrors first, and of the registry where no mirror has them.

    The list of tags is the registry's own: a mirror may know only what was pulled through it, and
    then nothing would ever be newer. A mirror's stands in where the registry does not answer, as
    `SomeTags`. A mirror that did not answer once is not waited for again.
    """

    def __init__(self, origin: Remote, mirrors: Sequence[Remote]) -> None:
        self._origin = origin
        self._mirrors = mirrors
        self._away: set[int] = set()

    def head(self, reference: Reference) -> str:
        return self._first(lambda remote: remote.head(reference))

    def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
        return self._first(lambda remote: remote.children(reference, digest))

    def about(self, repository: str, digest: str) -> About:
        return self._first(lambda remote: remote.about(repository, digest))

    def tags(self, repository: str) -> Iterable[str]:
        try:
            return self._origin.tags(repository)
        except (Unavailable, Resting):
            for answer in self._of_mirrors(lambda remote: remote.tags(repository)):
                return SomeTags(answer)
            raise

    def _first(self, ask: Callable[[Remote], T]) -> T:
        for answer in self._of_mirrors(ask):
            return answer
        return ask(self._origin)

    def _of_mirrors(self, ask: Callable[[Remote], T]) -> Iterable[T]:
        """What mirrors answer, asked one after the other."""
        for mirror in self._mirrors:
            if id(mirror) in self._away:
                continue
            try:
                yield ask(mirror)
            except Unavailable:
                self._away.add(id(mirror))
            except RegistryError:
                continue
