"""The server's way in: deliveries past Django's handling, everything else through it."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from checks.models import Service
from dockrev.turns import WAITING_EACH, turns
from integrations.models import Delivery
from integrations.wsgi import application
from tests.github import PATH, SECRET, published, sign

pytestmark = pytest.mark.django_db


def called(body: bytes, *, path: str = PATH, method: str = "POST", **environ: Any) -> Any:
    """Status line, headers and text of what the server would send."""
    given: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "REMOTE_ADDR": "192.0.2.7",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_GITHUB_EVENT": "package",
        "HTTP_X_GITHUB_DELIVERY": "guid-1",
        "HTTP_X_HUB_SIGNATURE_256": sign(body, SECRET),
        "wsgi.input": BytesIO(body),
        **environ,
    }
    setup_testing_defaults(given)
    sent: list[Any] = []
    parts = application(given, lambda status, headers, _error=None: sent.extend((status, headers)))
    return sent[0], dict(sent[1]), b"".join(parts).decode()


def test_it_takes_a_delivery(service: Service) -> None:
    for path, outcome in ((PATH, "202 Accepted"), (f"{PATH}/", "200 OK")):
        status, headers, text = called(json.dumps(published()).encode(), path=path)
        assert (status, headers) == (outcome, {"Content-Type": "application/json"})
        assert json.loads(text)["deliveryId"] == Delivery.objects.get().pk


def test_it_keeps_nothing_of_its_own_environment(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Granian puts that beside the headers; a viewer would read the proxy's password."""
    own = "http://user:hunter2@proxy.example:3128"
    monkeypatch.setattr("integrations.wsgi._OURS", {"HTTP_PROXY": own, "HTTP_X_OWN": "own"})
    called(json.dumps(published()).encode(), HTTP_PROXY=own, HTTP_X_OWN="another's")
    kept = Delivery.objects.get().headers
    assert "proxy" not in kept
    assert kept["x-own"] == "another's"


def test_it_answers_errors_in_their_one_shape(service: Service) -> None:
    wrong = called(b"{}", HTTP_X_HUB_SIGNATURE_256="sha256=0")
    long = called(b"{}", CONTENT_LENGTH=str(25 * 1024 * 1024 + 1))
    for (status, _headers, text), number, code in (
        (wrong, "401", "invalid_signature"),
        (long, "413", "payload_too_large"),
    ):
        assert (status[:3], json.loads(text)["error"]["code"]) == (number, code)


def test_it_says_when_to_try_again_where_too_many_bodies_are_waited_for(service: Service) -> None:
    body = json.dumps(published()).encode()
    for _one in range(WAITING_EACH):
        turns._waiting["192.0.2.7"] += 1
    try:
        status, headers, _text = called(body)
        assert (status, headers["Retry-After"]) == ("503 Service Unavailable", "2")
        assert called(body, REMOTE_ADDR="192.0.2.8")[0] == "202 Accepted"
    finally:
        turns._waiting.clear()


def test_it_leaves_everything_else_to_django() -> None:
    assert called(b"", method="GET")[0] == "405 Method Not Allowed"
    assert called(b"{}", path="/api/webhooks/nobody")[0] == "404 Not Found"
    assert called(b"", path="/api/version", method="GET")[0] == "200 OK"
