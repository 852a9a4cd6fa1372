"""What is open, and what failed, once in a while."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications.announce import DIGEST
from notifications.wording import Said, lines
from notifications.wording.jobs import title_of

STEPS = {  # the least first
    "rebuilt": gettext_lazy("%(count)d rebuilt"),
    "patch": gettext_lazy("%(count)d patch"),
    "minor": gettext_lazy("%(count)d minor"),
    "major": gettext_lazy("%(count)d major"),
    "other": gettext_lazy("%(count)d of another kind"),
}


def digest(content: dict[str, Any]) -> Said:
    found, failures, stacks = content["found"], content["failures"], content["stacks"]
    own = {
        "digest": {
            "since": lines.moment(datetime.fromisoformat(content["since"])),
            "services": content["services"],
            "steps": {step: content["steps"].get(step, 0) for step in STEPS},
            "failures": content["failure_count"],
        },
        "links": {
            "primaryUrl": "/?show=updates" if found else "/queue",
            "stacks": [_stack(each) for each in stacks],
            "serviceUrls": [lines.service_link(each) for each in found],
            "jobs": [_job(each) for each in failures],
            "truncated": {
                "stacksOmitted": content["stack_count"] - len(stacks),
                "serviceUrlsOmitted": content["candidates"] - len(found),
                "jobsOmitted": content["failure_count"] - len(failures),
            },
        },
        "human": _words(content),
    }
    return Said(own, DIGEST)


def _stack(stack: dict[str, Any]) -> dict[str, Any]:
    return {
        "stackId": stack["stack_id"],
        "stackName": stack["stack_name"],
        "steps": {step: stack["steps"].get(step, 0) for step in STEPS},
    }


def _job(failure: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": failure["job_id"],
        "kind": failure["kind"],
        "status": failure["status"],
        "subject": failure["subject"],
        "finishedAt": lines.moment(datetime.fromisoformat(failure["finished_at"])),
        "url": f"/queue/{failure['job_id']}",
    }


def _words(content: dict[str, Any]) -> dict[str, str]:
    whole = [*_open(content), *_failed(content)]
    human = {"title": _title(content), "summary": whole[0]}
    return {**human, "detail": "\n".join(whole)} if len(whole) > 1 else human


def _title(content: dict[str, Any]) -> str:
    if count := content["services"]:
        text = ngettext(
            "%(count)d service has an update", "%(count)d services have an update", count
        )
        return text % {"count": count}
    count = content["failure_count"]
    return ngettext("%(count)d job failed", "%(count)d jobs failed", count) % {"count": count}


def _open(content: dict[str, Any]) -> list[str]:
    """One candidate is one sentence; more are counted by stack."""
    if content["candidates"] == 1:
        return [lines.transition(content["found"][0])]
    named = [
        _("%(name)s: %(steps)s") % {"name": each["stack_name"], "steps": _steps(each["steps"])}
        for each in content["stacks"]
    ]
    return [*named, *lines.omitted(content["stack_count"] - len(named))]


def _steps(counts: Mapping[str, int]) -> str:
    return ", ".join(
        str(text) % {"count": counts[step]} for step, text in STEPS.items() if counts.get(step)
    )


def _failed(content: dict[str, Any]) -> list[str]:
    named = [
        f"{title_of(each['kind'], each['status'], each['subject'])}."
        for each in content["failures"]
    ]
    return [*named, *lines.omitted(content["failure_count"] - len(named))]
