"""Distribution: the notifications of `registry:2`, `registry:3` and GitLab's own registry.

Followed: "Notifications" in Distribution's documentation. Version 2 and GitLab send their envelope
as `…events.v1+json`, version 3 as `…events.v2+json`; what is in it is the same. A call that is not
answered well is repeated for ever, and everything behind it waits.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import (
    Example,
    ImageEvent,
    Incoming,
    NotAnObject,
    Part,
    Reading,
    Setup,
    Verdict,
    json_object,
    member,
    text,
)
from integrations.receivers.images import host_and_path
from integrations.receivers.one_event import BadName, fingerprint, image, named, worth
from integrations.receivers.shared_secret import ByAuthorization

MAX_EVENTS = 500  # in one call; a registry sends them one by one, or some that piled up
MANIFEST = re.compile(r"application/vnd\.[a-z.]*(manifest|image\.index)[a-z0-9.+]*")
# What the first versions of 2015 call everything, and never do they name a tag.
UNTYPED = {"", "application/octet-stream"}


# Of config.yml; a list of headers' values is what the registry reads.
SNIPPET = """\
notifications:
  endpoints:
    - name: dockrev
      url: {url}
      headers:
        Authorization: ["Bearer {secret}"]
      timeout: 2s
      threshold: 5
      backoff: 10s
      ignore:
        actions: [pull]
        mediatypes:
          - application/octet-stream
          - application/vnd.docker.container.image.v1+json
          - application/vnd.docker.image.rootfs.diff.tar.gzip
          - application/vnd.oci.image.config.v1+json
          - application/vnd.oci.image.layer.v1.tar+gzip
"""


class Distribution(ByAuthorization):
    kind: ClassVar[str] = "distribution"
    label: ClassVar[str] = "Distribution (registry:2, registry:3, GitLab)"
    docs: ClassVar[str] = "distribution.md"
    steps = (
        _("Open the registry's configuration: config.yml, or gitlab.rb for GitLab's registry."),
        _("Add an endpoint to its notifications: the lines below are those of config.yml."),
        _("Its URL is {url}"),
        _("A header named Authorization has the value Bearer {secret}"),
        _("To ignore pulls and layers, as these lines do, saves most of its calls."),
        _("Restart the registry. It has no test call: push an image."),
        _("Where compose files name the registry by another host than pushes do, enter it here."),
    )

    snippet: ClassVar[str] = SNIPPET

    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        known: dict[str, Any] = {"dedupe_key": fingerprint(incoming.body)}
        try:
            events = json_object(incoming.body).get("events")
        except NotAnObject:
            return Reading(Verdict.INVALID_JSON, **known)
        if not isinstance(events, list) or len(events) > MAX_EVENTS:
            return Reading(Verdict.INVALID_PAYLOAD, **known)
        known |= _about(events)
        parts, broken = _parts(events, setup.registry_host)
        images = tuple(dict.fromkeys(part.image for part in parts if part.image))
        if not images:
            verdict = Verdict.INVALID_PAYLOAD if broken else Verdict.NOT_RELEVANT
            return Reading(verdict, parts=parts, why=broken.why if broken else "", **known)
        known["repository"] = images[0].repository
        return Reading(worth(images), images=images, parts=parts, **known)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        def event(number: int, **changes: Any) -> dict[str, Any]:
            return {"id": f"test-{nonce}-{number}", **_EXAMPLE, **changes}

        layer = {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "repository": "acme/api",
            "url": f"https://registry.example.com/v2/acme/api/blobs/sha256:{'b2' * 32}",
        }
        pushed = [event(1, target=layer), event(2)]
        ignored = ("ignored", Verdict.NOT_RELEVANT.value)
        return (
            Example(_("An image was pushed"), {"events": pushed}, headers=_headers("v2")),
            Example(
                _("An image was pushed to registry:2"), {"events": [event(3)]}, headers=_headers()
            ),
            Example(
                _("An image was pulled"),
                {"events": [event(4, action="pull")]},
                *ignored,
                headers=_headers(),
            ),
        )


def _about(events: list[Any]) -> dict[str, Any]:
    """Who sent it, and what it is, where all of it is the same."""
    ids = [text(event, "id", limit=200) for event in events]
    actions = {text(event, "action", limit=60) for event in events}
    return {
        "sender_id": next(filter(None, ids), ""),
        "event": "events",
        "action": actions.pop() if len(actions) == 1 else "",
    }


def _parts(events: list[Any], bound: str) -> tuple[tuple[Part, ...], BadName | None]:
    """Each event on its own, and what is wrong with one that is broken: that spoils no other."""
    parts: dict[str, Part] = {}
    broken = None
    for event in events:
        key = text(event, "id", limit=200) or fingerprint(json.dumps(event))
        pushed = None
        try:
            pushed = _pushed(event, bound)
        except BadName as error:
            broken = error
        if pushed or key not in parts:
            parts[key] = Part(key, pushed)
    return tuple(parts.values()), broken


def _pushed(event: Any, bound: str) -> ImageEvent | None:
    """The image that an event says was pushed under a tag, if it says so. Raises BadName.

    A manifest without a tag is a part of an index, whose own event has it: nothing that anybody
    names by its tag has changed.
    """
    if not isinstance(event, dict):
        raise BadName
    target = member(event, "target")
    media_type, url = text(target, "mediaType"), text(target, "url", limit=2000)
    is_manifest = MANIFEST.fullmatch(media_type) or "/manifests/" in url
    if member(event, "action") != "push" or not is_manifest:
        return None
    tag = named(target, "tag")
    if not tag and media_type not in UNTYPED:
        return None
    return image(
        bound or host_and_path(url)[0] or named(event, "request", "host"),
        named(target, "repository"),
        tag=tag,
        digest=text(target, "digest"),
    )


def _headers(version: str = "v1") -> dict[str, str]:
    return {"content-type": f"application/vnd.docker.distribution.events.{version}+json"}


_EXAMPLE = {
    "timestamp": "2025-03-01T10:00:00Z",
    "action": "push",
    "target": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": f"sha256:{'a1' * 32}",
        "size": 708,
        "length": 708,
        "repository": "acme/api",
        "url": f"https://registry.example.com/v2/acme/api/manifests/sha256:{'a1' * 32}",
        "tag": "1.2.0",
    },
    "request": {"host": "registry.internal:5000", "method": "PUT"},
    "actor": {"name": "ada"},
    "source": {"addr": "registry-0:5000"},
}
