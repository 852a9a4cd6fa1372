"""Forms that write the columns they show, and no others."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

from dockrev.errors import InvalidArgument


class JsonField(forms.JSONField):
    """JSON as people type it: of bounded size and depth, and nothing in it that a database, whose
    JSON is stricter than Python's, refuses."""

    MAX_LENGTH, MAX_DEPTH = 20_000, 20
    default_error_messages: ClassVar = {
        "too_much": _("This is too long, or nested too deep."),
        "characters": _("NUL characters and halves of surrogate pairs cannot be stored."),
    }

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > self.MAX_LENGTH:
            raise forms.ValidationError(self.error_messages["too_much"], "too_much")
        try:
            data = super().to_python(value)
            written = json.dumps(data, allow_nan=False, ensure_ascii=False)
            written.encode()
        except RecursionError:
            raise forms.ValidationError(self.error_messages["too_much"], "too_much") from None
        except UnicodeEncodeError:
            raise forms.ValidationError(self.error_messages["characters"], "characters") from None
        except ValueError:
            raise forms.ValidationError(
                self.error_messages["invalid"], "invalid", params={"value": value}
            ) from None
        if _depth(data, self.MAX_DEPTH) > self.MAX_DEPTH:
            raise forms.ValidationError(self.error_messages["too_much"], "too_much")
        if "\\u0000" in written:
            raise forms.ValidationError(self.error_messages["characters"], "characters")
        return data

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed comes back as it was, whether it can be read or not."""
        return InvalidJSONInput(data) if isinstance(data, str) else data


class RowForm(forms.ModelForm):
    """A form of one row. `also` are columns that follow from those that it shows.

    Whatever else is in the row belongs to somebody else, who may be writing it at this moment.
    """

    also: ClassVar[tuple[str, ...]] = ()

    def save(self, commit: bool = True) -> Any:
        if not commit:
            return super().save(commit=False)
        self.write()
        return self.instance

    def write(self) -> None:
        if self.instance._state.adding:
            self.instance.save(force_insert=True)
        else:
            self.instance.save(update_fields=[*self.fields, *self.also])


def require_valid(form: forms.BaseForm, **names: str) -> None:
    """Raise InvalidArgument for the first wrong field; `names` are those that are not its own."""
    for field, errors in form.errors.items():
        raise InvalidArgument(names.get(field, camel(field)), str(errors[0]))


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return "" if name == "__all__" else head + "".join(word.capitalize() for word in rest)


def _depth(data: Any, most: int) -> int:
    """How many lists and objects are in each other; no deeper is looked than one too many."""
    inside = data.values() if isinstance(data, dict) else data if isinstance(data, list) else None
    if inside is None or most < 0:
        return 0
    return 1 + max((_depth(each, most - 1) for each in inside), default=0)
