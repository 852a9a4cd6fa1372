"""Newer images."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications.contents import MAX_NAMED
from notifications.wording import Said, lines


def new_versions(content: dict[str, Any]) -> Said:
    check, found = content["check"], content["found"]
    own = {
        "check": {
            "jobId": check["job_id"],
            "reason": check["reason"],
            "scope": check["scope"],
            "servicesChecked": check["services_checked"],
            "newVersions": len(found),
        },
        "links": lines.service_links(found, check["job_id"]),
        "human": _words(found),
    }
    return Said(own, lines.topic_of(found))


def _words(found: list[dict[str, Any]]) -> dict[str, str]:
    named = [lines.transition(new) for new in found[:MAX_NAMED]]
    if len(found) == 1:
        title = _("%(name)s has an update") % {"name": lines.name_of(found[0])}
        return {"title": title, "summary": named[0]}
    title = ngettext("%(count)d update", "%(count)d updates", len(found)) % {"count": len(found)}
    detail = "\n".join([*named, *lines.omitted(len(found) - len(named))])
    return {"title": title, "summary": named[0], "detail": detail}
