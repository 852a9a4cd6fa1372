"""Whose certificates a channel trusts, for those that post to servers of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev import authorities


@dataclass(frozen=True)
class Trust:
    """`ca` are certificates of an authority of one's own, as PEM, that count besides those that
    everybody trusts. Without `verify` every certificate counts."""

    ca: str = ""
    verify: bool = True

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        verify = config.get("verify", True)
        return cls(config.get("ca", "") if verify else "", verify)


EVERYBODYS = Trust()


class _Checked(forms.NullBooleanSelect):
    """Two choices, of which what nobody chose is the first."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.choices = [
            ("true", gettext_lazy("checked")),
            ("false", gettext_lazy("not checked: anybody between can read and change messages")),
        ]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        """What came as it came, for the field to refuse what is neither."""
        return data.get(name)


class VerifyField(forms.NullBooleanField):
    """True or false, or nothing for true: what is absent must not switch a check off."""

    widget = _Checked
    WORDS = ("", "true", "false", "True", "False")

    def to_python(self, value: Any) -> Any:
        if not (value is None or isinstance(value, bool) or value in self.WORDS):
            raise forms.ValidationError(_("This must be true or false."))
        return super().to_python(value)


class TrustForm(forms.Form):
    ca = forms.CharField(
        label=gettext_lazy("Own CA"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "The certificate of a CA of your own, as PEM, where it signed the server's."
        ),
    )
    verify = VerifyField(label=gettext_lazy("The server's certificate is"), required=False)

    def clean_ca(self) -> str:
        text: str = self.cleaned_data["ca"]
        try:
            return authorities.normal(text) if text else ""
        except authorities.BadAuthorities as error:
            raise forms.ValidationError(str(error)) from error
