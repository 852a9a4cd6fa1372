"""JFrog Artifactory: webhooks of the domain "docker".

Followed: "Webhooks" in JFrog's documentation. The header holds the secret itself, or, where the
webhook signs its payload, the HMAC-SHA256 of the body in hex. Whoever can make the one knows what
makes the other, so either is taken, and nobody has to say here which it is.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import (
    BadProof,
    Example,
    ImageEvent,
    Incoming,
    Option,
    Setup,
    Verdict,
    hmac_sha256,
    member,
    text,
    verify_hmac_sha256,
    verify_shared_secret,
    with_header,
)
from integrations.receivers.images import host_and_path
from integrations.receivers.one_event import OneEvent, image, named

HEADER = "x-jfrog-event-auth"
EVENTS = {"pushed", "promoted"}
SUB_DOMAIN = "subDomain"


class JFrog(OneEvent):
    kind: ClassVar[str] = "jfrog"
    label: ClassVar[str] = "JFrog Artifactory"
    proof: ClassVar[str | Promise] = _("X-JFrog-Event-Auth: the secret, or HMAC-SHA256 of the body")
    secret_in_header: ClassVar[bool] = True
    docs: ClassVar[str] = "jfrog.md"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            SUB_DOMAIN,
            _("The repository is a sub-domain"),
            _(
                "Images are pulled as docker-local.example.jfrog.io/api instead of "
                "example.jfrog.io/docker-local/api."
            ),
        ),
    )
    steps = (
        _("In JFrog, open Administration, General, Webhooks, and create a webhook."),
        _("URL: {url}"),
        _("Events: Docker, Tag was pushed and Tag was promoted; choose the repositories."),
        _("Secret token: {secret}"),
        _("Signing the payload with the secret is better: tick it, if it is offered."),
        _("Save. What its test sends names no image of yours, and is shown here all the same."),
    )

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        given = incoming.headers.get(HEADER, "")
        try:
            signed = verify_hmac_sha256(secrets, given, incoming.body, prefix="")
        except BadProof:
            return verify_shared_secret(secrets, given)
        return signed

    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        return {
            "event": text(body, "domain", limit=60),
            "action": text(body, "event_type", limit=60),
        }

    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        is_docker = member(body, "domain") == "docker"
        if is_docker and text(body, "event_type") in EVENTS:
            return Verdict.IMAGES
        return Verdict.NOT_RELEVANT

    def images(self, body: dict[str, Any], setup: Setup) -> tuple[ImageEvent, ...]:
        data = member(body, "data")
        host = setup.registry_host or host_and_path(named(body, "jpd_origin"))[0]
        key, name = named(data, "repo_key"), named(data, "image_name")
        if host and setup.options.get(SUB_DOMAIN) is True:
            host, path = f"{key}.{host}", name
        else:
            path = f"{key}/{name}"
        digest = f"sha256:{text(data, 'sha256')}"
        return (image(host, path, tag=named(data, "tag"), digest=digest),)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        def body(event: str, image_name: str = "api") -> dict[str, Any]:
            return {
                "domain": "docker",
                "event_type": event,
                "data": {
                    "repo_key": "docker-local",
                    "path": f"{image_name}/1.2.0/manifest.json",
                    "name": "manifest.json",
                    "sha256": "a1" * 32,
                    "size": 1206,
                    "image_name": image_name,
                    "tag": "1.2.0",
                },
                "subscription_key": f"test-{nonce}",
                "jpd_origin": "https://example.jfrog.io",
            }

        return (
            Example(_("A tag was pushed"), body("pushed")),
            Example(_("A tag was promoted"), body("promoted")),
            Example(_("A tag was deleted"), body("deleted"), "ignored", Verdict.NOT_RELEVANT.value),
        )

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        return with_header(incoming, HEADER, hmac_sha256(secret, incoming.body))
