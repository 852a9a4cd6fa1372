"""What was written for doco-cd works with another URL; and what we send to it, Dockrev reads."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.processes.api import Api
from tests.processes.instance import Instance
from tests.real.requirements import require
from tests.waiting import PATIENCE

# As doco-cd's documentation has it: the payload from a here-document, signed by openssl, whose
# output is cut at its blank, and sent by curl.
WORKFLOW = """
set -eu
BODY=$(cat <<EOF
{
  "source": "oci",
  "digest": "$DIGEST",
  "artifact": "$ARTIFACT"
}
EOF
)
MAC=$(echo -n "$BODY" | openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" -hex | cut -d' ' -f2)
curl -sS -X POST "$WEBHOOK_URL" -H "Content-Type: application/json" \
  -H "X-Doco-OCI-Signature-256: $PREFIX$MAC" -d "$BODY" -w '\\n%{http_code}'
"""
SECRET = "what the workflow knows as WEBHOOK_SECRET"
DIGEST = f"sha256:{'7d' * 32}"
ARTIFACT = "registry.example.com:5000/acme/apps/api:main"


@pytest.fixture
def api(instance: Instance) -> Api:
    instance.migrate()
    instance.serve()
    api = Api(instance)
    api.call("PATCH", "/api/receivers/oci", enabled=True, secret=SECRET)
    return api


def run_workflow(url: str, **variables: str) -> tuple[int, Any]:
    given = {"DIGEST": DIGEST, "ARTIFACT": ARTIFACT, "WEBHOOK_SECRET": SECRET, "PREFIX": "sha256="}
    programs = require("shell")
    done = subprocess.run(
        [str(programs["bash"]), "-c", WORKFLOW],
        env={"PATH": "/usr/bin:/bin", "WEBHOOK_URL": url, **given, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    body, _line, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def test_a_workflow_works_with_its_url_changed(instance: Instance, api: Api) -> None:
    status, answer = run_workflow(instance.url("/v1/webhook"))
    assert (status, answer["decision"]) == (202, "processed")
    assert answer["images"] == [f"{ARTIFACT}@{DIGEST}"]
    bare = run_workflow(instance.url("/api/webhooks/oci"), PREFIX="", ARTIFACT="ghcr.io/acme/api:1")
    assert (bare[0], bare[1]["images"]) == (202, [f"ghcr.io/acme/api:1@{DIGEST}"])
    wrong = run_workflow(instance.url("/v1/webhook"), WEBHOOK_SECRET="another secret of theirs")
    assert (wrong[0], wrong[1]["error"]["code"]) == (401, "invalid_signature")
    kept = api.call("GET", "/api/deliveries?receiver=oci")
    assert kept["total"] == 2


def test_it_reads_what_a_channel_of_its_own_sends_as_a_test(instance: Instance, api: Api) -> None:
    config = {"url": instance.url("/v1/webhook"), "secret": SECRET}
    made = api.call(
        "POST", "/api/notifications/channels", kind="doco-cd", name="Next door", config=config
    )
    tried = api.call("POST", f"/api/notifications/channels/{made['id']}/test")
    assert (tried["ok"], tried["status"], tried["error"]) == (True, 202, None)
    [kept] = api.call("GET", "/api/deliveries?receiver=oci")["deliveries"]
    assert kept["images"] == [f"dockrev.invalid/test:test@sha256:{'0' * 64}"]
