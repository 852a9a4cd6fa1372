"""Hooks in words, for templates."""

from __future__ import annotations

from django import template

from integrations.hooks.provider import Report, Standing
from integrations.hooks.results import word_of

register = template.Library()

register.filter("action_word", word_of)


@register.filter
def token_mark(report: Report | None) -> str:
    """The name of the mark that a token's report deserves."""
    if report is None or report.state is Standing.UNTRIED:
        return "unknown"
    if report.state is Standing.INVALID:
        return "error"
    return "attention" if report.missing else "on"
