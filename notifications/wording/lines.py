"""Pieces that messages of several kinds are made of."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications.contents import MAX_NAMED


def moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def omitted(count: int) -> list[str]:
    """The line about what is not named, if there is any."""
    if not count:
        return []
    return [ngettext("and %(count)d more", "and %(count)d more", count) % {"count": count}]


def span(length: timedelta) -> str:
    """In days, or in hours where it is less than two days."""
    hours = max(1, round(length.total_seconds() / 3600))
    if hours < 48:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    days = round(hours / 24)
    return ngettext("%(count)d day", "%(count)d days", days) % {"count": days}


def name_of(service: dict[str, Any]) -> str:
    return f"{service['stack_name']} / {service['service_name']}"


def topic_of(found: list[dict[str, Any]]) -> str:
    """The service, where all of it is about one. What is about several is about others than the
    next message is, and must not be replaced by it."""
    services = {each["service_id"] for each in found} - {""}
    return f"service:{services.pop()}" if len(services) == 1 else ""


def service_links(found: list[dict[str, Any]], job_id: str) -> dict[str, Any]:
    """The links of what is about services: first to the only one, or to the job of all."""
    urls = [service_link(each) for each in found[:MAX_NAMED]]
    job_url = f"/queue/{job_id}"
    return {
        "primaryUrl": urls[0]["url"] if len(found) == 1 else job_url,
        "jobUrl": job_url,
        "serviceUrls": urls,
        "truncated": {"serviceUrlsOmitted": len(found) - len(urls)},
    }


def service_link(new: dict[str, Any]) -> dict[str, Any]:
    return {
        "stackId": new["stack_id"],
        "stackName": new["stack_name"],
        "serviceId": new["service_id"],
        "serviceName": new["service_name"],
        "currentTag": new["current_tag"],
        "currentDisplayTag": shown(new, "current"),
        "candidateTag": new["candidate_tag"],
        "candidateDisplayTag": shown(new, "candidate"),
        "candidateDigest": new["candidate_digest"],
        "url": f"/services/{new['stack_id']}/{new['service_id']}",
    }


def transition(new: dict[str, Any]) -> str:
    """A service and what is newer for it, in one sentence, which never says `latest to latest`."""
    old, to = old_and_new(new)
    said = {"name": name_of(new), "image": new["image"], "old": old, "new": to}
    if new["current_tag"] != new["candidate_tag"]:
        return _("%(name)s: %(old)s to %(new)s") % said
    if to in (old, new["candidate_tag"]):
        return _("%(name)s: %(image)s was rebuilt") % said
    if old == new["current_tag"]:
        return _("%(name)s: %(image)s was rebuilt and is %(new)s") % said
    return _("%(name)s: %(image)s was rebuilt, %(old)s to %(new)s") % said


def old_and_new(new: dict[str, Any]) -> tuple[str, str]:
    """The versions for people; the tags where those would be the same for other tags."""
    old, to = shown(new, "current"), shown(new, "candidate")
    return (new["current_tag"], new["candidate_tag"]) if old == to else (old, to)


def shown(new: dict[str, Any], which: str) -> str:
    """The display tag; a message that was written by an earlier version has none."""
    tag: str = new.get(f"{which}_display_tag") or new[f"{which}_tag"]
    return tag
