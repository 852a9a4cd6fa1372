"""Somebody who looks at pages."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.people import person


@pytest.fixture
def viewer(db: None) -> Client:
    client = Client()
    client.force_login(person("viewer"))
    return client
