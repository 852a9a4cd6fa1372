"""The form of an ignore rule, for API, pages and admin alike."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _

from checks import ignoring
from checks.models import IgnoreRule
from checks.versions.ignores import read_rule
from checks.versions.patterns import BadPattern
from dockrev.forms import RowForm

MAX_RULES = 1000
YEARS = range(2000, 9000)  # others are out of range in one time zone or another


class IgnoreRuleForm(RowForm):
    """`by` is who saves it. `fault` says where a pattern goes wrong."""

    class Meta:
        model = IgnoreRule
        fields = tuple(ignoring.CHANGING)

    def __init__(self, *args: Any, by: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by = by
        self.fault: BadPattern | None = None

    def clean(self) -> None:
        kind, value = self.cleaned_data.get("kind"), self.cleaned_data.get("value")
        try:
            if kind and value:
                read_rule(kind, value)
        except BadPattern as error:
            self.fault = error
            self.add_error("value", str(error))
        ends = self.cleaned_data.get("expires_at")
        if ends and ends.year not in YEARS:
            years = {"first": YEARS.start, "last": YEARS.stop - 1}
            self.add_error("expires_at", _("Its year may be %(first)d to %(last)d.") % years)
        elif self.cleaned_data.get("enabled") and ends and ends <= timezone.now():
            self.add_error("expires_at", _("This time is over."))
        if self.instance._state.adding and IgnoreRule.objects.count() >= MAX_RULES:
            message = _("There are %(count)d rules already; delete some.") % {"count": MAX_RULES}
            raise forms.ValidationError(message)

    def write(self) -> None:
        now = timezone.now()
        if self.instance._state.adding:
            self.instance.created_by = self.by
            super().write()
            ignoring.made(self.instance, self.by, now)
        else:
            ignoring.change(self.instance, self.by, now)
