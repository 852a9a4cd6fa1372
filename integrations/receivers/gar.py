"""Google Artifact Registry and Container Registry, whose events Pub/Sub pushes.

Followed: "Configure Pub/Sub notifications" of Artifact Registry and "Push subscriptions" of Pub/Sub
in Google's documentation. The message's data are JSON in base64; a subscription without a wrapper
sends them as the body. Besides the token in the path, a subscription can have Google prove who
calls: where an audience is set, nothing else will do.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import (
    BadProof,
    Example,
    ImageEvent,
    Incoming,
    NotAnObject,
    Option,
    Setup,
    Verdict,
    json_object,
    member,
    short_header,
    text,
)
from integrations.receivers.images import host_and_path, path_parts
from integrations.receivers.oidc import Wanted, verify
from integrations.receivers.one_event import (
    BadName,
    OneEvent,
    by_id,
    image,
    named,
)
from integrations.receivers.shared_secret import ByPathToken

AUDIENCE, EMAIL = "audience", "email"
KEYS = "keys"  # in what was learned: Google's keys, by their ids
MESSAGE_ID = "x-goog-pubsub-message-id"  # where there is no wrapper


class GoogleArtifactRegistry(ByPathToken, OneEvent):
    kind: ClassVar[str] = "gar"
    label: ClassVar[str] = "Google Artifact Registry (Pub/Sub)"
    proof: ClassVar[str | Promise] = _(
        "the token at the end of the URL, and Google's own where it is asked for"
    )
    docs: ClassVar[str] = "gar.md"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            AUDIENCE,
            _("Audience of Google's token"),
            _("As the subscription has it. Where it is entered, no call is taken without a token."),
            is_flag=False,
        ),
        Option(
            EMAIL,
            _("Service account"),
            _("The address that the subscription authenticates as. Enter it beside the audience."),
            is_flag=False,
        ),
    )
    steps = (
        _('In Pub/Sub, open the topic "gcr"; create it if the project has none.'),
        _("Create a subscription with the delivery type Push and the endpoint {url}"),
        _("Enable authentication, choose a service account, and enter an audience of your own."),
        _("Enter the same audience and the account's address here."),
        _("Push an image. Google sends no test."),
    )

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        """Raises UnknownKey only to those who know the token in the path."""
        fitted = super().verify(incoming, secrets, setup)
        wanted = Wanted(*(str(setup.options.get(name) or "") for name in (AUDIENCE, EMAIL)))
        if wanted.audience or wanted.email:
            scheme, _blank, token = incoming.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                raise BadProof
            verify(token.strip(), setup.learned.get(KEYS, {}), wanted, incoming.at)
        return fitted

    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        message_id = text(body, "message", "messageId", limit=200)
        return {
            "event": "message" if "message" in body else "",
            "action": text(_data(body), "action", limit=60),
            **by_id(message_id or short_header(incoming, MESSAGE_ID)),
        }

    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        is_push = _data(body).get("action") == "INSERT"
        return Verdict.IMAGES if is_push else Verdict.NOT_RELEVANT

    def images(self, body: dict[str, Any], setup: Setup) -> tuple[ImageEvent, ...]:
        """Tag and digest are whole references, of the same repository."""
        data = _data(body)
        by_tag, by_digest = (_reference(named(data, name)) for name in ("tag", "digest"))
        host, repository, tag, _digest = by_tag or by_digest or ("", "", "", "")
        digest = by_digest[3] if by_digest and by_digest[:2] == (host, repository) else ""
        return (image(setup.registry_host or host, repository, tag=tag, digest=digest),)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        def body(action: str) -> dict[str, Any]:
            name = "europe-west1-docker.pkg.dev/acme/images/api"
            data = {
                "action": action,
                "digest": f"{name}@sha256:{'a1' * 32}",
                "tag": f"{name}:1.2.0",
            }
            return {
                "message": {
                    "data": b64encode(json.dumps(data).encode()).decode(),
                    "messageId": f"test-{action.lower()}-{nonce}",
                    "publishTime": "2025-03-01T10:00:00Z",
                },
                "subscription": "projects/acme/subscriptions/dockrev",
            }

        return (
            Example(_("An image was pushed"), body("INSERT")),
            Example(
                _("An image was deleted"), body("DELETE"), "ignored", Verdict.NOT_RELEVANT.value
            ),
        )


def _data(body: dict[str, Any]) -> dict[str, Any]:
    """What the message holds. Raises BadName."""
    if "message" not in body:
        if "action" not in body:
            raise BadName
        return body
    encoded = member(body, "message", "data")
    try:
        return json_object(b64decode(encoded, validate=True))
    except (TypeError, ValueError, NotAnObject):
        raise BadName from None


def _reference(written: str) -> tuple[str, str, str, str] | None:
    """Host, repository, tag and digest of a reference, if there is one."""
    host, path = host_and_path(written)
    return (host, *path_parts(path)) if written else None
