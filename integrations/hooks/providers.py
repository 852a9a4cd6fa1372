"""Who can keep hooks. To add one, write its file and name it here."""

from __future__ import annotations

from collections.abc import Callable

from integrations.hooks.github import GitHub
from integrations.hooks.provider import Provider
from integrations.models import HookAccount

PROVIDERS: dict[str, Callable[[HookAccount], Provider]] = {
    HookAccount.Provider.GITHUB: lambda account: GitHub(account.credential, account.api_url),
}


def provider_of(account: HookAccount) -> Provider:
    """The provider, speaking with the account's credential as it is now."""
    return PROVIDERS[account.provider](account)
