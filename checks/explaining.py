"""What people are told of a choice among tags: its step, why others were left, what waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from checks.decide import Found
from checks.registry.traffic import shown
from checks.versions.choice import Dropped
from checks.versions.policies import Fault

STEPS: dict[str, str | Promise] = {
    "rebuilt": gettext_lazy("rebuilt"),
    "patch": gettext_lazy("patch"),
    "minor": gettext_lazy("minor"),
    "major": gettext_lazy("major"),
    "other": gettext_lazy("other"),
}
RULES: dict[str, str | Promise] = {
    Dropped.SIGNATURE: gettext_lazy("signatures and attestations"),
    Dropped.NO_VERSION: gettext_lazy("no versions"),
    Dropped.NO_MATCH: gettext_lazy("no match for the transform"),
    Dropped.NOT_INCLUDED: gettext_lazy("not among those to include"),
    Dropped.EXCLUDED: gettext_lazy("excluded"),
    Dropped.OTHER_VARIANT: gettext_lazy("other variants"),
    Dropped.OTHER_SHAPE: gettext_lazy("written in another way"),
    Dropped.NOT_NEWER: gettext_lazy("not newer"),
    Dropped.OLDER_BASE: gettext_lazy("on an older Alpine"),
    Dropped.PRERELEASE: gettext_lazy("pre-releases"),
    Dropped.NOT_ITS_FINAL: gettext_lazy("other versions than the one whose pre-release runs"),
    Dropped.TOO_LARGE: gettext_lazy("too large a step"),
    Dropped.IGNORED: gettext_lazy("ignored"),
}


def dropped_words(dropped: Mapping[str, int]) -> str:
    """Why tags were left, the most frequent reason first; empty where none was."""
    if not dropped:
        return ""
    total = sum(dropped.values())
    most = sorted(dropped.items(), key=lambda item: -item[1])
    rules = ", ".join(
        _("%(rule)s (%(count)d)") % {"count": count, "rule": RULES.get(rule, rule)}
        for rule, count in most
    )
    text = ngettext(
        "%(total)d other tag was left: %(rules)s.",
        "%(total)d other tags were left: %(rules)s.",
        total,
    )
    return text % {"total": total, "rules": rules}


def waiting_words(waiting: Iterable[Found]) -> list[str]:
    """Until when each of those waits that are too young yet."""
    return [
        _("%(tag)s waits until %(time)s") % {"tag": each.tag, "time": shown(each.waits_until)}
        for each in waiting
        if each.waits_until
    ]


def fault_words(fault: Fault) -> str:
    """What is wrong with a label, and what that means."""
    text = _("The label %(label)s cannot be read and does not count. %(why)s")
    return text % {"label": fault.label, "why": fault.message}
