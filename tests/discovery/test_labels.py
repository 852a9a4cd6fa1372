"""Where a project comes from, by labels that anybody may have written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checks.discovery.labels import Label, given_by_compose, origin_of, with_files
from checks.discovery.projects import FoundProject, FoundService

RUNS = FoundService("web", "ghcr.io/acme/web:1", state="running", replicas=1)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.joinpath("deploy").mkdir(parents=True)
    for name in ("compose.yaml", "more.yaml", "deploy/compose.yaml", "a,b.yaml"):
        folder.joinpath(name).write_text("services: {web: {image: x}, later: {image: y}}")
    return folder


def files(config_files: str, working_dir: Path | str) -> tuple[Path, ...]:
    labels: dict[str, str] = {Label.CONFIG_FILES: config_files, Label.WORKING_DIR: str(working_dir)}
    return origin_of(labels).config_files


def project(config_files: str, working_dir: Path | str = "") -> FoundProject:
    labels: dict[str, str] = {Label.CONFIG_FILES: config_files, Label.WORKING_DIR: str(working_dir)}
    return with_files("shop", origin_of(labels), [RUNS])


def test_it_reads_absolute_paths(shop: Path) -> None:
    label = f"{shop}/compose.yaml,{shop}/more.yaml"
    assert files(label, shop) == (shop / "compose.yaml", shop / "more.yaml")


@pytest.mark.parametrize(
    "label", ["compose.yaml, more.yaml", "compose.yaml\nmore.yaml,compose.yaml"]
)
def test_it_reads_lists_of_many_kinds(shop: Path, label: str) -> None:
    assert files(label, shop) == (shop / "compose.yaml", shop / "more.yaml")


def test_it_reads_a_name_with_a_comma(shop: Path) -> None:
    assert files(f"{shop}/a,b.yaml", shop) == (shop / "a,b.yaml",)


def test_it_finds_what_was_typed_elsewhere(shop: Path) -> None:
    deploy = shop / "deploy"
    assert files("deploy/compose.yaml", deploy) == (deploy / "compose.yaml",)
    assert files("../shop/deploy/compose.yaml", deploy) == (deploy / "compose.yaml",)
    assert files("../more.yaml", deploy) == (shop / "more.yaml",)


OURS: dict[str, str] = {Label.PROJECT: "shop", Label.CONFIG_HASH: "1"}


@pytest.mark.parametrize(
    ("labels", "brought", "expected"),
    [
        (OURS, {}, OURS),
        (OURS, {Label.PROJECT: "shop"}, OURS),  # Compose built the image
        (OURS, {**OURS, Label.CONFIG_HASH: "2"}, OURS),  # somebody made one of a container
        (OURS, OURS, {}),
        ({Label.PROJECT: "shop"}, {Label.PROJECT: "shop"}, {}),
        ({Label.PROJECT: "shop"}, {}, {Label.PROJECT: "shop"}),
        ({**OURS, Label.ENVIRONMENT_FILES: "/x"}, {Label.ENVIRONMENT_FILES: "/x"}, OURS),
    ],
)
def test_no_image_says_which_project_its_container_is_of(
    labels: dict[str, str], brought: dict[str, str], expected: dict[str, str]
) -> None:
    assert given_by_compose(labels, brought) == expected


def test_what_runs_wins_and_files_add_to_it(shop: Path) -> None:
    found = project("compose.yaml", shop)
    assert found.error == ""
    assert [(s.name, s.image_ref, s.state) for s in found.services] == [
        ("web", RUNS.image_ref, "running"),
        ("later", "y", "absent"),
    ]


def test_a_label_that_runs_wins_and_files_add_others(shop: Path) -> None:
    labels = "{dockrev.track: digest, dockrev.include: ^1}"
    shop.joinpath("compose.yaml").write_text(f"services: {{web: {{image: x, labels: {labels}}}}}")
    origin = origin_of({Label.CONFIG_FILES: f"{shop}/compose.yaml"})
    runs = replace(RUNS, labels={"dockrev.track": "version", "dockrev.platform": "linux/arm64"})
    [web] = with_files("shop", origin, [runs]).services
    assert web.labels == {
        "dockrev.track": "version",
        "dockrev.platform": "linux/arm64",
        "dockrev.include": "^1",
    }


@pytest.mark.parametrize(
    ("label", "folder", "words"),
    [
        ("", "", "do not say which compose files"),
        ("-", "/srv", "on standard input"),
        ("/srv/none/compose.yaml", "/srv/none", "/srv/none:/srv/none:ro"),
        ("compose.yaml", "/srv/none", "/srv/none/compose.yaml is not there"),
        ("compose.yaml", "", "compose.yaml is not there"),
        ("\0", "/srv", "is not there"),
        ("x" * 5000, "/srv", "is not there"),
    ],
)
def test_it_says_what_is_missing(label: str, folder: str, words: str) -> None:
    found = project(label, folder)
    assert words in found.error
    assert found.services == (RUNS,)


def test_it_keeps_its_own_settings_to_itself(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKREV_SECRET_KEY", "secret")
    shop.joinpath("compose.yaml").write_text("services: {new: {image: 'x/$DOCKREV_SECRET_KEY'}}")
    found = project(f"{shop}/compose.yaml", shop)
    assert [service.image_ref for service in found.services] == [RUNS.image_ref, "x/"]
