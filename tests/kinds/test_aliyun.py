"""The triggers of Alibaba Cloud's registry."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from checks.models import Job
from tests import rows
from tests.kinds import bad_names
from tests.senders import outcome, receiver, send

pytestmark = pytest.mark.django_db

KIND = "aliyun"
DIGEST = f"sha256:{'d1' * 32}"
HOST = "registry.cn-hangzhou.aliyuncs.com"


def event(push: dict[str, Any] | None = None, **repository: Any) -> dict[str, Any]:
    pushed = {"digest": DIGEST, "pushed_at": "2025-03-01 10:00:00", "tag": "1.2.0", **(push or {})}
    held = {"region": "cn-hangzhou", "repo_full_name": "shop/webApi", **repository}
    return {"push_data": pushed, "repository": held}


def test_it_leads_to_the_service_that_runs_what_was_pushed(client: Client) -> None:
    receiver(KIND)
    service = rows.service(f"{HOST}/shop/webapi:1.2.0")
    answer = send(client, KIND, event())
    assert answer.status_code == 202, answer.content
    assert answer.json()["matchedServiceIds"] == [service.pk]
    assert outcome(answer).images == [f"{HOST}/shop/webapi:1.2.0@{DIGEST}"]
    assert outcome(send(client, KIND, event())).reason == "duplicate_delivery"


TAKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "bound": (event(), "acme.cn-hangzhou.cr.aliyuncs.com", f"/shop/webapi:1.2.0@{DIGEST}"),
    "bound, no region": (
        event({"digest": None, "tag": None}, region=None),
        "acme.cn-hangzhou.cr.aliyuncs.com",
        "/shop/webapi",
    ),
}


@pytest.mark.parametrize("what", TAKEN)
def test_it_believes_the_host_that_it_is_bound_to(client: Client, what: str) -> None:
    body, bound, path = TAKEN[what]
    receiver(KIND, bound)
    assert outcome(send(client, KIND, body)).images == [f"{bound}{path}"]


def test_it_puts_a_name_together_where_it_is_not_whole(client: Client) -> None:
    receiver(KIND)
    body = event(repo_full_name=None, namespace="shop", name="api")
    assert outcome(send(client, KIND, body)).images == [f"{HOST}/shop/api:1.2.0@{DIGEST}"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"push_data": [], "repository": "x"},
        *(event(repo_full_name=name) for name in bad_names.REPOSITORIES),
        *(event({"tag": tag}) for tag in bad_names.TAGS),
        *(event(region=region) for region in ["", None, "evil.example/", "a@b", "a b", 5]),
    ],
)
def test_it_records_what_names_no_image(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    answer = send(client, KIND, body)
    assert (answer.status_code, outcome(answer)[:2]) == (200, ("rejected", "invalid_payload"))
    assert not Job.objects.exists()
