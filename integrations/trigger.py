"""What CI and scripts may ask for: a check that tells what it finds.

Nothing of the call is kept but the job that it asked for.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from checks import asking, naming
from checks.models import Job
from checks.queue import Queued
from dockrev.api.answers import checked
from dockrev.api.fields import Text
from dockrev.errors import Conflict, InvalidArgument
from dockrev.parsers import parse_object
from integrations.proof import prove
from integrations.receivers.base import Incoming
from integrations.receivers.trigger import Trigger
from integrations.tallies import tallies


class TriggerOrder(serializers.Serializer[Any]):
    action = serializers.ChoiceField(
        ["check"],
        error_messages={"invalid_choice": gettext_lazy('The only action so far is "check".')},
    )
    scope = serializers.ChoiceField(Job.Scope.choices)
    stackId = Text(
        required=False,
        max_length=naming.MAX_NAME,
        help_text=gettext_lazy("For the scope stack: an id, or the project's name."),
    )
    serviceId = Text(
        required=False,
        max_length=naming.MAX_NAME,
        help_text=gettext_lazy("For the scope service: an id, or project/service."),
    )


def take(incoming: Incoming, *, address: str) -> Queued:
    """Queue what a proven call asks for, or join the job that does it already.

    Raises the errors of the HTTP contract, and then nothing is queued.
    """
    row, _by_previous_secret = prove(Trigger.kind, incoming, address, {})
    if not row.enabled:
        tallies.while_off(row.pk)
        raise Conflict(_("The trigger is switched off."), reason="disabled")
    queued = _ask(checked(TriggerOrder, parse_object(incoming.body)), row.name)
    tallies.accepted(row.pk, timezone.now())
    return queued


def _ask(order: dict[str, Any], by: str) -> Queued:
    match order["scope"]:
        case Job.Scope.SERVICE:
            service = naming.find_service(_named(order, "serviceId"), field="serviceId")
            return asking.check_service(service, by, reason=Job.Reason.WEBHOOK, notify=True)
        case Job.Scope.STACK:
            stack = naming.find_stack(_named(order, "stackId"), field="stackId")
            return asking.check_stack(stack, by, reason=Job.Reason.WEBHOOK, notify=True)
        case _all:
            return asking.check_everything(by, reason=Job.Reason.WEBHOOK, notify=True)


def _named(order: dict[str, Any], field: str) -> str:
    if field not in order:
        raise InvalidArgument(field, _("This scope needs %(field)s.") % {"field": field})
    named: str = order[field]
    return named
