"""All tags and filters that the templates of messages have: no file, no setting, no clock.

`Engine` reads `register` by the name of this module.
"""

from __future__ import annotations

from typing import Any

from django.template import Library, defaultfilters, defaulttags

MOST = 4000  # characters that a filter makes

register = Library()
register.tag("if", defaulttags.do_if)
register.tag("for", defaulttags.do_for)
register.tag("with", defaulttags.do_with)
for name in (
    "capfirst", "default", "default_if_none", "first", "last", "length", "lower", "pluralize",
    "slice", "truncatechars", "truncatewords", "upper", "yesno",
):  # fmt: skip
    register.filter(name, getattr(defaultfilters, "slice_filter" if name == "slice" else name))


@register.filter
def join(values: Any, between: str) -> Any:
    """Of a list alone: what joins the letters of a text could make a book of a word."""
    if not isinstance(values, list):
        return values
    return str(between).join(str(value)[:MOST] for value in values)[:MOST]
