"""What a registry calls may be a secret: a real server tells nobody its path."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.processes.api import Api
from tests.processes.instance import Instance
from tests.waiting import PATIENCE

BODY = {"push_data": {"tag": "1", "pushed_at": 1}, "repository": {"repo_name": "acme/api"}}


def call(url: str, method: str = "POST", body: Any = BODY) -> int:
    raw = json.dumps(body).encode() if method == "POST" else None
    asked = Request(url, raw, {"X-Original-URI": url}, method=method)  # noqa: S310 - our own server
    try:
        with urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310 - the same
            return int(answer.status)
    except HTTPError as error:
        with error:
            error.read()
        return error.code


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_log_and_no_file_has_a_token(instance: Instance, form: str) -> None:
    instance.environment |= {"DOCKREV_LOG_FORMAT": form, "DOCKREV_LOG_LEVEL": "DEBUG"}
    instance.migrate()
    server = instance.serve()
    api = Api(instance)
    shown = api.call("POST", "/api/receivers/docker-hub/rotate")
    url, token = shown["url"], shown["secret"]
    assert url.endswith(f"/api/webhooks/docker-hub/{token}")
    api.call("PATCH", "/api/receivers/docker-hub", enabled=True)
    assert call(url) == call(f"{url}/", body={**BODY, "at": url}) + 2 == 202
    assert [call(url, method) for method in ("GET", "PUT", "DELETE")] == [405, 405, 405]
    assert [call(f"{url}{end}") for end in ("x", "/more", "?a=b", "//")] == [401, 404, 200, 404]
    assert call(url.replace("docker-hub", "github-packages")) == 404
    server.terminate()
    server.wait(PATIENCE)
    files = [file for file in instance.data.parent.rglob("*") if file.is_file()]
    held = []
    for file in files:
        with suppress(OSError):
            held += [file] if token.encode() in file.read_bytes() else []
    assert len(files) > 2
    assert held == []
