"""Who is named as the author of a commit: `Name <address>`. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from django.utils.translation import gettext as _

from checks.versions.patterns import BadPattern

MAX_AUTHOR = 200
_PLAIN = r"[^<>\x00-\x1f\x7f]"
_AUTHOR = re.compile(rf"(?P<name>{_PLAIN}+) <(?P<email>(?:(?!\s){_PLAIN})+)>")


class Author(NamedTuple):
    name: str
    email: str


OURS = Author("Dockrev", "dockrev@localhost")


def author(text: str) -> Author:
    """Raises BadPattern. Where nothing is written, ours."""
    if not text:
        return OURS
    found = _AUTHOR.fullmatch(text)
    if found is None or not found["name"].strip() or len(text) > MAX_AUTHOR:
        raise BadPattern(_("Write an author as Name <name@example.org>."), 0)
    return Author(found["name"], found["email"])
