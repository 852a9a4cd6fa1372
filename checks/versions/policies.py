"""What people want to hear of a service, field by field, and who says so. Pure.

A field's value is that of the first who says something of it: the service's compose labels, its
own policy, its stack's, the one for all, the default. A new field is one more line in `FIELDS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from checks.automatic import windows
from checks.versions.authors import author
from checks.versions.choice import MAJOR, MINOR, PATCH
from checks.versions.patterns import BadPattern, pattern
from checks.versions.probes import http_probe
from checks.versions.transforms import MAX_TRANSFORM, transform

AUTO, DIGEST, VERSION, NOTHING = "auto", "digest", "version", "nothing"
SKIP, LIVE, STOP = "skip", "live", "stop"  # how data is backed up before an update
OFF = "off"  # of automatic updates
MAX_LABEL = MAX_TRANSFORM + 1  # kept of a label: as long as what no field takes any more
MAX_SHOWN = 80
OLDEST = 365  # days, of a minimum age
HIGHEST_PORT = 65535
LONGEST = 1800  # seconds, of what an update waits for
MARGIN = 10  # seconds beyond what a healthcheck may take by its own figures

# As Go names them, and so every image index.
_SYSTEMS = ("linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris", "aix")
_ARCHITECTURES = (
    "amd64", "arm64", "arm", "386", "riscv64", "s390x", "ppc64le", "ppc64", "loong64", "mips64le",
    "mips64", "mipsle", "mips", "wasm",
)  # fmt: skip
_VARIANT = re.compile(r"v[0-9]{1,2}(?:\.[0-9]{1,2})?")
_STEPS = (PATCH, MINOR, MAJOR)
_TRUTHS = dict.fromkeys(("true", "yes", "on"), True) | dict.fromkeys(("false", "no", "off"), False)


class Source(StrEnum):
    """Who says what a field is, the first one first."""

    LABEL = "label"
    SERVICE = "service"
    STACK = "stack"
    ALL = "all"
    DEFAULT = "default"


@dataclass(frozen=True)
class Field:
    """`read` makes a value of text that somebody typed; it raises BadPattern."""

    name: str
    label: str
    default: Any
    read: Callable[[str], Any]

    def takes(self, value: Any) -> bool:
        """Whether a stored value can be used. What cannot be read any more is not said."""
        try:
            return type(value) is type(self.default) and self.read(text_of(value)) == value
        except BadPattern:
            return False


class Held(NamedTuple):
    """What holds of one field, and by whose word."""

    value: Any
    source: Source


@dataclass(frozen=True)
class Fault:
    """A label that cannot be read. It counts as not said."""

    label: str
    text: str
    message: str


Layers = Mapping[Source, Mapping[str, Any]]


def holding(layers: Layers) -> dict[str, Held]:
    """Say for each field what holds and where it comes from."""
    # Of most services nobody says anything.
    if not any(layers.values()):
        return dict(_UNSAID)
    return {name: _first(field, layers) for name, field in FIELDS.items()}


def read_labels(labels: Mapping[str, str]) -> tuple[dict[str, Any], list[Fault]]:
    """The values that labels say, by field, and what cannot be read of them."""
    said: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, field in FIELDS.items() if labels else ():
        if (text := labels.get(field.label)) is None:
            continue
        try:
            said[name] = field.read(text.strip())
        except BadPattern as error:
            faults.append(Fault(field.label, text[:MAX_SHOWN], str(error)))
    return said, faults


def known_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Of a container's labels those that are about policy, as far as a database takes them."""
    return {name: _storable(labels[name]) for name in LABELS if name in labels}


