"""Whether this container does its work: the HEALTHCHECK of the image.

It asks the server under the name that the public URL gives, as a proxy would: under another name
it would be refused. A worker alone has no port; it ends by itself when it cannot work.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 4
# What it listens on, and where that is reached from here.
ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked, not bound


def setting(name: str, default: str = "") -> str:
    """Read a variable, or the file that NAME_FILE names."""
    file = os.environ.get(f"{name}_FILE", "")
    return Path(file).read_text().strip() if file else os.environ.get(name, "") or default


def connection(address: str) -> HTTPConnection:
    listening = urlsplit(f"//{address}")
    host = listening.hostname or ""
    return HTTPConnection(ANY_ADDRESS.get(host, host), listening.port or 50883, timeout=SECONDS)


def headers(public_url: str) -> dict[str, str]:
    public = urlsplit(public_url)
    sent = {"Host": public.netloc or "localhost"}
    return sent | ({"X-Forwarded-Proto": "https"} if public.scheme == "https" else {})


def main() -> str | None:
    """Return what is wrong, or None."""
    words = Path("/proc/1/cmdline").read_text().split("\0")
    if "worker" in words:
        return None
    path = "/api/health" if "server" in words else "/api/health?require=worker"
    asked = connection(setting("DOCKREV_HTTP_ADDR", "127.0.0.1:50883"))
    try:
        asked.request("GET", path, headers=headers(setting("DOCKREV_PUBLIC_URL")))
        answer = asked.getresponse()
        text = answer.read(2000).decode(errors="replace")
    except OSError as error:
        return f"the server does not answer: {error}"
    return None if answer.status == 200 else f"{answer.status}: {text}"


if __name__ == "__main__":
    sys.exit(main())
