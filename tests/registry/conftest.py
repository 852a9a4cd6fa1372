"""What registry tests start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.registry.servers import Asked, Reply, Server, TokenRegistry

Starts = Callable[[Callable[[Asked], Reply | None]], Server]


@pytest.fixture
def serve() -> Iterator[Starts]:
    """Call it with a function from request to reply; the server runs until the test is over."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(Server(answer).running())


@pytest.fixture
def token_registry() -> Iterator[TokenRegistry]:
    registry = TokenRegistry(user="ada", password="lovelace")
    with registry.server.running():
        yield registry
