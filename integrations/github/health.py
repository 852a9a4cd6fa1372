"""How GitHub Packages is, in one word, and what to do next where it does not work yet."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from integrations import targets
from integrations.callbacks import callback_of
from integrations.github.packages import Packages
from integrations.hooks.health import Health, Said
from integrations.hooks.provider import Report, Standing
from integrations.models import HookTarget, Receiver
from integrations.targets import Counts


@dataclass(frozen=True)
class Facts:
    receiver: Receiver
    has_token: bool
    callback: str
    report: Report | None
    counts: Counts
    failing: HookTarget | None


def health_of(feature: Packages, report: Report | None) -> Health:
    """Two queries."""
    receiver, account = feature
    facts = Facts(
        receiver=receiver,
        has_token=bool(account.credential),
        callback=callback_of(account),
        report=report,
        counts=targets.count(account),
        failing=targets.failing(account, receiver.last_accepted_at),
    )
    return Health(*_said(facts), facts.counts, facts.failing)


def _said(facts: Facts) -> Said:
    """The first thing that is in the way, from the outside in."""
    receiver, counts = facts.receiver, facts.counts
    if not receiver.enabled:
        if counts.total:
            return Said("off", _("off"), _("Switch it on; the repositories are still here."))
        step = _("Enter a token, switch it on, and add your repositories.")
        return Said("off", _("off"), step)
    if not receiver.secret_created_at:
        step = _("Rotate the secret: without one nobody can prove who calls.")
        return Said("error", _("on, without a secret"), step)
    if facts.report is not None and facts.report.state is Standing.INVALID:
        return Said("error", _("GitHub refuses the token"), _("Replace the token."))
    if not counts.selected:
        step = _("Every delivery is ignored. Add the repositories that publish your images.")
        return Said("attention", _("on, and no repository is selected"), step)
    return _said_of_hooks(facts)


def _said_of_hooks(facts: Facts) -> Said:
    counts = facts.counts
    if facts.has_token and not facts.callback:
        step = _("Enter it: without it GitHub cannot be told where to call.")
        return Said("attention", _("on, without a callback URL"), step)
    if facts.has_token and counts.states["unknown"] == counts.selected:
        return Said("waiting", _("not synced yet"), _("Sync, and GitHub gets its webhooks."))
    if counts.wrong:
        words = ngettext("%(number)d hook needs you", "%(number)d hooks need you", counts.wrong)
        step = _(
            "The repositories say why. Most is mended by a sync; a conflict needs your choice."
        )
        return Said("attention", words % {"number": counts.wrong}, step)
    if facts.failing is not None:
        step = _("GitHub did not get through. Test the callback URL, or send a ping.")
        return Said("error", _("the last delivery failed"), step)
    if facts.receiver.last_accepted_at is None:
        step = _("GitHub sends a ping to every new webhook. Send one to see if it gets through.")
        return Said("waiting", _("nothing came yet"), step)
    if facts.receiver.is_silent:
        step = _("Send a ping: it shows whether GitHub still gets through.")
        return Said("attention", _("silent for longer than usual"), step)
    return Said("on", _("connected"))
