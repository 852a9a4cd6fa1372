"""The WSGI entry that the server loads."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dockrev.settings")
django_application = get_wsgi_application()

from dockrev.bodies import is_chunked, read_body  # noqa: E402 - Django is set up first
from dockrev.errors import PayloadTooLarge  # noqa: E402
from dockrev.parsers import MAX_BODY  # noqa: E402

_OWN_LIMITS = "/api/webhooks/"


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Give a chunked body a length, so that Django reads it. Receivers read their own."""
    if is_chunked(environ) and not environ.get("PATH_INFO", "").startswith(_OWN_LIMITS):
        try:
            body = read_body(environ, MAX_BODY)
        except PayloadTooLarge:
            body = b" " * (MAX_BODY + 1)  # the view says so, in its own words
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
    return django_application(environ, start_response)
