"""What `dockrev check` found, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks.decide import REBUILT, Found
from checks.explaining import STEPS, dropped_words, waiting_words
from checks.from_files import Line
from checks.registry.traffic import iso
from checks.versions.choice import Choice

GAP = "  "
WIDEST_NAME = 28
NARROWEST_IMAGE = 20


@dataclass(frozen=True)
class Findings:
    """What a check came to, and how much of it is wanted. `troubles` are errors of no service."""

    lines: Sequence[Line]
    troubles: int = 0
    explain: bool = False
    only_updates: bool = False

    @property
    def shown(self) -> list[Line]:
        """All; or what has an update, and what could not be checked and may have one."""
        return [line for line in self.lines if not self.only_updates or line.found or line.error]

    @property
    def updates(self) -> int:
        return sum(bool(line.found) for line in self.lines)

    @property
    def errors(self) -> int:
        return self.troubles + sum(bool(line.error) for line in self.lines)


def as_json(findings: Findings) -> str:
    """The shape is part of the HTTP contract's page."""
    return json.dumps(
        {
            "services": [
                _entry(line) | (_explained(line.choice) if findings.explain else {})
                for line in findings.shown
            ],
            "summary": {
                "services": len(findings.lines),
                "updates": findings.updates,
                "errors": findings.errors,
            },
        },
        indent=2,
    )


def _entry(line: Line) -> dict[str, object]:
    candidates = [_candidate(each) for each in line.found]
    return {
        "stack": line.stack,
        "service": line.service,
        "image": line.image,
        "status": line.status,
        "candidate": candidates[0] if candidates else None,
        "candidates": candidates,
        "error": line.error or None,
        **({"waiting": waiting} if (waiting := list(map(_waiting, line.verdict.waiting))) else {}),
        **({"notes": beside} if (beside := list(_beside(line))) else {}),
    }


def _candidate(found: Found) -> dict[str, object]:
    return {
        "kind": "digest" if found.step == REBUILT else "version",
        "step": found.step,
        "tag": found.tag,
        "digest": found.digest,
        "displayTag": found.display_tag,
    }


def _waiting(found: Found) -> dict[str, object]:
    return {**_candidate(found), "oldEnoughAt": found.waits_until and iso(found.waits_until)}


def _explained(choice: Choice | None) -> dict[str, object]:
    if choice is None:
        return {"explained": None}
    return {"explained": {"listed": choice.listed, "dropped": dict(choice.dropped)}}


def as_table(findings: Findings, width: int | None) -> str:
    """Lines of at most `width` columns; without a width nothing is shortened."""
    printed = _table(findings, width) if findings.shown else []
    explained = [part for text in notes(findings) for part in _wrapped(text, width)]
    return "\n".join([*printed, *explained, summary(findings)])


def _table(findings: Findings, width: int | None) -> list[str]:
    lines = findings.shown
    rows = [
        (f"{line.stack}/{line.service}", line.image, status_word(line.status)) for line in lines
    ]
    head = (_("SERVICE"), _("IMAGE"), _("STATUS"))
    widths = _widths([head, *rows], width)
    printed = [_row(head, widths)]
    for line, row in zip(lines, rows, strict=True):
        printed.append(_row(row, widths))
        printed.extend(_details(line, width))
        if findings.explain:
            printed.extend(_why(line, width))
    return [*printed, ""]


def plain(text: str) -> str:
    """What a file or a registry says must not steer the terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _details(line: Line, width: int | None) -> Iterator[str]:
    for found in line.found:
        behind = "" if found.display_tag == found.tag else f" ({plain(found.display_tag)})"
        yield f"{GAP}{STEPS[found.step]}: {plain(found.tag)}@{found.digest}{behind}"
        if found.arch == "mismatch":
            yield from _wrapped(_("It is not there for this platform."), width, indent=GAP)
    for remark in remarks(line):
        yield from _wrapped(remark, width, indent=GAP)


def remarks(line: Line) -> Iterator[str]:
    """What is to be said of a service beside what was found."""
    yield from filter(None, (line.error, line.listing_trouble))
    if line.verdict.waiting:
        waiting = ", ".join(waiting_words(line.verdict.waiting))
        yield _("Younger than its minimum age: %(waiting)s.") % {"waiting": waiting}
    yield from _beside(line)


def _beside(line: Line) -> Iterator[str]:
    """What is to be known beside what was found; why nothing is known stands below the table."""
    yield from line.notes
    if line.verdict.reason and line.status != "unknown":
        yield line.verdict.reason


def _why(line: Line, width: int | None) -> Iterator[str]:
    if line.choice and (words := dropped_words(line.choice.dropped)):
        yield from _wrapped(words, width, indent=GAP)


def notes(findings: Findings) -> Iterator[str]:
    """Why something is not known, once for all services that share the reason."""
    unknown = [line.verdict for line in findings.shown if line.status == "unknown"]
    reasons = Counter(verdict.reason for verdict in unknown if verdict.reason)
    for reason, count in reasons.items():
        text = ngettext("%(count)d service unknown: ", "%(count)d services unknown: ", count)
        yield text % {"count": count} + reason


def summary(findings: Findings) -> str:
    count, updates, errors = len(findings.lines), findings.updates, findings.errors
    return ", ".join(
        [
            ngettext("%(n)d service", "%(n)d services", count) % {"n": count},
            ngettext("%(n)d update", "%(n)d updates", updates) % {"n": updates},
            ngettext("%(n)d not checked", "%(n)d not checked", errors) % {"n": errors},
        ]
    )


def status_word(status: str) -> str:
    words = {
        "up_to_date": _("up to date"),
        "update_available": _("update available"),
        "arch_mismatch": _("not for this platform"),
        "unknown": _("unknown"),
        "error": _("error"),
    }
    return words[status]


def _widths(rows: Sequence[tuple[str, str, str]], width: int | None) -> tuple[int, int]:
    names = max(len(row[0]) for row in rows)
    images = max(len(row[1]) for row in rows)
    if width is None:
        return names, images
    names = min(names, WIDEST_NAME)
    left = width - names - 2 * len(GAP) - max(len(row[2]) for row in rows)
    return names, min(images, max(left, NARROWEST_IMAGE))


def _row(cells: tuple[str, str, str], widths: tuple[int, int]) -> str:
    fitted = [_fit(cell, room).ljust(room) for cell, room in zip(cells, widths, strict=False)]
    return GAP.join([*fitted, cells[2]]).rstrip()


def _fit(text: str, room: int) -> str:
    """Shorten in the middle: a repository is known by its start, a tag is at the end."""
    text = plain(text)
    if len(text) <= room:
        return text
    tail = (room - 1) // 2
    return f"{text[: room - 1 - tail]}…{text[-tail:]}"


def _wrapped(text: str, width: int | None, *, indent: str = "") -> list[str]:
    if width is None:
        return [indent + plain(text)]
    return textwrap.wrap(
        plain(text), width, initial_indent=indent, subsequent_indent=indent, break_long_words=True
    )
