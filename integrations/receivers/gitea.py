"""Gitea and Forgejo: the packages of an owner.

Followed: "Webhooks" in both documentations, and their own code where these are silent
(services/webhook, `PayloadContent`). Both sign the JSON with HMAC-SHA256, also where a form carries
it, and send the signature under several names. Their test button sends a push of sources.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.registry.reference import is_digest
from integrations.receivers.base import (
    BadProof,
    Example,
    ImageEvent,
    Incoming,
    NotAnObject,
    Setup,
    Verdict,
    hmac_sha256,
    json_part,
    member,
    short_header,
    text,
    verify_hmac_sha256,
    with_header,
)
from integrations.receivers.images import host_and_path
from integrations.receivers.one_event import OneEvent, by_id, image, named

SYSTEMS = ("x-forgejo-", "x-gitea-")  # Forgejo sends both
# A package takes a few thousand. Whoever calls, proven or not, has all of a form decoded.
MAX_FORM = 64 * 1024


class Gitea(OneEvent):
    kind: ClassVar[str] = "gitea"
    label: ClassVar[str] = "Gitea, Forgejo"
    proof: ClassVar[str | Promise] = _(
        "X-Gitea-Signature or X-Forgejo-Signature: HMAC-SHA256 of the JSON"
    )
    shows_rejections: ClassVar[bool] = True
    docs: ClassVar[str] = "gitea.md"
    steps = (
        _("Open the organisation's settings, or your own: Webhooks. Packages belong to an owner."),
        _("Add a webhook of type Gitea (or Forgejo). Target URL: {url}"),
        _("Method POST, content type application/json. Secret: {secret}"),
        _("Trigger on: Custom events, and of these Package alone."),
        _("Save. The test button sends a push of sources, which is answered like a ping."),
    )

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        given, prefix = _sent(incoming, "signature"), ""
        if not given:
            given, prefix = incoming.headers.get("x-hub-signature-256", ""), "sha256="
        return verify_hmac_sha256(secrets, given, _signed(incoming), prefix=prefix)

    def payload(self, incoming: Incoming) -> bytes:
        return json_part(incoming)

    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        return {
            "event": _event(body, incoming)[:60],
            "action": text(body, "action", limit=60),
            "owner": text(body, "package", "owner", "login", limit=150),
            **by_id(_sent(incoming, "delivery")),
        }

    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        event = _event(body, incoming)
        if event == "push" and _is_test(body):
            return Verdict.PING
        is_container = member(body, "package", "type") == "container"
        if event == "package" and is_container and member(body, "action") == "created":
            return Verdict.IMAGES
        return Verdict.NOT_RELEVANT

    def images(self, body: dict[str, Any], setup: Setup) -> tuple[ImageEvent, ...]:
        package = body["package"]
        host, _path = host_and_path(named(package, "html_url"))
        name = f"{named(package, 'owner', 'login')}/{named(package, 'name')}"
        version = named(package, "version")
        return (
            image(
                setup.registry_host or host,
                name.lower(),
                tag=version,
                digest=version if is_digest(version) else "",
            ),
        )

    def examples(self, nonce: str) -> tuple[Example, ...]:
        body = {"action": "created", "repository": None, "package": _EXAMPLE}
        push = {"ref": "refs/heads/main", "before": "c" * 40, "after": "c" * 40}
        ignored = ("ignored", Verdict.NOT_RELEVANT.value)

        def headers(event: str, name: str) -> dict[str, str]:
            return {
                "content-type": "application/json",
                "x-gitea-event": event,
                "x-gitea-delivery": f"test-{name}-{nonce}",
            }

        return (
            Example(_("An image was pushed"), body, headers=headers("package", "created")),
            Example(
                _("An image was deleted"),
                {**body, "action": "deleted"},
                *ignored,
                headers=headers("package", "deleted"),
            ),
            Example(_("Its test button"), push, reason="ping", headers=headers("push", "push")),
        )

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        return with_header(incoming, "x-gitea-signature", hmac_sha256(secret, json_part(incoming)))


def _signed(incoming: Incoming) -> bytes:
    """What is signed. Raises BadProof where that cannot be told."""
    try:
        part = json_part(incoming, most=MAX_FORM)
    except NotAnObject:
        raise BadProof from None
    return part


def _sent(incoming: Incoming, name: str) -> str:
    """A header that each system sends under its own name."""
    found = (short_header(incoming, f"{system}{name}") for system in SYSTEMS)
    return next(filter(None, found), "")


def _event(body: dict[str, Any], incoming: Incoming) -> str:
    """By its header; where a proxy let none through, by what is in the body."""
    return _sent(incoming, "event") or ("package" if "package" in body else "")


def _is_test(body: dict[str, Any]) -> bool:
    """Whether a push changes nothing, as only that of the test button does."""
    after = text(body, "after", limit=64)
    return bool(after) and after == text(body, "before", limit=64)


_EXAMPLE = {
    "id": 1,
    "owner": {"login": "acme"},
    "creator": {"login": "ada"},
    "type": "container",
    "name": "api",
    "version": "1.2.0",
    "html_url": "https://git.example.com/acme/-/packages/container/api/1.2.0",
}
