"""Variables in compose files, as Compose replaces them.

Followed: docs.docker.com/reference/compose-file/interpolation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _

MAX_DEPTH = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INNER = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-?+])(?P<word>.*))?", re.S)
_BRACES = re.compile(r"\$\$|\$\{|\}")


class BadVariable(ValueError):
    """A value cannot be interpolated; the text says which and why."""


def interpolate(text: str, variables: Mapping[str, str], *, depth: int = 0) -> str:
    """Replace `$NAME`, `${NAME}` and its forms with `-`, `?`, `+`; `$$` is a dollar sign.

    An unset variable is empty. Raises BadVariable where the form is wrong, or where `${NAME:?…}`
    asks for a variable that is not set.
    """
    if depth > MAX_DEPTH:
        raise _unreadable(text)
    parts: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        parts.append(text[at:dollar])
        at = dollar + 1
        if text.startswith("$", at):
            parts.append("$")
            at += 1
        elif text.startswith("{", at):
            end = _closing(text, at + 1)
            parts.append(_braced(text[at + 1 : end], variables, depth=depth))
            at = end + 1
        elif name := _NAME.match(text, at):
            parts.append(variables.get(name[0], ""))
            at = name.end()
        else:
            raise _unreadable(text)
    return "".join([*parts, text[at:]])


def _closing(text: str, at: int) -> int:
    """Return where the brace stands that closes the one before `at`."""
    open_braces = 1
    for found in _BRACES.finditer(text, at):
        open_braces += {"${": 1, "}": -1}.get(found[0], 0)
        if open_braces == 0:
            return found.start()
    raise _unreadable(text)


def _braced(inner: str, variables: Mapping[str, str], *, depth: int) -> str:
    parsed = _INNER.fullmatch(inner)
    if parsed is None:
        raise _unreadable(f"${{{inner}}}")
    name, operator, word = parsed["name"], parsed["operator"] or "", parsed["word"] or ""
    value = variables.get(name)
    is_given = bool(value) if operator.startswith(":") else value is not None
    # The word counts only where it is used: it may itself ask for what is not set.
    if (operator.endswith("-") and not is_given) or (operator.endswith("+") and is_given):
        return interpolate(word, variables, depth=depth + 1)
    if operator.endswith("+"):
        return ""
    if operator.endswith("?") and not is_given:
        reason = interpolate(word, variables, depth=depth + 1) or _("it is required")
        text = _("the variable %(name)s is not set: %(reason)s")
        raise BadVariable(text % {"name": name, "reason": reason})
    return value or ""


def _unreadable(text: str) -> BadVariable:
    return BadVariable(_("%(text)r has a variable that cannot be read") % {"text": text[:200]})
