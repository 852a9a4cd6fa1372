"""Registries and Docker hosts that cannot be reached, and those that are back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from notifications.announce import (
    HOST_BACK,
    HOST_UNREACHABLE,
    REGISTRY_BACK,
    REGISTRY_UNREACHABLE,
)
from notifications.contents import MAX_NAMED
from notifications.wording import Said, lines


def hosts_unreachable(content: dict[str, Any]) -> Said:
    found = content["found"]
    title = ngettext(
        "%(count)d Docker host cannot be reached",
        "%(count)d Docker hosts cannot be reached",
        len(found),
    )
    if len(found) == 1:
        title = _("Docker on %(name)s cannot be reached")
    return _said(HOST_UNREACHABLE, content, title, _no_docker)


def hosts_back(content: dict[str, Any]) -> Said:
    found = content["found"]
    title = ngettext("%(count)d Docker host is back", "%(count)d Docker hosts are back", len(found))
    if len(found) == 1:
        title = _("Docker on %(name)s is back")
    return _said(HOST_BACK, content, title, _docker_again)


def registries_unreachable(content: dict[str, Any]) -> Said:
    found = content["found"]
    title = ngettext(
        "%(count)d registry does not answer", "%(count)d registries do not answer", len(found)
    )
    if len(found) == 1:
        title = _("%(name)s does not answer")
    return _said(REGISTRY_UNREACHABLE, content, title, _no_registry)


def registries_back(content: dict[str, Any]) -> Said:
    found = content["found"]
    title = ngettext(
        "%(count)d registry answers again", "%(count)d registries answer again", len(found)
    )
    if len(found) == 1:
        title = _("%(name)s answers again")
    return _said(REGISTRY_BACK, content, title, _registry_again)


def _no_docker(one: dict[str, Any], time: str) -> list[str]:
    text = ngettext(
        "Docker on %(name)s could not be reached for %(time)s; what its %(count)d service runs is "
        "as it was seen last.",
        "Docker on %(name)s could not be reached for %(time)s; what its %(count)d services run is "
        "as it was seen last.",
        one["services"],
    )
    said = {"name": one["name"], "time": time, "count": one["services"]}
    return [text % said, *_reason(one)]


def _docker_again(one: dict[str, Any], time: str) -> list[str]:
    text = _("Docker on %(name)s answers again, after %(time)s.")
    return [text % {"name": one["name"], "time": time}]


def _no_registry(one: dict[str, Any], time: str) -> list[str]:
    text = ngettext(
        "%(name)s gave no answer for %(time)s; nothing newer is found for %(count)d service.",
        "%(name)s gave no answer for %(time)s; nothing newer is found for %(count)d services.",
        one["services"],
    )
    said = {"name": one["name"], "time": time, "count": one["services"]}
    return [text % said, *_reason(one)]


def _registry_again(one: dict[str, Any], time: str) -> list[str]:
    text = _("%(name)s answers again, after %(time)s.")
    return [text % {"name": one["name"], "time": time}]


def _reason(one: dict[str, Any]) -> list[str]:
    return [one["error"]] if one["error"] else []


def _said(
    kind: str,
    content: dict[str, Any],
    title: str,
    lines_of: Callable[[dict[str, Any], str], list[str]],
) -> Said:
    found, at = content["found"], datetime.fromisoformat(content["at"])
    named = [{**one, "since": datetime.fromisoformat(one["since"])} for one in found[:MAX_NAMED]]
    told = [line for one in named for line in lines_of(one, lines.span(at - one["since"]))]
    whole = [*told, *lines.omitted(len(found) - len(named))]
    human = {"title": title % {"count": len(found), "name": found[0]["name"]}, "summary": whole[0]}
    if len(whole) > 1:
        human["detail"] = "\n".join(whole)
    own = {
        _MEMBERS[kind]: [_outage(one, at, is_over=kind in _OVER) for one in named],
        "links": {
            "primaryUrl": found[0]["path"] if len(found) == 1 else _PAGES[kind],
            "truncated": {f"{_MEMBERS[kind]}Omitted": len(found) - len(named)},
        },
        "human": human,
    }
    return Said(own, _topic(kind, found))


_OVER = {HOST_BACK, REGISTRY_BACK}
_MEMBERS = {
    HOST_UNREACHABLE: "hosts",
    HOST_BACK: "hosts",
    REGISTRY_UNREACHABLE: "registries",
    REGISTRY_BACK: "registries",
}
_PAGES = {
    HOST_UNREACHABLE: "/",
    HOST_BACK: "/",
    REGISTRY_UNREACHABLE: "/settings/registries",
    REGISTRY_BACK: "/settings/registries",
}


def _topic(kind: str, found: list[dict[str, Any]]) -> str:
    """That something is back belongs to that it was not there; several are others each time."""
    return f"{_MEMBERS[kind]}:{found[0]['id']}" if len(found) == 1 else ""


def _outage(one: dict[str, Any], at: datetime, *, is_over: bool) -> dict[str, Any]:
    return {
        "id": one["id"],
        "name": one["name"],
        "unreachableSince": lines.moment(one["since"]),
        "reachableSince": lines.moment(at) if is_over else None,
        "unreachableForSeconds": int((at - one["since"]).total_seconds()),
        "services": one["services"],
        "lastError": one["error"] or None,
        "url": one["path"],
    }
