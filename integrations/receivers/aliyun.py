"""Alibaba Cloud Container Registry (ACR), Personal and Enterprise Edition.

Followed: "Manage webhooks" in Alibaba Cloud's documentation. It proves nothing, and the host has to
be concluded from the region; an Enterprise instance has one of its own, which people enter.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import Example, ImageEvent, Incoming, Setup, Verdict, member, text
from integrations.receivers.one_event import OneEvent, image, named
from integrations.receivers.shared_secret import ByPathToken


class AlibabaContainerRegistry(ByPathToken, OneEvent):
    kind: ClassVar[str] = "aliyun"
    label: ClassVar[str] = "Alibaba Cloud Container Registry"
    docs: ClassVar[str] = "aliyun.md"
    steps = (
        _("In the Container Registry console, open the repository, then Triggers."),
        _("Create a trigger. Trigger URL: {url}"),
        _("Trigger: All, or a pattern of tags. Confirm."),
        _("Enterprise Edition: enter here the host of your instance, as compose files write it."),
        _("Push an image. Whoever knows this URL can call it: keep it a secret."),
    )

    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """Only what has its own time is never told of twice."""
        is_timed = bool(text(body, "push_data", "pushed_at"))
        return {"event": "push", **({"same_for": None} if is_timed else {})}

    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        return Verdict.IMAGES

    def images(self, body: dict[str, Any], setup: Setup) -> tuple[ImageEvent, ...]:
        repository, pushed = member(body, "repository"), member(body, "push_data")
        name = named(repository, "repo_full_name") or "/".join(
            (named(repository, "namespace"), named(repository, "name"))
        )
        return (
            image(
                setup.registry_host or _host(named(repository, "region")),
                name.lower(),
                tag=named(pushed, "tag"),
                digest=text(pushed, "digest"),
            ),
        )

    def examples(self, nonce: str) -> tuple[Example, ...]:
        body = {
            "push_data": {
                "digest": f"sha256:{'a1' * 32}",
                "pushed_at": f"2025-03-01 10:00:00 test {nonce}",
                "tag": "1.2.0",
            },
            "repository": {
                "date_created": "2025-01-01 10:00:00",
                "name": "api",
                "namespace": "acme",
                "region": "cn-hangzhou",
                "repo_authentication_type": "NO_CERTIFIED",
                "repo_full_name": "acme/api",
                "repo_origin_type": "NO_CERTIFIED",
                "repo_type": "PUBLIC",
            },
        }
        return (Example(_("An image was pushed"), body),)


def _host(region: str) -> str:
    return f"registry.{region}.aliyuncs.com" if region else ""
