"""Who may call us. To add a registry, write its file and name it here."""

from __future__ import annotations

from integrations.receivers.base import Receiver
from integrations.receivers.github import GitHubPackages

RECEIVERS: dict[str, Receiver] = {r.kind: r for r in (GitHubPackages(),)}


def choices() -> list[tuple[str, str]]:
    return [(receiver.kind, receiver.label) for receiver in RECEIVERS.values()]
