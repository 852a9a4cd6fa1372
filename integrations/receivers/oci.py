"""doco-cd's OCI webhook, from whatever sends it: a workflow, a script, a Dockrev elsewhere.

Followed: "Webhooks with OCI" in doco-cd's documentation, whose own examples have digests that are
too short: such a digest counts as none.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.registry.reference import BadReference, Reference, is_digest, parse
from integrations.receivers.base import (
    Example,
    ImageEvent,
    Incoming,
    NotAnObject,
    Reading,
    Receiver,
    Setup,
    Verdict,
    hmac_sha256,
    json_object,
    text,
    verify_hmac_sha256,
    with_header,
)
from integrations.receivers.images import are_beside

HEADER = "x-doco-oci-signature-256"
# A body has no time: the same image may be announced again on purpose.
SAME_FOR = timedelta(minutes=2)

SNIPPET = """\
SECRET='{secret}'
BODY='{"source": "oci", "digest": "sha256:…", "artifact": "registry.example.com/team/app:1.2.0"}'
MAC=$(printf %s "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -hex | sed 's/.* //')
curl -fsS '{url}' -H 'Content-Type: application/json' \\
  -H "X-Doco-OCI-Signature-256: sha256=$MAC" -d "$BODY"
"""


class Oci(Receiver):
    kind: ClassVar[str] = "oci"
    label: ClassVar[str] = "OCI webhook (doco-cd)"
    proof: ClassVar[str | Promise] = _("X-Doco-OCI-Signature-256: HMAC-SHA256 of the body")
    shows_rejections: ClassVar[bool] = True
    docs: ClassVar[str] = "doco-cd.md"
    steps = (
        _("Take the workflow or script that calls doco-cd's webhook, or the one in the docs."),
        _("Change its URL to {url}"),
        _("Change its secret to {secret}"),
        _("Leave the rest. A second step can go on calling doco-cd itself."),
        _("Without such a workflow, the lines below are all that it takes."),
    )
    snippet: ClassVar[str] = SNIPPET

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        given = incoming.headers.get(HEADER, "").removeprefix("sha256=")
        return verify_hmac_sha256(secrets, given, incoming.body, prefix="")

    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        known: dict[str, Any] = {
            "dedupe_key": sha256(incoming.body).hexdigest(),
            "same_for": SAME_FOR,
        }
        try:
            body = json_object(incoming.body)
        except NotAnObject:
            return Reading(Verdict.INVALID_JSON, **known)
        if text(body, "source", limit=60) != "oci":
            return Reading(Verdict.NOT_RELEVANT, **known)
        known["event"] = "oci"
        try:
            artifact = _artifact(text(body, "artifact", limit=1024))
        except BadReference:
            return Reading(Verdict.INVALID_PAYLOAD, **known)
        digest = text(body, "digest")
        image = ImageEvent(
            setup.registry_host or artifact.registry,
            artifact.repository,
            artifact.tag,
            artifact.digest or (digest if is_digest(digest) else ""),
        )
        known |= {"repository": image.repository, "images": (image,)}
        if are_beside([image]):
            return Reading(Verdict.NOT_RELEVANT, **known)
        return Reading(Verdict.IMAGES, **known)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        digest = sha256(nonce.encode()).hexdigest()
        push = {"source": "oci", "digest": f"sha256:{digest}", "artifact": "ghcr.io/acme/api:1.2.0"}
        other = {"source": "git", "ref": f"refs/heads/{nonce}"}
        return (
            Example(_("An image was pushed"), push),
            Example(_("A push of sources"), other, "ignored", Verdict.NOT_RELEVANT.value),
        )

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        return with_header(incoming, HEADER, hmac_sha256(secret, incoming.body))


def _artifact(written: str) -> Reference:
    """The reference that a body names. Raises BadReference.

    A first part in capitals that has neither dot nor port is no host, and so no name either.
    """
    first, slash, _rest = written.partition("/")
    if slash and first != first.lower() and not {".", ":"} & set(first):
        raise BadReference(written)
    return parse(written)
