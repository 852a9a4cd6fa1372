"""GitHub's REST API, of github.com or of an Enterprise Server.

Followed: "Best practices for using the REST API" and "Using pagination in the REST API" in
GitHub's documentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dockrev import http
from integrations.github import refusals
from integrations.hooks import client
from integrations.hooks.client import Listed
from integrations.hooks.errors import ProviderError

API_URL = "https://api.github.com"
VERSION = "2022-11-28"
NAME = "GitHub"


class Client(client.Client):
    """Speaks with one token."""

    def __init__(self, token: str, api_url: str = "") -> None:
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": VERSION,
            "Authorization": f"Bearer {token}",
        }
        super().__init__(NAME, api_url or API_URL, headers, hidden=(token,))

    def error_of(self, answer: http.Response, hidden: tuple[str, ...]) -> ProviderError:
        return refusals.error_of(answer, hidden)

    def rest_until(self, headers: Mapping[str, str]) -> datetime | None:
        return refusals.rest_until(headers)


def is_partial(listed: Listed) -> bool:
    """Whether organisations that demand single sign-on are left out."""
    said = (headers.get("X-GitHub-SSO", "") for headers in listed.headers)
    return any(each.startswith("partial-results") for each in said)


def is_same_server(api_url: str, other: str) -> bool:
    """Whether two API URLs are of one server; none is that of github.com."""
    return client.is_same_server(api_url or API_URL, other or API_URL)
