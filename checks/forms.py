"""The forms of this app, for API, pages and admin alike."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks import asking, ignoring
from checks.models import IgnoreRule, Job, Service
from checks.versions.choice import MAJOR, MINOR, PATCH
from checks.versions.ignores import read_rule
from checks.versions.patterns import MAX_LENGTH, BadPattern, pattern
from checks.versions.wishes import AUTO, DEFAULTS, DIGEST, NOTHING, VERSION
from dockrev.forms import RowForm

MAX_RULES = 1000
TRACKS = {
    AUTO: gettext_lazy("Whatever its tag allows"),
    DIGEST: gettext_lazy("Rebuilt images of its tag alone"),
    VERSION: gettext_lazy("Newer versions alone"),
    NOTHING: gettext_lazy("Nothing"),
}
LARGEST = {
    PATCH: gettext_lazy("patch"),
    MINOR: gettext_lazy("minor"),
    MAJOR: gettext_lazy("major"),
}


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
        if self.cleaned_data.get("enabled") and ends and ends <= timezone.now():
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


class PolicyForm(forms.Form):
    """What people want to hear of one service. `faults` say where patterns go wrong."""

    track = forms.ChoiceField(label=gettext_lazy("Tracks"), choices=list(TRACKS.items()))
    include = forms.CharField(
        label=gettext_lazy("Only tags that match"), max_length=MAX_LENGTH, required=False
    )
    exclude = forms.CharField(
        label=gettext_lazy("No tags that match"), max_length=MAX_LENGTH, required=False
    )
    largestStep = forms.ChoiceField(
        label=gettext_lazy("Largest step"), choices=list(LARGEST.items())
    )
    prereleases = forms.BooleanField(label=gettext_lazy("Pre-releases, too"), required=False)

    def __init__(self, service: Service, data: Any = None) -> None:
        super().__init__(data, initial={**DEFAULTS, **service.policy})
        self.service = service
        self.faults: dict[str, BadPattern] = {}

    def clean(self) -> None:
        for name in ("include", "exclude"):
            try:
                pattern(self.cleaned_data.get(name, ""))
            except BadPattern as error:
                self.faults[name] = error
                self.add_error(name, str(error))

    @transaction.atomic
    def write(self, by: str) -> None:
        """Keep what is not the default, and have the service checked by it."""
        kept = {name: each for name, each in self.cleaned_data.items() if each != DEFAULTS[name]}
        if kept == self.service.policy:
            return
        self.service.policy = kept
        self.service.save(update_fields=["policy"])
        if Service.objects.current().filter(pk=self.service.pk).exists():
            asking.check_service(self.service, by, reason=Job.Reason.POLICY)
