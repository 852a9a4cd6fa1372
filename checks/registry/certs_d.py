"""CA certificates, where Docker's own engine looks for those of a registry.

https://docs.docker.com/engine/security/certificates/
"""

from __future__ import annotations

import logging
from pathlib import Path

from checks.registry.reference import is_host_name
from dockrev import authorities

logger = logging.getLogger(__name__)

NAME = "ca.crt"


def authorities_in(folder: Path, host: str) -> str:
    """The certificates in a registry's folder; empty where there are none that can be used.

    What cannot be used is logged, never quoted.
    """
    if not is_host_name(host):
        return ""
    path = folder / host / NAME
    try:
        return authorities.normal(_read(path)) if path.is_file() else ""
    except (OSError, ValueError) as error:
        known = isinstance(error, authorities.BadAuthorities)
        why = str(error) if known else type(error).__name__
        logger.warning("a CA's certificate cannot be used", extra={"path": path, "error": why})
        return ""


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(authorities.MOST_CHARACTERS + 1).decode()
