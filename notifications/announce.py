"""Turns what happened into messages on their way. Called inside the transaction that found it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from dockrev import switches
from notifications import contents
from notifications.facts import (
    ROLLBACK,
    UPDATED,
    Anomaly,
    Audit,
    Changed,
    Check,
    Failure,
    FinishedJob,
    NewVersion,
    Outage,
    Silence,
)
from notifications.models import Channel, Notification

__all__ = [  # what callers need of it, in one place
    "Anomaly",
    "Audit",
    "Changed",
    "Check",
    "Failure",
    "FinishedJob",
    "NewVersion",
    "Outage",
    "Silence",
]

NEW_VERSION = "new_version_discovered"
JOB_FINISHED = "job_finished"
ANOMALY = "ghcr_webhook_anomaly"
SILENCE = "receiver_silent"
REGISTRY_UNREACHABLE = "registry_unreachable"
REGISTRY_BACK = "registry_back"
HOST_UNREACHABLE = "host_unreachable"
HOST_BACK = "host_back"
DIGEST = "digest"
EVENTS = {  # in the words of a channel that hears of them, in the order for people
    NEW_VERSION: _("newer images"),
    JOB_FINISHED: _("updates and rollbacks that are over"),
    HOST_UNREACHABLE: _("Docker hosts that cannot be reached"),
    HOST_BACK: _("Docker hosts that are back"),
    REGISTRY_UNREACHABLE: _("registries that do not answer"),
    REGISTRY_BACK: _("registries that answer again"),
    SILENCE: _("receivers that fell silent"),
    ANOMALY: _("webhooks that need attention"),
    DIGEST: _("a digest of what is open"),
}
WHEN = {  # they come, in a sentence
    NEW_VERSION: _(
        "A check that a schedule or a webhook started found an image that is newer than what runs. "
        "Once for each service and image."
    ),
    JOB_FINISHED: _("An update, a rollback or a restore succeeded, failed, or was taken back."),
    HOST_UNREACHABLE: _("A Docker host that answered before could not be reached for an hour."),
    HOST_BACK: _("A Docker host that was told of as unreachable answers again."),
    REGISTRY_UNREACHABLE: _("A registry that answered before gave no answer for an hour."),
    REGISTRY_BACK: _("A registry that was told of as unreachable answers again."),
    SILENCE: _("A receiver that was heard regularly was not heard for unusually long."),
    ANOMALY: _("The nightly audit found webhooks that are missing, doubled, changed or failing."),
    DIGEST: _("By a schedule: what is still open, and what failed since the last one."),
}
# All newer images that are found in a channel's quiet hours are one message after them.
QUIET = f"{NEW_VERSION}:quiet"
# Those that are about images, and so all that a channel may hear of that takes images alone.
OF_IMAGES = {NEW_VERSION, JOB_FINISHED}
_BACK = {HOST_UNREACHABLE: HOST_BACK, REGISTRY_UNREACHABLE: REGISTRY_BACK}
COMPANY = timedelta(milliseconds=250)  # how long a new message waits for others of its kind


def first_events(*, one_image_each: bool) -> list[str]:
    """What a new channel hears of, where nobody says."""
    return [NEW_VERSION] if one_image_each else [kind for kind in EVENTS if kind != DIGEST]


def is_urgent(kind: str, content: dict[str, Any]) -> bool:
    """Whether somebody has to see to it now."""
    if kind == JOB_FINISHED:
        return content["job"]["status"] in {"failed", "rolled_back"}
    return kind in {HOST_UNREACHABLE, REGISTRY_UNREACHABLE}


def new_versions(check: Check, found: Sequence[NewVersion], now: datetime) -> dict[str, int]:
    """Write a message to every channel that wants to hear of these.

    Returns how many channels are told, by the id of the service, without those of which none is.
    """
    told: Counter[str] = Counter()
    for channel in _hearing(NEW_VERSION):
        wanted = [new for new in found if channel.wants(NEW_VERSION, new.stack_id)]
        for group, news in _messages(channel, check, wanted, now).items():
            _tell(channel, check, news, group=group, now=now)
        told.update({new.service_id for new in wanted})
    return told


def anomalies(audit: Audit, found: Sequence[Anomaly], now: datetime) -> None:
    """Write one message of an audit to every channel that wants to hear of it.

    An audit that is run again corrects a message that no try was made for, and adds none.
    """
    if not found:
        return
    content = contents.anomalies(audit, found)
    group = f"{ANOMALY}:{audit.job_id}"
    for channel in _hearing(ANOMALY):
        if channel.wants(ANOMALY):
            _write_once(channel, ANOMALY, content, group=group, now=now)


def silence(fact: Silence, now: datetime) -> None:
    """Write a message to every channel that wants to hear of it."""
    content = contents.silence(fact, now)
    for channel in _hearing(SILENCE):
        if channel.wants(SILENCE):
            _write(channel, SILENCE, content, now)


def job_finished(job: FinishedJob, services: Sequence[Changed], now: datetime) -> None:
    """Write a message of a job to every channel that wants to hear of it.

    A channel that is for some stacks hears of the services in these alone. One that takes images
    alone hears of those that an update brought into service.
    """
    for channel in _hearing(JOB_FINISHED):
        wanted = [each for each in services if channel.wants(JOB_FINISHED, each.stack_id)]
        if channel.takes_one_image:
            parts = _images_in_service(job, wanted)
        elif wanted or (not services and channel.wants(JOB_FINISHED, job.stack_id)):
            parts = {f"{JOB_FINISHED}:{job.id}": wanted}
        else:
            continue
        for group, part in parts.items():
            content = contents.job(job, part)
            _write_once(channel, JOB_FINISHED, content, group=group, now=now)


def _images_in_service(job: FinishedJob, services: list[Changed]) -> dict[str, list[Changed]]:
    """The services that an update updated, by image."""
    parts: dict[str, list[Changed]] = {}
    for each in services:
        if each.outcome == UPDATED and job.kind != ROLLBACK:
            image = _digest_of(each.candidate_image, each.candidate_digest)
            parts.setdefault(f"{JOB_FINISHED}:{job.id}:{image}", []).append(each)
    return parts


def _write_once(
    channel: Channel, kind: str, content: dict[str, Any], *, group: str, now: datetime
) -> None:
    """Write the one message of a group; where it is there and no try was made, correct it."""
    row, is_new = Notification.objects.get_or_create(
        channel=channel,
        group_key=group,
        defaults={
            "kind": kind,
            "content": content,
            "created_at": now,
            "next_attempt_at": _due(channel, kind, content, now),
        },
    )
    if not is_new:
        Notification.objects.waiting().filter(pk=row.pk, attempts=0).update(content=content)


def unreachable(kind: str, found: Sequence[Outage], now: datetime) -> int:
    """Write one message of all of them to every channel that wants to hear of it.

    Returns how many do.
    """
    content = contents.outages(found, now)
    hearing = [row for row in _hearing(kind) if row.wants(kind)]
    _withdraw(_BACK.get(kind, ""), {each.id for each in found}, now)
    for channel in hearing:
        _write(channel, kind, content, now)
    return len(hearing)


def _withdraw(kind: str, ids: set[str], now: datetime) -> None:
    """What waits for the end of quiet hours, or for its next try, and says that these are back is
    not true any more, and would be the last word on what is out of reach again."""
    rows = Notification.objects.waiting().filter(kind=kind, next_attempt_at__gt=now)
    for row in rows.select_for_update():
        left = [each for each in row.content["found"] if each["id"] not in ids]
        if not left:
            row.delete()
        elif len(left) < len(row.content["found"]):
            row.content = {**row.content, "found": left}
            row.save(update_fields=["content"])


def digest(
    since: datetime, found: Sequence[NewVersion], failures: Sequence[Failure], now: datetime
) -> int:
    """Write to every channel that wants it what is open, and what failed since then, in its stacks.

    Where nothing is, nothing is written. Returns to how many channels something was.
    """
    told = 0
    for channel in _hearing(DIGEST):
        news = [each for each in found if channel.wants(DIGEST, each.stack_id)]
        failed = [each for each in failures if channel.wants(DIGEST, each.stack_id)]
        if news or failed:
            _write(channel, DIGEST, contents.digest(since, news, failed), now)
            told += 1
    return told


def _write(channel: Channel, kind: str, content: dict[str, Any], now: datetime) -> None:
    Notification.objects.create(
        channel=channel,
        kind=kind,
        content=content,
        created_at=now,
        next_attempt_at=_due(channel, kind, content, now),
    )


def _hearing(kind: str) -> list[Channel]:
    """The channels that are on, unless this kind is off for all. What they are configured with is
    not read: where it cannot be, that is for who sends to find, not for who found the news."""
    if not switches.is_on(kind):
        return []
    return list(Channel.objects.filter(enabled=True).defer("config"))


def _due(channel: Channel, kind: str, content: dict[str, Any], now: datetime) -> datetime:
    """When it may be sent: now, or, if it is not urgent, after the channel's quiet hours."""
    return now if is_urgent(kind, content) else channel.quiet_until(now) or now


