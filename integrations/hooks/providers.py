"""Who can keep hooks. To add one, write its file and name it here."""

from __future__ import annotations

from dataclasses import replace

from integrations.hooks.gitea import Gitea
from integrations.hooks.github import GitHub
from integrations.hooks.harbor import Harbor
from integrations.hooks.msr import Msr
from integrations.hooks.provider import Access, Provider
from integrations.hooks.quay import Quay
from integrations.models import HookAccount

PROVIDERS: dict[str, type[Provider]] = {
    provider.key: provider for provider in (GitHub, Harbor, Msr, Gitea, Quay)
}


def provider_of(account: HookAccount) -> Provider:
    """The provider, speaking with the account's credential as it is now."""
    receiver = account.receiver
    hidden = (receiver.secret, receiver.previous_secret)
    return PROVIDERS[account.provider].open(replace(access_of(account), hidden=hidden))


def access_of(account: HookAccount) -> Access:
    return Access(account.api_url, account.credential, account.username, account.authorities)
