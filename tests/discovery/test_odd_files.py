"""Files that no tool writes: one of them must not end the look at all the others."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from checks.discovery.look import look_at
from checks.discovery.places import Place
from checks.discovery.projects import FoundHost
from checks.discovery.reconcile import reconcile
from checks.models import Host, Service
from tests.discovery.test_reconcile import NOW, SHOP, WEB, Found, found, host

__all__ = ["found", "host"]
pytestmark = pytest.mark.django_db
NOWHERE = Place(trouble="no engine is asked here")
GOOD = "services: {good: {image: 'nginx:1'}}"


def looked(folder: Path, host: Host) -> FoundHost:
    """Look at the folder, with a sound project beside what is there, and write it down."""
    (folder / "sound").mkdir()
    (folder / "sound/compose.yaml").write_text(GOOD)
    seen = look_at(NOWHERE, [folder])
    reconcile(host, seen, NOW)
    assert Service.objects.filter(name="good", stack__name="sound").exists()
    return seen


@pytest.mark.parametrize(
    "text",
    [
        "services: {null: {image: x}, web: {image: y}}",
        "services: {!!int 5: {image: x}}",
        "services: {web: {image: x, init: !!bool maybe}}",
        "services: {web: {image: x, scale: !!int 08}}",
        "version: !!float x\nservices: {web: {image: x}}",
        "x-when: !!timestamp x\nservices: {web: {image: x}}",
        'include: ["a\\0b"]\nservices: {web: {image: x}}',
        'include: ["\\ud800"]\nservices: {web: {image: x}}',
        'include: [{path: b.yaml, env_file: "a\\0b"}]\nservices: {web: {image: x}}',
        'services: {web: {extends: {file: "a\\0b", service: web}}}',
        'services: {web: {image: "x\\ud800", platform: "linux/\\ud800"}}',
    ],
)
def test_a_file_that_cannot_be_read_as_it_is(tmp_path: Path, host: Host, text: str) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/compose.yaml").write_text(text)
    (tmp_path / "odd/b.yaml").write_text("services: {b: {image: x}}")
    looked(tmp_path, host)


def test_an_environment_file_with_a_null(tmp_path: Path, host: Host) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/.env").write_bytes(b"COMPOSE_FILE=a\0b.yaml\n")
    looked(tmp_path, host)


def test_a_folder_whose_name_is_no_text(tmp_path: Path, host: Host) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "compose.yaml").write_text("services: {web: {image: x}}")
    looked(tmp_path, host)
    assert Service.objects.get(name="web").stack.working_dir.endswith("/caf?")


@pytest.mark.parametrize(
    ("one", "other"), [("a\0", "a"), (f"{'a' * 255}1", f"{'a' * 255}2")], ids=["null", "long"]
)
def test_two_names_that_are_one_in_the_database(found: Found, one: str, other: str) -> None:
    services = (replace(WEB, name=one), replace(WEB, name=other))
    for _again in range(2):
        found(replace(SHOP, services=services))
    assert Service.objects.count() == 1
    stacks = (replace(SHOP, name=one), replace(SHOP, name=other))
    for _again in range(2):
        found(*stacks)
