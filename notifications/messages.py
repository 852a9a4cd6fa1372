"""Payloads: what a message says, built when it is sent from the facts as they were found."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from dockrev import languages
from notifications import announce, links, templating
from notifications.channels.base import Image, Message
from notifications.facts import UPDATED
from notifications.models import MessageTemplate, Notification
from notifications.wording import Said, lines
from notifications.wording.anomalies import anomalies
from notifications.wording.digests import digest
from notifications.wording.jobs import job_finished
from notifications.wording.outages import (
    hosts_back,
    hosts_unreachable,
    registries_back,
    registries_unreachable,
)
from notifications.wording.silence import silence
from notifications.wording.versions import new_versions

logger = logging.getLogger(__name__)

TEST = "notification_test"
# A name that no registry can have, so that nothing is deployed by a test.
TEST_IMAGE = Image("dockrev.invalid/test:test", f"sha256:{'0' * 64}")
_SCHEMAS = {
    announce.JOB_FINISHED: "job",
    TEST: "test",
}
_WORDING: dict[str, Callable[[dict[str, Any]], Said]] = {
    announce.NEW_VERSION: new_versions,
    announce.JOB_FINISHED: job_finished,
    announce.HOST_UNREACHABLE: hosts_unreachable,
    announce.HOST_BACK: hosts_back,
    announce.REGISTRY_UNREACHABLE: registries_unreachable,
    announce.REGISTRY_BACK: registries_back,
    announce.SILENCE: silence,
    announce.ANOMALY: anomalies,
    announce.DIGEST: digest,
}


def message(notification: Notification, now: datetime) -> Message:
    """Build what is sent for a notification; `now` is when."""
    channel, content = notification.channel, notification.content
    language = languages.chosen(channel.language)
    with translation.override(language):
        said = _WORDING[notification.kind](content)
        own = _payload(notification.kind, channel.kind, said.own, now=now)
        whole = _in_peoples_words(own, now)
    return Message(
        notification.pk,
        notification.kind,
        whole,
        image=_image(content),
        topic=said.topic,
        urgent=announce.is_urgent(notification.kind, content),
        language=language,
        tried_since=notification.due_since,
    )


def payload(kind: str, channel_kind: str, content: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What is sent of the facts of an event, in the language that is spoken, in its own words."""
    return _payload(kind, channel_kind, _WORDING[kind](content).own, now=now)


def _in_peoples_words(payload: dict[str, Any], now: datetime) -> dict[str, Any]:
    """By the template that people made for its kind; where that cannot be used, as it was."""
    row = MessageTemplate.objects.filter(pk=payload["kind"]).first()
    if row is None:
        return payload
    try:
        return {**payload, "human": templating.rendered(row.title, row.text, payload)}
    except templating.BrokenTemplate as error:
        logger.warning("template not used", extra={"kind": row.kind, "why": str(error)})
        MessageTemplate.objects.filter(pk=row.pk, updated_at=row.updated_at).update(
            error=str(error), failed_at=now
        )
        return payload


def test_message(id_: str, channel_kind: str, now: datetime) -> Message:
    """Build a message that only shows that a channel works, in the language that is spoken."""
    human = {
        "title": _("Dockrev can reach you here"),
        "summary": _("This is a test. Nothing needs to be done."),
    }
    own = {"links": {"primaryUrl": "/settings"}, "human": human}
    payload = _payload(TEST, channel_kind, own, now=now)
    language = translation.get_language() or settings.LANGUAGE_CODE
    return Message(id_, TEST, payload, image=TEST_IMAGE, topic=TEST, language=language)


def _payload(kind: str, channel_kind: str, own: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    return {
        "schema": f"dockrev.notification.{_SCHEMAS.get(kind, kind)}.v2",
        "kind": kind,
        "sentAt": lines.moment(now),
        "channel": channel_kind,
        **links.absolute(own, links.base()),
        "debug": {"appVersion": settings.VERSION, "source": "dockrev"},
    }


def _image(content: dict[str, Any]) -> Image | None:
    """The only image that is new, or runs since a job; what an earlier version wrote has none."""
    images = {
        Image(new["candidate_image"], new["candidate_digest"])
        for new in content.get("found", ())
        if "candidate_image" in new and new.get("outcome", UPDATED) == UPDATED
    }
    return images.pop() if len(images) == 1 else None
