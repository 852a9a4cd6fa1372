"""How a receiver is, in one word, and what to do next where it is not well.

Known from its own row: no query.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from integrations.models import Receiver
from integrations.receivers import CALLERS, RECEIVERS


class State(TextChoices):
    """From the outside in: the first that is in the way."""

    OFF = "off", gettext_lazy("off")
    NO_SECRET = "no_secret", gettext_lazy("on, without a secret")
    SILENT = "silent", gettext_lazy("silent for longer than usual")
    REFUSED = "refused", gettext_lazy("calls are refused")
    NEVER = "never_heard", gettext_lazy("nothing came yet")
    HEARD = "heard", gettext_lazy("connected")


MARKS = {
    State.OFF: "off",
    State.NO_SECRET: "error",
    State.SILENT: "attention",
    State.REFUSED: "attention",
    State.NEVER: "waiting",
    State.HEARD: "on",
}


@dataclass(frozen=True)
class Health:
    """`refused` counts the calls without a right proof since the last that had one."""

    state: State
    refused: int
    silent_at: datetime | None
    step: str

    @property
    def mark(self) -> str:
        return MARKS[self.state]

    @property
    def word(self) -> str:
        if self.state is not State.REFUSED:
            return str(self.state.label)
        words = ngettext("%(number)d call refused", "%(number)d calls refused", self.refused)
        return words % {"number": self.refused}

    @property
    def needs_somebody(self) -> bool:
        return self.mark in {"error", "attention"}


def health_of(receiver: Receiver) -> Health:
    state = _state(receiver)
    return Health(
        state=state,
        refused=receiver.refused_since,
        silent_at=receiver.silent_at if state is State.SILENT else None,
        step=_step(receiver, state),
    )


def _state(receiver: Receiver) -> State:
    if not receiver.enabled:
        return State.OFF
    if not (receiver.secret_created_at or CALLERS[receiver.kind].spare_secret()):
        return State.NO_SECRET
    if receiver.is_silent:
        return State.SILENT
    if receiver.refused_since:
        return State.REFUSED
    return State.HEARD if receiver.last_accepted_at else State.NEVER


def _step(receiver: Receiver, state: State) -> str:
    match state:
        case State.OFF if receiver.kind not in RECEIVERS:
            return _("Switch it on, and give its secret to your CI or script.")
        case State.OFF:
            return _("Switch it on, and enter its address and secret at the registry.")
        case State.NO_SECRET:
            return _("Make a secret: without one nobody can prove who calls.")
        case State.SILENT:
            return _("Look at the registry whether it still calls, and what it is answered.")
        case State.REFUSED:
            return _(
                "Since the last delivery calls came without a right proof. Compare the secret."
            )
        case State.NEVER | State.HEARD if _lacks_host(receiver):
            return _("Enter the registry host: its calls do not name it.")
        case State.NEVER if receiver.kind in RECEIVERS:
            return _("Send a test payload, then have the registry send one.")
    return ""


def _lacks_host(receiver: Receiver) -> bool:
    return not (receiver.registry_host or CALLERS[receiver.kind].names_host)
