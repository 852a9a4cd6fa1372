"""Environment files, as Compose reads `.env`.

Followed: docs.docker.com/compose/how-tos/environment-variables/variable-interpolation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from checks.discovery.interpolation import BadVariable, interpolate
from checks.discovery.opening import open_file

MAX_SIZE = 256 * 1024
_LINE = re.compile(
    r"""
    ^[ \t]*(?:export[ \t]+)?
    (?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*[=:][ \t]*
    (?:
        '(?P<single>[^']*)'
      | "(?P<double>(?:\\.|[^"\\])*)"
      | (?P<bare>[^\r\n]*)
    )
    """,
    re.VERBOSE | re.MULTILINE,
)
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}


def read_environment(path: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Return what the file sets; values may use `known` variables and earlier lines.

    Raises OSError where it cannot be read. A line that is no assignment is passed over.
    """
    with open_file(path) as file:
        text = file.read(MAX_SIZE).decode("utf-8-sig", errors="replace")
    found: dict[str, str] = {}
    at = 0
    while match := _LINE.search(text, at):
        found[match["name"]] = _value(match, {**found, **known})
        at = match.end()
    return found


def _value(match: re.Match[str], known: Mapping[str, str]) -> str:
    if match["single"] is not None:
        return match["single"]
    if match["double"] is not None:
        text = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), match["double"], flags=re.S)
    else:
        text = _COMMENT.sub("", match["bare"]).strip()
    try:
        return interpolate(text, known)
    except BadVariable:
        return text
