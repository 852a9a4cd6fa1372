"""The form of a channel, for API, pages and admin alike."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev.fields import UnreadableSecret
from dockrev.forms import JsonField, RowForm
from notifications import announce, configuration, quiet
from notifications.channels import TRANSPORTS
from notifications.models import Channel

MAX_STACKS = 1000
MAX_ID = 32


class ChannelForm(RowForm):
    """`config` is JSON; secrets in it come masked and, left so, stay as they are."""

    also: ClassVar[tuple[str, ...]] = ("disabled_reason", "paused_until")
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Messages"),
        choices=list(announce.EVENTS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=[("", gettext_lazy("As this Dockrev")), *settings.LANGUAGES],
        required=False,
        help_text=gettext_lazy("What messages there are written in."),
    )
    quiet_from = forms.TimeField(
        label=gettext_lazy("Quiet hours from"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=gettext_lazy(
            "What is not urgent waits until they are over. Empty: nothing does."
        ),
    )
    quiet_to = forms.TimeField(
        label=gettext_lazy("Quiet hours until"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        help_text=gettext_lazy("It may be on the next day."),
    )
    quiet_days = forms.MultipleChoiceField(
        label=gettext_lazy("Quiet hours begin on"),
        choices=list(quiet.DAYS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("The days on which they begin. None: every day."),
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
        fields = (
            "kind",
            "name",
            "enabled",
            "events",
            "stack_ids",
            "language",
            "quiet_from",
            "quiet_to",
            "quiet_days",
            "config",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        row: Channel | None = kwargs.get("instance")
        # What is bound to the form is shown; the secrets themselves stay here.
        self.stored = {} if row is None or row._state.adding else stored_config(row)
        super().__init__(*args, **kwargs)
        self._known_kind = self.instance.kind
        self._wrong: dict[str, list[str]] = {}
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

    def clean_quiet_days(self) -> list[str]:
        chosen = self.cleaned_data["quiet_days"]
        return [day for day in quiet.DAYS if day in chosen] or list(quiet.DAYS)

    def _clean_quiet_hours(self) -> None:
        start, end = (self.cleaned_data.get(name) for name in ("quiet_from", "quiet_to"))
        if (start is None) != (end is None):
            missing = "quiet_from" if start is None else "quiet_to"
            self.add_error(missing, _("Quiet hours have a beginning and an end."))
        elif start is not None and start == end:
            self.add_error("quiet_to", _("They have to end at another time than they begin."))

    def clean_stack_ids(self) -> list[str]:
        ids = self.cleaned_data["stack_ids"] or []
        fits = isinstance(ids, list) and len(ids) <= MAX_STACKS
        if not fits or not all(map(_is_id, ids)):
            raise forms.ValidationError(_("List the ids of stacks."))
        return list(dict.fromkeys(ids))

    def clean(self) -> None:
        self._clean_quiet_hours()
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
        self.instance.paused_until = None  # whoever changed something wants it tried
        is_new = self.instance._state.adding
        super().write()
        if not is_new and {"quiet_from", "quiet_to", "quiet_days"} & set(self.changed_data):
            self._hold_anew(timezone.now())

    def _hold_anew(self, now: datetime) -> None:
        """What waited for the end of the quiet hours that were waits for that of those that are."""
        held = self.instance.notifications.waiting().filter(next_attempt_at__gt=now)
        urgent = [
            row.pk
            for row in held.only("kind", "content")
            if announce.is_urgent(row.kind, row.content)  # it waits for its next try alone
        ]
        until = self.instance.quiet_until(now) or now
        held.exclude(pk__in=urgent).update(next_attempt_at=until)


def _is_id(item: object) -> bool:
    return isinstance(item, str) and len(item) <= MAX_ID and "\0" not in item


def stored_config(channel: Channel) -> dict[str, Any]:
    """The configuration in clear. One that cannot be read is forgotten, and asked for anew."""
    try:
        return channel.settings
    except UnreadableSecret:
        channel.config = ""
        return {}
