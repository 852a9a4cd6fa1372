"""GitHub Packages: `package` and `registry_package` events of repositories, organisations, Apps.

Followed: "Webhook events and payloads" and "Validating webhook deliveries" in GitHub's
documentation. Real bodies differ from GitHub's own published schema (members more, members less),
so nothing is required but what names the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.registry.reference import is_digest, is_repository, is_tag
from integrations.receivers.base import (
    BadHeaders,
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
    json_part,
    member,
    short_header,
    text,
    verify_hmac_sha256,
    with_header,
)
from integrations.receivers.images import are_beside

EVENTS = {"package", "registry_package"}  # the member with the package is named like its event
ACTIONS = {"published", "updated"}
CONTAINER = {"container", "docker"}


class GitHubPackages(Receiver):
    kind: ClassVar[str] = "github-packages"
    label: ClassVar[str] = "GitHub Packages (GHCR)"
    proof: ClassVar[str | Promise] = _("X-Hub-Signature-256: HMAC-SHA256 of the body")
    registry_host: ClassVar[str] = "ghcr.io"
    max_body: ClassVar[int] = 25 * 1024 * 1024  # GitHub's own cap
    shows_rejections: ClassVar[bool] = True
    has_targets: ClassVar[bool] = True
    steps = (
        _("On GitHub, open Settings, Webhooks, Add webhook: in a repository, or an organisation."),
        _("Payload URL: {url}"),
        _("Content type: application/json"),
        _("Secret: {secret}"),
        _("Choose “Let me select individual events”, and of these “Packages” alone."),
    )
    docs: ClassVar[str] = "github-packages.md"
    usual_headers: ClassVar[Mapping[str, str]] = {"x-github-event": "package"}

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        given = incoming.headers.get("x-hub-signature-256", "")
        return verify_hmac_sha256(secrets, given, incoming.body, prefix="sha256=")

    def require_headers(self, incoming: Incoming) -> None:
        for name in ("X-GitHub-Delivery", "X-GitHub-Event"):
            if not _header(incoming, name.lower()):
                raise BadHeaders(name)

    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        event = _header(incoming, "x-github-event")
        delivery = _header(incoming, "x-github-delivery")
        known: dict[str, Any] = {
            "dedupe_key": delivery,
            "sender_id": delivery,
            "event": event,
            "hook_id": _header(incoming, "x-github-hook-id"),
        }
        try:
            body = json_object(json_part(incoming))
        except NotAnObject:
            return Reading(Verdict.INVALID_JSON, **known)
        source = text(body, "repository", "full_name", limit=300)
        known |= {
            "action": text(body, "action", limit=60),
            "repository": source,
            "owner": source.partition("/")[0] or _owner(body),
        }
        if event == "ping":
            return Reading(Verdict.PING, **known)
        package = member(body, event)
        is_push = event in EVENTS and known["action"] in ACTIONS
        if not (is_push and _is_container(body, package)):
            return Reading(Verdict.NOT_RELEVANT, **known)
        images = _images(package, source, setup.registry_host)
        if not images:
            return Reading(Verdict.INVALID_PAYLOAD, **known)
        known["owner"] = known["owner"] or images[0].repository.partition("/")[0]
        if are_beside(images[:1]):
            return Reading(Verdict.NOT_RELEVANT, images=images[:1], **known)
        return Reading(Verdict.IMAGES, images=images[:1], also=images[1:], **known)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        def headers(event: str) -> dict[str, str]:
            return {
                "content-type": "application/json",
                "x-github-event": event,
                "x-github-delivery": f"test-{event}-{nonce}",
            }

        ping = {"zen": "Design for failure.", "repository": {"full_name": "acme/api"}}
        deleted = {**_EXAMPLE, "action": "deleted"}
        return (
            Example(_("An image was published"), _EXAMPLE, headers=headers("package")),
            Example(_("A ping"), ping, reason="ping", headers=headers("ping")),
            Example(
                _("A version was deleted"),
                deleted,
                "ignored",
                Verdict.NOT_RELEVANT.value,
                headers("registry_package"),
            ),
        )

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        signature = hmac_sha256(secret, incoming.body)
        return with_header(incoming, "x-hub-signature-256", f"sha256={signature}")


def _header(incoming: Incoming, name: str) -> str:
    return short_header(incoming, name, limit=60)


def _owner(body: Any) -> str:
    for path in (
        ("package", "owner", "login"),
        ("registry_package", "owner", "login"),
        ("organization", "login"),
    ):
        if owner := text(body, *path, limit=150):
            return owner
    return ""


def _is_container(body: Any, package: Any) -> bool:
    """Whether there is metadata that only containers have, or the registry's type says so.

    Where a body names no registry, either word for the package's own type will do: GitHub's
    examples contradict themselves in these.
    """
    if member(package, "package_version", "container_metadata"):
        return True
    registry = text(package, "registry", "type") or text(body, "registry", "type")
    words = (registry,) if registry else (text(package, "package_type"), text(package, "ecosystem"))
    return any(word.lower() in CONTAINER for word in words)


def _images(package: Any, source: str, registry_host: str) -> tuple[ImageEvent, ...]:
    """The image that the package names, then the one that its source repository may be."""
    version = member(package, "package_version")
    tag = text(version, "container_metadata", "tag", "name", limit=128)
    digests = (
        text(version, "container_metadata", "tag", "digest"),
        text(version, "container_metadata", "manifest", "digest"),
        text(version, "version"),
        text(version, "name"),
    )
    digest = next((d for d in digests if is_digest(d)), "")
    url = text(version, "package_url") or text(package, "package_url")
    names = [_path_of(url), *_names(package), source]
    tag = tag if is_tag(tag) else ""
    return tuple(
        ImageEvent(registry_host, name, tag, digest)
        for name in dict.fromkeys(name.lower() for name in names)
        if is_repository(name) and "/" in name
    )


def _path_of(package_url: str) -> str:
    """`ghcr.io/owner/name:tag` without host, tag and digest."""
    path = package_url.partition("@")[0].partition("/")[2]
    head, slash, last = path.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _names(package: Any) -> list[str]:
    name = text(package, "name", limit=300)
    namespaces = (text(package, "namespace", limit=300), text(package, "owner", "login", limit=150))
    return [f"{namespace}/{name}" for namespace in namespaces if namespace and name]


_EXAMPLE = {
    "action": "published",
    "package": {
        "name": "api",
        "namespace": "acme",
        "package_type": "CONTAINER",
        "owner": {"login": "acme"},
        "package_version": {
            "version": f"sha256:{'a1' * 32}",
            "container_metadata": {"tag": {"name": "1.2.0", "digest": f"sha256:{'a1' * 32}"}},
            "package_url": "ghcr.io/acme/api:1.2.0",
        },
        "registry": {"type": "CONTAINER"},
    },
    "repository": {"full_name": "acme/api"},
    "sender": {"login": "ada"},
}
