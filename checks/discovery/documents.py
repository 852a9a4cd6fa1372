"""A compose file as a YAML document: read safely, and as text.

Every scalar stays the text that it is (`1.10` is a tag, not a number; `on` may be a service),
and a file cannot make more of itself than it is: size, aliases and depth are limited.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.utils.translation import gettext as _

from checks.discovery.opening import open_file

MAX_SIZE = 512 * 1024
MAX_NODES = 200_000  # with aliases counted as often as they are used
_TYPED = {"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"}
RESET = object()
"""The value of a key that a later file takes away with `!reset`."""


class BadDocument(ValueError):
    """The file is no usable YAML mapping; the text says why."""


class Replacement(dict[str, Any]):
    """A mapping marked `!override`: it takes the place of the earlier one whole."""


class ReplacementList(list[Any]):
    """A list marked `!override`: the same of it."""


def load(path: Path) -> Mapping[str, Any]:
    """Return the file's mapping, not to be changed. Raises OSError or BadDocument."""
    status = path.stat()
    return _load(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=512)
def _load(path: Path, *version: int) -> Mapping[str, Any]:
    """The same file is read once: discovery asks for it every minute."""
    with open_file(path) as file:
        return parse(file.read(MAX_SIZE + 1))


@lru_cache(maxsize=16)
def parse(data: bytes) -> Mapping[str, Any]:
    """Return the mapping that a file with these bytes is, not to be changed. Raises BadDocument.

    The same bytes are parsed once: each service of a file asks for the whole of it.
    """
    if len(data) > MAX_SIZE:
        raise BadDocument(_("it is larger than %(kib)d KiB") % {"kib": MAX_SIZE // 1024})
    try:
        return _parse(data)
    except yaml.MarkedYAMLError as error:
        raise BadDocument(_explain(error)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadDocument(_("it is not YAML: %(why)s") % {"why": error}) from error
    except RecursionError:
        raise BadDocument(_("it is nested too deep")) from None


def node_of(text: str) -> yaml.Node | None:
    """The document's nodes, each with its place in the text, which `parse` takes."""
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _parse(data: bytes) -> Mapping[str, Any]:
    loader = _Loader(data)
    try:
        node = loader.get_single_node()
        if node is None:
            raise BadDocument(_("it is empty"))
        _Scale().weigh(node)
        document = loader.construct_document(node)
    finally:
        loader.dispose()
    if not isinstance(document, dict):
        raise BadDocument(_("it is not a mapping"))
    return document


def _explain(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 0
    problem = error.problem or error.context or ""
    return _("line %(line)d: %(problem)s") % {"line": line, "problem": problem}


class _Scale:
    """Adds up what a document comes to when every alias is followed."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._above: set[int] = set()

    def weigh(self, node: yaml.Node) -> int:
        key = id(node)
        if key in self._above:
            raise BadDocument(_("an anchor contains itself"))
        if key not in self._known:
            self._above.add(key)
            self._known[key] = 1 + sum(map(self.weigh, _children(node)))
            self._above.remove(key)
        if self._known[key] > MAX_NODES:
            raise BadDocument(_("its aliases stand for too much"))
        return self._known[key]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


class _Loader(yaml.SafeLoader):
    """Knows null and `<<`, and leaves all else as text."""

    yaml_implicit_resolvers = {
        first: [resolver for resolver in resolvers if resolver[0] in _TYPED]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # Any: untyped in PyYAML
        """Refuse a key that is there twice, as Compose does; YAML libraries take the last."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen and key.value != "<<":
                problem = _("the key %(key)s is there twice") % {"key": key.value}
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return node


def _reset(loader: _Loader, node: yaml.Node) -> object:
    return RESET


def _override(loader: _Loader, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return Replacement(
            (str(k), v) for k, v in loader.construct_mapping(node, deep=True).items()
        )
    if isinstance(node, yaml.SequenceNode):
        return ReplacementList(loader.construct_sequence(node, deep=True))
    return node.value


def _text(loader: _Loader, node: yaml.Node) -> Any:
    """What says of itself that it is a number or the like stays text, too."""
    return loader.construct_scalar(node)  # type: ignore[arg-type]  # refuses what is no scalar


for _type in ("bool", "int", "float", "timestamp", "binary"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_type}", _text)
_Loader.add_constructor("!reset", _reset)
_Loader.add_constructor("!override", _override)
