"""When which rules hid a candidate: kept with it, for rules change and go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from checks.models import Candidate, IgnoreRule


@dataclass(frozen=True)
class Hiding:
    """`kind`, `value` and `scope` are the rule's, as it was then; `over` is None while it lasts."""

    at: datetime
    kind: str
    value: str
    scope: str
    by: str = ""
    until: datetime | None = None
    over: datetime | None = None

    @property
    def is_one_press(self) -> bool:
        """Whether it is for this version of this service alone, as *Skip* and *Snooze* make it."""
        alone = {IgnoreRule.Kind.EXACT, IgnoreRule.Kind.DIGEST}
        return self.scope == IgnoreRule.Scope.SERVICE and self.kind in alone


def of(candidate: Candidate) -> Iterator[Hiding]:
    """The first one first."""
    for kept in candidate.hidings:
        yield Hiding(
            at=datetime.fromisoformat(kept["at"]),
            **{name: kept[name] for name in ("kind", "value", "scope", "by")},
            until=_moment(kept.get("until")),
            over=_moment(kept.get("over")),
        )


class Hidden(Protocol):
    """What has `hidings` as a candidate has them."""

    @property
    def hidings(self) -> list[dict[str, Any]]: ...


def is_going_on(candidate: Hidden) -> bool:
    return bool(candidate.hidings) and "over" not in candidate.hidings[-1]


def note(candidate: Candidate, rule: IgnoreRule | None, now: datetime) -> None:
    """Write on the row, unsaved, that from now on this rule hides it, or none does any more."""
    kept: list[dict[str, Any]] = [dict(each) for each in candidate.hidings]
    if is_going_on(candidate):
        kept[-1]["over"] = now.isoformat()
    if rule is not None:
        kept.append(
            {
                "at": now.isoformat(),
                "kind": rule.kind,
                "value": rule.value,
                "scope": rule.scope,
                "by": rule.created_by,
                "until": rule.expires_at.isoformat() if rule.expires_at else None,
            }
        )
    candidate.hidings = kept[-Candidate.MAX_HIDINGS :]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
