"""Headers of a channel's own: an object of names and values, on pages as rows."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from dockrev.fields import MASK

MAX_HEADERS, MAX_HEADER = 20, 2000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[ -~]*")
# They belong to the request itself; another value would make it one that nobody understands.
_OF_THE_REQUEST = {
    "connection", "content-length", "content-type", "host", "te", "trailer", "transfer-encoding",
    "upgrade",
}  # fmt: skip


class HeaderRows(forms.Textarea):
    """Reads rows of `…-name` and `…-value`; a value that was left empty stays as it was."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        if f"{name}-name" not in data:
            return super().value_from_datadict(data, files, name)
        names = [each.strip() for each in data.getlist(f"{name}-name")]
        values = data.getlist(f"{name}-value")
        rows = list(zip(names, values, strict=False))[: MAX_HEADERS + 1]
        return {name: value or MASK for name, value in rows if name or value}


class HeadersField(forms.JSONField):
    """Names and values as HTTP knows them: a line break would be a header of its own."""

    widget = HeaderRows

    def clean(self, value: Any) -> dict[str, str]:
        headers = super().clean(value) or {}
        if not isinstance(headers, dict) or len(headers) > MAX_HEADERS:
            raise forms.ValidationError(_("This must be a JSON object of at most 20 headers."))
        for name, given in headers.items():
            _check(name, given)
        if len({name.lower() for name in headers}) < len(headers):
            raise forms.ValidationError(_("Name each header once."))
        return headers


def _check(name: str, value: Any) -> None:
    if value is None:  # a row whose value was never entered
        raise forms.ValidationError(_("Enter the value of %(name)s.") % {"name": name})
    right = isinstance(value, str) and len(value) <= MAX_HEADER and _VALUE.fullmatch(value)
    if not right or not _NAME.fullmatch(name):
        raise forms.ValidationError(_("A header has a name and a value in plain ASCII."))
    if name.lower() in _OF_THE_REQUEST:
        raise forms.ValidationError(_("Dockrev sets %(name)s itself.") % {"name": name})
