"""Azure Container Registry: the webhooks of a registry.

Followed: "Azure Container Registry webhook schema reference" in Microsoft's documentation. A
webhook has headers of one's own, which are its only proof.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import Example, ImageEvent, Incoming, Setup, Verdict, member, text
from integrations.receivers.one_event import OneEvent, by_id, image, named
from integrations.receivers.shared_secret import ByAuthorization


class AzureContainerRegistry(ByAuthorization, OneEvent):
    kind: ClassVar[str] = "acr"
    label: ClassVar[str] = "Azure Container Registry"
    docs: ClassVar[str] = "acr.md"
    steps = (
        _("In the Azure portal, open the registry, then Services, Webhooks, and add one."),
        _("Service URI: {url}"),
        _("Custom headers: Authorization: Bearer {secret}"),
        _("Actions: push. Scope: leave it empty for the whole registry."),
        _("Create it, open it, and press Ping."),
    )

    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        return {
            "action": text(body, "action", limit=60),
            **by_id(text(body, "id", limit=200)),
        }

    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        """What is in quarantine cannot be pulled; it is pushed once it is let out."""
        match member(body, "action"):
            case "push":
                return Verdict.IMAGES
            case "ping":
                return Verdict.PING
        return Verdict.NOT_RELEVANT

    def images(self, body: dict[str, Any], setup: Setup) -> tuple[ImageEvent, ...]:
        target = member(body, "target")
        return (
            image(
                setup.registry_host or named(body, "request", "host"),
                named(target, "repository"),
                tag=named(target, "tag"),
                digest=text(target, "digest"),
            ),
        )

    def examples(self, nonce: str) -> tuple[Example, ...]:
        def body(action: str) -> dict[str, Any]:
            return {
                "id": f"test-{action}-{nonce}",
                "timestamp": "2025-03-01T10:00:00.0000000Z",
                "action": action,
                "target": {
                    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                    "size": 524,
                    "digest": f"sha256:{'a1' * 32}",
                    "length": 524,
                    "repository": "acme/api",
                    "tag": "1.2.0",
                },
                "request": {
                    "id": "3cbb6949-7549-4fa1-86cd-a6d5451dffc7",
                    "host": "example.azurecr.io",
                    "method": "PUT",
                },
            }

        ping = {"id": f"test-ping-{nonce}", "action": "ping"}
        return (
            Example(_("An image was pushed"), body("push")),
            Example(_("A ping"), ping, reason="ping"),
            Example(
                _("An image was deleted"), body("delete"), "ignored", Verdict.NOT_RELEVANT.value
            ),
        )
