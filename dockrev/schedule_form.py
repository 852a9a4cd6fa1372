"""The form of a schedule, for its page and the admin alike."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy

from dockrev import schedules
from dockrev.forms import RowForm
from dockrev.models import Schedule

MAX_JITTER = 24 * 3600
SHOWN = 3  # of the times that come


class ScheduleForm(RowForm):
    also = ("next_run_at",)
    jitter_seconds = forms.IntegerField(
        label=gettext_lazy("Jitter, in seconds"), min_value=0, max_value=MAX_JITTER
    )

    class Meta:
        model = Schedule
        fields = ("enabled", "cron", "jitter_seconds")
        labels: ClassVar = {"enabled": gettext_lazy("On"), "cron": gettext_lazy("Cron")}

    def clean_cron(self) -> str:
        try:
            return schedules.read_cron(self.cleaned_data["cron"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def coming(self) -> list[datetime]:
        """The next times of what was typed, or of what is kept; none where it cannot be read."""
        cron = self.instance.cron
        if self.is_bound:
            self.full_clean()
            cron = self.cleaned_data.get("cron", "")
        try:
            return schedules.times_of(cron, timezone.now(), SHOWN)
        except ValueError:
            return []

    def write(self) -> None:
        """Without a next run, the tick works it out anew."""
        self.instance.next_run_at = None
        super().write()
