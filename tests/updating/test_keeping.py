"""The nightly round that takes names off images: which engines it asks."""

from __future__ import annotations

import pytest
from django.utils import timezone

from checks.models import Host
from checks.run import Run
from checks.updating.keeping import tidy
from tests.pages.rows import job
from tests.servers import Reply, Starts

pytestmark = pytest.mark.django_db


def test_it_asks_no_host_that_is_switched_off(serve: Starts) -> None:
    server = serve(lambda asked: Reply(500, b"{}"))
    host = Host.objects.create(
        name="nas", docker_host=f"tcp://{server.address}", plain=True, seen_at=timezone.now()
    )
    Host.objects.filter(pk=host.pk).update(enabled=False)
    assert (tidy(Run(job("maintenance"))), server.asked) == (0, [])
    Host.objects.filter(pk=host.pk).update(enabled=True)
    tidy(Run(job("maintenance")))
    assert server.asked
