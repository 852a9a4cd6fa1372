"""Amazon ECR's events as EventBridge sends them, and as CloudEvents."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from checks.models import Job
from integrations.models import Delivery
from tests import rows
from tests.kinds import bad_names
from tests.senders import outcome, receiver, send

pytestmark = pytest.mark.django_db

KIND = "ecr"
DIGEST = f"sha256:{'d1' * 32}"
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def event(top: dict[str, Any] | None = None, **detail: Any) -> dict[str, Any]:
    held = {
        "result": "SUCCESS",
        "repository-name": "shop/api",
        "image-digest": DIGEST,
        "action-type": "PUSH",
        "image-tag": "1.2.0",
        **{name.replace("_", "-"): value for name, value in detail.items()},
    }
    return {
        "version": "0",
        "id": "event-1",
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": "123456789012",
        "region": "eu-west-1",
        "detail": held,
        **(top or {}),
    }


def cloud(data: Any, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "event-1",
        "type": "com.amazon.ecr.image.push",
        "source": "urn:aws:ecr:eu-west-1:123456789012:repository/shop/api",
        "subject": "shop/api:1.2.0",
        "data": data,
        **changes,
    }


def test_it_leads_to_the_service_that_runs_what_was_pushed(client: Client) -> None:
    receiver(KIND)
    service = rows.service(f"{HOST}/shop/api:1.2.0")
    answer = send(client, KIND, event())
    assert answer.status_code == 202, answer.content
    assert answer.json()["matchedServiceIds"] == [service.pk]
    assert outcome(answer).images == [f"{HOST}/shop/api:1.2.0@{DIGEST}"]
    assert Delivery.objects.get().sender_id == "event-1"
    assert outcome(send(client, KIND, event())).reason == "duplicate_delivery"


TAKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "untagged": (event(image_tag=None), "", f"{HOST}/shop/api@{DIGEST}"),
    "China": (
        event({"region": "cn-north-1"}, image_digest="sha256:short"),
        "",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/shop/api:1.2.0",
    ),
    "bound": (event(), "images.example.com", f"images.example.com/shop/api:1.2.0@{DIGEST}"),
    "bound, no account": (
        event({"account": None}),
        "images.example.com",
        f"images.example.com/shop/api:1.2.0@{DIGEST}",
    ),
    "a CloudEvent": (
        cloud({"repositoryName": "shop/web", "imageTag": "2", "imageDigest": DIGEST}),
        "",
        f"{HOST}/shop/web:2@{DIGEST}",
    ),
    "a CloudEvent without data": (cloud(None), "", f"{HOST}/shop/api:1.2.0"),
    "a CloudEvent without a subject": (cloud({}, subject=None), "", f"{HOST}/shop/api"),
}


@pytest.mark.parametrize("what", TAKEN)
def test_it_takes(client: Client, what: str) -> None:
    body, bound, image = TAKEN[what]
    receiver(KIND, bound)
    assert outcome(send(client, KIND, body)) == ("processed", None, [image])


def test_it_tells_cloud_events_apart_by_their_source(client: Client) -> None:
    receiver(KIND)
    other = "urn:aws:ecr:eu-west-1:123456789012:repository/shop/web"
    assert send(client, KIND, cloud({})).status_code == 202
    assert send(client, KIND, cloud({}, source=other)).status_code == 202
    assert outcome(send(client, KIND, cloud({}))).reason == "duplicate_delivery"


@pytest.mark.parametrize(
    "body",
    [
        event(action_type="DELETE"),
        event(result="FAILURE"),
        event({"detail-type": "ECR Image Scan"}),
        event({"detail": None}),
        cloud({}, type="com.amazon.ecr.image.delete"),
        {},
    ],
)
def test_it_ignores(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    assert outcome(send(client, KIND, body))[:2] == ("ignored", "event_not_relevant")


@pytest.mark.parametrize(
    "body",
    [
        *(event(repository_name=name) for name in [*bad_names.REPOSITORIES, None, "Shop"]),
        *(event(image_tag=tag) for tag in bad_names.TAGS),
        *(event({"account": account}) for account in ["", None, "1", "12345678901a", 5]),
        *(event({"region": region}) for region in ["", None, "evil.example/", "eu-west-1.x", 5]),
        cloud({}, source="https://evil.example/"),
        cloud({"repositoryName": "../x"}),
        cloud({}, subject="shop/api:1 2"),
    ],
)
def test_it_records_what_names_no_image(client: Client, body: dict[str, Any]) -> None:
    receiver(KIND)
    answer = send(client, KIND, body)
    assert (answer.status_code, outcome(answer)[:2]) == (200, ("rejected", "invalid_payload"))
    assert not Job.objects.exists()
