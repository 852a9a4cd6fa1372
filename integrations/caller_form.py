"""The one form of a trigger's caller, for API, pages and admin alike."""

from __future__ import annotations

import unicodedata
from typing import Any

from django import forms
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from checks.models import Stack
from dockrev.errors import Conflict
from dockrev.forms import RowForm
from integrations import callers
from integrations.callers import Action
from integrations.models import TriggerCaller


class CallerForm(RowForm):
    """`secret` is that of a new one, once it is written."""

    also = ("name_key",)
    secret = ""
    actions = forms.MultipleChoiceField(
        choices=Action.choices, required=False, widget=forms.CheckboxSelectMultiple
    )
    stacks = forms.ModelMultipleChoiceField(Stack.objects.all(), required=False)

    class Meta:
        model = TriggerCaller
        fields = ("name", "enabled", "actions", "every_stack", "stacks", "calls_per_minute")

    def clean_name(self) -> str:
        name = unicodedata.normalize("NFC", self.cleaned_data["name"]).strip()
        if not name.isprintable():
            raise forms.ValidationError(_("A name has no control characters."))
        key = callers.key_of(name)
        others = TriggerCaller.objects.filter(receiver=self.instance.receiver, name_key=key)
        if others.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("Another caller of this trigger is called so."))
        self.instance.name_key = key
        return name

    def clean_actions(self) -> list[str]:
        chosen = set(self.cleaned_data["actions"])
        return [action for action in Action.values if action in chosen]

    def clean_stacks(self) -> Any:
        stacks = self.cleaned_data["stacks"]
        if len(stacks) > callers.MAX_STACKS:
            raise forms.ValidationError(
                _("Choose at most %(most)d stacks, or all.") % {"most": callers.MAX_STACKS}
            )
        return stacks

    def clean_calls_per_minute(self) -> int:
        calls: int = self.cleaned_data["calls_per_minute"]
        if not 1 <= calls <= callers.MAX_CALLS:
            raise forms.ValidationError(
                _("From 1 to %(most)d calls in a minute.") % {"most": callers.MAX_CALLS}
            )
        return calls

    def write(self) -> None:
        """Raises Conflict where there are too many, or somebody else was quicker."""
        try:
            with transaction.atomic():
                self._write()
        except IntegrityError:
            text = _("Another caller of this trigger is called so.")
            raise Conflict(text, reason="name_taken") from None

    def _write(self) -> None:
        row = self.instance
        if row._state.adding:
            _refuse_too_many(row)
            self.secret = callers.new_secret(row, timezone.now())
            row.save(force_insert=True)
        else:
            columns = [name for name in self.fields if name != "stacks"]
            row.save(update_fields=[*columns, *self.also])
        row.stacks.set([] if row.every_stack else self.cleaned_data["stacks"])


def _refuse_too_many(row: TriggerCaller) -> None:
    if TriggerCaller.objects.filter(receiver=row.receiver).count() >= callers.MAX_CALLERS:
        raise Conflict(
            _("A trigger has at most %(most)d callers.") % {"most": callers.MAX_CALLERS},
            reason="too_many",
        )
