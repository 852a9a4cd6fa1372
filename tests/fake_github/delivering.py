"""Calling hooks as GitHub does: signed, over HTTP, ten seconds at most, never twice by itself."""

from __future__ import annotations

import hmac
import json
import ssl
import time
from hashlib import sha1, sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import SimpleQueue
from threading import Condition, Thread
from urllib.parse import urlencode, urlsplit

from tests.fake_github.state import Attempt, Hook, Repository

TIMEOUT_SECONDS = 10
MOST_OF_AN_ANSWER = 64 * 1024


def headers_of(hook: Hook, attempt: Attempt, body: bytes) -> dict[str, str]:
    is_repository = isinstance(hook.at, Repository)
    headers = {
        "Accept": "*/*",
        "Content-Type": (
            "application/json"
            if hook.content_type == "json"
            else "application/x-www-form-urlencoded"
        ),
        "User-Agent": "GitHub-Hookshot/fa0e5ee",
        "X-GitHub-Delivery": attempt.guid,
        "X-GitHub-Event": attempt.event,
        "X-GitHub-Hook-ID": str(hook.id),
        "X-GitHub-Hook-Installation-Target-ID": str(hook.at.id),
        "X-GitHub-Hook-Installation-Target-Type": "repository" if is_repository else "organization",
    }
    if hook.secret:
        key = hook.secret.encode()
        headers["X-Hub-Signature"] = f"sha1={hmac.new(key, body, sha1).hexdigest()}"
        headers["X-Hub-Signature-256"] = f"sha256={hmac.new(key, body, sha256).hexdigest()}"
    return headers


def body_of(hook: Hook, attempt: Attempt) -> bytes:
    text = json.dumps(attempt.payload)
    return (text if hook.content_type == "json" else urlencode({"payload": text})).encode()


def deliver(hook: Hook, attempt: Attempt, *, sent: bool, down: bool) -> None:
    """Call the hook, or (`sent` is false) only note that it was called; keep what came of it."""
    body = body_of(hook, attempt)
    attempt.request_headers = headers_of(hook, attempt, body)
    if down:
        _failed(attempt, 502, "failed to connect to host")
    elif not sent:
        attempt.status, attempt.status_code = "OK", 200
    else:
        _call(hook, attempt, body)
    hook.last_response = _last_response(attempt)
    hook.deliveries.append(attempt)


def _call(hook: Hook, attempt: Attempt, body: bytes) -> None:
    began = time.monotonic()
    url = urlsplit(hook.url)
    try:
        connection = _connection(hook)
        try:
            target = url.path + (f"?{url.query}" if url.query else "")
            connection.request("POST", target or "/", body, attempt.request_headers)
            answer = connection.getresponse()
            text = answer.read(MOST_OF_AN_ANSWER).decode(errors="replace")
        finally:
            connection.close()
    except TimeoutError:
        _failed(attempt, 504, "timed out")
    except (OSError, HTTPException):
        _failed(attempt, 502, "failed to connect to host")
    else:
        attempt.status_code = answer.status
        attempt.status = "OK" if answer.status < 300 else f"Invalid HTTP Response: {answer.status}"
        attempt.response_headers = dict(answer.getheaders())
        attempt.response_payload = text
    attempt.duration = round(time.monotonic() - began, 2)


def _connection(hook: Hook) -> HTTPConnection:
    url = urlsplit(hook.url)
    assert url.hostname
    if url.scheme == "http":
        return HTTPConnection(url.hostname, url.port, timeout=TIMEOUT_SECONDS)
    context = ssl.create_default_context()
    if hook.insecure_ssl == "1":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(url.hostname, url.port, timeout=TIMEOUT_SECONDS, context=context)


def _failed(attempt: Attempt, code: int, status: str) -> None:
    attempt.status_code, attempt.status = code, status


def _last_response(attempt: Attempt) -> dict[str, object]:
    word = {502: "failed to connect to host", 504: "timeout"}.get(
        attempt.status_code, "misconfigured"
    )
    return {
        "code": attempt.status_code,
        "status": word if attempt.failed else "active",
        "message": attempt.status,
    }


class Courier:
    """Makes the calls that nobody waits for, one after the other, in a thread of its own."""

    def __init__(self) -> None:
        self._owed: SimpleQueue[tuple[Hook, Attempt, bool] | None] = SimpleQueue()
        self._open = 0
        self._done = Condition()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self, hook: Hook, attempt: Attempt, *, sent: bool) -> None:
        with self._done:
            self._open += 1
        self._owed.put((hook, attempt, sent))

    def settle(self) -> None:
        """Wait until all that was taken is delivered."""
        with self._done:
            assert self._done.wait_for(lambda: not self._open, TIMEOUT_SECONDS * 2)

    def stop(self) -> None:
        self._owed.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (owed := self._owed.get()) is not None:
            hook, attempt, sent = owed
            deliver(hook, attempt, sent=sent, down=False)
            with self._done:
                self._open -= 1
                self._done.notify_all()