def _messages(
    channel: Channel, check: Check, found: list[NewVersion], now: datetime
) -> dict[str, list[NewVersion]]:
    """What goes into which message, by the group of each."""
    if not found:
        return {}
    if not channel.takes_one_image:
        return {QUIET if channel.quiet_until(now) else _group(check, found): found}
    apart: dict[str, list[NewVersion]] = {}
    for new in found:
        apart.setdefault(_group_of(new.candidate_image, new.candidate_digest), []).append(new)
    return apart


def _tell(
    channel: Channel, check: Check, found: list[NewVersion], *, group: str, now: datetime
) -> None:
    """Join the message of this group that no try was made for yet, or write a new one."""
    content = contents.versions(check, found)
    joined = contents.with_latest if group == QUIET else contents.with_company
    unsent = Notification.objects.filter(channel=channel, group_key=group)
    while True:
        if row := unsent.select_for_update().first():
            if row.next_attempt_at is None:
                # It was given up before any try, and nothing that joins it would ever be sent.
                Notification.objects.filter(pk=row.pk).update(group_key=None)
                continue
            row.content = joined(row.content, content)
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
                    next_attempt_at=channel.quiet_until(now) or now + COMPANY,
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
    return f"{NEW_VERSION}:{_digest_of(image, digest)}"


def _digest_of(image: str, digest: str) -> str:
    return hashlib.sha256(f"{image}@{digest}".encode()).hexdigest()
