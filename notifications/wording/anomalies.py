"""Hooks that are not as they should be."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications.announce import ANOMALY
from notifications.contents import MAX_NAMED
from notifications.excerpts import cut
from notifications.wording import Said, lines

MAX_ERROR = 256


def anomalies(content: dict[str, Any]) -> Said:
    audit, found = content["audit"], content["found"]
    named = found[:MAX_NAMED]
    job_url = f"/queue/{audit['job_id']}"
    settings_path = audit.get("settings_path", "/settings/github-packages")
    own = {
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
            "settingsUrl": settings_path,
            "repos": [_repository(one) for one in named],
            "truncated": {"reposOmitted": len(found) - len(named)},
        },
        "human": _words(found),
    }
    return Said(own, f"{ANOMALY}:{settings_path}")


def _repository(one: dict[str, Any]) -> dict[str, Any]:
    owner, _slash, repo = one["full_name"].partition("/")
    return {
        "owner": owner,
        "repo": repo,
        "fullName": one["full_name"],
        "state": one["state"],
        "lastError": cut(one["last_error"], MAX_ERROR) or None,
    }


def _words(found: list[dict[str, Any]]) -> dict[str, str]:
    named = [_line(one) for one in found[:MAX_NAMED]]
    if len(found) == 1:
        title = _("%(name)s: its webhook needs attention") % {"name": found[0]["full_name"]}
        return {"title": title, "summary": named[0]}
    title = ngettext(
        "%(count)d webhook needs attention", "%(count)d webhooks need attention", len(found)
    )
    return {
        "title": title % {"count": len(found)},
        "summary": named[0],
        "detail": "\n".join([*named, *lines.omitted(len(found) - len(named))]),
    }


def _line(one: dict[str, Any]) -> str:
    why = cut(one["last_error"], MAX_ERROR) or _STATES.get(one["state"], one["state"])
    return _("%(name)s: %(why)s") % {"name": one["full_name"], "why": why}


_STATES = {
    "missing": gettext_lazy("the webhook is missing"),
    "conflict": gettext_lazy("there are several webhooks for this address"),
    "drift": gettext_lazy("the webhook is not as it was set"),
    "error": gettext_lazy("the webhook could not be looked at"),
}
