"""Sonatype Nexus Repository: its webhooks of a repository's assets.

Followed: "Webhooks" in Sonatype's documentation. The signature is the HMAC-SHA1, in hex, of the
body without the blanks between its members, which is how Nexus sends it; one that was set out again
on its way has the same. A body names no host.
"""

from __future__ import annotations

import hmac
import re
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.registry.reference import is_digest
from integrations.receivers.base import (
    BadProof,
    Example,
    ImageEvent,
    Incoming,
    Setup,
    Verdict,
    member,
    short_header,
    text,
    with_header,
)
from integrations.receivers.one_event import BadName, OneEvent, by_id, image, named

SIGNATURE, DELIVERY, EVENT = (
    "x-nexus-webhook-signature",
    "x-nexus-webhook-delivery",
    "x-nexus-webhook-id",
)
ACTIONS = {"CREATED", "UPDATED"}
MANIFEST = re.compile(r"/?v2/(?P<repository>.+)/manifests/(?P<reference>[^/]+)")
# What is no blank between members: a string, or what stands outside of one. A string that does not
# end goes on to the end, so that no byte is looked at twice.
_KEPT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[^ \t\r\n"]++', re.DOTALL)
_HEX_SHA1 = re.compile(r"[0-9a-f]{40}")


class Nexus(OneEvent):
    kind: ClassVar[str] = "nexus"
    label: ClassVar[str] = "Sonatype Nexus"
    proof: ClassVar[str | Promise] = _("X-Nexus-Webhook-Signature: HMAC-SHA1 of the body")
    # An asset takes less than one. Whoever calls, proven or not, has all of it looked through.
    max_body: ClassVar[int] = 64 * 1024
    docs: ClassVar[str] = "nexus.md"
    names_host: ClassVar[bool] = False
    steps = (
        _("Enter here the host under which your images are pulled: Nexus does not name it."),
        _("In Nexus, open Settings, System, Capabilities, and create Webhook: Repository."),
        _("Repository: the Docker repository. Event types: asset."),
        _("URL: {url}"),
        _("Secret Key: {secret}"),
        _("Create the capability, and push an image. Do the same for each Docker repository."),
    )

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        """Every secret is tried, on the body as it came and without its blanks."""
        given = incoming.headers.get(SIGNATURE, "")
        if not (any(secrets) and _HEX_SHA1.fullmatch(given)):
            raise BadProof
        bodies = (incoming.body, _without_blanks(incoming.body))
        right = [bool(secret) & _is_signed(secret, bodies, given) for secret in secrets]
        if True not in right:
            raise BadProof
        return right.index(True)

    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        return {
            "event": short_header(incoming, EVENT)[:60],
            "action": text(body, "action", limit=60),
            **by_id(short_header(incoming, DELIVERY)),
        }

    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        """Layers are assets, too, and so is what other kinds of repository hold."""
        name = member(body, "asset", "name")
        is_docker = member(body, "asset", "format") == "docker"
        is_manifest = is_docker and (not isinstance(name, str) or "/manifests/" in name)
        if is_manifest and text(body, "action") in ACTIONS:
            return Verdict.IMAGES
        return Verdict.NOT_RELEVANT

    def images(self, body: dict[str, Any], setup: Setup) -> tuple[ImageEvent, ...]:
        found = MANIFEST.fullmatch(named(body, "asset", "name"))
        if found is None:
            raise BadName
        repository, reference = found["repository"], found["reference"]
        digest = reference if is_digest(reference) else ""
        return (image(setup.registry_host, repository, tag=reference, digest=digest),)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        def body(action: str, name: str) -> dict[str, Any]:
            asset = {"id": "71afea540e23dde57c4bc616537e6f84", "format": "docker", "name": name}
            return {
                "timestamp": "2025-03-01T10:00:00.000+0000",
                "nodeId": f"TEST-{nonce}",
                "initiator": "ada/192.0.2.1",
                "repositoryName": "docker-hosted",
                "action": action,
                "asset": asset,
            }

        def headers(name: str) -> dict[str, str]:
            return {
                "content-type": "application/json",
                EVENT: "rm:repository:asset",
                DELIVERY: f"test-{name}-{nonce}",
            }

        manifest, layer = "v2/acme/api/manifests/1.2.0", f"v2/-/blobs/sha256:{'b2' * 32}"
        ignored = ("ignored", Verdict.NOT_RELEVANT.value)
        return (
            Example(
                _("An image was pushed"), body("UPDATED", manifest), headers=headers("updated")
            ),
            Example(_("A layer was pushed"), body("CREATED", layer), *ignored, headers("created")),
        )

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        signature = _signature(secret, _without_blanks(incoming.body))
        return with_header(incoming, SIGNATURE, signature)


def _without_blanks(body: bytes) -> bytes:
    return b"".join(_KEPT.findall(body))


def _is_signed(secret: str, bodies: tuple[bytes, ...], given: str) -> bool:
    right = [hmac.compare_digest(_signature(secret, body), given) for body in bodies]
    return True in right


def _signature(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, "sha1").hex()
