"""Harbor 2.x, container-registry.com and Mirantis Secure Registry 4, which is Harbor.

Followed: "Configure Webhook Notifications" in Harbor's documentation, for both payload formats,
and Harbor's own handlers where that is silent. CloudEvents come in structured mode. Harbor 1.8 and
1.9 sent other names for the same events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    Receiver,
    Setup,
    Verdict,
    json_object,
    member,
    text,
    verify_shared_secret,
    with_header,
)
from integrations.receivers.images import MOST, are_beside, host_and_path, image_at, path_parts
from integrations.receivers.scans import LONG_AGO, Counts, count, moment

PUSHES = {"PUSH_ARTIFACT", "harbor.artifact.pushed", "pushImage"}
REPLICATIONS = {"REPLICATION", "harbor.replication.status.changed"}
SCANS = {"SCANNING_COMPLETED", "harbor.scan.completed", "scanningCompleted"}
# Of no registry in particular: what senders of CloudEvents that have no names of their own write.
GENERIC_PUSH = "container.image.push"
HUB_SITE = "hub.docker.com"  # what Harbor has for Docker Hub, as where it replicates to


class Harbor(Receiver):
    kind: ClassVar[str] = "harbor"
    label: ClassVar[str] = "Harbor"
    proof: ClassVar[str | Promise] = _("Authorization: the secret, exactly as it was entered")
    secret_in_header: ClassVar[bool] = True
    docs: ClassVar[str] = "harbor.md"
    steps = (
        _("In Harbor, open the project, then Webhooks, and add one of type http."),
        _("Payload format: Default or CloudEvents. Either will do."),
        _(
            "Events: Artifact pushed. Also Replication finished (or Replication status changed) "
            "where images arrive by replication, and Scanning finished to see what scans found."
        ),
        _("Endpoint URL: {url}"),
        _("Auth header: {secret}"),
        _("Leave the check of the certificate on, and save. Do the same in each project."),
    )

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        return verify_shared_secret(secrets, incoming.headers.get("authorization", ""))

    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        known: dict[str, Any] = {"dedupe_key": sha256(incoming.body).hexdigest()}
        try:
            body = json_object(incoming.body)
        except NotAnObject:
            return Reading(Verdict.INVALID_JSON, **known)
        known["dedupe_key"] = _key_of(body)
        event = text(body, "type", limit=60) or text(body, "event_type", limit=60)
        known |= {"event": event, **_as_cloud_event(body)}
        data = member(body, "data") if "specversion" in body else member(body, "event_data")
        if event in REPLICATIONS:
            return _replicated(member(data, "replication"), setup, known)
        if event == GENERIC_PUSH:
            images = _generic(data, setup)
        elif member(body, "event_type"):
            images = _of_old(member(body, "events"), setup)
        else:
            images = _of_resources(data, setup)
        known["images"] = images
        known["repository"] = images[0].repository if images else _repository(data)
        if event in SCANS:
            known["findings"] = tuple(_findings(data, setup))
        if event not in PUSHES | {GENERIC_PUSH}:
            return Reading(Verdict.NOT_RELEVANT, **known)
        return Reading(_verdict(images), **known)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        push = _example("PUSH_ARTIFACT", nonce, {"tag": "1.2.0"})
        event = {
            "specversion": "1.0",
            "id": f"test-{nonce}",
            "source": "/projects/2/webhook/policies/15",
            "type": "harbor.artifact.pushed",
            "datacontenttype": "application/json",
            "data": push["event_data"],
        }
        cloud = {"content-type": "application/cloudevents+json"}
        ignored = ("ignored", Verdict.NOT_RELEVANT.value)
        scan = _example("SCANNING_COMPLETED", nonce, {"scan_overview": _EXAMPLE_OVERVIEW})
        deleted = _example("DELETE_ARTIFACT", nonce, {"tag": "1.2.0"})
        return (
            Example(_("An image was pushed"), push),
            Example(_("An image was pushed, as a CloudEvent"), event, headers=cloud),
            Example(_("An image was replicated"), _example_replication(nonce)),
            Example(_("A scan ended"), scan, *ignored),
            Example(_("An image was deleted"), deleted, *ignored),
        )

    def prove(self, incoming: Incoming, secret: str) -> Incoming:
        return with_header(incoming, "authorization", secret)


def _as_cloud_event(body: dict[str, Any]) -> dict[str, str]:
    """What recognises a CloudEvent: its id, among those of its source."""
    source, sender_id = text(body, "source"), text(body, "id", limit=200)
    if "specversion" not in body or not (source and sender_id):
        return {}
    key = sha256(json.dumps([source, sender_id]).encode()).hexdigest()
    return {"dedupe_key": key, "sender_id": sender_id}


def _key_of(body: dict[str, Any]) -> str:
    """The same, in whatever order: Harbor's list of what it sent has another than its calls."""
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _verdict(images: tuple[ImageEvent, ...]) -> Verdict:
    if not images:
        return Verdict.INVALID_PAYLOAD
    return Verdict.NOT_RELEVANT if are_beside(images) else Verdict.IMAGES


