"""The form of the words that people give to one kind of message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications import examples, templating
from notifications.models import MessageTemplate

EXAMPLES_OF = "webhook"
_MAKE: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "title": templating.title_of,
    "text": templating.text_of,
}


@dataclass(frozen=True)
class Variable:
    """What may stand in a template, and what it is in the example."""

    name: str
    value: str

    @property
    def as_written(self) -> str:
        return f"{{{{ {self.name} }}}}"


class TemplateForm(forms.Form):
    """`preview` is what it makes of the example, so far as it can be used."""

    title = forms.CharField(
        label=_("Title"), max_length=templating.MAX_TITLE, widget=forms.TextInput
    )
    text = forms.CharField(
        label=_("Text"),
        max_length=templating.MAX_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )

    def __init__(self, row: MessageTemplate, data: Any = None) -> None:
        initial = {"title": row.title or templating.TITLE, "text": row.text or templating.TEXT}
        super().__init__(data, initial=initial)
        self.row = row
        self.example = examples.payload(row.kind, EXAMPLES_OF, timezone.now())
        self.preview: dict[str, str] = {}

    def clean_title(self) -> str:
        return self._tried("title")

    def clean_text(self) -> str:
        self.cleaned_data["text"] = self.cleaned_data["text"].replace("\r\n", "\n")
        return self._tried("text")

    def _tried(self, name: str) -> str:
        template: str = self.cleaned_data[name]
        try:
            self.preview[name] = _MAKE[name](template, self.example)
        except templating.BrokenTemplate as error:
            raise forms.ValidationError(str(error)) from error
        return template

    def show_initial(self) -> None:
        """The preview of what is kept, or of what it begins with."""
        for name, make in _MAKE.items():
            try:
                self.preview[name] = make(self.initial[name], self.example)
            except templating.BrokenTemplate as error:
                self.preview[name] = str(error)

    def variables(self) -> list[Variable]:
        return list(_variables("", templating.facts_of(self.example)))

    def write(self, username: str) -> None:
        """Keep it; where it says what no template would say, too."""
        words = {"title": self.cleaned_data["title"], "text": self.cleaned_data["text"]}
        MessageTemplate.objects.update_or_create(
            kind=self.row.kind,
            defaults={**words, "error": "", "failed_at": None, "updated_by": username},
        )


def _variables(path: str, value: Any) -> list[Variable]:
    """Of a list its first item stands for all."""
    if isinstance(value, dict):
        return [
            each
            for name, part in value.items()
            for each in _variables(f"{path}.{name}" if path else name, part)
        ]
    if isinstance(value, list):
        return _variables(f"{path}.0", value[0]) if value else []
    return [Variable(path, "" if value is None else str(value))]
