"""Which data is backed up, and how, by who says what."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from pytest_django import Settings

from checks.backups import own_data
from checks.backups.targets import FORCE, INHERIT, Saying, Sayings, are_shared
from checks.updating.engines import Engine
from checks.updating.plan import Data
from checks.updating.runs import Mount
from checks.versions.policies import SKIP

DATA = Mount("volume", "data", "/data", is_writable=True)


def how(mount: Mount = DATA, said: str = "skip", own: str = "", mode: str = INHERIT) -> str | None:
    targets = {f"{mount.kind}:{mount.name}": own} if own else {}
    sayings = Sayings({("stk", "api"): Saying(said, targets)}, mode, most=7)
    found = list(sayings.data("stk", "api", [mount]))
    assert [each.most for each in found] in ([], [0 if mode == FORCE else 7])
    return found[0].how if found else None


@pytest.mark.parametrize(
    ("said", "own", "mode", "expected"),
    [
        ("skip", "", INHERIT, "skip"),
        ("live", "", INHERIT, "live"),
        ("live", "stop", INHERIT, "stop"),
        ("stop", "skip", INHERIT, "skip"),
        ("stop", "stop", SKIP, "skip"),
        ("skip", "", FORCE, "live"),
        ("stop", "", FORCE, "stop"),
        ("live", "skip", FORCE, "skip"),
    ],
)
def test_the_nearest_says_it(said: str, own: str, mode: str, expected: str) -> None:
    assert how(DATA, said, own, mode) == expected


@pytest.mark.parametrize(
    "mount",
    [
        Mount("volume", "data", "/data", is_writable=False),
        Mount("bind", "/", "/host", is_writable=True),
        Mount("bind", "/var/run/docker.sock", "/var/run/docker.sock", is_writable=True),
        Mount("bind", "/srv/app.sock", "/app.sock", is_writable=True),
        Mount("bind", "/proc/sys", "/sys", is_writable=True),
        Mount("bind", "/etc/localtime", "/etc/localtime", is_writable=True),
    ],
)
def test_what_no_update_can_harm_is_left_out_unless_it_is_named(mount: Mount) -> None:
    assert how(mount, "live", mode=FORCE) is None
    assert how(mount, "skip", "live") == "live"


def test_a_path_that_only_begins_alike_is_data() -> None:
    assert how(Mount("bind", "/development/x", "/x", is_writable=True), "live") == "live"


@pytest.mark.parametrize(
    ("kind", "name", "is_writable", "expected"),
    [
        ("bind", "/srv/shop", False, True),
        ("bind", "/srv/shop/db", True, True),
        ("bind", "/srv/shop/db", False, False),
        ("bind", "/srv", True, False),
        ("bind", "/srv/shop-2", True, False),
        ("volume", "/srv/shop", True, False),
    ],
)
def test_who_may_write_into_data_has_it_too(
    kind: str, name: str, is_writable: bool, expected: bool
) -> None:
    data = Data("api", "bind", "/srv/shop", "/data", "stop")
    assert are_shared(data, Mount(kind, name, "/x", is_writable)) is expected


class TestOwnData:
    """Seen from a container of Dockrev's, with its data below what is mounted."""

    @pytest.fixture
    def engine(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Engine:
        settings.DATA_DIR = "/data/dockrev"
        monkeypatch.setattr(own_data, "own_container", lambda: "a" * 64)
        mounts = [
            {"Type": "bind", "Source": "/srv", "Destination": "/"},
            {"Type": "volume", "Name": "own", "Source": "/lib/own/_data", "Destination": "/data"},
        ]
        engine = Mock(spec=Engine)
        engine.look_inside.return_value = {"Mounts": mounts}
        return engine

    @pytest.mark.parametrize(
        ("kind", "name", "expected"),
        [
            ("volume", "own", True),
            ("volume", "other", False),
            ("bind", "/lib/own", True),
            ("bind", "/lib/own/_data/dockrev/backups", True),
            ("bind", "/lib/own/_data/other", False),
            ("bind", "/srv", False),
        ],
    )
    def test_it_is_in_whatever_has_any_of_it(
        self, engine: Engine, kind: str, name: str, expected: bool
    ) -> None:
        found = own_data.own_data_at(engine)
        assert found is not None
        assert found.is_in(Data("api", kind, name, "/x", "live")) is expected

    def test_another_engine_has_none_of_it(self, engine: Any) -> None:
        engine.look_inside.return_value = {}
        assert own_data.own_data_at(engine) is None
