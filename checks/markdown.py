"""What `dockrev check` prints as Markdown: a table that GitHub renders.

https://github.github.com/gfm/#tables-extension-
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from checks.explaining import STEPS, dropped_words
from checks.from_files import Line
from checks.listing import Findings, notes, plain, remarks, status_word, summary

_BACKTICKS = re.compile("`+")


def as_markdown(findings: Findings) -> str:
    rows = [(_("Service"), _("Image"), _("Status"), _("Newer"))]
    rows.append(("---", "---", "---", "---"))
    rows.extend(_cells(line) for line in findings.shown)
    table = [f"| {' | '.join(cells)} |" for cells in rows] if findings.shown else []
    points = [f"- {text}" for text in _points(findings)]
    return "\n\n".join("\n".join(part) for part in (table, points, [summary(findings)]) if part)


def _cells(line: Line) -> tuple[str, str, str, str]:
    newer = ", ".join(f"{as_code(found.tag)} ({STEPS[found.step]})" for found in line.found)
    name = as_code(f"{line.stack}/{line.service}")
    return name, as_code(line.image), status_word(line.status), newer


def _points(findings: Findings) -> Iterator[str]:
    """What a table's cell is too narrow for."""
    for line in findings.shown:
        name = as_code(f"{line.stack}/{line.service}")
        for text in remarks(line):
            yield f"{name}: {as_code(text)}"
        if findings.explain and line.choice and line.choice.dropped:
            yield f"{name}: {dropped_words(line.choice.dropped)}"
    yield from (as_code(text) for text in notes(findings))


def as_code(text: str) -> str:
    """Text of a file or a registry, as it is: no markup, no link, no mention, no new cell."""
    text = plain(text).strip()
    if not text:
        return ""
    fence = "`" * (max(map(len, _BACKTICKS.findall(text)), default=0) + 1)
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{text}{padding}{fence}".replace("|", r"\|")
