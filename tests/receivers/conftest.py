"""A receiver that is on, and a service that runs what it tells of."""

from __future__ import annotations

import pytest

from checks.models import Service
from integrations.models import Receiver
from integrations.receivers import CALLERS, RECEIVERS
from tests import rows
from tests.people import Program, person
from tests.receivers.stand_in import TOKEN, Signing, StandIn


@pytest.fixture
def service() -> Service:
    rows.github_receiver()
    rows.tracked("acme/api")
    return rows.service("ghcr.io/acme/api:1.2.0")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of receiver that has a token in its path."""
    for table in (RECEIVERS, CALLERS):
        monkeypatch.setitem(table, StandIn.kind, StandIn())


@pytest.fixture
def oci(db: None, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """The kind that an alias leads to, and its receiver."""
    for table in (RECEIVERS, CALLERS):
        monkeypatch.setitem(table, Signing.kind, Signing())
    row, _made = Receiver.objects.get_or_create(kind=Signing.kind, defaults={"name": "OCI"})
    row.enabled, row.secret = True, TOKEN
    row.save()
    return row


@pytest.fixture
def admin(db: None) -> Program:
    return Program(person("admin"))