def text_of(value: Any) -> str:
    """A value as text that is read as it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _first(field: Field, layers: Layers) -> Held:
    for source in Source:
        said = layers.get(source, {})
        if field.name in said and field.takes(said[field.name]):
            return Held(said[field.name], source)
    return Held(field.default, Source.DEFAULT)


def _storable(text: str) -> str:
    cut = text[:MAX_LABEL].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return cut.encode("utf-8", "replace").decode()


def _word(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() in words:
            return text.lower()
        raise _none_of(text, words)

    return read


def _truth(text: str) -> bool:
    if text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    raise _none_of(text, ("true", "false"))


def _pattern(text: str) -> str:
    pattern(text)
    return text


def _transform(text: str) -> str:
    if text:
        transform(text)
    return text


def _author(text: str) -> str:
    author(text)
    return text


def _days(text: str) -> int:
    return _whole(text, OLDEST, _("Write a number of days from 0 to %(most)d."))


def _seconds(text: str) -> int:
    return _whole(text, LONGEST, _("Write a number of seconds from 0 to %(most)d."))


def _port(text: str) -> int:
    return _whole(text, HIGHEST_PORT, _("Write a port from 1 to %(most)d, or 0 for none."))


def _whole(text: str, most: int, refusal: str) -> int:
    """A whole number; none where nothing is written."""
    if not text:
        return 0
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most:
        return int(text)
    raise BadPattern(refusal % {"most": most}, 0)


def _http_probe(text: str) -> str:
    if text:
        http_probe(text)
    return text


def _by_itself(text: str) -> str:
    """YAML takes a bare `off` for `false`."""
    return OFF if _TRUTHS.get(text.lower()) is False else _word(OFF, DIGEST, *_STEPS)(text)


def _windows(text: str) -> str:
    if text:
        windows.read(text)
    return text


def _platform(text: str) -> str:
    if not text:
        return text
    system, _slash, rest = text.lower().partition("/")
    architecture, slash, variant = rest.partition("/")
    if not rest or (slash and not _VARIANT.fullmatch(variant)):
        message = _("Write a platform as linux/amd64 or linux/arm/v7.")
        raise BadPattern(message, len(text) - len(variant) if rest else len(text))
    if system not in _SYSTEMS:
        raise _none_of(system, _SYSTEMS)
    if architecture not in _ARCHITECTURES:
        raise _none_of(architecture, _ARCHITECTURES, at=len(system) + 1)
    return text.lower()


def _none_of(text: str, words: tuple[str, ...], *, at: int = 0) -> BadPattern:
    message = _("%(text)s is none of: %(words)s.")
    shown = f"“{text[:MAX_SHOWN]}”"
    return BadPattern(message % {"text": shown, "words": ", ".join(words)}, at)


FIELDS = {
    field.name: field
    for field in (
        Field("track", "dockrev.track", AUTO, _word(AUTO, DIGEST, VERSION, NOTHING)),
        Field("include", "dockrev.include", "", _pattern),
        Field("exclude", "dockrev.exclude", "", _pattern),
        Field("transform", "dockrev.transform", "", _transform),
        Field("largestStep", "dockrev.largest-step", MAJOR, _word(*_STEPS)),
        Field("prereleases", "dockrev.prereleases", False, _truth),
        Field("minimumAge", "dockrev.minimum-age", 0, _days),
        Field("platform", "dockrev.platform", "", _platform),
        Field("backup", "dockrev.backup", SKIP, _word(SKIP, LIVE, STOP)),
        Field("autoUpdate", "dockrev.auto-update", OFF, _by_itself),
        Field("autoUpdateAge", "dockrev.auto-update-age", 0, _days),
        Field("autoUpdateWindow", "dockrev.auto-update-window", "", _windows),
        Field("autoUpdateHealthy", "dockrev.auto-update-healthy", True, _truth),
        Field("rollback", "dockrev.rollback", True, _truth),
        Field("probeHttp", "dockrev.probe-http", "", _http_probe),
        Field("probeTcp", "dockrev.probe-tcp", 0, _port),
        Field("probeLog", "dockrev.probe-log", "", _pattern),
        Field("settleTime", "dockrev.settle-time", 0, _seconds),
        Field("healthMargin", "dockrev.health-margin", MARGIN, _seconds),
        Field("commit", "dockrev.commit", False, _truth),
        Field("commitAuthor", "dockrev.commit-author", "", _author),
    )
}
_UNSAID = {name: Held(field.default, Source.DEFAULT) for name, field in FIELDS.items()}
LABELS = tuple(field.label for field in FIELDS.values())
