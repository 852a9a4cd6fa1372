"""Quay: quay.io and Red Hat Quay.

Followed: "Repository notifications" in Quay's documentation. A body does not say what it tells of:
each event has a notification of its own, and a push is the one with `updated_tags`. Quay switches
a notification off after three failures.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import Example, ImageEvent, Incoming, Setup, Verdict
from integrations.receivers.images import MOST, host_and_path
from integrations.receivers.one_event import BadName, OneEvent, image, named
from integrations.receivers.shared_secret import ByPathToken

# A body has neither id nor time: the next push of the same tags looks just like it.
SAME_FOR = timedelta(minutes=1)


class Quay(ByPathToken, OneEvent):
    kind: ClassVar[str] = "quay"
    label: ClassVar[str] = "Quay"
    docs: ClassVar[str] = "quay.md"
    steps = (
        _("In Quay, open the repository, then Settings, Events and Notifications."),
        _("Create a notification for the event Push to Repository."),
        _("Method: Webhook POST. Webhook URL: {url}"),
        _("Leave the template empty, give it a title, and save."),
        _("Send its test notification. Whoever knows this URL can call it: keep it a secret."),
        _("Do the same in each repository."),
    )

    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        is_push = body.get("updated_tags") is not None
        return {"event": "repo_push" if is_push else "", "same_for": SAME_FOR}

    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        if body.get("updated_tags") is None and _names_a_repository(body):
            return Verdict.NOT_RELEVANT
        return Verdict.IMAGES

    def images(self, body: dict[str, Any], setup: Setup) -> Iterator[ImageEvent]:
        """One for each tag; where the list is empty, it may be any."""
        host, path = host_and_path(named(body, "docker_url"))
        for tag in _tags(body.get("updated_tags")) or [""]:
            yield image(setup.registry_host or host, path or named(body, "repository"), tag=tag)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        repository = {
            "name": "api",
            "namespace": "acme",
            "repository": "acme/api",
            "docker_url": "quay.io/acme/api",
            "homepage": f"https://quay.io/repository/acme/api?test={nonce}",
        }
        pushed = {**repository, "updated_tags": ["1.2.0", "latest"]}
        build = {**repository, "build_id": f"test-{nonce}", "trigger_kind": "github"}
        return (
            Example(_("Tags were pushed"), pushed),
            Example(_("A build ended"), build, "ignored", Verdict.NOT_RELEVANT.value),
        )


def _names_a_repository(body: dict[str, Any]) -> bool:
    return bool(body.get("docker_url") or body.get("repository"))


def _tags(value: Any) -> list[str]:
    """The tags of a list, or of an object that has them as its names, as Quay wrote it once."""
    if not isinstance(value, list | dict):
        raise BadName
    tags = list(value)[:MOST]
    if not all(isinstance(tag, str) and tag for tag in tags):
        raise BadName
    return tags
