"""Where values are in a file of YAML: by the marks of its nodes, and in what was read of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml


def image_nodes(top: yaml.Node | None) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """Every scalar under a key `image`, each once however many aliases it has, and the key of the
    mapping that it is in."""
    seen: set[int] = set()
    waiting: list[tuple[str, yaml.Node]] = [("", top)] if top else []
    while waiting:
        name, node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        inner = _named_values(node)
        for key, value in inner:
            if key == "image" and isinstance(value, yaml.ScalarNode) and id(value) not in seen:
                seen.add(id(value))
                yield name, value
        waiting += reversed(inner)


def _named_values(node: yaml.Node) -> list[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        return [
            (key.value if isinstance(key, yaml.ScalarNode) else "", value)
            for key, value in node.value
        ]
    return [("", each) for each in node.value]


def start_of(text: str, node: yaml.ScalarNode) -> int | None:
    """Where the characters of a scalar's value begin; None where they stand there otherwise."""
    start, end = node.start_mark.index, node.end_mark.index
    value = node.value.rstrip("\n") if node.style in ("|", ">") else node.value
    closing = node.style if node.style in ("'", '"') else ""
    written = text[start:end].rstrip() if node.style in ("|", ">") else text[start:end]
    if "\n" in value or not value or not written.endswith(closing + value + closing):
        return None
    return start + len(written) - len(closing) - len(value)


def differences(old: Any, new: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(old, dict) and isinstance(new, dict) and list(old) == list(new):
        for key in old:
            yield from differences(old[key], new[key], (*place, str(key)))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (before, now) in enumerate(zip(old, new, strict=True)):
            yield from differences(before, now, (*place, str(number)))
    elif old != new:
        yield place or ("",)


def texts(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from texts(each, (*place, str(key)))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from texts(each, (*place, str(number)))
    elif isinstance(value, str) and place:
        yield place, value
