"""Finds where compose files say which image a service runs, and what to change there.

Nothing is assumed of how files work together: every place that may be the one is changed in
memory, the files are put together once more, and the place is right where exactly what was wanted
came of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from django.utils.translation import gettext as _

from checks.discovery.composition import Composition
from checks.discovery.documents import node_of, parse
from checks.discovery.dotenv import Assignment, assignments
from checks.discovery.files import compose
from checks.discovery.interpolation import BadVariable, pieces
from checks.updating import edits, image_names, places
from checks.updating.image_names import Goal, Swap, changed
from checks.updating.plan import Edit

MAX_NESTING = 5  # of variables in the values of variables
MAX_PLACES = 50  # that may say a service's image


class NotEditable(Exception):
    """No file says the image in a way that can be changed; the text says why, and what to do."""


@dataclass(frozen=True)
class Found:
    """What to change. `also` are other services that get another image by it, with that image;
    `variables` are those whose values change, and `uses` where else these are used."""

    edits: tuple[Edit, ...]
    also: Mapping[str, str]
    variables: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    """A part of an image's name, and where it is written: `at` is in characters of that file.
    Where it cannot be changed, `obstacle` says why."""

    text: str
    path: Path | None = None
    at: int = 0
    name: str = ""
    obstacle: str = ""


class Files:
    """The files of a project, as they are when this is made."""

    def __init__(
        self,
        config_files: Sequence[Path],
        *,
        working_dir: Path,
        environment_files: Sequence[Path] = (),
        environment: Mapping[str, str],
    ) -> None:
        self._given = (config_files, working_dir, environment_files, environment)
        self._environment = environment
        self._read: dict[str, bytes] = {}
        self._nodes: dict[Path, list[tuple[str, yaml.ScalarNode]]] = {}
        self.composition = self._composed({})

    def image_of(self, service: str) -> str:
        """The image as the files say it. Raises NotEditable where they do not."""
        part = self.composition.services.get(service)
        if part is None:
            problem = next(iter(self.composition.problems), "")
            text = _("No compose file of this stack has the service %(name)s. %(problem)s")
            raise NotEditable((text % {"name": service, "problem": problem}).strip())
        image: str = part.get("image") or ""
        if part.get("build") and not image:
            text = _("%(name)s is built here, not pulled: build it anew instead.")
            raise NotEditable(text % {"name": service})
        if not image:
            raise NotEditable(_("The compose files give %(name)s no image.") % {"name": service})
        return image

    def edit(self, service: str, *, tag: str = "", digest: str = "") -> Found:
        """What to change so that the service has this tag and, where one is pinned, this digest.

        Raises NotEditable.
        """
        image = self.image_of(service)
        swaps = image_names.swaps(image, tag, digest)
        wanted = changed(image, tag=tag, digest=digest)
        if wanted == image:
            return Found((), {})
        reasons: list[str] = []
        for path, node in self._places(service, image):
            try:
                made = self._edits(path, node, swaps, names=f"services.{service}.image")
                return self._found(made, self._prove(made, {service: wanted}))
            except NotEditable as error:
                reasons.append(str(error))
        raise NotEditable(next(filter(None, reasons), self._no_place(service, image)))

    def edit_together(self, goals: Mapping[str, Goal]) -> dict[str, Found]:
        """What `edit` says, of the services for which it can be told at once.

        Putting the files together is nearly all of the work, and here it is done once for all that
        are edited in places of their own. The others are left out.
        """
        made: dict[str, tuple[Edit, ...]] = {}
        for service, goal in goals.items():
            with suppress(NotEditable):
                made[service] = self._likeliest(service, goal)
        return self._proven_together(_apart(made), goals)

    def _likeliest(self, service: str, goal: Goal) -> tuple[Edit, ...]:
        image = self.image_of(service)
        swaps = image_names.swaps(image, *goal)
        place = next(self._places(service, image), None)
        if place is None or not swaps:
            return ()
        return self._edits(*place, swaps, names=f"services.{service}.image")

    def _proven_together(
        self, made: Mapping[str, tuple[Edit, ...]], goals: Mapping[str, Goal]
    ) -> dict[str, Found]:
        """Where it does not come out as wanted, by halves: one that is not right is left out."""
        if len(made) < 2:
            return {}
        wanted = {name: changed(self.image_of(name), **goals[name]._asdict()) for name in made}
        try:
            if self._prove([edit for of in made.values() for edit in of], wanted):
                raise NotEditable("")
        except NotEditable:
            names, middle = list(made), len(made) // 2
            halves = names[:middle], names[middle:]
            found = [self._proven_together({n: made[n] for n in half}, goals) for half in halves]
            return {**found[0], **found[1]}
        return {name: self._found(edits, {}) for name, edits in made.items()}

    def _composed(self, texts: Mapping[str, bytes]) -> Composition:
        files, folder, environment_files, environment = self._given
        return compose(files, folder, environment_files, environment, texts=texts)[0]

    def _places(self, service: str, image: str) -> Iterator[tuple[Path, yaml.ScalarNode]]:
        """Where this image is written under a key `image`, the likeliest first: under the name of
        the service, and of that in the last file."""
        found = [
            (of != service, path, node)
            for path, variables in reversed(self.composition.files.items())
            for of, node in self._images_in(path)
            if _interpolated(node.value, variables) == image
        ]
        for _is_other, path, node in sorted(found, key=lambda place: place[0])[:MAX_PLACES]:
            yield path, node

    def _images_in(self, path: Path) -> list[tuple[str, yaml.ScalarNode]]:
        if path not in self._nodes:
            try:
                self._nodes[path] = list(places.image_nodes(node_of(self._text(path))))
            except yaml.YAMLError:
                self._nodes[path] = []
        return self._nodes[path]

    def _edits(
        self, path: Path, node: yaml.ScalarNode, swaps: list[Swap], *, names: str
    ) -> tuple[Edit, ...]:
        parts = list(self._parts(path, node, names))
        whole = "".join(part.text for part in parts)
        lead = len(whole) - len(whole.lstrip())
        return tuple(self._placed(parts, swap, lead) for swap in swaps)

    def _parts(self, path: Path, node: yaml.ScalarNode, names: str) -> Iterator[_Part]:
        text = self._text(path)
        base = places.start_of(text, node)
        variables = self.composition.files[path]
        for piece in pieces(node.value, variables):
            if piece.name:
                yield from self._value_of(piece.name, variables, depth=0)
            elif base is None:
                obstacle = _(
                    "%(path)s, line %(line)d: the image is written over several lines or with "
                    "escapes; write it on one line, plainly."
                )
                line = node.start_mark.line + 1
                yield _Part(piece.text, obstacle=obstacle % {"path": path, "line": line})
            else:
                yield _Part(piece.text, path, base + piece.at, names)

    def _value_of(self, name: str, variables: Mapping[str, str], *, depth: int) -> Iterator[_Part]:
        """The parts of a variable's value, each where it is written."""
        value = variables.get(name, "")
        if name in self._environment:
            text = _(
                "The variable %(name)s comes from the environment that Dockrev runs in, not from "
                "a file; change it there, or set it in a .env file."
            )
            yield _Part(value, obstacle=text % {"name": name})
            return
        found = self._assignment(name, value, variables)
        if found is None or depth > MAX_NESTING:
            text = _("No file was found that sets the variable %(name)s.")
            yield _Part(value, obstacle=text % {"name": name})
            return
        path, each = found
        if not each.is_plain:
            text = _("%(path)s: the value of %(name)s is written with escapes; write it plainly.")
            yield _Part(value, obstacle=text % {"path": path, "name": name})
        elif each.is_final:
            yield _Part(value, path, each.at, name)
        else:
            for piece in pieces(each.value, variables):
                if piece.name:
                    yield from self._value_of(piece.name, variables, depth=depth + 1)
                else:
                    yield _Part(piece.text, path, each.at + piece.at, name)

    def _assignment(
        self, name: str, value: str, variables: Mapping[str, str]
    ) -> tuple[Path, Assignment] | None:
        """The line that gives a variable its value: in the last file that does."""
        for path in reversed(self.composition.environment_files):
            text = self._text(path)
            skipped = 1 if text.startswith("\ufeff") else 0
            lines = [each for each in assignments(text[skipped:]) if each.name == name]
            if lines and (lines[-1].is_final or _is(lines[-1].value, variables, value)):
                last = lines[-1]
                at = last.at + skipped
                return path, Assignment(name, last.value, at, last.is_final, last.is_plain)
        return None

    def _placed(self, parts: list[_Part], swap: Swap, lead: int) -> Edit:
        """Put a change of the whole image's name into the one part that it is in."""
        for each in (swap, image_names.narrowed(swap)):
            at = 0
            for part in parts:
                begin = lead + each.start - at
                is_inside = begin >= 0 and begin + len(each.old) <= len(part.text)
                if is_inside and part.text and (begin or each.old):
                    return self._edit(part, begin, each.old, each.new)
                at += len(part.text)
        raise NotEditable(
            _("The image's tag is put together from several parts; make it one, to have it edited.")
        )

    def _edit(self, part: _Part, begin: int, old: str, new: str) -> Edit:
        if part.path is None:
            raise NotEditable(part.obstacle)
        before = self._text(part.path)[: part.at + begin]
        data = self._bytes(part.path)
        if not _is_writable(part.path):
            text = _("%(path)s is read-only for Dockrev; if it is mounted, mount it without :ro.")
            raise NotEditable(text % {"path": part.path})
        return Edit(
            path=str(part.path),
            sha256=hashlib.sha256(data).hexdigest(),
            start=len(before.encode()),
            line=_line(before),
            old=old,
            new=new,
            names=part.name,
        )

    def _prove(self, made: Sequence[Edit], wanted: Mapping[str, str]) -> dict[str, str]:
        """Put the files together with these edits: services must have what is wanted. Return which
        others get another image by it. Raises NotEditable, without a reason where this is simply
        not the place."""
        texts: dict[str, bytes] = {}
        for real, of_file in groupby(sorted(made, key=_real), key=_real):
            texts[real] = edits.after(edits.read(real), of_file)
        composed = self._composed(texts)
        before, now = self.composition.services, composed.services
        if any(now.get(name, {}).get("image") != image for name, image in wanted.items()):
            raise NotEditable("")
        if composed.problems != self.composition.problems or _without_images(
            before
        ) != _without_images(now):
            raise NotEditable(_("The change would do more than change an image."))
        for path in self.composition.files:
            if os.path.realpath(path) in texts:
                self._prove_document(path, texts[os.path.realpath(path)])
        return {
            name: str(part.get("image"))
            for name, part in now.items()
            if name not in wanted and part.get("image") != before[name].get("image")
        }

    def _found(self, made: tuple[Edit, ...], also: Mapping[str, str]) -> Found:
        names = tuple(dict.fromkeys(e.names for e in made if not e.names.startswith("services.")))
        return Found(edits=made, also=also, variables=names, uses=tuple(self._uses(names)))

    def _prove_document(self, path: Path, text: bytes) -> None:
        for place in places.differences(parse(self._bytes(path)), parse(text)):
            if place[-1] != "image" and not place[0].startswith("x-"):
                text_of = _("The same value also stands at %(place)s in %(path)s; edit it by hand.")
                raise NotEditable(text_of % {"place": ".".join(place), "path": path})

    def _uses(self, names: Sequence[str]) -> Iterator[str]:
        """Where else in the compose files variables are used than for images."""
        if not names:
            return
        for path, variables in self.composition.files.items():
            for place, value in places.texts(parse(self._bytes(path))):
                if place[-1] != "image" and any(_names(value, name, variables) for name in names):
                    yield ".".join(place)

    def _no_place(self, service: str, image: str) -> str:
        text = _("No compose file writes the image %(image)s of %(name)s where it can be edited.")
        return text % {"image": image, "name": service}

    def _bytes(self, path: Path) -> bytes:
        real = os.path.realpath(path)
        if real not in self._read:
            try:
                self._read[real] = edits.read(real)
            except edits.NotWritten as error:
                raise NotEditable(str(error)) from error
        return self._read[real]

    def _text(self, path: Path) -> str:
        try:
            return self._bytes(path).decode()
        except UnicodeDecodeError:
            raise NotEditable(_("%(path)s is not UTF-8.") % {"path": path}) from None


