"""Why a registry did not answer what was asked. Each text is meant for people."""

from __future__ import annotations


class RegistryError(Exception):
    """The question stays open: nothing that was known before is wrong because of it."""


class NotFound(RegistryError):
    """The registry knows no such tag, digest or repository."""


class Unauthorized(RegistryError):
    """It wants credentials, or others. Docker Hub says so of what does not exist, too."""


class RateLimited(RegistryError):
    """It was asked too often; `retry_after` are the seconds that it wants, where it says."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Unavailable(RegistryError):
    """No answer, or one that says that it cannot answer now."""


class BadAnswer(RegistryError):
    """An answer that the protocol does not allow, or that is not safe to follow."""
