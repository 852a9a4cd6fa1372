"""How a registry is reached, and as whom. Rows and files are read elsewhere."""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from checks.registry.reference import DOCKER_HUB
from checks.registry.traffic import Traffic

# Docker Hub's images are named after one host and served by another.
_SERVED_BY = {DOCKER_HUB: "registry-1.docker.io"}


@dataclass(frozen=True)
class Access:
    """`host` is as in an image reference, normalised; `insecure` means plain http.

    `timeout` is seconds to connect and seconds between bytes. `login_trouble` says why nobody
    knows who we are, where that should be known. `traffic` is of the run that this was made for.
    """

    host: str
    insecure: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    login_trouble: str = ""
    timeout: tuple[float, float] = (4.0, 10.0)
    traffic: Traffic = field(default_factory=Traffic, compare=False, repr=False)

    @property
    def base_url(self) -> str:
        plain = self.insecure or is_loopback(self.host)
        return f"{'http' if plain else 'https'}://{_SERVED_BY.get(self.host, self.host)}"

    @property
    def basic(self) -> str:
        """The Authorization header that says who we are; empty where nobody was named."""
        if not self.username and not self.password:
            return ""
        return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine by its name or address alone."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
