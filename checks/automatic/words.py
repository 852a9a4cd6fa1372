"""Automatic updates in words: what a policy wants, and where it was said."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.automatic.ready import Due
from checks.policy_form import TITLES, value_words
from checks.versions.policies import FIELDS, Held, Source

_SAID: dict[Source, str | Promise] = {
    Source.LABEL: gettext_lazy("by the label %(label)s"),
    Source.SERVICE: gettext_lazy("by its own policy"),
    Source.STACK: gettext_lazy("by the policy of its stack"),
    Source.ALL: gettext_lazy("by the policy for all"),
    Source.DEFAULT: gettext_lazy("by default"),
}
_TOLD = ("autoUpdate", "autoUpdateAge", "autoUpdateWindow", "autoUpdateHealthy")


def because(wanted: Iterable[Due]) -> str:
    """Why a job is asked for, a line for each service."""
    return "\n".join(f"{due.service.name}: {_policy(due.state.held)}" for due in wanted)


def _policy(held: dict[str, Held]) -> str:
    """What holds and who says it; of what nobody speaks, nothing is told."""
    told = [name for name in _TOLD if held[name].source != Source.DEFAULT]
    return "; ".join(_field(name, held[name]) for name in told)


def _field(name: str, held: Held) -> str:
    values = {
        "title": TITLES[name],
        "value": value_words(name, held.value),
        "who": said(name, held.source),
    }
    return _("%(title)s: %(value)s, %(who)s") % values


def said(name: str, source: Source) -> str:
    """By whose word a field is what it is."""
    return str(_SAID[source]) % {"label": FIELDS[name].label}