def _listed(value: Any) -> list[Any]:
    return value[:MOST] if isinstance(value, list) else []


def _distinct(images: Iterator[ImageEvent | None]) -> tuple[ImageEvent, ...]:
    return tuple(dict.fromkeys(image for image in images if image))


def _repository(data: Any) -> str:
    return text(data, "repository", "repo_full_name", limit=300)


def _of_resources(data: Any, setup: Setup) -> tuple[ImageEvent, ...]:
    resources = _listed(member(data, "resources"))
    return _distinct(_image(resource, data, setup) for resource in resources)


def _image(resource: Any, data: Any, setup: Setup) -> ImageEvent | None:
    """What a resource names: by its address, else by the repository that all of them are in."""
    host, path = host_and_path(text(resource, "resource_url"))
    name = text(data, "repository", "name", limit=300)
    namespace = text(data, "repository", "namespace", limit=300)
    return image_at(
        setup.registry_host or host,
        path_parts(path)[0]
        or _repository(data)
        or "/".join(part for part in (namespace, name) if part),
        tag=text(resource, "tag"),
        digest=text(resource, "digest"),
    )


def _of_old(events: Any, setup: Setup) -> tuple[ImageEvent, ...]:
    """Harbor 1.8: no registry is named, and the id is that of the configuration."""
    return _distinct(
        image_at(
            setup.registry_host,
            text(event, "full_name", limit=300),
            tag=text(event, "tag"),
        )
        for event in _listed(events)
    )


def _generic(data: Any, setup: Setup) -> tuple[ImageEvent, ...]:
    image = image_at(
        setup.registry_host or host_and_path(text(data, "registryUrl"))[0],
        text(data, "repository", limit=300),
        tag=text(data, "tag"),
        digest=text(data, "digest"),
    )
    return (image,) if image else ()


def _replicated(replication: Any, setup: Setup, known: dict[str, Any]) -> Reading:
    """Images that arrived. A job that failed, or still runs, names none; a chart is none."""
    there = member(replication, "dest_resource")
    arrived = [
        artifact
        for artifact in _listed(member(replication, "successful_artifact"))
        if text(artifact, "type").lower() != "chart"
    ]
    host = _destination(there, setup)
    namespace = text(there, "namespace", limit=300)
    images = _distinct(_arrived(artifact, host, namespace) for artifact in arrived)
    known |= {
        "action": text(replication, "job_status", limit=60),
        "images": images,
        "repository": images[0].repository if images else "",
    }
    return Reading(_verdict(images) if arrived else Verdict.NOT_RELEVANT, **known)


def _destination(there: Any, setup: Setup) -> str:
    """The host that images arrived at. Harbor gives every registry a name but itself."""
    host, _path = host_and_path(text(there, "endpoint"))
    if text(there, "registry_name"):
        return "docker.io" if host == HUB_SITE else host
    return setup.registry_host or host


