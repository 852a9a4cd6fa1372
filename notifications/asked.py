"""The fields of a channel's configuration, as a page shows them.

A secret is never shown, and what was typed as one does not come back either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms import BoundField
from django.http import QueryDict

from dockrev.fields import MASK
from notifications import configuration
from notifications.channels.base import PageForm, Transport
from notifications.channels.headers import MAX_HEADERS, HeaderRows

PREFIX = "config"
SPARE_ROWS = 2


@dataclass(frozen=True)
class Row:
    """A header: its value is there, is missing, or was typed in vain and is typed again."""

    name: str = ""
    is_kept: bool = False
    was_typed: bool = False


@dataclass(frozen=True)
class Asked:
    """One field. `masked` is what may be shown of what stays as it is if nothing is entered."""

    bound: BoundField
    error: str = ""
    masked: str = ""
    typed: str = ""
    is_secret: bool = False
    rows: tuple[Row, ...] = ()

    @property
    def is_switch(self) -> bool:
        return isinstance(self.bound.field.widget, forms.CheckboxInput)

    @property
    def is_choice(self) -> bool:
        return isinstance(self.bound.field.widget, forms.Select)

    @property
    def was_typed(self) -> bool:
        """Whether it has to be typed once more, for it is not shown."""
        return self.is_secret and bool(self.typed)

    @property
    def is_removable(self) -> bool:
        """Whether it can be done without; a page's own form says that in words of its own."""
        return not (self.bound.field.required or isinstance(self.bound.form, PageForm))

    @property
    def is_optional(self) -> bool:
        return self.is_removable and not self.is_choice

    @property
    def needs_a_look(self) -> bool:
        return bool(self.error) or self.was_typed

    @property
    def anchor(self) -> str:
        return f"{self.bound.auto_id}-name-1" if self.rows else self.bound.auto_id

    @property
    def control(self) -> str:
        own = self.bound.field.widget
        attrs: dict[str, Any] = {"aria-describedby": f"{self.bound.auto_id}-help"}
        if self.error:
            attrs["aria-invalid"] = "true"
        if not (self.is_secret or self.masked):
            return str(self.bound.as_widget(attrs=attrs))
        blank: forms.Widget = forms.PasswordInput() if self.is_secret else forms.TextInput()
        if isinstance(own, forms.Textarea):
            blank = own
        kept = {name: own.attrs[name] for name in ("maxlength", "placeholder") if name in own.attrs}
        quiet = {"id": self.bound.auto_id, "autocomplete": "new-password", "spellcheck": "false"}
        value = "" if self.is_secret else self.typed
        return str(blank.render(self.bound.html_name, value, {**kept, **quiet, **attrs}))


@dataclass(frozen=True)
class Questions:
    """What a kind asks for: of what is `stored`, or of what came back in `data`."""

    transport: type[Transport]
    stored: Mapping[str, Any]
    data: QueryDict | None = None
    variant: str = ""  # of a page's own form that has several

    def given(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The configuration that was entered, and what is wrong with it on the page alone."""
        if self.transport.page_form is None:
            return dict(self._entered()), {}
        form = self.transport.page_form(self.data, prefix=PREFIX, variant=self.variant)
        wrong = {name: str(messages[0]) for name, messages in form.errors.items()}
        return ({} if wrong else form.config()), wrong

    def asked(self, errors: Mapping[str, str]) -> list[Asked]:
        form = self._form(initial=dict(self._initial()))
        return [self._asked(form[name], errors.get(name, "")) for name in form.fields]

    @property
    def kept(self) -> list[str]:
        """What is stored, as it may be shown, where the page's own fields do not show it."""
        if self.transport.page_form is None or self._shown():
            return []
        shown = configuration.masked(self.transport.kind, self.stored)
        return [value for value in shown.values() if _is_hidden(value)]

    def _form(self, initial: dict[str, Any] | None = None) -> forms.Form:
        if self.transport.page_form is None:
            return self.transport.form(prefix=PREFIX, initial=initial)
        return self.transport.page_form(prefix=PREFIX, initial=initial, variant=self.variant)

    def _shown(self) -> dict[str, Any]:
        if self.transport.page_form is not None:
            return self.transport.page_form.filled(self.stored) if self.stored else {}
        return configuration.masked(self.transport.kind, self.stored)

    def _entered(self) -> Iterator[tuple[str, Any]]:
        shown = self._shown()
        data = self.data or QueryDict()
        for name, value in self._values(data):
            if data.get(f"{PREFIX}-{name}-remove"):
                yield name, None
            elif value not in ("", None) or not _is_hidden(shown.get(name)):
                yield name, value

    def _values(self, data: QueryDict) -> Iterator[tuple[str, Any]]:
        for name, field in self._form().fields.items():
            yield name, field.widget.value_from_datadict(data, {}, f"{PREFIX}-{name}")

    def _initial(self) -> Iterator[tuple[str, Any]]:
        values = self._shown().items() if self.data is None else self._values(self.data)
        for name, value in values:
            if name not in self.transport.secret_fields and not _is_hidden(value):
                yield name, value

    def _asked(self, bound: BoundField, error: str) -> Asked:
        stored = self._shown().get(bound.name)
        typed = "" if self.data is None else self.data.get(bound.html_name, "")
        is_secret = bound.name in self.transport.secret_fields or _is_password(bound)
        is_rows = isinstance(bound.field.widget, HeaderRows)
        return Asked(
            bound,
            error=error,
            masked=str(stored) if _is_hidden(stored) else "",
            typed=typed,
            is_secret=is_secret,
            rows=tuple(self._rows(bound, stored or {})) if is_rows else (),
        )

    def _rows(self, bound: BoundField, stored: Mapping[str, Any]) -> Iterator[Row]:
        if self.data is None:
            names, values = list(stored), [""] * len(stored)
        else:
            names = self.data.getlist(f"{bound.html_name}-name")[:MAX_HEADERS]
            values = self.data.getlist(f"{bound.html_name}-value")
        rows = [
            Row(name, name in stored, bool(value))
            for name, value in zip(names, values, strict=False)
            if name or value
        ]
        yield from rows
        for _spare in range(min(SPARE_ROWS, MAX_HEADERS - len(rows))):
            yield Row()


def _is_hidden(value: Any) -> bool:
    return isinstance(value, str) and MASK in value


def _is_password(bound: BoundField) -> bool:
    return getattr(bound.field.widget, "input_type", "") == "password"
