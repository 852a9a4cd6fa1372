"""Why a provider did not do what it was asked. The texts are for people, and hold no secret."""

from __future__ import annotations

from datetime import datetime


class ProviderError(Exception):
    """Concerns one repository or project; others may go on."""


class CredentialInvalid(ProviderError):
    """The provider does not know the credential, or not any more: nothing can go on with it."""


class Refused(ProviderError):
    """The credential is known and may not do this.

    `reason` is a word of the HTTP contract, `sso_required` or `pat_scope_insufficient`;
    `accepted_scopes` are what the provider says would do; `sso_url` is where a person
    authorises the token for an organisation.
    """

    def __init__(
        self,
        text: str,
        reason: str = "pat_scope_insufficient",
        *,
        accepted_scopes: tuple[str, ...] = (),
        sso_url: str = "",
    ) -> None:
        super().__init__(text)
        self.reason, self.accepted_scopes, self.sso_url = reason, accepted_scopes, sso_url


class NotSeen(ProviderError):
    """There is no such thing, or the credential may not see it: providers do not say which."""


class Rejected(ProviderError):
    """The provider understood and will not; the text holds its own words."""


class RateLimited(ProviderError):
    """Asked too often. Nothing more may be asked before `until`, by our clock."""

    def __init__(self, text: str, until: datetime) -> None:
        super().__init__(text)
        self.until = until


class Unavailable(ProviderError):
    """No answer, or one that says that it cannot answer now, or that makes no sense.

    After a write nobody knows whether it was done.
    """
