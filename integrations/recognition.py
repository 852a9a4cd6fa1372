"""The events of a call that carries several, each recognised on its own.

A registry that was not answered in time sends the same events again, in other company.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from integrations.keeping import short_key
from integrations.models import DeliveryPart
from integrations.receivers.base import Part, Reading, Verdict

MAX_PARTS = 1000  # are recognised; of a call with more, the others are taken for new


@dataclass(frozen=True)
class Fresh:
    """What of a call is new: `keys` are those of its new events, and `reading` is of them alone.

    If none is new, `seen_in` is the delivery that the first of them came with.
    """

    reading: Reading
    keys: tuple[str, ...] = ()
    seen_in: str = ""


def look(receiver_id: str, reading: Reading) -> Fresh:
    """Find out which events of a call are new. Asks nothing about a call without parts."""
    if not reading.parts:
        return Fresh(reading)
    parts: dict[str, Part] = {}
    for part in reading.parts:
        parts.setdefault(short_key(part.key), part)
    keys = list(parts)[:MAX_PARTS]
    known = dict(
        DeliveryPart.objects.filter(receiver=receiver_id, key__in=keys).values_list(
            "key", "delivery_id"
        )
    )
    new = [part for key, part in parts.items() if key not in known]
    if not new:
        return Fresh(reading, seen_in=known[keys[0]])
    fresh = tuple(key for key in keys if key not in known)
    return Fresh(_of(new, reading), fresh) if known else Fresh(reading, fresh)


def keep(receiver_id: str, delivery_id: str, fresh: Fresh) -> None:
    """Remember the new events of a call."""
    if fresh.keys:
        DeliveryPart.objects.bulk_create(
            DeliveryPart(receiver_id=receiver_id, delivery_id=delivery_id, key=key)
            for key in fresh.keys
        )


def _of(parts: list[Part], reading: Reading) -> Reading:
    """The reading as if only these events had come."""
    images = tuple(part.image for part in parts if part.image is not None)
    if reading.verdict is Verdict.IMAGES and not images:
        return replace(reading, verdict=Verdict.NOT_RELEVANT, images=())
    return replace(reading, images=images)
