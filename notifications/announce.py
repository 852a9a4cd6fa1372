"""Turns what happened into messages on their way. Called inside the transaction that found it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from notifications.models import Channel, Notification

NEW_VERSION = "new_version_discovered"
ANOMALY = "ghcr_webhook_anomaly"
SILENCE = "receiver_silent"
EVENTS = {  # in the words of a channel that hears of them
    NEW_VERSION: _("newer images"),
    ANOMALY: _("Webhooks that need attention"),
    SILENCE: _("receivers that fell silent"),
}
# Those that are about images, and so all that a channel may hear of that takes images alone.
OF_IMAGES = {NEW_VERSION}
COMPANY = timedelta(milliseconds=250)  # how long a new message waits for others of its kind


@dataclass(frozen=True)
class Check:
    """The check that found something, as a message tells it."""

    job_id: str
    reason: str
    scope: str
    services_checked: int


@dataclass(frozen=True)
class NewVersion:
    """A newer image for one service. `image` is registry/repository:tag, as it is written there;
    `candidate_image` is the same with the tag of what is newer.

    A display tag is the version behind a tag that is none, where that is known; else the tag.
    """

    stack_id: str
    stack_name: str
    service_id: str
    service_name: str
    image: str
    current_tag: str
    current_display_tag: str
    candidate_tag: str
    candidate_display_tag: str
    candidate_digest: str
    candidate_image: str
    step: str


@dataclass(frozen=True)
class Audit:
    """The audit of an account's hooks: how many repositories are in each state that is wrong.

    `settings_path` is the page where people see to it.
    """

    job_id: str
    status: str
    missing: int
    conflict: int
    drift: int
    error: int
    settings_path: str = "/settings/github-packages"


@dataclass(frozen=True)
class Anomaly:
    """A repository whose hook is not as it should be. `last_error` is for people."""

    full_name: str
    state: str
    last_error: str


@dataclass(frozen=True)
class Silence:
    """A receiver that was heard for the last time longer ago than its pauses ever were."""

    receiver_id: str
    kind: str
    name: str
    heard_at: datetime
    usual_gap: timedelta


def new_versions(check: Check, found: Sequence[NewVersion], now: datetime) -> dict[str, int]:
    """Write a message to every channel that wants to hear of these.

    Returns how many channels are told, by the id of the service, without those of which none is.
    """
    told: Counter[str] = Counter()
    for channel in Channel.objects.filter(enabled=True):
        wanted = [new for new in found if channel.wants(NEW_VERSION, new.stack_id)]
        for group, news in _messages(channel, check, wanted).items():
            _tell(channel, check, news, group=group, now=now)
        told.update({new.service_id for new in wanted})
    return told


def anomalies(audit: Audit, found: Sequence[Anomaly], now: datetime) -> None:
    """Write one message of an audit to every channel that wants to hear of it.

    An audit that is run again corrects a message that no try was made for, and adds none.
    """
    if not found:
        return
    content = {"audit": asdict(audit), "found": [asdict(one) for one in found]}
    for channel in Channel.objects.filter(enabled=True):
        if not channel.wants(ANOMALY):
            continue
        row, is_new = Notification.objects.get_or_create(
            channel=channel,
            group_key=f"{ANOMALY}:{audit.job_id}",
            defaults={
                "kind": ANOMALY,
                "content": content,
                "created_at": now,
                "next_attempt_at": now,
            },
        )
        if not is_new:
            Notification.objects.waiting().filter(pk=row.pk, attempts=0).update(content=content)


def silence(fact: Silence, now: datetime) -> None:
    """Write a message to every channel that wants to hear of it."""
    content = {
        "receiver_id": fact.receiver_id,
        "kind": fact.kind,
        "name": fact.name,
        "heard_at": fact.heard_at.isoformat(),
        "found_at": now.isoformat(),
        "usual_gap": int(fact.usual_gap.total_seconds()),
    }
    for channel in Channel.objects.filter(enabled=True):
        if channel.wants(SILENCE):
            Notification.objects.create(
                channel=channel,
                kind=SILENCE,
                content=content,
                created_at=now,
                next_attempt_at=now,
            )


def _messages(
    channel: Channel, check: Check, found: list[NewVersion]
) -> dict[str, list[NewVersion]]:
    """What goes into which message, by the group of each."""
    if not channel.takes_one_image:
        return {_group(check, found): found} if found else {}
    apart: dict[str, list[NewVersion]] = {}
    for new in found:
        apart.setdefault(_group_of(new.candidate_image, new.candidate_digest), []).append(new)
    return apart


def _tell(
    channel: Channel, check: Check, found: list[NewVersion], *, group: str, now: datetime
) -> None:
    """Join the message of this group that no try was made for yet, or write a new one."""
    content = {"check": asdict(check), "found": [asdict(new) for new in found]}
    unsent = Notification.objects.filter(channel=channel, group_key=group)
    while True:
        if row := unsent.select_for_update().first():
            row.content = _with_company(row.content, content)
            row.save(update_fields=["content"])
            return
        try:
            with transaction.atomic():
                Notification.objects.create(
                    channel=channel,
                    kind=NEW_VERSION,
                    group_key=group,
                    content=content,
                    created_at=now,
                    next_attempt_at=now + COMPANY,
                )
            return
        except IntegrityError:
            continue  # another worker wrote it first: join that


def _group(check: Check, found: list[NewVersion]) -> str:
    """News of one image and digest may share a message, whatever check brought it."""
    images = {(new.image, new.candidate_digest) for new in found}
    if len(images) > 1:
        return f"{NEW_VERSION}:{check.job_id}"
    return _group_of(*images.pop())


def _group_of(image: str, digest: str) -> str:
    return f"{NEW_VERSION}:{hashlib.sha256(f'{image}@{digest}'.encode()).hexdigest()}"


def _with_company(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    told = {(item["service_id"], item["candidate_digest"]) for item in old["found"]}
    added = [i for i in new["found"] if (i["service_id"], i["candidate_digest"]) not in told]
    checked = old["check"]["services_checked"] + new["check"]["services_checked"]
    return {
        "check": {**old["check"], "services_checked": checked},
        "found": old["found"] + added,
    }
