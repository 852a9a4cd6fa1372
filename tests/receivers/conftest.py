"""A receiver that is on, and a service that runs what it tells of."""

from __future__ import annotations

import pytest

from checks.models import Service
from tests import rows


@pytest.fixture
def service() -> Service:
    rows.github_receiver()
    rows.tracked("acme/api")
    return rows.service("ghcr.io/acme/api:1.2.0")
