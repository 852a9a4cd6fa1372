"""A plan in words and facts: for the API, for the title of its job, and as the commands it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from checks.models import Candidate, JobLog
from checks.updating.plan import Change, Data, Edit, Plan
from checks.versions.policies import LIVE, SKIP, STOP

# By name: how Compose is called is known where the Docker SDK is loaded, as for the plan itself.
SHOWN = "checks.updating.compose_cli.shown"


def as_facts(plan: Plan) -> dict[str, Any]:
    """As the API names things."""
    return {
        "stackId": plan.stack_id,
        "project": plan.project.name,
        "fingerprint": plan.fingerprint,
        "itself": plan.itself,
        "changes": [_change(each) for each in plan.changes],
        "commands": commands(plan),
        "warnings": list(plan.warnings),
    }


def lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """The plan as lines of a log, each with its level."""
    info, warn = JobLog.Level.INFO, JobLog.Level.WARN
    for change in plan.changes:
        names = ", ".join((change.service_name, *change.with_it))
        yield info, f"{names}: {change.image} → {change.target_image}, {change.target_digest}"
        for edit in change.edits:
            yield info, f"{edit.path}:{edit.line}: {edit.names}: {edit.old} → {edit.new}"
        for data in change.data:
            yield info, f"{data.service}: {data_words(data)}"
        for text in change.warnings:
            yield warn, f"{change.service_name}: {text}"
    for text in plan.warnings:
        yield warn, text
    for command in commands(plan):
        yield info, f"$ {command}"


def subject(plan: Plan, stack: str) -> str:
    """What its job is called: `shop / api, 1.0.0 → 1.1.0`, or the stack and how many services."""
    if len(plan.changes) > 1:
        number = len(plan.changes)
        text = ngettext("%(number)d service", "%(number)d services", number)
        return f"{stack}, {text % {'number': number}}"
    [change] = plan.changes
    words = tag_words(change)
    if change.step == Candidate.Step.REBUILT:
        words = _("%(tag)s rebuilt") % {"tag": words}
    return f"{stack} / {change.service_name}, {words}"


def tag_words(change: Change) -> str:
    """The tag that runs and the one that comes, or the one tag that stays."""
    return " → ".join(tag_ends(change))


def tag_ends(change: Change) -> list[str]:
    return list(dict.fromkeys(map(_tag_of, (change.image, change.target_image))))


def data_words(data: Data) -> str:
    """What becomes of a volume or bind mount before an update."""
    if data.is_too_large:
        text = _("%(name)s is not backed up: it is larger than the limit of %(most)d MB")
        return text % {"name": data.name, "most": data.most // (1024 * 1024)}
    texts = {
        SKIP: _("%(name)s is not backed up"),
        LIVE: _("%(name)s is backed up while it is in use"),
        STOP: _("%(name)s is backed up while the containers of %(service)s are stopped"),
    }
    return texts[data.how] % {"name": data.name, "service": data.service}


def _tag_of(image: str) -> str:
    """The tag of an image's name as it is written."""
    name = image.partition("@")[0]
    colon = name.find(":", name.rfind("/") + 1)
    return name[colon + 1 :] if colon >= 0 else "latest"


def commands(plan: Plan) -> list[str]:
    """What is called, as one would type it; the edits come before, each with its service."""
    shown: Callable[[Plan], list[str]] = import_string(SHOWN)
    return shown(plan)


def _change(change: Change) -> dict[str, Any]:
    return {
        "serviceId": change.service_id,
        "serviceName": change.service_name,
        "step": change.step,
        "image": change.image,
        "digest": change.digest or None,
        "imageId": change.image_id,
        "targetImage": change.target_image,
        "targetDigest": change.target_digest,
        "candidateId": change.candidate_id,
        "withIt": list(change.with_it),
        "needs": list(change.needs),
        "edits": [_edit(each) for each in change.edits],
        "backups": [_data(each) for each in change.data],
        "warnings": list(change.warnings),
    }


def _data(data: Data) -> dict[str, Any]:
    """`how` is what will be done, so far as sizes are known."""
    return {
        "service": data.service,
        "kind": data.kind,
        "name": data.name,
        "destination": data.destination,
        "how": SKIP if data.is_too_large else data.how,
        "size": data.size,
        "isTooLarge": data.is_too_large,
    }


def _edit(edit: Edit) -> dict[str, Any]:
    return {
        "path": edit.path,
        "line": edit.line,
        "old": edit.old,
        "new": edit.new,
        "names": edit.names,
    }
