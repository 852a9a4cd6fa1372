"""Deliveries in words, for templates."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from integrations.ingest import Answer
from integrations.models import Delivery
from integrations.receivers.trigger import Trigger

register = template.Library()

REASONS: dict[str, str | Promise] = {
    "ping": gettext_lazy("a ping, the webhook works"),
    "event_not_relevant": gettext_lazy("it names no image that was published"),
    "repo_not_selected": gettext_lazy("its repository is not selected"),
    "disabled": gettext_lazy("the receiver is off"),
    "duplicate_delivery": gettext_lazy("it came before"),
    "invalid_json": gettext_lazy("it is not JSON"),
    "invalid_payload": gettext_lazy("it does not name its image"),
}
STEPS: dict[str, str | Promise] = {
    "size": gettext_lazy("Size"),
    "proof": gettext_lazy("Proof"),
    "enabled": gettext_lazy("Switched on"),
    "headers": gettext_lazy("Headers"),
    "json": gettext_lazy("JSON"),
    "ping": gettext_lazy("Ping"),
    "duplicate": gettext_lazy("Repetition"),
    "findings": gettext_lazy("Findings"),
    "relevance": gettext_lazy("Relevance"),
    "image": gettext_lazy("Image"),
    "selection": gettext_lazy("Selection"),
    "matching": gettext_lazy("Services"),
    "work": gettext_lazy("Work"),
    "callback": gettext_lazy("Callback"),
}
FALLBACKS: dict[str, str | Promise] = {
    "no_managed_service_match": gettext_lazy(
        "No known service ran this image, so Dockrev looked for new services."
    ),
    "owner_only_payload": gettext_lazy(
        "It named an owner and no repository, so Dockrev looked for new services."
    ),
}


@register.filter
def delivery_title(delivery: Delivery) -> str:
    """What it is about: the first image, else the repository, else the event."""
    if delivery.images:
        first, more = str(delivery.images[0]), len(delivery.images) - 1
        first = first.partition("@")[0] or first
        if not more:
            return first
        return _("%(image)s and %(number)d more") % {"image": first, "number": more}
    if delivery.receiver.kind == Trigger.kind:
        words = (delivery.event, delivery.repository or delivery.action)
        return " ".join(filter(None, words)) or _("a call that cannot be read")
    return delivery.repository or delivery.event or delivery.pk


@register.filter
def delivery_from(delivery: Delivery) -> str:
    """What a row says beside its receiver: who called the trigger, or which event it was."""
    if delivery.receiver.kind == Trigger.kind:
        return delivery.caller_name or _("with its own secret")
    return f"{delivery.event} {delivery.action}".strip()


@register.filter
def delivery_jobs(delivery: Delivery) -> list[str]:
    return [*delivery.job_ids, *delivery.reused_job_ids]


@register.filter
def delivery_outcome(delivery: Delivery) -> str:
    decision = delivery.get_decision_display()
    if delivery.receiver.kind == Trigger.kind:
        return f"{decision}: {delivery.refusal}" if delivery.refusal else decision
    if delivery.reason:
        return f"{decision}: {REASONS.get(delivery.reason, delivery.reason)}"
    matched = len(delivery.matched_service_ids)
    if not matched:
        return _("%(decision)s: no service runs it") % {"decision": decision}
    words = ngettext("%(number)d service", "%(number)d services", matched) % {"number": matched}
    return f"{decision}: {words}"


@register.filter
def answer_outcome(answer: Answer) -> str:
    """What a call would be answered, in words."""
    decision = str(Delivery.Decision(answer.decision).label)
    if answer.reason:
        return f"{decision}: {REASONS.get(answer.reason, answer.reason)}"
    return decision


@register.filter
def step_word(step: str) -> str:
    """The name of a step of the pipeline."""
    return str(STEPS.get(step, step))


@register.filter
def delivery_fallback(delivery: Delivery) -> str:
    if delivery.is_test:
        return _("No known service runs the example's image, which is as it should be.")
    return str(FALLBACKS.get(delivery.fallback_reason, delivery.fallback_reason))


@register.filter
def delivery_callback(delivery: Delivery) -> str:
    """What became of the sender's wish to be told; empty where it had none."""
    said = {"told": delivery.callback_told, "status": delivery.callback_status}
    match delivery.callback_state:
        case Delivery.Callback.WAITING:
            return _("Its sender asked to be told what came of it, and is about to be.")
        case Delivery.Callback.SENT:
            return _("Its sender was told “%(told)s”, and answered %(status)s.") % said
        case Delivery.Callback.FAILED:
            words = _("Its sender could not be told “%(told)s”.") % said
            return f"{words} {delivery.callback_error}"
        case Delivery.Callback.REFUSED:
            return _(
                "Its sender was not told: the address that it named is none of Docker Hub's for "
                "this repository."
            )
        case Delivery.Callback.UNSUPPORTED:
            return _(
                "Its sender was not told: Docker Hub takes no such answers. Switch the option off "
                "and on to try again."
            )
        case _none:
            return ""
