"""The routes about hooks and their deliveries."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from tests.fake_github import pages, shapes
from tests.fake_github.answers import Answer, Refusal, invalid, not_found, refusal
from tests.fake_github.calls import Call
from tests.fake_github.description import EVENTS
from tests.fake_github.state import Attempt, Hook, Repository

MOST_HOOKS = 20  # of one event
CONTENT_TYPES = ("json", "form")


def every(call: Call) -> Answer:
    repository = call.hooks_of("read")
    shown, headers = pages.page_of(call, repository.hooks, _at(repository, "/hooks"))
    return pages.answer([shapes.hook(each, call.base) for each in shown], headers)


def one(call: Call) -> Answer:
    return Answer(200, shapes.hook(call.hook("read"), call.base))


def create(call: Call) -> Answer:
    repository = call.hooks_of("write")
    given = call.json()
    if given.get("name", "web") != "web":
        errors = [{"resource": "Hook", "field": "name", "code": "invalid"}]
        raise Refusal(refusal(422, "Validation Failed", errors=errors))
    hook = Hook(
        id=next(call.world.hook_ids),
        at=repository,
        events=_unique(given.get("events", ["push"])),
        active=given.get("active", True),
        created_at=call.now,
        updated_at=call.now,
        **_config(given.get("config") or {}),
    )
    _demand_valid(call, hook)
    repository.hooks.append(hook)
    _owe_ping(call, hook)
    shown = shapes.hook(hook, call.base)
    return Answer(201, shown, {"Location": shown["url"]})


def change(call: Call) -> Answer:
    hook = call.hook("write")
    given = call.json()
    events = given.get("events", hook.events) + given.get("add_events", [])
    removed = given.get("remove_events", [])
    # A config is put in place whole: what it does not say, the secret too, is gone.
    config = _config(given["config"]) if "config" in given else _config_of(hook)
    new = Hook(
        id=hook.id,
        at=hook.at,
        events=[each for each in _unique(events) if each not in removed],
        active=given.get("active", hook.active),
        created_at=hook.created_at,
        updated_at=call.now,
        **config,
    )
    _demand_valid(call, new)
    for name in ("events", "active", "updated_at", *config):
        setattr(hook, name, getattr(new, name))
    return Answer(200, shapes.hook(hook, call.base))


def delete(call: Call) -> Answer:
    hook = call.hook("delete")
    hook.at.hooks.remove(hook)
    return Answer(204)


def ping(call: Call) -> Answer:
    _owe_ping(call, call.hook("write"))
    return Answer(204)


def deliveries(call: Call) -> Answer:
    hook = call.hook("read")
    assert isinstance(hook.at, Repository)
    status = call.first("status")
    if status not in ("", "success", "failure"):
        raise Refusal(refusal(422, "Invalid status", errors=[]))
    wanted = [
        each for each in hook.deliveries if not status or each.failed == (status == "failure")
    ]
    at = _at(hook.at, f"/hooks/{hook.id}/deliveries")
    shown, headers = pages.deliveries(call, wanted, at)
    return pages.answer([shapes.delivery(each) for each in shown], headers)


def delivery(call: Call) -> Answer:
    return Answer(200, shapes.whole_delivery(_attempt(call, call.hook("read"))))


def redeliver(call: Call) -> Answer:
    """The same event once more: another delivery with the same GUID."""
    hook = call.hook("write")
    first = _attempt(call, hook)
    again = call.world.attempt(
        hook, first.event, first.payload, call.now, guid=first.guid, redelivery=True
    )
    call.world.owed.append((hook, again))
    return Answer(202, {})


def _attempt(call: Call, hook: Hook) -> Attempt:
    wanted = call.path["delivery_id"]
    found = next((each for each in hook.deliveries if str(each.id) == wanted), None)
    if found is None:
        raise not_found()
    return found


def _at(repository: Repository, rest: str) -> str:
    return f"/repositories/{repository.id}{rest}"


def _owe_ping(call: Call, hook: Hook) -> None:
    sender = call.world.owner(call.signed_in().login)
    assert sender
    payload = shapes.ping(hook, call.base, sender)
    call.world.owed.append((hook, call.world.attempt(hook, "ping", payload, call.now)))


def _unique(events: list[str]) -> list[str]:
    return list(dict.fromkeys(events))


def _config(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "url": given.get("url", ""),
        "content_type": given.get("content_type", "form"),
        "insecure_ssl": str(given.get("insecure_ssl", "0")),
        "secret": given.get("secret", ""),
    }


def _config_of(hook: Hook) -> dict[str, Any]:
    return {
        "url": hook.url,
        "content_type": hook.content_type,
        "insecure_ssl": hook.insecure_ssl,
        "secret": hook.secret,
    }


def _demand_valid(call: Call, hook: Hook) -> None:
    _demand_valid_url(hook.url, public_targets_only=call.world.public_targets_only)
    strangers = sorted(set(hook.events) - EVENTS)
    if strangers:
        raise invalid(f"These events are not allowed for this hook: {', '.join(strangers)}")
    if not hook.events:
        raise invalid("At least one event must be chosen")
    if hook.content_type not in CONTENT_TYPES:
        raise invalid("Content type must be json or form")
    others = [each for each in hook.at.hooks if each.id != hook.id]
    for other in others:
        if other.config == hook.config and not set(other.events).isdisjoint(hook.events):
            raise invalid("Hook already exists on this repository")
    full = [
        event for event in hook.events if sum(event in each.events for each in others) >= MOST_HOOKS
    ]
    if full:
        raise invalid(
            *(f'The "{event}" event cannot have more than {MOST_HOOKS} hooks' for event in full)
        )


def _demand_valid_url(url: str, *, public_targets_only: bool) -> None:
    if not url:
        raise invalid("url is missing")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not url.isascii() or " " in url:
        raise invalid("url is not a valid URL")
    if public_targets_only and not _is_public(host):
        raise invalid(
            f"url is not supported because it isn't reachable over the public Internet ({host})"
        )


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host
