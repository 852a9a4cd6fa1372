"""Lists in pages, and the Link header that leads from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from tests.fake_github.answers import Answer, Refusal, refusal
from tests.fake_github.calls import Call
from tests.fake_github.state import Attempt

T = TypeVar("T")


def page_of(call: Call, items: Sequence[T], at: str) -> tuple[Sequence[T], dict[str, str]]:
    """The items of the page that is asked for. `at` is where the Link header leads.

    GitHub names owners and repositories there by id, whatever name was asked for.
    """
    size, page = call.per_page, call.number("page", 1)
    last = max(1, -(-len(items) // size))
    leads = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    if page >= last:
        del leads["next"], leads["last"]
    if page <= 1:
        del leads["prev"], leads["first"]
    links = {rel: {"page": str(min(number, last))} for rel, number in leads.items()}
    return items[(page - 1) * size : page * size], _header(call, at, links)


def deliveries(call: Call, attempts: list[Attempt], at: str) -> tuple[list[Attempt], Any]:
    """Newest first. The cursor is opaque to callers; here it is the next one's id."""
    newest = sorted(attempts, key=lambda each: each.id, reverse=True)
    cursor = call.first("cursor")
    if cursor:
        before = cursor.removeprefix("v1_")
        if not before.isdecimal():
            raise Refusal(refusal(422, "Invalid cursor", errors=[]))
        newest = [each for each in newest if each.id <= int(before)]
    size = call.per_page
    more = newest[size : size + 1]
    links = {"next": {"cursor": f"v1_{more[0].id}"}} if more else {}
    return newest[:size], _header(call, at, links)


def answer(items: list[dict[str, Any]], headers: dict[str, str]) -> Answer:
    return Answer(200, items, headers)


def _header(call: Call, at: str, links: dict[str, dict[str, str]]) -> dict[str, str]:
    if not links:
        return {}
    given = {name: values[0] for name, values in call.query.items()}
    parts = [
        f'<{call.base}{at}?{urlencode(given | changed)}>; rel="{rel}"'
        for rel, changed in links.items()
    ]
    return {"Link": ", ".join(parts)}
