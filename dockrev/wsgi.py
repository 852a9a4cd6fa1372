"""The WSGI entry that the server loads."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dockrev.settings")
django_application = get_wsgi_application()

from dockrev.bodies import declared_length, is_chunked, read_body  # noqa: E402 - Django is set up first
from dockrev.errors import Busy, PayloadTooLarge, json_error  # noqa: E402
from dockrev.parsers import MAX_BODY  # noqa: E402
from dockrev.proxies import client_address  # noqa: E402
from dockrev.turns import Body, turns  # noqa: E402

_OWN_LIMITS = ("/api/webhooks/", "/v1/webhook")


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer when it is this request's turn, which it leaves to others while its body comes."""
    if is_chunked(environ) or environ.get("CONTENT_LENGTH", "0") != "0":
        address = client_address(environ)
        if turns.are_crowded(address):
            return busy(start_response)
        body = Body(environ["wsgi.input"], turns, address)
        environ["wsgi.input"] = body.begun(declared_length(environ))
    with turns.one():
        return _answer(environ, start_response)


def _answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Give a chunked body a length, so that Django reads it. Receivers read their own."""
    if is_chunked(environ) and not environ.get("PATH_INFO", "").startswith(_OWN_LIMITS):
        try:
            body = read_body(environ, MAX_BODY)
        except PayloadTooLarge:
            body = b" " * (MAX_BODY + 1)  # the view says so, in its own words
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
    return django_application(environ, start_response)


def busy(start_response: Any) -> Iterable[bytes]:
    response = json_error(Busy())
    start_response("503 Service Unavailable", list(response.items()))
    return [response.content]
