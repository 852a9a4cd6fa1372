"""Environment files, as Compose reads `.env`.

Followed: docs.docker.com/compose/how-tos/environment-variables/variable-interpolation.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from checks.discovery.interpolation import MAX_LENGTH, BadVariable, interpolate
from checks.discovery.opening import open_file

MAX_SIZE = 256 * 1024
MAX_GROWN = 4 * 1024 * 1024  # characters of all values together, when variables are replaced
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


@dataclass(frozen=True)
class Assignment:
    """A line that sets a variable. `value` is what is written there, before interpolation, `at`
    where in the text; `is_plain` says that these are its very characters."""

    name: str
    value: str
    at: int
    is_final: bool = False
    is_plain: bool = True


def read_environment(path: Path, known: Mapping[str, str]) -> dict[str, str]:
    """Return what the file sets; values may use `known` variables and earlier lines.

    Raises OSError where it cannot be read. A line that is no assignment is passed over.
    """
    with open_file(path) as file:
        return environment_in(file.read(MAX_SIZE), known)


def environment_in(data: bytes, known: Mapping[str, str]) -> dict[str, str]:
    """Return what a file with these bytes sets."""
    found: dict[str, str] = {}
    variables = ChainMap(dict(known), found)
    left = MAX_GROWN
    for each in assignments(data.decode("utf-8-sig", errors="replace")):
        value = each.value if each.is_final else _value(each.value, variables, left)
        left = max(0, left - len(value))
        found[each.name] = value
    return found


def assignments(text: str) -> Iterator[Assignment]:
    """The lines of an environment file that set a variable; of a name that comes twice the last
    one counts."""
    at = 0
    while match := _LINE.search(text, at):
        yield _assignment(match)
        at = match.end()


def _assignment(match: re.Match[str]) -> Assignment:
    name = match["name"]
    if match["single"] is not None:
        return Assignment(name, match["single"], match.start("single"), is_final=True)
    if match["double"] is not None:
        raw = match["double"]
        text = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), raw, flags=re.S)
        return Assignment(name, text, match.start("double"), is_plain=text == raw)
    text = _COMMENT.sub("", match["bare"]).strip()
    return Assignment(name, text, match.start("bare"))


def _value(text: str, known: Mapping[str, str], most: int) -> str:
    try:
        return interpolate(text, known, most=min(most, MAX_LENGTH))
    except BadVariable:
        return text