def _apart(made: Mapping[str, tuple[Edit, ...]]) -> dict[str, tuple[Edit, ...]]:
    """The services whose edits neither meet nor touch those of another."""
    places = sorted(
        (_real(edit), edit.start, edit.start + len(edit.old.encode()), service)
        for service, of_service in made.items()
        for edit in of_service
    )
    met: set[str] = set()
    last = ("", 0, "")
    for real, start, end, service in places:
        if real == last[0] and start <= last[1] and service != last[2]:
            met |= {service, last[2]}
        last = max(last, (real, end, service)) if real == last[0] else (real, end, service)
    return {name: of for name, of in made.items() if of and name not in met}


def _names(text: str, name: str, variables: Mapping[str, str]) -> bool:
    """Whether a text has this variable in it."""
    if name not in text:
        return False
    try:
        return any(piece.name == name for piece in pieces(text, variables))
    except BadVariable:
        return False


def _interpolated(text: str, variables: Mapping[str, str]) -> str | None:
    try:
        return "".join(piece.text for piece in pieces(text, variables)).strip()
    except BadVariable:
        return None


def _is(text: str, variables: Mapping[str, str], value: str) -> bool:
    try:
        return "".join(piece.text for piece in pieces(text, variables)) == value
    except BadVariable:
        return False


def _without_images(services: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: {key: value for key, value in part.items() if key != "image"}
        for name, part in services.items()
    }


def _line(before: str) -> int:
    return before.count("\n") + before.replace("\r\n", "\n").count("\r") + 1


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK)


def _real(edit: Edit) -> str:
    return os.path.realpath(edit.path)
