"""What the pages of hooks call that which has them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


@dataclass(frozen=True)
class Wording:
    search: str | Promise
    none: str | Promise
    none_like: str | Promise
    show_all: str | Promise
    add: str | Promise


REPOSITORIES = Wording(
    search=_("Search owner/repo"),
    none=_("No repository is tracked."),
    none_like=_("No repository is like that."),
    show_all=_("Show all repositories"),
    add=_(
        "Add the repositories that publish the images you run. With a token you can add a whole "
        "owner and choose."
    ),
)
TARGETS = Wording(
    search=_("Search by name"),
    none=_("Nothing is tracked here yet."),
    none_like=_("Nothing is like that."),
    show_all=_("Show all"),
    add=_("Pick from what is there, or type a name."),
)


def repositories_waiting(number: int) -> str:
    return ngettext(
        "%(number)d repository changed since the last sync. GitHub hears of it by a sync.",
        "%(number)d repositories changed since the last sync. GitHub hears of it by a sync.",
        number,
    ) % {"number": number}


def targets_waiting(number: int) -> str:
    return ngettext(
        "%(number)d change waits for a sync.", "%(number)d changes wait for a sync.", number
    ) % {"number": number}
