"""A component that is not there skips its tests, or fails them where it is required."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.outcomes import Failed, Skipped

from tests.real.requirements import compose_v2, require


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKREV_TEST_COMPOSE_V2", str(tmp_path / "docker-compose"))
    monkeypatch.delenv("DOCKREV_TEST_REQUIRE", raising=False)


def test_it_skips_with_a_reason() -> None:
    with pytest.raises(Skipped, match="needs browser: not installed: chromium"):
        require("browser")


def test_it_fails_where_the_component_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKREV_TEST_REQUIRE", "browser, engine")
    with pytest.raises(Failed, match="engine is required: not installed: dockerd"):
        require("engine")
    with pytest.raises(Failed, match="install-compose-v2"):
        compose_v2()


def test_it_returns_where_the_programs_are(tmp_path: Path) -> None:
    tmp_path.joinpath("chromium").touch(mode=0o755)
    assert require("browser") == {"chromium": tmp_path / "chromium"}
