"""What edits look like in their files: the value with its key, and the keys above it.

Never a neighbouring line, nor another value of the same line: passwords stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, zip_longest
from pathlib import PurePath

import yaml

from checks.discovery.documents import node_of
from checks.updating import edits as files
from checks.updating.plan import Edit

YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Line:
    """`kind` is `above`, `old` or `new`."""

    kind: str
    number: int
    text: str


@dataclass(frozen=True)
class Diff:
    path: str
    lines: tuple[Line, ...]


def diffs(edits: Iterable[Edit]) -> list[Diff]:
    """One for each file, in the order of the edits. A file that changed since shows values only."""
    by_path: dict[str, list[Edit]] = {}
    for edit in dict.fromkeys(edits):
        by_path.setdefault(edit.path, []).append(edit)
    return [Diff(path, tuple(_lines(path, of))) for path, of in by_path.items()]


def _lines(path: str, edits: list[Edit]) -> Iterator[Line]:
    text = _text(path)
    top = node_of(text) if text and PurePath(path).suffix in YAML else None
    shown: set[Line] = set()
    for number, group in groupby(sorted(edits, key=lambda e: e.start), key=lambda e: e.line):
        together = list(group)
        for line in _hunk(text, top, number, together):
            if line not in shown:
                shown.add(line)
                yield line


def _text(path: str) -> str:
    try:
        return files.read(path).decode()
    except (files.NotWritten, UnicodeDecodeError):
        return ""


def _hunk(text: str, top: yaml.Node | None, number: int, edits: list[Edit]) -> Iterator[Line]:
    first = edits[0]
    at = len(text.encode()[: first.start].decode(errors="replace"))
    if text[at : at + len(first.old)] != first.old:
        yield Line("old", number, " ".join(edit.old for edit in edits))
        yield Line("new", number, " ".join(edit.new for edit in edits))
        return
    keys: list[Line] = []
    begin, end = _line_place(text, edits)
    if top is not None:
        keys, begin, end = _yaml_place(text, top, at)
    yield from keys
    begins_in = len(text[:begin].encode())
    old = text[begin:end]
    new = files.after(old.encode(), (_moved(edit, begins_in) for edit in edits)).decode()
    indent = " " * (begin - _line_start(text, begin))
    begin_number = text.count("\n", 0, begin) + 1
    pairs = enumerate(zip_longest(old.splitlines(), new.splitlines(), fillvalue=""))
    for offset, (before, now) in pairs:
        lead = indent if offset == 0 else ""
        if before == now:
            yield Line("above", begin_number + offset, lead + before)
        else:
            yield Line("old", begin_number + offset, lead + before)
            yield Line("new", begin_number + offset, lead + now)


def _moved(edit: Edit, begin: int) -> Edit:
    return Edit(edit.path, edit.sha256, edit.start - begin, edit.line, edit.old, edit.new, "")


def _yaml_place(text: str, top: yaml.Node, at: int) -> tuple[list[Line], int, int]:
    """The keys above a place, and from where to where the pair is that it belongs to."""
    keys: list[Line] = []
    node, pair = top, None
    while isinstance(node, yaml.MappingNode | yaml.SequenceNode):
        inner = next((each for each in _children(node) if _has(each[1], at)), None)
        if inner is None:
            break
        key, node = inner
        if pair is not None:
            mark = pair.start_mark
            keys.append(Line("above", mark.line + 1, f"{' ' * mark.column}{pair.value}:"))
        pair = key if isinstance(key, yaml.ScalarNode) else None
    end = node.end_mark.index
    begin = pair.start_mark.index if pair else at
    return keys, begin, begin + len(text[begin:end].rstrip())


def _children(
    node: yaml.MappingNode | yaml.SequenceNode,
) -> list[tuple[yaml.Node | None, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        return list(node.value)
    return [(None, each) for each in node.value]


def _has(node: yaml.Node, at: int) -> bool:
    return bool(node.start_mark.index <= at <= node.end_mark.index)


def _line_place(text: str, edits: list[Edit]) -> tuple[int, int]:
    """From the start of a line to the end of the value in it, and of its quotes."""
    at = len(text.encode()[: edits[0].start].decode())
    last = len(text.encode()[: edits[-1].start].decode()) + len(edits[-1].old)
    return _line_start(text, at), last + (text[last : last + 1] in ("'", '"'))


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
