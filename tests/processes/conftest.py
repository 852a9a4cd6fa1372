from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.instance import Instance


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    made = Instance(tmp_path)
    yield made
    made.end()
