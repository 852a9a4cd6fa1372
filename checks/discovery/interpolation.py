"""Variables in compose files, as Compose replaces them.

Followed: docs.docker.com/reference/compose-file/interpolation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

MAX_DEPTH = 20
MAX_LENGTH = 256 * 1024  # of what comes out: variables may stand for variables, twice as long each
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INNER = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-?+])(?P<word>.*))?", re.S)
_BRACES = re.compile(r"\$\$|\$\{|\}")


class BadVariable(ValueError):
    """A value cannot be interpolated; the text says which and why."""


@dataclass(frozen=True)
class Piece:
    """A part of a text that was interpolated: written `at` there, or, with a `name`, the value of
    a variable."""

    text: str
    at: int
    name: str = ""


def interpolate(text: str, variables: Mapping[str, str], *, most: int = MAX_LENGTH) -> str:
    """Replace `$NAME`, `${NAME}` and its forms with `-`, `?`, `+`; `$$` is a dollar sign.

    An unset variable is empty. Raises BadVariable where the form is wrong, where `${NAME:?…}`
    asks for a variable that is not set, or where more than `most` characters would come of it.
    """
    return _joined(pieces(text, variables), text, most=most)


def _joined(parts: Iterable[Piece], text: str, *, most: int = MAX_LENGTH) -> str:
    """The text that these parts of another make. Raises BadVariable."""
    found: list[str] = []
    for piece in parts:
        found.append(piece.text)
        most -= len(piece.text)
        if most < 0:
            raise _unreadable(text)
    return "".join(found)


def pieces(
    text: str, variables: Mapping[str, str], *, base: int = 0, depth: int = 0
) -> Iterator[Piece]:
    """What `interpolate` puts together. `base` is where the text itself stands in a larger one."""
    if depth > MAX_DEPTH:
        raise _unreadable(text)
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        yield Piece(text[at:dollar], base + at)
        at = dollar + 1
        if text.startswith("$", at):
            yield Piece("$", base + at)
            at += 1
        elif text.startswith("{", at):
            end = _closing(text, at + 1)
            yield from _braced(text[at + 1 : end], variables, base=base + at + 1, depth=depth)
            at = end + 1
        elif name := _NAME.match(text, at):
            yield Piece(variables.get(name[0], ""), base + at, name[0])
            at = name.end()
        else:
            raise _unreadable(text)
    yield Piece(text[at:], base + at)


def _closing(text: str, at: int) -> int:
    """Return where the brace stands that closes the one before `at`."""
    open_braces = 1
    for found in _BRACES.finditer(text, at):
        open_braces += {"${": 1, "}": -1}.get(found[0], 0)
        if open_braces == 0:
            return found.start()
    raise _unreadable(text)


def _braced(inner: str, variables: Mapping[str, str], *, base: int, depth: int) -> Iterator[Piece]:
    parsed = _INNER.fullmatch(inner)
    if parsed is None:
        raise _unreadable(f"${{{inner}}}")
    name, operator, word = parsed["name"], parsed["operator"] or "", parsed["word"] or ""
    value = variables.get(name)
    is_given = bool(value) if operator.startswith(":") else value is not None
    # The word counts only where it is used: it may itself ask for what is not set.
    if (operator.endswith("-") and not is_given) or (operator.endswith("+") and is_given):
        yield from pieces(word, variables, base=base + parsed.start("word"), depth=depth + 1)
        return
    if operator.endswith("+"):
        return
    if operator.endswith("?") and not is_given:
        parts = pieces(word, variables, depth=depth + 1)
        reason = _joined(parts, word) or _("it is required")
        text = _("the variable %(name)s is not set: %(reason)s")
        raise BadVariable(text % {"name": name, "reason": reason})
    yield Piece(value or "", base, name)


def _unreadable(text: str) -> BadVariable:
    return BadVariable(_("%(text)r has a variable that cannot be read") % {"text": text[:200]})
