from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.instance import Instance


@pytest.fixture(scope="session")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Collected by the first instance, and found by the others."""
    return tmp_path_factory.mktemp("static")


@pytest.fixture
def instance(tmp_path: Path, static: Path) -> Iterator[Instance]:
    made = Instance(tmp_path, static)
    yield made
    made.end()
