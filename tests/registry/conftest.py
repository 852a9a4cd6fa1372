"""What registry tests start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import TokenRegistry


@pytest.fixture
def token_registry() -> Iterator[TokenRegistry]:
    registry = TokenRegistry(user="ada", password="lovelace")
    with registry.server.running():
        yield registry
