"""The form of a policy: a service's, a stack's, or the one for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks import policies
from checks.automatic.windows import MAX_WINDOWS
from checks.policies import Level
from checks.versions.authors import MAX_AUTHOR
from checks.versions.choice import MAJOR, MINOR, PATCH
from checks.versions.patterns import MAX_LENGTH, BadPattern
from checks.versions.policies import (
    AUTO,
    DIGEST,
    FIELDS,
    LIVE,
    NOTHING,
    OFF,
    SKIP,
    STOP,
    VERSION,
    Source,
    text_of,
)
from checks.versions.probes import MAX_PROBE
from checks.versions.transforms import MAX_TRANSFORM

Words = Mapping[str, str | Promise]

TRACKS: Words = {
    AUTO: gettext_lazy("Whatever its tag allows"),
    DIGEST: gettext_lazy("Rebuilt images of its tag alone"),
    VERSION: gettext_lazy("Newer versions alone"),
    NOTHING: gettext_lazy("Nothing"),
}
LARGEST: Words = {
    PATCH: gettext_lazy("patch"),
    MINOR: gettext_lazy("minor"),
    MAJOR: gettext_lazy("major"),
}
BACKUPS: Words = {
    SKIP: gettext_lazy("no"),
    LIVE: gettext_lazy("while it runs"),
    STOP: gettext_lazy("with its containers stopped"),
}
BY_ITSELF: Words = {
    OFF: gettext_lazy("nothing"),
    DIGEST: gettext_lazy("rebuilt images"),
    PATCH: gettext_lazy("rebuilt images and patches"),
    MINOR: gettext_lazy("rebuilt images, patches and minor versions"),
    MAJOR: gettext_lazy("rebuilt images and all versions"),
}
_YES_OR_NO: Words = {"true": gettext_lazy("yes"), "false": gettext_lazy("no")}
CHOICES: dict[str, Words] = {
    "track": TRACKS,
    "largestStep": LARGEST,
    "prereleases": _YES_OR_NO,
    "backup": BACKUPS,
    "autoUpdate": BY_ITSELF,
    "autoUpdateHealthy": _YES_OR_NO,
    "rollback": _YES_OR_NO,
    "commit": _YES_OR_NO,
}
TITLES: Words = {
    "track": gettext_lazy("Tracks"),
    "include": gettext_lazy("Only tags that match"),
    "exclude": gettext_lazy("No tags that match"),
    "transform": gettext_lazy("Transform"),
    "largestStep": gettext_lazy("Largest step"),
    "prereleases": gettext_lazy("Pre-releases, too"),
    "minimumAge": gettext_lazy("Minimum age"),
    "platform": gettext_lazy("Platform"),
    "backup": gettext_lazy("Backs up data before an update"),
    "autoUpdate": gettext_lazy("Updates by itself"),
    "autoUpdateAge": gettext_lazy("By itself after days"),
    "autoUpdateWindow": gettext_lazy("By itself at these times"),
    "autoUpdateHealthy": gettext_lazy("By itself only while healthy"),
    "rollback": gettext_lazy("Rolls back when an update fails"),
    "probeHttp": gettext_lazy("HTTP probe"),
    "probeTcp": gettext_lazy("TCP probe"),
    "probeLog": gettext_lazy("Log probe"),
    "settleTime": gettext_lazy("Settle time"),
    "healthMargin": gettext_lazy("Health margin"),
    "commit": gettext_lazy("Commits edited files to Git"),
    "commitAuthor": gettext_lazy("Author of these commits"),
}
GROUPS: Words = {  # by the first field of each
    "track": gettext_lazy("What counts as newer"),
    "backup": gettext_lazy("Before an update"),
    "autoUpdate": gettext_lazy("Automatic updates"),
    "rollback": gettext_lazy("After an update"),
    "commit": gettext_lazy("Git"),
}
HINTS: Words = {
    "transform": gettext_lazy(r"What of a tag is its version, such as ^build-(.+)$ => \1"),
    "minimumAge": gettext_lazy("How many days old an image must be, from 0 to 365"),
    "platform": gettext_lazy("What images must be for, such as linux/arm64 or linux/arm/v7"),
    "autoUpdateAge": gettext_lazy(
        "How many days something newer must be known here before it is applied, from 0 to 365"
    ),
    "autoUpdateWindow": gettext_lazy(
        "Days, hours and a time zone, such as Sat,Sun 02:00-05:00; Mon-Fri 22:00-04:00 "
        "Europe/Berlin"
    ),
    "probeHttp": gettext_lazy(
        "What a container must answer after an update, such as :8080/health or "
        "https://:8443/ 200-299"
    ),
    "probeTcp": gettext_lazy("A port of the container that must take connections"),
    "probeLog": gettext_lazy("A pattern that a line of its log must match after it started"),
    "settleTime": gettext_lazy("How many seconds it must run without a restart"),
    "healthMargin": gettext_lazy(
        "How many seconds more than by its healthcheck's own figures it may take"
    ),
    "commitAuthor": gettext_lazy("As Name <name@example.org>"),
}
NONE: Words = {
    "include": gettext_lazy("any tag"),
    "exclude": gettext_lazy("none"),
    "transform": gettext_lazy("none"),
    "minimumAge": gettext_lazy("none"),
    "platform": gettext_lazy("the machine's own"),
    "autoUpdateAge": gettext_lazy("none"),
    "autoUpdateWindow": gettext_lazy("any time"),
    "probeHttp": gettext_lazy("none"),
    "probeTcp": gettext_lazy("none"),
    "probeLog": gettext_lazy("none"),
    "settleTime": gettext_lazy("10 s where it has no healthcheck"),
    "healthMargin": gettext_lazy("none"),
    "commitAuthor": "Dockrev <dockrev@localhost>",
}
LENGTHS = {
    "include": MAX_LENGTH,
    "exclude": MAX_LENGTH,
    "transform": MAX_TRANSFORM,
    "minimumAge": 3,
    "platform": 60,
    "autoUpdateAge": 3,
    "autoUpdateWindow": MAX_WINDOWS,
    "probeHttp": MAX_PROBE,
    "probeTcp": 5,
    "probeLog": MAX_LENGTH,
    "settleTime": 4,
    "healthMargin": 4,
    "commitAuthor": MAX_AUTHOR,
}
BARE = "_bare"  # ends the name of the box that says "none of this here"


@dataclass(frozen=True)
class Row:
    """One field as the page shows it, with values in words; `is_code` where somebody typed it.

    `group` is the title of the fields that begin here. `own` is what is said at this level, if
    anything. `control` is None where a label says what holds. `reached` is for how many services
    it holds, where that is asked.
    """

    group: str | Promise
    title: str | Promise
    hint: str | Promise
    label: str
    shown: str
    source: Source
    inherited: str
    inherited_from: Source
    own: str | None
    is_text: bool
    is_code: bool
    control: forms.BoundField | None
    bare: forms.BoundField | None
    reached: int | None


class PolicyForm(forms.Form):
    """A field left empty is inherited. What a label says has no control, and keeps what is stored.

    A text that is inherited can be said away by a box of its own.
    """

    def __init__(self, level: Level, data: Any = None) -> None:
        super().__init__(data)
        self.level = level
        for name in FIELDS:
            if level.held[name].source != Source.LABEL:
                self._add(name)

    def _add(self, name: str) -> None:
        said = self.level.said.get(name)
        inherited, source = self.level.inherited[name]
        written = "" if said is None else text_of(said)
        if name in CHOICES:
            is_default = source == Source.DEFAULT
            pattern = _("Default (%(value)s)") if is_default else _("Inherit (%(value)s)")
            inherits = pattern % {"value": value_words(name, inherited)}
            choices = [("", inherits), *CHOICES[name].items()]
            self.fields[name] = forms.ChoiceField(choices=choices, required=False, initial=written)
            return
        hint = "" if said == "" else inherited or ""
        attributes = {"spellcheck": "false", "autocomplete": "off", "placeholder": hint}
        self.fields[name] = forms.CharField(
            max_length=LENGTHS[name],
            required=False,
            initial=written,
            widget=forms.TextInput(attributes),
        )
        if FIELDS[name].default == "" and (inherited or said == ""):
            box = forms.BooleanField(required=False, initial=said == "")
            self.fields[name + BARE] = box

    def clean(self) -> None:
        for name in self._sent():
            try:
                if text := self.cleaned_data.get(name, ""):
                    FIELDS[name].read(text)
            except BadPattern as error:
                self.add_error(name, str(error))
            else:
                if text and self.cleaned_data.get(name + BARE):
                    self.add_error(name, _("Empty this, or take the tick away below it."))

    @property
    def changes(self) -> dict[str, Any]:
        """What is said by field, None where it is inherited; for a form that is valid."""
        return {name: self._said(name) for name in self._sent()}

    def write(self, username: str) -> None:
        policies.change(self.level, self.changes, username)

    def rows(self, reached: Mapping[str, int] | None = None) -> list[Row]:
        return [self._row(name, (reached or {}).get(name)) for name in FIELDS]

    def _sent(self) -> Iterator[str]:
        """A field that came by no form was not on the page: a label said it then."""
        return (name for name in FIELDS if name in self.fields and name in self.data)

    def _said(self, name: str) -> Any:
        if text := self.cleaned_data[name]:
            return FIELDS[name].read(text)
        return "" if self.cleaned_data.get(name + BARE) else None

    def _row(self, name: str, reached: int | None) -> Row:
        held, inherited = self.level.held[name], self.level.inherited[name]
        said = self.level.said
        return Row(
            group=GROUPS.get(name, ""),
            title=TITLES[name],
            hint=HINTS.get(name, ""),
            label=FIELDS[name].label,
            shown=value_words(name, held.value),
            source=held.source,
            inherited=value_words(name, inherited.value),
            inherited_from=inherited.source,
            own=value_words(name, said[name]) if name in said else None,
            is_text=name not in CHOICES,
            is_code=name not in CHOICES and bool(held.value),
            control=self[name] if name in self.fields else None,
            bare=self[name + BARE] if name + BARE in self.fields else None,
            reached=reached,
        )


def value_words(name: str, value: Any) -> str:
    """A field's value as people read it."""
    if name in CHOICES:
        return str(CHOICES[name][text_of(value)])
    return str(value or NONE[name])
