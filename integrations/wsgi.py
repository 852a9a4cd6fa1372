"""The server's way in: registries first, past everything that serves people.

A delivery proves itself and needs no session, no language, no sign-in and no turn. Their bodies
come in as slowly as they like; then one thread works for all that wait (`dockrev/together.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from dockrev import wsgi
from dockrev.proxies import client_address
from dockrev.turns import turns
from integrations import calls, paths

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
# The server puts this process's own environment among the headers: HTTP_PROXY, with its password,
# would be a header of every call, and kept with it.
_OURS = {name: value for name, value in os.environ.items() if name.startswith("HTTP_")}


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    for name, value in _OURS.items():
        if environ.get(name) == value:
            del environ[name]
    kind, token = paths.read(environ["PATH_INFO"])
    if environ["REQUEST_METHOD"] != "POST" or not calls.is_taken(kind, token):
        return wsgi.application(environ, start_response)
    address = client_address(environ)
    if turns.are_crowded(address):
        return wsgi.busy(start_response)
    reply = calls.answer(kind, environ, address, token=token)
    start_response(_STATUS_LINES[reply.status], list(reply.headers.items()))
    return [reply.content]
