"""A receiver that fell silent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from notifications.announce import SILENCE
from notifications.wording import Said, lines


def silence(content: dict[str, Any]) -> Said:
    heard, found = (datetime.fromisoformat(content[name]) for name in ("heard_at", "found_at"))
    url = f"/settings/receivers/{content['receiver_id']}"
    own = {
        "receiver": {
            "id": content["receiver_id"],
            "kind": content["kind"],
            "name": content["name"],
            "lastAcceptedAt": lines.moment(heard),
            "silentForSeconds": int((found - heard).total_seconds()),
            "usualLongestGapSeconds": content["usual_gap"],
        },
        "links": {"primaryUrl": url, "receiverUrl": url},
        "human": {
            "title": _("%(name)s has fallen silent") % {"name": content["name"]},
            "summary": _line(found - heard, timedelta(seconds=content["usual_gap"])),
        },
    }
    return Said(own, f"{SILENCE}:{content['receiver_id']}")


def _line(silent_for: timedelta, gap: timedelta) -> str:
    words = {"silent": lines.span(silent_for), "gap": lines.span(gap)}
    return _("No delivery for %(silent)s; the longest pause before was %(gap)s.") % words
