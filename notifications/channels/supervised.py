"""HTTP of a library that has ways of its own, sent by ours: `dockrev.http`.

Inside `conversation`, whatever the library asks by `requests` goes out as everything else does: to
addresses that are allowed, without redirects, within a time, with answers of bounded length. What
came of it is kept, since the library tells no more than whether it went well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.client import responses
from io import BytesIO
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from dockrev import http

LONGEST = 20.0  # seconds for all requests together
MAX_REQUESTS = 20
MAX_ANSWER = 64 * 1024
CONNECT, READ = 5.0, 8.0


@dataclass
class Conversation:
    """The requests for one message: the `last` answer, the last that `refused` and was no 2xx, and
    in words the `trouble` where none came."""

    last: http.Response | None = None
    refused: http.Response | None = None
    trouble: str = ""
    count: int = 0
    ends: float = field(default_factory=lambda: time.monotonic() + LONGEST)

    def ask(self, asked: requests.PreparedRequest, *, verify: bool | str) -> requests.Response:
        left = self.ends - time.monotonic()
        if left <= 0 or self.count >= MAX_REQUESTS:
            raise requests.ConnectionError("no more requests for this message")
        self.count += 1
        try:
            answer = http.request(
                asked.method or "GET",
                asked.url or "",
                headers=dict(asked.headers),
                body=_body(asked),
                timeout=(min(CONNECT, left), min(READ, left)),
                longest_body=min(READ, left),
                max_bytes=MAX_ANSWER,
                verify=verify,
            )
        except http.Unreachable as error:
            self.trouble = str(error)
            raise requests.ConnectionError(self.trouble) from None
        self.last = answer
        if not 200 <= answer.status < 300:
            self.refused = answer
        return _as_the_library_knows_it(answer, asked)


_held: ContextVar[Conversation | None] = ContextVar("conversation", default=None)


@contextmanager
def conversation() -> Iterator[Conversation]:
    """Inside, in this thread, requests of any library are ours."""
    requests.sessions.HTTPAdapter = _Adapter  # of sessions made from now on
    token = _held.set(held := Conversation())
    try:
        yield held
    finally:
        _held.reset(token)


class _Adapter(HTTPAdapter):
    """The library's own outside of a conversation."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        held = _held.get()
        if held is None:
            return super().send(request, stream, timeout, verify, cert, proxies)
        return held.ask(request, verify=verify)


def _body(asked: requests.PreparedRequest) -> bytes | None:
    if asked.body is None or isinstance(asked.body, bytes):
        return asked.body
    if isinstance(asked.body, str):
        return asked.body.encode()
    raise requests.RequestException("files are not sent")


def _as_the_library_knows_it(
    answer: http.Response, asked: requests.PreparedRequest
) -> requests.Response:
    """Without a place to go to, so that nobody follows a redirect."""
    known = requests.Response()
    known.status_code = answer.status
    known.reason = responses.get(answer.status, "")
    known.headers = CaseInsensitiveDict(answer.headers)
    known.headers.pop("Location", None)
    known.url, known.request = asked.url or "", asked
    known.encoding = get_encoding_from_headers(known.headers)
    known.raw = BytesIO(answer.body)
    known._content = answer.body
    known._content_consumed = True  # type: ignore[attr-defined]  # read above, up to the limit
    return known
