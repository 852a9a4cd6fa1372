"""A form whose fields are preferences, by their names."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction

from dockrev import preferences


class PreferenceForm(forms.Form):
    """Shows what holds; `write` keeps what was given, all of it or nothing."""

    def __init__(self, data: Any = None) -> None:
        known = preferences.load()
        super().__init__(data, initial={name: getattr(known, name) for name in self.base_fields})

    @transaction.atomic
    def write(self) -> None:
        for name, value in self.cleaned_data.items():
            preferences.set(name, value)
