"""The accounts at hosts of source, for `checks` to read release notes with."""

from __future__ import annotations

from urllib.parse import urlsplit

from checks.releases.accounts import Account
from checks.releases.places import GITHUB
from dockrev.fields import UnreadableSecret
from integrations.github.client import API_URL
from integrations.models import HookAccount, HookTarget

GITHUB_COM = "github.com"


class HookAccounts:
    """GitHub accounts that keep webhooks."""

    def accounts(self) -> list[Account]:
        try:
            rows = list(HookAccount.objects.filter(provider=HookAccount.Provider.GITHUB))
        except UnreadableSecret:
            return []
        return [
            Account(GITHUB, _host(row.api_url), row.api_url or API_URL, row.credential)
            for row in rows
        ]

    def tracks(self, host: str, path: str) -> bool:
        rows = HookTarget.objects.filter(
            account__provider=HookAccount.Provider.GITHUB, name_key=path.lower(), removed=False
        )
        return any(_host(url) == host for url in rows.values_list("account__api_url", flat=True))


def _host(api_url: str) -> str:
    """Where the projects' pages are: GitHub's API is at a host beside it, or below /api."""
    if not api_url or api_url == API_URL:
        return GITHUB_COM
    return urlsplit(api_url).netloc.rpartition("@")[2].lower().removeprefix("api.")
