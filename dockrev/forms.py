"""Forms that write the columns they show, and no others."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from dockrev.errors import InvalidArgument


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
