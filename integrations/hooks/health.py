"""How an account's hooks are, in one word, and what to do next where it does not work yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dockrev import preferences
from integrations import targets
from integrations.callbacks import place_of
from integrations.hooks import credentials
from integrations.hooks.provider import Report, Standing
from integrations.models import HookAccount, HookTarget
from integrations.targets import Counts


class Said(NamedTuple):
    """`mark` is the name of a mark, `word` what it means, `step` what comes next."""

    mark: str
    word: str
    step: str = ""


@dataclass(frozen=True)
class Health:
    """What is said, the counts of hooks, and the target whose last call failed."""

    mark: str
    word: str
    step: str
    counts: Counts
    failing: HookTarget | None

    @property
    def is_set_up(self) -> bool:
        """Whether nothing more has to be done here, though nobody may have called yet."""
        return self.mark in {"on", "waiting"}


def health_of(account: HookAccount, report: Report | None) -> Health:
    """Two queries, and one for a setting."""
    counts = targets.count(account)
    failing = targets.failing(account, account.receiver.last_accepted_at)
    said = _said(account, report, counts, preferences.get("public_base_url"))
    if not said.step and failing is not None:
        step = _("It did not get through. Look at its address for us, and at what lies between.")
        said = Said("error", _("the last call failed"), step)
    return Health(*said, counts, failing)


def mark_of(account: HookAccount, counts: Counts, base: str) -> tuple[str, str]:
    """The same in short, without a query; `base` is the public URL."""
    said = _said(account, credentials.report_of(account), counts, base)
    return said.mark, said.word


def _said(account: HookAccount, report: Report | None, counts: Counts, base: str) -> Said:
    """The first thing that is in the way, from the outside in."""
    if not account.credential:
        return Said("attention", _("without a token"), _("Enter a token."))
    if report is not None and report.state is Standing.INVALID:
        return Said("error", _("the token is refused"), _("Replace the token."))
    if not account.receiver.enabled:
        return Said("off", _("off"), _("Switch it on: no call is taken now."))
    if not place_of(account, base):
        return Said("attention", _("without a callback URL"), _("Say where it is to call."))
    if not counts.selected:
        return Said("attention", _("nothing is selected"), _("Pick what it is to hear of."))
    if counts.states["unknown"] == counts.selected:
        return Said("waiting", _("not synced yet"), _("Sync, and the webhooks are made."))
    if counts.wrong:
        words = ngettext("%(number)d hook needs you", "%(number)d hooks need you", counts.wrong)
        step = _("The list says why. Most is mended by a sync; a conflict needs your choice.")
        return Said("attention", words % {"number": counts.wrong}, step)
    if account.receiver.last_accepted_at is None:
        return Said("waiting", _("nothing came yet"), _("Push an image, and see it come in."))
    if account.receiver.is_silent:
        return Said(
            "attention", _("silent for longer than usual"), _("See whether it still calls.")
        )
    return Said("on", _("connected"))
