"""Compose files put together: later files over earlier ones, `extends`, `include`.

Only what a check or an update needs is kept of a service: its image, its platform, its labels that
are about policy, whether it is built, which services it needs, and its profiles.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from checks.discovery.documents import (
    RESET,
    BadDocument,
    Replacement,
    ReplacementList,
    load,
    parse,
)
from checks.discovery.dotenv import environment_in, read_environment
from checks.discovery.interpolation import BadVariable, interpolate
from checks.versions.policies import LABELS, known_labels

MAX_DEPTH = 10
MAX_INCLUDES = 200  # in a project, however often a file is included
MAX_PROBLEMS = 50
TEXTS = ("image", "platform", "network_mode", "pull_policy")
KEPT = (*TEXTS, "build", "provider")
_SERVICE_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|oci:|git@|github\.com/")
_NO_PATH = re.compile("[\0\ud800-\udfff]")  # YAML may write them with backslashes

Part = dict[str, Any]  # of a service, as YAML has it: text, or whatever stands under `build`


@dataclass(frozen=True)
class Scope:
    """Where a file stands: the variables it may use, and how deep it was included."""

    variables: Mapping[str, str]
    depth: int = 0


class Composition:
    """`services` by name, what the files call the project, and what is wrong with them.

    `files` are those that were read, each with the variables that it may use, and
    `environment_files` those that variables come from. `texts` are bytes that count in place of
    what files have, by their real path.
    """

    def __init__(
        self, includes: Iterator[int] | None = None, texts: Mapping[str, bytes] | None = None
    ) -> None:
        self._includes = includes or iter(range(MAX_INCLUDES))
        self._texts = texts or {}
        self.files: dict[Path, Mapping[str, str]] = {}
        self.environment_files: list[Path] = []
        self.services: dict[str, Part] = {}
        self.name = ""
        self.problems: list[str] = []

    def add(self, files: Sequence[Path], scope: Scope) -> None:
        """Put the files over each other, then what they include below that."""
        included: list[tuple[Path, Any]] = []
        for file in files:
            document = self._load(file)
            for name in self._names(file, document):
                self._merge(name, self._service(file, name, scope, trail=()))
            self.name = self._text(file, document.get("name"), scope) or self.name
            included += [(file, entry) for entry in _listed(document.get("include"))]
        for file, entry in included:
            self._include(file, entry, scope)

    def _load(self, file: Path) -> Mapping[str, Any]:
        try:
            text = self._texts.get(os.path.realpath(file))
            return load(file) if text is None else parse(text)
        except OSError as error:
            self._problem(file, _("it cannot be read (%(why)s)") % {"why": error.strerror})
        except BadDocument as error:
            self._problem(file, str(error))
        return {}

    def _names(self, file: Path, document: Mapping[str, Any]) -> list[str]:
        services = document.get("services") or {}
        if not isinstance(services, dict):
            self._problem(file, _("its services are not a mapping"))
            return []
        # `null` as a key is no text.
        bad = [n for n in services if not (isinstance(n, str) and _SERVICE_NAME.fullmatch(n))]
        if bad:
            self._problem(file, _("%(name)r is no name for a service") % {"name": bad[0]})
        return [name for name in services if name not in bad]

    def _merge(self, name: str, part: Part) -> None:
        if isinstance(part, Replacement):
            self.services[name] = part
        else:
            self.services[name] = _over(self.services.get(name, {}), part)

    def _service(
        self, file: Path, name: str, scope: Scope, *, trail: tuple[tuple[Path, str], ...]
    ) -> Part:
        """Return one file's part of a service, over what it extends."""
        services = self._load(file).get("services") or {}
        self.files.setdefault(file, scope.variables)
        body = services.get(name) if isinstance(services, dict) else None
        if body is RESET or body is None:
            return Replacement() if body is RESET else {}
        if not isinstance(body, dict):
            self._problem(file, _("the service %(name)s is not a mapping") % {"name": name})
            return {}
        part = self._part(file, body, scope)
        if "extends" not in body:
            return part
        if (file, name) in trail or len(trail) > MAX_DEPTH:
            self._problem(file, _("the service %(name)s extends itself") % {"name": name})
            return part
        base = self._extended(file, body["extends"], scope, trail=(*trail, (file, name)))
        return _over(base, part)

    def _part(self, file: Path, body: dict[str, Any], scope: Scope) -> Part:
        """What is kept of one file's mapping."""
        part: Part = {key: body[key] for key in KEPT if key in body}
        for key in TEXTS:
            if part.get(key) is not RESET:
                part[key] = self._text(file, part.get(key), scope)
        if isinstance(body.get("depends_on"), dict | list):
            part["depends_on"] = _needed(body["depends_on"])
        if isinstance(body.get("profiles"), list):
            part["profiles"] = [self._text(file, each, scope) for each in body["profiles"]]
        if "labels" in body:
            part["labels"] = self._labels(file, body["labels"], scope)
        return Replacement(part) if isinstance(body, Replacement) else part

    def _extended(
        self, file: Path, extends: Any, scope: Scope, *, trail: tuple[tuple[Path, str], ...]
    ) -> Part:
        target = extends if isinstance(extends, dict) else {"service": extends}
        other = self._path(file, target.get("file"), scope) if target.get("file") else file
        if other is None:
            return {}
        return self._service(other, str(target.get("service")), scope, trail=trail)

    def _include(self, file: Path, entry: Any, scope: Scope) -> None:
        if scope.depth >= MAX_DEPTH or next(self._includes, None) is None:
            self._problem(file, _("it includes too deep, or too much"))
            return
        entry = entry if isinstance(entry, dict) else {"path": entry}
        files = self._paths(file, entry.get("path"), scope)
        if not files:
            return
        folder = self._path(file, entry.get("project_directory") or str(files[0].parent), scope)
        named = self._paths(file, entry.get("env_file"), scope)
        variables = self.variables(named or [(folder or file.parent) / ".env"], scope.variables)
        inner = Composition(self._includes, self._texts)
        inner.add(files, Scope(variables, scope.depth + 1))
        self.problems = list(dict.fromkeys(self.problems + inner.problems))[:MAX_PROBLEMS]
        self.services = {**inner.services, **self.services}
        self.files = {**inner.files, **self.files}
        self.environment_files += inner.environment_files

    def variables(self, files: Iterable[Path], known: Mapping[str, str]) -> dict[str, str]:
        """Return what is known, and what the environment files add; a later file wins."""
        found: dict[str, str] = {}
        for file in files:
            try:
                found.update(self._environment(file, known))
                self.environment_files.append(file)
            except OSError as error:
                # A `.env` need not be there; a file that somebody names must.
                if not (file.name == ".env" and isinstance(error, FileNotFoundError)):
                    why = error.strerror
                    self._problem(file, _("it cannot be read (%(why)s)") % {"why": why})
        return {**found, **known}

    def _environment(self, file: Path, known: Mapping[str, str]) -> dict[str, str]:
        text = self._texts.get(os.path.realpath(file))
        return read_environment(file, known) if text is None else environment_in(text, known)

    def _paths(self, file: Path, entries: Any, scope: Scope) -> list[Path]:
        found = (self._path(file, entry, scope) for entry in _listed(entries))
        return [path for path in found if path is not None]

    def _path(self, file: Path, entry: Any, scope: Scope) -> Path | None:
        text = self._text(file, entry, scope)
        if _REMOTE.match(text) or _NO_PATH.search(text):
            problem = _("%(what)s is not on this machine and was not read")
            self._problem(file, problem % {"what": text})
            return None
        return file.parent / text if text else None

    def _labels(self, file: Path, labels: Any, scope: Scope) -> Any:
        """The labels that are about policy, of a mapping or of a list of `name=value`."""
        if labels is RESET:
            return labels
        if isinstance(labels, list):
            pairs = [str(each).partition("=")[::2] for each in labels]
        else:
            pairs = list(labels.items()) if isinstance(labels, dict) else []
        ours = {str(name): value for name, value in pairs if str(name) in LABELS}
        texts = {name: self._text(file, value, scope) for name, value in ours.items()}
        is_whole = isinstance(labels, Replacement | ReplacementList)
        return Replacement(known_labels(texts)) if is_whole else known_labels(texts)

    def _text(self, file: Path, value: Any, scope: Scope) -> str:
        if not isinstance(value, str):
            return ""
        try:
            return interpolate(value, scope.variables).strip()
        except BadVariable as error:
            self._problem(file, str(error))
            return ""

    def _problem(self, file: Path, text: str) -> None:
        problem = f"{file}: {text}"
        if len(self.problems) < MAX_PROBLEMS and problem not in self.problems:
            self.problems.append(problem)


def _over(base: Part, part: Part) -> Part:
    """What a part does not say, or says empty, stays; what it resets goes. Lists add up."""
    merged = base | {key: value for key, value in part.items() if value not in (None, "")}
    below, labels = base.get("labels"), part.get("labels")
    if isinstance(below, dict) and isinstance(labels, dict) and not isinstance(labels, Replacement):
        merged["labels"] = {**below, **labels}
    if "profiles" in base and "profiles" in part:
        merged["profiles"] = [*dict.fromkeys([*base["profiles"], *part["profiles"]])]
    if "depends_on" in base and "depends_on" in part:
        merged["depends_on"] = {**base["depends_on"], **part["depends_on"]}
    return {key: value for key, value in merged.items() if value is not RESET}


def _needed(written: dict[Any, Any] | list[Any]) -> dict[str, bool]:
    """By service, whether it restarts with it."""
    if isinstance(written, list):
        return dict.fromkeys(map(str, written), False)
    return {
        str(name): isinstance(how, dict) and str(how.get("restart")).lower() == "true"
        for name, how in written.items()
    }


def _listed(value: Any) -> list[Any]:
    if value is None or value is RESET:
        return []
    return value if isinstance(value, list) else [value]
