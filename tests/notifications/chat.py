"""Messages to send to chats."""

from __future__ import annotations

from typing import Any

from notifications.channels.base import Message

URL = "https://dockrev.example/queue/job_1"


def message(title: str = "A title", text: str = "A line.", **given: Any) -> Message:
    """`log` are the lines of its excerpt, `services` names and links of services."""
    links = [
        {"stackName": stack, "serviceName": service, "url": url}
        for stack, service, url in given.pop("services", ())
    ]
    payload = {
        "human": {"title": title, "summary": text},
        "links": {"primaryUrl": given.pop("url", URL), "serviceUrls": links},
        "log": given.pop("log", ()),
        "job": given.pop("job", {}),
    }
    return Message("ntf_1", given.pop("kind", "notification_test"), payload, **given)
