"""Amazon ECR, whose events EventBridge sends to an API destination.

Followed: "Amazon ECR events and EventBridge" in Amazon's documentation. The connection's API key is
a header of one's own. An input transformer may turn the event into a CloudEvent of type
`com.amazon.ecr.image.push`, as the template of Argo CD Image Updater does; that is read, too.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import Example, ImageEvent, Incoming, Setup, Verdict, member, text
from integrations.receivers.one_event import BadName, OneEvent, by_id, image, named
from integrations.receivers.shared_secret import ByAuthorization

PUSH = "ECR Image Action"
CLOUD_PUSH = "com.amazon.ecr.image.push"
ACCOUNT = re.compile(r"[0-9]{12}")
REGION = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,12}){1,3}-[0-9]{1,2}")
SOURCE = re.compile(r"(?:urn|arn):aws[a-z-]*:ecr:([^:]+):([^:]+):repository/(.+)")


class ElasticContainerRegistry(ByAuthorization, OneEvent):
    kind: ClassVar[str] = "ecr"
    label: ClassVar[str] = "Amazon ECR (EventBridge)"
    docs: ClassVar[str] = "ecr.md"
    steps = (
        _("In EventBridge, create a connection: API key, with the name Authorization."),
        _("Its value: Bearer {secret}"),
        _("Create an API destination with this connection. Method POST, endpoint {url}"),
        _('Create a rule: source "aws.ecr", detail type "ECR Image Action".'),
        _("Its target is the API destination. Send the matched event as it is."),
        _("Push an image. Do the same in each region."),
    )

    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        is_cloud_event = "specversion" in body
        event = text(body, "type" if is_cloud_event else "detail-type", limit=60)
        source = text(body, "source") if is_cloud_event else ""
        return {
            "event": event,
            "action": text(body, "detail", "action-type", limit=60),
            **by_id(text(body, "id", limit=200), of=source),
        }

    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        if "specversion" in body:
            is_push = member(body, "type") == CLOUD_PUSH
        else:
            detail = member(body, "detail")
            happened = (member(detail, "action-type"), member(detail, "result"))
            is_push = member(body, "detail-type") == PUSH and happened == ("PUSH", "SUCCESS")
        return Verdict.IMAGES if is_push else Verdict.NOT_RELEVANT

    def images(self, body: dict[str, Any], setup: Setup) -> tuple[ImageEvent, ...]:
        if "specversion" in body:
            return (_of_cloud_event(body, setup.registry_host),)
        detail = member(body, "detail")
        return (
            image(
                setup.registry_host or _host(named(body, "account"), named(body, "region")),
                named(detail, "repository-name"),
                tag=named(detail, "image-tag"),
                digest=text(detail, "image-digest"),
            ),
        )

    def examples(self, nonce: str) -> tuple[Example, ...]:
        cloud = {
            "specversion": "1.0",
            "id": f"test-{nonce}",
            "type": CLOUD_PUSH,
            "source": "urn:aws:ecr:eu-central-1:123456789012:repository/acme/api",
            "subject": "acme/api:1.2.0",
            "data": {"repositoryName": "acme/api", "imageTag": "1.2.0"},
        }
        return (
            Example(_("An image was pushed"), _example("PUSH", nonce)),
            Example(_("An image was pushed, as a CloudEvent"), cloud),
            Example(
                _("An image was deleted"),
                _example("DELETE", nonce),
                "ignored",
                Verdict.NOT_RELEVANT.value,
            ),
        )


def _of_cloud_event(body: dict[str, Any], bound: str) -> ImageEvent:
    """What its data leave out, its source and its subject may say."""
    source = SOURCE.fullmatch(named(body, "source"))
    region, account, name = source.groups() if source else ("", "", "")
    data = member(body, "data")
    _name, _colon, subject_tag = named(body, "subject").partition(":")
    return image(
        bound or _host(account, region),
        named(data, "repositoryName") or name,
        tag=named(data, "imageTag") or subject_tag,
        digest=text(data, "imageDigest"),
    )


def _host(account: str, region: str) -> str:
    """The registry of an account in a region. Raises BadName where either is none."""
    if not (ACCOUNT.fullmatch(account) and REGION.fullmatch(region)):
        raise BadName
    ending = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{account}.dkr.ecr.{region}.{ending}"


def _example(action: str, nonce: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": f"test-{action.lower()}-{nonce}",
        "detail-type": PUSH,
        "source": "aws.ecr",
        "account": "123456789012",
        "time": "2025-03-01T10:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {
            "result": "SUCCESS",
            "repository-name": "acme/api",
            "image-digest": f"sha256:{'a1' * 32}",
            "action-type": action,
            "image-tag": "1.2.0",
        },
    }