def _arrived(artifact: Any, host: str, namespace: str) -> ImageEvent | None:
    """`alpine:3.20 [1 item(s) in total]`: name, and maybe a tag, stand before the blank."""
    name, _colon, tag = text(artifact, "name_tag").partition(" ")[0].partition(":")
    return image_at(host, f"{namespace}/{name}" if namespace else name, tag=tag)


def _findings(data: Any, setup: Setup) -> Iterator[Finding]:
    for resource in _listed(member(data, "resources")):
        image = _image(resource, data, setup)
        report = _report(member(resource, "scan_overview"))
        counts = _counts(member(report, "summary"))
        if image and counts and (image.digest or image.tag):
            yield Finding(
                image,
                *counts,
                scanner=text(report, "scanner", "name", limit=100),
                at=moment(report, "end_time"),
            )


def _report(overview: Any) -> Any:
    """The last report that a scanner finished; they are kept by their format."""
    reports = list(overview.values())[:MOST] if isinstance(overview, dict) else []
    done = [each for each in reports if text(each, "scan_status").lower() == "success"]
    return max(done, key=lambda each: moment(each, "end_time") or LONG_AGO, default=None)


def _counts(summary: Any) -> Counts | None:
    """How many there are of each; a severity that has none is left out. None where nothing says."""
    by_severity = member(summary, "summary")
    if not isinstance(by_severity, dict):
        return None
    numbers = {
        name.lower(): number
        for name in list(by_severity)[:MOST]
        if (number := count(by_severity, name)) is not None
    }
    total = count(summary, "total")
    if not numbers and total != 0:
        return None
    critical, high = numbers.pop("critical", 0), numbers.pop("high", 0)
    return critical, high, sum(numbers.values())


_EXAMPLE_DIGEST = f"sha256:{'b2' * 32}"
_EXAMPLE_OVERVIEW = {
    "application/vnd.security.vulnerability.report; version=1.1": {
        "scan_status": "Success",
        "severity": "Critical",
        "summary": {
            "total": 12,
            "fixable": 9,
            "summary": {"Critical": 2, "High": 5, "Medium": 4, "Low": 1},
        },
        "start_time": "2025-03-01T10:00:00Z",
        "end_time": "2025-03-01T10:00:09Z",
        "scanner": {"name": "Trivy", "vendor": "Aqua Security", "version": "v0.58.0"},
    }
}


def _example(event: str, nonce: str, resource: dict[str, Any]) -> dict[str, Any]:
    address = "harbor.example.com/acme/api"
    reference = f":{resource['tag']}" if "tag" in resource else f"@{_EXAMPLE_DIGEST}"
    return {
        "type": event,
        "occur_at": 1740823200,
        "operator": f"test-{nonce}",
        "event_data": {
            "resources": [
                {"digest": _EXAMPLE_DIGEST, "resource_url": f"{address}{reference}", **resource}
            ],
            "repository": {
                "name": "api",
                "namespace": "acme",
                "repo_full_name": "acme/api",
                "repo_type": "private",
            },
        },
    }


def _example_replication(nonce: str) -> dict[str, Any]:
    return {
        "type": "REPLICATION",
        "occur_at": 1740823200,
        "operator": f"test-{nonce}",
        "event_data": {
            "replication": {
                "harbor_hostname": "harbor.example.com",
                "job_status": "Success",
                "artifact_type": "image",
                "trigger_type": "SCHEDULED",
                "src_resource": {
                    "registry_name": "hub",
                    "registry_type": "docker-hub",
                    "endpoint": "https://hub.docker.com",
                    "namespace": "library",
                },
                "dest_resource": {
                    "registry_type": "harbor",
                    "endpoint": "https://harbor.example.com",
                    "namespace": "acme",
                },
                "successful_artifact": [
                    {"type": "image", "status": "Success", "name_tag": "api [1 item(s) in total]"}
                ],
            }
        },
    }
