"""One call of a registry, from what the server has of it to what it is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from dockrev.bodies import read_body
from dockrev.errors import as_api_error, error_body
from dockrev.turns import turns
from integrations import ingest
from integrations.receivers import RECEIVERS
from integrations.receivers.base import Incoming

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Reply:
    """What a call is answered. `content` is JSON."""

    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: _JSON)


def is_taken(kind: str, token: str) -> bool:
    """Whether there are receivers of that kind, and what stands behind it in a path is theirs."""
    if kind not in RECEIVERS:
        return False
    return not token or (RECEIVERS[kind].token_in_path and "/" not in token)


def answer(kind: str, environ: Mapping[str, Any], address: str, *, token: str = "") -> Reply:
    """Take a call for the receivers of a kind, from an address. Raises nothing."""
    try:
        with turns.waiting(address):
            body = read_body(environ, RECEIVERS[kind].max_body)
        incoming = Incoming(headers(environ), body, token)
        return _reply(kind, ingest.take(kind, incoming, address=address))
    except Exception as error:
        known = as_api_error(error)
        return Reply(known.status, _json(known.body), {**_JSON, **known.headers})


def headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """Headers by their names in lower case."""
    return {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    }


def _reply(kind: str, answer: ingest.Answer) -> Reply:
    """A refusal has the error shape where its sender shows it, and is a plain 200 elsewhere."""
    if answer.decision != ingest.Decision.REJECTED:
        return Reply(answer.status, _json(answer.body))
    if not RECEIVERS[kind].shows_rejections:
        return Reply(200, _json(answer.body))
    words = {
        "invalid_json": _("The body is not a JSON object."),
        "invalid_payload": _("The body does not name the image that was pushed."),
    }
    details = {"deliveryId": answer.delivery_id, "decision": answer.decision}
    code = "invalid_json" if answer.reason == "invalid_json" else "invalid_argument"
    body = error_body(code, words[answer.reason], {**details, "reason": answer.reason})
    return Reply(400, _json(body))


def _json(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode()
