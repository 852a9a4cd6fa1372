"""How a registry is reached, and as whom. Rows and files are read elsewhere."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from dataclasses import dataclass, field, replace
from functools import lru_cache
from urllib.parse import urlsplit

from checks.registry.reference import DOCKER_HUB
from checks.registry.traffic import Traffic

# A user of this name, which is Docker's word, means that the password is a refresh token.
IDENTITY_TOKEN = "<token>"  # noqa: S105 - a name
# Docker Hub's images are named after one host and served by another.
_SERVED_BY = {DOCKER_HUB: "registry-1.docker.io"}


@dataclass(frozen=True)
class Access:
    """`host` is as in an image reference, normalised; `insecure` means plain http.

    `timeout` is seconds to connect and seconds between bytes. `login_trouble` says why nobody
    knows who we are, where that should be known. `token_host` gives this registry's tokens, where
    that is not to be seen from its name. `authorities` are certificates, as PEM, that may sign the
    registry's own besides those that everybody trusts. `traffic` is of the run that this was made
    for.
    """

    host: str
    insecure: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    login_trouble: str = ""
    token_host: str = ""
    authorities: str = field(default="", repr=False)
    timeout: tuple[float, float] = (4.0, 10.0)
    traffic: Traffic = field(default_factory=Traffic, compare=False, repr=False)

    @property
    def is_plain(self) -> bool:
        """Whether it is asked over plain http."""
        return self.insecure or (is_loopback(self.host) and not self.authorities)

    @property
    def base_url(self) -> str:
        return f"{'http' if self.is_plain else 'https'}://{_SERVED_BY.get(self.host, self.host)}"

    @property
    def basic(self) -> str:
        """The Authorization header that says who we are; empty where nobody was named."""
        if self.refresh_token or (not self.username and not self.password):
            return ""
        return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()

    @property
    def refresh_token(self) -> str:
        """What stands for us instead of a password; it is worth nothing but a token."""
        return self.password if self.username == IDENTITY_TOKEN else ""

    @property
    def is_named(self) -> bool:
        """Whether there is anything that says who we are."""
        return bool(self.basic or self.refresh_token)

    def as_stranger(self) -> Access:
        return replace(self, username="", password="")


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine by its name or address alone."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
