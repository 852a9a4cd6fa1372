"""Payloads: what a message says, built when it is sent from the facts as they were found."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from dockrev import preferences
from notifications.announce import ANOMALY, NEW_VERSION, SILENCE
from notifications.channels.base import Image, Message
from notifications.models import Notification

TEST = "notification_test"
_SCHEMAS = {
    NEW_VERSION: "dockrev.notification.new_version_discovered.v2",
    ANOMALY: "dockrev.notification.ghcr_webhook_anomaly.v2",
    SILENCE: "dockrev.notification.receiver_silent.v2",
    TEST: "dockrev.notification.test.v2",
}
# A name that no registry can have, so that nothing is deployed by a test.
TEST_IMAGE = Image("dockrev.invalid/test:test", f"sha256:{'0' * 64}")
MAX_LINKS = 10
MAX_ERROR = 256


def message(notification: Notification, now: datetime) -> Message:
    """Build what is sent for a notification; `now` is when."""
    own = _OWN[notification.kind](notification.content)
    sent = _message(notification.pk, notification.kind, notification.channel.kind, own, now=now)
    return replace(sent, image=_image(notification.content))


def test_message(id_: str, channel_kind: str, now: datetime) -> Message:
    """Build a message that only shows that a channel works."""
    own = {
        "links": {"primaryUrl": link("/settings")},
        "human": {
            "title": _("Dockrev can reach you here"),
            "summary": _("This is a test. Nothing needs to be done."),
        },
    }
    return replace(_message(id_, TEST, channel_kind, own, now=now), image=TEST_IMAGE)


def link(path: str) -> str:
    """An absolute link where the public address is known, else the path alone."""
    return f"{preferences.get('public_base_url').rstrip('/')}{path}"


def _message(
    id_: str, kind: str, channel_kind: str, own: dict[str, Any], *, now: datetime
) -> Message:
    payload = {
        "schema": _SCHEMAS[kind],
        "kind": kind,
        "sentAt": _moment(now),
        "channel": channel_kind,
        **own,
        "debug": {"appVersion": settings.VERSION, "source": "dockrev"},
    }
    return Message(id_, kind, payload)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _image(content: dict[str, Any]) -> Image | None:
    """The only image that is new; one that an earlier version wrote of has no name."""
    images = {
        Image(new["candidate_image"], new["candidate_digest"])
        for new in content.get("found", ())
        if "candidate_image" in new
    }
    return images.pop() if len(images) == 1 else None


def _new_version(content: dict[str, Any]) -> dict[str, Any]:
    check, found = content["check"], content["found"]
    urls = [_service_link(new) for new in found[:MAX_LINKS]]
    job_url = link(f"/queue/{check['job_id']}")
    return {
        "check": {
            "jobId": check["job_id"],
            "reason": check["reason"],
            "scope": check["scope"],
            "servicesChecked": check["services_checked"],
            "newVersions": len(found),
        },
        "links": {
            "primaryUrl": urls[0]["url"] if len(found) == 1 else job_url,
            "jobUrl": job_url,
            "serviceUrls": urls,
            "truncated": {"serviceUrlsOmitted": len(found) - len(urls)},
        },
        "human": _words(found),
    }


def _service_link(new: dict[str, Any]) -> dict[str, Any]:
    return {
        "stackId": new["stack_id"],
        "stackName": new["stack_name"],
        "serviceId": new["service_id"],
        "serviceName": new["service_name"],
        "currentTag": new["current_tag"],
        "currentDisplayTag": _shown(new, "current"),
        "candidateTag": new["candidate_tag"],
        "candidateDisplayTag": _shown(new, "candidate"),
        "candidateDigest": new["candidate_digest"],
        "url": link(f"/services/{new['stack_id']}/{new['service_id']}"),
    }


def _anomalies(content: dict[str, Any]) -> dict[str, Any]:
    audit, found = content["audit"], content["found"]
    named = found[:MAX_LINKS]
    job_url = link(f"/queue/{audit['job_id']}")
    return {
        "job": {
            "id": audit["job_id"],
            "status": audit["status"],
            "missing": audit["missing"],
            "conflict": audit["conflict"],
            "drift": audit["drift"],
            "error": audit["error"],
            "totalAnomalies": len(found),
        },
        "links": {
            "primaryUrl": job_url,
            "jobUrl": job_url,
            "settingsUrl": link(audit.get("settings_path", "/settings/github-packages")),
            "repos": [_repository(one) for one in named],
            "truncated": {"reposOmitted": len(found) - len(named)},
        },
        "human": _anomaly_words(found),
    }


def _repository(one: dict[str, Any]) -> dict[str, Any]:
    owner, _slash, repo = one["full_name"].partition("/")
    return {
        "owner": owner,
        "repo": repo,
        "fullName": one["full_name"],
        "state": one["state"],
        "lastError": _cut(one["last_error"]) or None,
    }


def _cut(text: str) -> str:
    return text if len(text) <= MAX_ERROR else f"{text[: MAX_ERROR - 1]}…"


def _anomaly_words(found: list[dict[str, Any]]) -> dict[str, str]:
    lines = [_anomaly_line(one) for one in found[:MAX_LINKS]]
    if len(found) == 1:
        title = _("%(name)s: its webhook needs attention") % {"name": found[0]["full_name"]}
        return {"title": title, "summary": lines[0]}
    title = ngettext(
        "%(count)d webhook needs attention", "%(count)d webhooks need attention", len(found)
    )
    return {
        "title": title % {"count": len(found)},
        "summary": lines[0],
        "detail": "\n".join([*lines, *_omitted(len(found) - len(lines))]),
    }


def _anomaly_line(one: dict[str, Any]) -> str:
    why = _cut(one["last_error"]) or _STATES.get(one["state"], one["state"])
    return _("%(name)s: %(why)s") % {"name": one["full_name"], "why": why}


_STATES = {
    "missing": gettext_lazy("the webhook is missing"),
    "conflict": gettext_lazy("there are several webhooks for this address"),
    "drift": gettext_lazy("the webhook is not as it was set"),
    "error": gettext_lazy("the webhook could not be looked at"),
}


def _silence(content: dict[str, Any]) -> dict[str, Any]:
    heard, found = (datetime.fromisoformat(content[name]) for name in ("heard_at", "found_at"))
    url = link(f"/settings/receivers/{content['receiver_id']}")
    return {
        "receiver": {
            "id": content["receiver_id"],
            "kind": content["kind"],
            "name": content["name"],
            "lastAcceptedAt": _moment(heard),
            "silentForSeconds": int((found - heard).total_seconds()),
            "usualLongestGapSeconds": content["usual_gap"],
        },
        "links": {"primaryUrl": url, "receiverUrl": url},
        "human": {
            "title": _("%(name)s has fallen silent") % {"name": content["name"]},
            "summary": _silence_line(found - heard, timedelta(seconds=content["usual_gap"])),
        },
    }


def _silence_line(silent_for: timedelta, gap: timedelta) -> str:
    words = {"silent": _span(silent_for), "gap": _span(gap)}
    return _("No delivery for %(silent)s; the longest pause before was %(gap)s.") % words


def _span(span: timedelta) -> str:
    """In days, or in hours where it is less than two days."""
    hours = max(1, round(span.total_seconds() / 3600))
    if hours < 48:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    days = round(hours / 24)
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


def _words(found: list[dict[str, Any]]) -> dict[str, str]:
    lines = [_line(new) for new in found[:MAX_LINKS]]
    if len(found) == 1:
        name = f"{found[0]['stack_name']} / {found[0]['service_name']}"
        return {"title": _("%(name)s has an update") % {"name": name}, "summary": lines[0]}
    title = ngettext("%(count)d update", "%(count)d updates", len(found)) % {"count": len(found)}
    detail = "\n".join([*lines, *_omitted(len(found) - len(lines))])
    return {"title": title, "summary": lines[0], "detail": detail}


def _omitted(count: int) -> list[str]:
    """The line about what is not named, if there is any."""
    if not count:
        return []
    return [ngettext("and %(count)d more", "and %(count)d more", count) % {"count": count}]


def _line(new: dict[str, Any]) -> str:
    name = f"{new['stack_name']} / {new['service_name']}"
    old, shown = _shown(new, "current"), _shown(new, "candidate")
    said = {"name": name, "image": new["image"], "old": old, "new": shown}
    if new["current_tag"] != new["candidate_tag"]:
        return _("%(name)s: %(old)s to %(new)s") % said
    if shown in (old, new["candidate_tag"]):
        return _("%(name)s: %(image)s was rebuilt") % said
    if old == new["current_tag"]:
        return _("%(name)s: %(image)s was rebuilt and is %(new)s") % said
    return _("%(name)s: %(image)s was rebuilt, %(old)s to %(new)s") % said


def _shown(new: dict[str, Any], which: str) -> str:
    """The display tag; a message that was written by an earlier version has none."""
    shown: str = new.get(f"{which}_display_tag") or new[f"{which}_tag"]
    return shown


_OWN = {NEW_VERSION: _new_version, ANOMALY: _anomalies, SILENCE: _silence}
