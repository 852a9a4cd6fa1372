"""Updates, rollbacks and restores that are over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, ngettext

from notifications.contents import MAX_NAMED
from notifications.facts import RESTORE, ROLLBACK
from notifications.wording import Said, lines


def job_finished(content: dict[str, Any]) -> Said:
    job, found = content["job"], content["found"]
    links = lines.service_links(found, job["id"])
    for url, service in zip(links["serviceUrls"], found, strict=False):
        url["outcome"] = service["outcome"]
    own = {
        "job": {
            "id": job["id"],
            "kind": job["kind"],
            "scope": job["scope"],
            "status": job["status"],
            "reason": job["reason"],
            "createdBy": job["created_by"],
            **{name: _moment(job[key]) for name, key in _MOMENTS.items()},
            "stackId": job["stack_id"] or None,
            "serviceId": job["service_id"] or None,
            "error": job["error"] or None,
        },
        "links": links,
        "log": job["log"],
        "human": _words(job, found),
    }
    return Said(own, lines.topic_of(found or [job]))


_MOMENTS = {"createdAt": "created_at", "startedAt": "started_at", "finishedAt": "finished_at"}


def _moment(text: str | None) -> str | None:
    return lines.moment(datetime.fromisoformat(text)) if text else None


def _words(job: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, str]:
    title = _title(job, found)
    named = [_line(job, each) for each in found[:MAX_NAMED]]
    reason = [job["error"]] if job["error"] else []
    # What matters comes first: of one service what became of it, of many why it went wrong.
    whole = [*named, *reason] if len(found) == 1 else [*reason, *named]
    whole += lines.omitted(len(found) - len(named))
    if len(whole) < 2:
        return {"title": title, "summary": whole[0] if whole else title}
    return {"title": title, "summary": whole[0], "detail": "\n".join(whole)}


def title_of(kind: str, status: str, name: str) -> str:
    """What became of an update, a rollback or a restore of one thing."""
    return str(_TITLES.get(kind, _TITLES_OF_UPDATES)[status]) % {"name": name}


def _title(job: dict[str, Any], found: list[dict[str, Any]]) -> str:
    way = "back" if job["kind"] == ROLLBACK else "on"
    count = len(found)
    if job["status"] == "success" and count > 1:
        text = (
            ngettext(
                "%(count)d service was rolled back", "%(count)d services were rolled back", count
            )
            if way == "back"
            else ngettext("%(count)d service was updated", "%(count)d services were updated", count)
        )
        return text % {"count": count}
    name = lines.name_of(found[0]) if count == 1 else job["subject"]
    return title_of(job["kind"], job["status"], name)


_TITLES_OF_UPDATES: dict[str, Promise] = {
    "success": gettext_lazy("%(name)s was updated"),
    "failed": gettext_lazy("The update of %(name)s failed"),
    "rolled_back": gettext_lazy("The update of %(name)s was taken back"),
    "cancelled": gettext_lazy("The update of %(name)s was cancelled"),
}
_TITLES: dict[str, dict[str, Promise]] = {
    ROLLBACK: {
        "success": gettext_lazy("%(name)s was rolled back"),
        "failed": gettext_lazy("The rollback of %(name)s failed"),
        "rolled_back": gettext_lazy("The rollback of %(name)s was taken back"),
        "cancelled": gettext_lazy("The rollback of %(name)s was cancelled"),
    },
    RESTORE: {
        "success": gettext_lazy("A backup of %(name)s was restored"),
        "failed": gettext_lazy("A backup of %(name)s could not be restored"),
        "cancelled": gettext_lazy("The restore of a backup of %(name)s was cancelled"),
    },
}


def _line(job: dict[str, Any], service: dict[str, Any]) -> str:
    """What became of one service. Where its tags say no change, none is made up."""
    old, new = lines.old_and_new(service)
    words = _CHANGES if old != new else _SAME
    way = "back" if job["kind"] == ROLLBACK else "on"
    said = {"name": lines.name_of(service), "old": old, "new": new, "image": service["image"]}
    return str(words[way][service["outcome"]]) % said


_CHANGES: dict[str, dict[str, Promise]] = {
    "on": {
        "updated": gettext_lazy("%(name)s was updated from %(old)s to %(new)s."),
        "failed": gettext_lazy("%(name)s could not be updated from %(old)s to %(new)s."),
        "rolled_back": gettext_lazy("%(name)s did not run with %(new)s and is back at %(old)s."),
        "untouched": gettext_lazy("%(name)s was left at %(old)s."),
    },
    "back": {
        "updated": gettext_lazy("%(name)s was rolled back from %(old)s to %(new)s."),
        "failed": gettext_lazy("%(name)s could not be rolled back from %(old)s to %(new)s."),
        "rolled_back": gettext_lazy("%(name)s did not run with %(new)s and is at %(old)s again."),
        "untouched": gettext_lazy("%(name)s was left at %(old)s."),
    },
}
_SAME: dict[str, dict[str, Promise]] = {
    "on": {
        "updated": gettext_lazy("%(name)s was updated: it runs the rebuilt %(image)s."),
        "failed": gettext_lazy("%(name)s could not be updated to the rebuilt %(image)s."),
        "rolled_back": gettext_lazy(
            "%(name)s did not run with the rebuilt %(image)s and has the image from before again."
        ),
        "untouched": gettext_lazy("%(name)s was left as it was."),
    },
    "back": {
        "updated": gettext_lazy("%(name)s was rolled back to the %(image)s from before."),
        "failed": gettext_lazy("%(name)s could not be rolled back to the %(image)s from before."),
        "rolled_back": gettext_lazy(
            "%(name)s did not run with the %(image)s from before and is as it was."
        ),
        "untouched": gettext_lazy("%(name)s was left as it was."),
    },
}
