"""Mirantis Secure Registry up to 3, once Docker Trusted Registry. Its version 4 is Harbor.

Followed: "Manage webhooks using the API" in its documentation. It signs nothing, so the address
that it calls is the secret. Of promotions and mirroring no content is documented: they are acted
on where they name their repository as pushes do.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import (
    Example,
    Finding,
    ImageEvent,
    Incoming,
    NotAnObject,
    Reading,
    Setup,
    Verdict,
    json_object,
    member,
    text,
)
from integrations.receivers.images import host_and_path, image_at, path_parts
from integrations.receivers.scans import count, moment
from integrations.receivers.shared_secret import ByPathToken

PUSHES = {"TAG_PUSH", "MANIFEST_PUSH"}
MAY_NAME_IMAGES = {"PROMOTION", "PUSH_MIRRORING", "POLL_MIRRORING"}
SCANNED = "SCAN_COMPLETED"
SCAN_STATES = ("failed", "unscanned", "scanning", "pending", "scanned", "checking", "completed")
SCANNER = "MSR"


class MirantisSecureRegistry(ByPathToken):
    kind: ClassVar[str] = "msr"
    label: ClassVar[str] = "Mirantis Secure Registry up to 3 (DTR)"
    proof: ClassVar[str | Promise] = _(
        "the token at the end of the URL: this registry signs nothing"
    )
    docs: ClassVar[str] = "msr.md"
    steps = (
        _("MSR 4 is Harbor: use that receiver for it."),
        _("In MSR, open the repository, then Webhooks, and choose New webhook."),
        _("Notification to receive: Tag pushed to repository. Another: Security scan completed."),
        _("Webhook URL: {url}"),
        _("Press Test: MSR sends the same sample, foo/bar, every time. Then create it."),
        _("Each webhook is for one event of one repository. Make one for each of both."),
    )

    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        try:
            body = json_object(incoming.body)
        except NotAnObject:
            return Reading(Verdict.INVALID_JSON, sha256(incoming.body).hexdigest())
        event, contents = text(body, "type", limit=60), member(body, "contents")
        image = _image(contents, setup)
        known: dict[str, Any] = {
            "dedupe_key": _key(body) or sha256(incoming.body).hexdigest(),
            "event": event,
            "action": _action(contents),
            "repository": image.repository if image else _repository(contents),
            "images": (image,) if image else (),
        }
        if event == SCANNED and known["action"] == "completed" and image:
            known["findings"] = _findings(image, member(contents, "scanSummary"))
        if event in PUSHES and not image:
            return Reading(Verdict.INVALID_PAYLOAD, **known)
        acts = event in PUSHES or (event in MAY_NAME_IMAGES and image)
        return Reading(Verdict.IMAGES if acts else Verdict.NOT_RELEVANT, **known)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        digest = f"sha256:{'c3' * 32}"
        image = {"namespace": "acme", "repository": "api", "tag": f"test-{nonce}"}
        image["imageName"] = f"msr.example.com/acme/api:{image['tag']}"
        summary = {
            "namespace": "acme",
            "repository": "api",
            "tag": image["tag"],
            "critical": 2,
            "major": 5,
            "minor": 4,
            "last_scan_status": 6,
            "check_completed_at": "2025-03-01T10:00:09Z",
        }
        ignored = ("ignored", Verdict.NOT_RELEVANT.value)
        pushed = {**image, "digest": digest, "os": "linux", "architecture": "amd64"}
        return (
            Example(_("A tag was pushed"), _wrapped("TAG_PUSH", pushed)),
            Example(_("A manifest was pushed"), _wrapped("MANIFEST_PUSH", pushed)),
            Example(
                _("A scan ended"), _wrapped(SCANNED, {**image, "scanSummary": summary}), *ignored
            ),
            Example(_("A tag was deleted"), _wrapped("TAG_DELETE", pushed), *ignored),
        )


def _wrapped(event: str, contents: dict[str, Any]) -> dict[str, Any]:
    return {"type": event, "createdAt": "2025-03-01T10:00:00Z", "contents": contents}


def _key(body: Any) -> str:
    """What recognises a call: what happened, when, and to which image. Empty if that is not all
    there."""
    what = (
        text(body, "type"),
        text(body, "createdAt"),
        text(body, "contents", "imageName")
        or text(body, "location")
        or _repository(member(body, "contents")),
    )
    return sha256(json.dumps(what).encode()).hexdigest() if all(what) else ""


def _action(contents: Any) -> str:
    """What a scan came to, or what became of a repository, by its name."""
    state = count(contents, "scanSummary", "last_scan_status")
    if state is not None and state < len(SCAN_STATES):
        return SCAN_STATES[state]
    return text(contents, "event", limit=60)


def _repository(contents: Any) -> str:
    """`namespace/repository`; empty unless both are named."""
    namespace = text(contents, "namespace", limit=150)
    name = text(contents, "repository", limit=150)
    return f"{namespace}/{name}" if namespace and name else ""


def _image(contents: Any, setup: Setup) -> ImageEvent | None:
    """The host is said by the full name alone, which ends in `:tag` or `@digest`."""
    host, path = host_and_path(text(contents, "imageName"))
    repository, tag, digest = path_parts(path)
    return image_at(
        setup.registry_host or host,
        _repository(contents) or repository,
        tag=text(contents, "tag") or tag,
        digest=text(contents, "digest") or digest,
    )


def _findings(image: ImageEvent, summary: Any) -> tuple[Finding, ...]:
    counts = [count(summary, name) for name in ("critical", "major", "minor")]
    critical, high, other = (number or 0 for number in counts)
    if not (image.tag or image.digest) or None in counts:
        return ()
    at = moment(summary, "check_completed_at")
    return (Finding(image, critical, high, other, scanner=SCANNER, at=at),)
