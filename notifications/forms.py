"""The form of a channel, for API, pages and admin alike."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev.fields import UnreadableSecret
from dockrev.forms import JsonField, RowForm
from notifications import announce, configuration
from notifications.channels import TRANSPORTS
from notifications.models import Channel

MAX_STACKS = 1000
MAX_ID = 32


class ChannelForm(RowForm):
    """`config` is JSON; secrets in it come masked and, left so, stay as they are."""

    also: ClassVar[tuple[str, ...]] = ("disabled_reason",)
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Messages"),
        choices=list(announce.EVENTS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    config = JsonField(
        label=gettext_lazy("Configuration"),
        required=False,
        help_text=gettext_lazy(
            "What is masked stays as it is. Where the URL leads to another server, enter the "
            "secret and the headers anew, or null to have none."
        ),
    )

    class Meta:
        model = Channel
        fields = ("kind", "name", "enabled", "events", "stack_ids", "config")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known_kind = self.instance.kind
        self._wrong: dict[str, list[str]] = {}
        # What is bound to the form is shown; the secrets themselves stay here.
        self.stored = {} if self.instance._state.adding else _settings(self.instance)
        if self.instance._state.adding:
            self.initial.setdefault("events", list(announce.EVENTS))
        if self.stored:
            self.initial["config"] = configuration.masked(self.instance.kind, self.stored)

    def clean_events(self) -> list[str]:
        """Each once, without what a channel of this kind could not send."""
        chosen = dict.fromkeys(self.cleaned_data["events"])
        kind = self.cleaned_data.get("kind") or self._known_kind
        if kind in TRANSPORTS and TRANSPORTS[kind].one_image_each:
            return [event for event in chosen if event in announce.OF_IMAGES]
        return list(chosen)

    def clean_stack_ids(self) -> list[str]:
        ids = self.cleaned_data["stack_ids"] or []
        fits = isinstance(ids, list) and len(ids) <= MAX_STACKS
        if not fits or not all(isinstance(item, str) and len(item) <= MAX_ID for item in ids):
            raise forms.ValidationError(_("List the ids of stacks."))
        return list(dict.fromkeys(ids))

    def clean(self) -> None:
        kind = self.cleaned_data.get("kind") or self._known_kind
        given = self.cleaned_data.get("config") or {}
        if kind not in TRANSPORTS or "config" in self.errors:
            return
        if not isinstance(given, dict):
            self.add_error("config", _("This must be a JSON object."))
            return
        stored = self.stored if kind == self._known_kind else {}
        try:
            whole = configuration.cleaned(kind, given, stored)
        except forms.ValidationError as error:
            self._wrong = error.message_dict
            for name, messages in error.message_dict.items():
                self.add_error("config", f"{name}: {messages[0]}")
            return
        self.cleaned_data["config"] = json.dumps(whole)

    def config_errors(self) -> dict[str, list[str]]:
        """What is wrong inside the configuration, by its own fields."""
        return self._wrong if self.errors else {}

    def write(self) -> None:
        if self.instance.enabled:
            self.instance.disabled_reason = ""
        super().write()


def _settings(channel: Channel) -> dict[str, Any]:
    try:
        return channel.settings
    except UnreadableSecret:
        return {}
