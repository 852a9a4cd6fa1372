"""Statuses as marks: a colour, a shape and a word, so that none is needed alone."""

from __future__ import annotations

from typing import NamedTuple

from django import template

register = template.Library()


class Mark(NamedTuple):
    shape: str
    tone: str


MARKS = {
    # a service
    "up_to_date": Mark("disc", "ok"),
    "update_available": Mark("up", "accent"),
    "arch_mismatch": Mark("square", "warn"),
    "ignored": Mark("ring", "muted"),
    "unknown": Mark("dashed", "muted"),
    "error": Mark("cross", "bad"),
    # a stack
    "active": Mark("disc", "ok"),
    "missing": Mark("dashed", "warn"),
    "invalid": Mark("cross", "bad"),
    # a job
    "queued": Mark("ring", "muted"),
    "running": Mark("half", "accent"),
    "success": Mark("disc", "ok"),
    "failed": Mark("cross", "bad"),
    "rolled_back": Mark("square", "warn"),
    "cancelled": Mark("dashed", "muted"),
    # a message; one that waits is as a connection that does
    "sending": Mark("half", "accent"),
    "sent": Mark("disc", "ok"),
    # a try to send it
    "again": Mark("square", "warn"),
    "refused": Mark("cross", "bad"),
    "given_up": Mark("cross", "bad"),
    "lost": Mark("dashed", "warn"),
    # a delivery
    "processed": Mark("disc", "ok"),
    "rejected": Mark("cross", "bad"),
    "ended": Mark("ring", "muted"),
    # a connection
    "on": Mark("disc", "ok"),
    "off": Mark("ring", "muted"),
    "waiting": Mark("ring", "accent"),
    "attention": Mark("square", "warn"),
    # a hook, and what a sync did to it
    "ok": Mark("disc", "ok"),
    "conflict": Mark("square", "warn"),
    "drift": Mark("square", "warn"),
    "created": Mark("disc", "ok"),
    "updated": Mark("disc", "ok"),
    "deleted": Mark("dashed", "muted"),
    "noop": Mark("ring", "muted"),
}
UNKNOWN = MARKS["unknown"]


@register.inclusion_tag("parts/mark.html")
def mark(status: str, word: str = "") -> dict[str, object]:
    """Draw a status. Without `word` the word stands beside it, and the mark is decoration."""
    return {"mark": MARKS.get(status, UNKNOWN), "word": word}


@register.inclusion_tag("parts/icon.html")
def icon(name: str) -> dict[str, str]:
    return {"name": name}
