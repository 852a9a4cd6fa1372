"""The folder that Compose is given: who we are to registries, for us alone, and not for long."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tempfile
from base64 import b64encode
from pathlib import Path

import pytest
from pytest_django import Settings

from checks.models import Registry
from checks.updating.docker_login import private_config

pytestmark = pytest.mark.django_db


@pytest.fixture
def operators(tmp_path: Path, settings: Settings) -> Path:
    """The operator's own folder."""
    folder = tmp_path / "docker"
    (folder / "cli-plugins").mkdir(parents=True)
    settings.DOCKER_CONFIG = str(folder)
    written = {
        "auths": {
            "https://index.docker.io/v1/": {"auth": b64encode(b"ada:hub").decode()},
            "ghcr.io": {"identitytoken": "a token"},
            "other.example": {"auth": b64encode(b"ada:other").decode()},
        },
        "HttpHeaders": {"X-Meta": "1"},
        "credHelpers": {"elsewhere.example": "desktop"},
    }
    (folder / "config.json").write_text(json.dumps(written))
    return folder


def test_it_says_who_we_are_to_these_registries_alone(operators: Path) -> None:
    Registry.objects.create(host="registry.example:5000", username="ada", password="love:lace")
    hosts = ["registry.example:5000", "docker.io", "ghcr.io", "quay.io"]
    with private_config(hosts) as config:
        written = json.loads((config.folder / "config.json").read_text())
        assert written["auths"] == {
            "registry.example:5000": {"auth": b64encode(b"ada:love:lace").decode()},
            "https://index.docker.io/v1/": {"auth": b64encode(b"ada:hub").decode()},
            "ghcr.io": {"identitytoken": "a token"},
        }
        assert written["HttpHeaders"] == {"X-Meta": "1"}
        assert "credHelpers" not in written
        assert {"love:lace", "hub", "a token"} <= config.secrets
        assert (config.folder / "cli-plugins").resolve() == operators / "cli-plugins"


def test_nobody_else_may_read_it_and_it_goes(operators: Path) -> None:
    with pytest.raises(ZeroDivisionError), private_config(["ghcr.io"]) as config:
        place = config.folder
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert stat.S_IMODE((place / "config.json").stat().st_mode) == 0o600
        raise ZeroDivisionError
    assert not place.exists()
    assert (operators / "cli-plugins").is_dir()


def test_what_a_killed_process_left_goes_with_the_next(
    operators: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen(["true"])
    ended.wait()
    dead, alive = (tmp_path / f"dockrev-login-{pid}-x" for pid in (ended.pid, os.getpid()))
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
    with private_config(["ghcr.io"]):
        assert not dead.exists()
        assert alive.exists()
