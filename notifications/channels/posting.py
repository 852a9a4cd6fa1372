"""One POST of JSON, and what its answer means for the message."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from dockrev import http
from notifications.channels.base import SendError


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send, and return the status of an answer that took it. Raises SendError for any other."""
    sent = {**headers, "Content-Type": "application/json"}
    try:
        answer = http.request("POST", url, body=body, headers=sent)
    except http.Unreachable as error:
        raise SendError(str(error)) from error
    if answer.status == 410:
        raise SendError(_("It answered 410 Gone."), permanent=True, status=answer.status)
    if not 200 <= answer.status < 300:
        text = _("It answered %(status)d.") % {"status": answer.status}
        raise SendError(text, status=answer.status)
    return answer.status
