"""Why a registry did not answer what was asked. Each text is meant for people."""

from __future__ import annotations


class RegistryError(Exception):
    """The question stays open: nothing that was known before is wrong because of it."""


class NotFound(RegistryError):
    """The registry knows no such tag, digest or repository."""


class Unauthorized(RegistryError):
    """It wants credentials, or others. Docker Hub says so of what does not exist, too."""


class Resting(RegistryError):
    """It was asked too often, or has too much to do: nothing is asked of it for a while."""


class Saved(RegistryError):
    """It lets us ask only a little more, and that is left for others."""


class Unavailable(RegistryError):
    """No answer, or one that says that it cannot answer now."""


class BadAnswer(RegistryError):
    """An answer that the protocol does not allow, or that is not safe to follow."""
