"""A real registry calls, and what runs its image is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes.instance import Instance
from tests.real.processes import free_port
from tests.real.registry import DOCKER_LIST, Registry
from tests.real.requirements import require
from tests.senders import SECRET
from tests.waiting import until

SET_UP = """
from tests import rows
from tests.senders import receiver
receiver("distribution", "{host}")
rows.service("{host}/acme/api:1", running=("{running}",))
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path)
    made.environment["DJANGO_SETTINGS_MODULE"] = "dockrev.settings"
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def registry(tmp_path: Path, instance: Instance) -> Iterator[Registry]:
    """It calls the instance, and is called by another name than it has for itself."""
    require("registry")
    endpoint = {
        "name": "dockrev",
        "url": instance.url("/api/webhooks/distribution"),
        "headers": {"Authorization": [f"Bearer {SECRET}"]},
        "timeout": "5s",
        "threshold": 100,
        "backoff": "100ms",
    }
    directory = tmp_path / "registry"
    directory.mkdir()
    real = Registry(directory, free_port(), {"notifications": {"endpoints": [endpoint]}})
    try:
        real.start()
        yield real
    finally:
        real.stop()


def set_up(instance: Instance, registry: Registry, running: str) -> None:
    instance.migrate()
    words = SET_UP.format(host=f"localhost:{registry.port}", running=running)
    prepared = instance.command("shell", "--no-imports", "--command", words)
    assert prepared.returncode == 0, prepared.stderr


def deliveries(instance: Instance) -> list[tuple[Any, ...]]:
    """Decision, images, content type and attempts of each, in the order that they came."""
    found = instance.rows(
        "SELECT decision, images, headers, attempts FROM integrations_delivery ORDER BY id"
    )
    return [
        (decision, json.loads(images), json.loads(headers)["content-type"], attempts)
        for decision, images, headers, attempts in found
    ]


def test_it_checks_what_a_registry_says_was_pushed(instance: Instance, registry: Registry) -> None:
    """What it said before anybody listened comes first, since a registry never gives up."""
    first = registry.push_image("acme/api", "1", content="first")
    set_up(instance, registry, first)
    instance.run()
    platforms = {"linux/amd64": "second", "linux/arm64": "second, too"}
    second, _children = registry.push_multi("acme/api", "1", platforms, media_type=DOCKER_LIST)
    named = [f"localhost:{registry.port}/acme/api:1@{digest}" for digest in (first, second)]

    def processed() -> list[str]:
        return [i for decision, images, *_ in deliveries(instance) for i in images if i]

    until(lambda: processed() == named, what="both pushes came")
    candidate = "SELECT digest, step FROM checks_candidate WHERE closed_at IS NULL"
    until(lambda: instance.rows(candidate) == [(second, "rebuilt")], what="it is found")

    came = deliveries(instance)
    # Two pushes of one image and two of an index's: layers, configurations, manifests.
    assert len(came) > 8
    assert [each[0] for each in came].count("processed") == 2
    assert {each[0] for each in came} == {"processed", "ignored"}
    assert {each[2] for each in came} == {"application/vnd.docker.distribution.events.v1+json"}
    assert {each[3] for each in came} == {1}
    checks = instance.rows("SELECT status FROM checks_job WHERE kind = 'check.service'")
    assert len(checks) <= 4  # however many calls: two for each push
