"""The form of what people say of this instance: `preferences`, for pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev.preference_form import PreferenceForm

MAX_RETENTION_DAYS = 3650
MAX_DELIVERIES = 10_000_000
MAX_BACKUPS = 1000  # of one volume
MAX_BACKUP_MB = 100_000_000
MAX_UPDATES_AT_ONCE = 20


class InstanceForm(PreferenceForm):
    """Without a public address that of the environment holds."""

    public_base_url = forms.CharField(
        label=gettext_lazy("Public address"),
        required=False,
        max_length=500,
        widget=forms.URLInput(attrs={"placeholder": "https://dockrev.example.org"}),
        help_text=gettext_lazy(
            "Where people and registries reach this Dockrev. Links in messages begin with it."
        ),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=settings.LANGUAGES,
        help_text=gettext_lazy(
            "What messages and the records of jobs are written in. A channel can have another; "
            "pages are in what each person chose."
        ),
    )
    retention_days = forms.IntegerField(
        label=gettext_lazy("Keep history, in days"),
        min_value=1,
        max_value=MAX_RETENTION_DAYS,
        help_text=gettext_lazy("Jobs, deliveries, messages and what was newer once."),
    )
    deliveries_most = forms.IntegerField(
        label=gettext_lazy("Keep at most so many deliveries"),
        min_value=1,
        max_value=MAX_DELIVERIES,
        help_text=gettext_lazy("The oldest go first, also when they are younger than that."),
    )
    updates_at_once = forms.IntegerField(
        label=gettext_lazy("At most so many automatic updates at once"),
        min_value=1,
        max_value=MAX_UPDATES_AT_ONCE,
        help_text=gettext_lazy("Each is of one stack, and does its services one after the other."),
    )

    def clean_public_base_url(self) -> str | None:
        url: str = self.cleaned_data["public_base_url"]
        if url and not is_base_url(url):
            raise forms.ValidationError(_("This must be an absolute http or https URL."))
        return url.rstrip("/") or None


def is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and not (parts.username or parts.password or parts.query or parts.fragment)
        and not any(character.isspace() for character in url)
    )
