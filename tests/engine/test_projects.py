"""What discovery makes of real projects, with both versions of Compose."""

from __future__ import annotations

import shutil

import pytest

from tests.engine.conftest import Look, Project
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.real.registry import Registry

pytestmark = pytest.mark.engine


@pytest.fixture
def image(make_image: ImageMaker, registry: Registry) -> str:
    make_image("acme/api:1.2", "first")
    return f"{registry.address}/acme/api:1.2"


def test_it_finds_a_project(project: Project, look: Look, image: str, registry: Registry) -> None:
    project.write(f"api: {{image: '{image}'}}")
    project("up", "-d")
    found = look()["shop"]
    assert found.source == "engine"
    assert found.error == ""
    assert found.working_dir == project.folder
    assert found.config_files == (project.folder / "docker-compose.yml",)
    [api] = found.services
    assert (api.name, api.image_ref, api.state, api.replicas) == ("api", image, "running", 1)
    assert api.platform == "linux/amd64"
    assert api.running_digests == (registry.digest("acme/api", "1.2"),)
    assert api.running_image_id.startswith("sha256:")


def test_it_counts_the_containers_of_a_scaled_service(
    project: Project, look: Look, image: str
) -> None:
    project.write(f"api: {{image: '{image}'}}")
    project("up", "-d", "--scale", "api=3")
    [api] = look()["shop"].services
    assert api.replicas == 3


def test_it_keeps_stopped_services(project: Project, look: Look, image: str) -> None:
    project.write(f"api: {{image: '{image}'}}", f"db: {{image: '{image}'}}")
    project("up", "-d")
    project("stop", "db")
    states = {service.name: service.state for service in look()["shop"].services}
    assert states == {"api": "running", "db": "stopped"}


def test_it_leaves_one_off_containers_out(project: Project, look: Look, image: str) -> None:
    project.write(f"api: {{image: '{image}'}}", f"job: {{image: '{image}'}}")
    project("up", "-d", "api")
    project("run", "-d", "job")
    states = {service.name: service.state for service in look()["shop"].services}
    assert states == {"api": "running", "job": "absent"}


def test_it_adds_services_never_started(project: Project, look: Look, image: str) -> None:
    project.write(f"api: {{image: '{image}'}}", "later: {image: 'ghcr.io/acme/later:3'}")
    project("up", "-d", "api")
    later = next(service for service in look()["shop"].services if service.name == "later")
    assert (later.image_ref, later.state, later.replicas) == ("ghcr.io/acme/later:3", "absent", 0)


def test_it_reads_labels_of_both_forms_and_files_add_others(
    project: Project, look: Look, image: str
) -> None:
    transform = r"^b(.+)$$ => \1"
    project.write(
        f"map: {{image: '{image}', labels: {{dockrev.track: digest, "
        f"dockrev.transform: '{transform}', traefik.enable: 'true'}}}}",
        f"list: {{image: '{image}', labels: ['dockrev.include=^1\\.', dockrev.exclude]}}",
    )
    project("up", "-d")
    labels = {service.name: service.labels for service in look()["shop"].services}
    assert labels == {
        "map": {"dockrev.track": "digest", "dockrev.transform": r"^b(.+)$ => \1"},
        "list": {"dockrev.include": r"^1\.", "dockrev.exclude": ""},
    }
    project.write(
        f"map: {{image: '{image}', labels: {{dockrev.track: nothing, dockrev.platform: x}}}}",
        f"list: {{image: '{image}'}}",
    )
    labels = {service.name: service.labels for service in look()["shop"].services}
    assert labels["map"]["dockrev.track"] == "digest"
    assert labels["map"]["dockrev.platform"] == "x"
    assert labels["list"] == {"dockrev.include": r"^1\.", "dockrev.exclude": ""}


def test_it_takes_no_label_from_the_maker_of_an_image(
    project: Project, look: Look, make_image: ImageMaker, registry: Registry
) -> None:
    make_image("acme/bossy:1", dockrev_track="nothing", dockrev_platform="linux/arm64")
    image = f"{registry.address}/acme/bossy:1"
    project.write(f"api: {{image: '{image}', labels: {{dockrev.platform: linux/amd64}}}}")
    project("up", "-d")
    [api] = look()["shop"].services
    assert api.labels == {"dockrev.platform": "linux/amd64"}


def test_it_takes_none_of_an_image_that_is_gone(
    project: Project, look: Look, make_image: ImageMaker, registry: Registry, engine: Engine
) -> None:
    make_image("acme/bossy:2", dockrev_track="nothing")
    image = f"{registry.address}/acme/bossy:2"
    project.write(f"api: {{image: '{image}', labels: {{dockrev.platform: linux/amd64}}}}")
    project("up", "-d")
    project("stop")
    engine.client.images.remove(image, force=True)
    [api] = look()["shop"].services
    assert api.labels == {"dockrev.platform": "linux/amd64"}


def test_it_finds_files_named_relative_to_another_folder(
    project: Project, look: Look, image: str
) -> None:
    project.write(f"api: {{image: '{image}'}}", file="deploy/compose.yml")
    project.write("api: {environment: {A: b}}", file="deploy/more.yml")
    project("-f", "deploy/compose.yml", "-f", "deploy/more.yml", "-p", "shop", "up", "-d")
    found = look()["shop"]
    deploy = project.folder / "deploy"
    assert found.error == ""
    assert found.working_dir == deploy
    assert found.config_files == (deploy / "compose.yml", deploy / "more.yml")


def test_it_uses_the_environment_file_of_the_project(
    project: Project, look: Look, image: str
) -> None:
    project.write(f"api: {{image: '{image}'}}", "later: {image: 'acme/later:${TAG}'}")
    project.folder.joinpath("live.env").write_text("TAG=7\n")
    project("--env-file", "live.env", "up", "-d", "api")
    found = look()["shop"]
    assert found.environment_files == (project.folder / "live.env",)
    assert {service.image_ref for service in found.services} == {image, "acme/later:7"}


def test_it_knows_the_reference_after_its_tag_moved_on(
    project: Project,
    look: Look,
    image: str,
    make_image: ImageMaker,
    registry: Registry,
    engine: Engine,
) -> None:
    project.write(f"api: {{image: '{image}'}}")
    project("up", "-d")
    runs = registry.digest("acme/api", "1.2")
    make_image("acme/api:1.2", "second")
    engine.client.images.pull(image)
    [api] = look()["shop"].services
    assert (api.image_ref, api.running_digests) == (image, (runs,))
    project("up", "-d")
    [api] = look()["shop"].services
    assert api.running_digests == (registry.digest("acme/api", "1.2"),)


def test_it_keeps_a_pinned_reference(
    project: Project, look: Look, image: str, registry: Registry
) -> None:
    digest = registry.digest("acme/api", "1.2")
    pinned = f"{registry.address}/acme/api@{digest}"
    project.write(f"api: {{image: '{pinned}'}}")
    project("up", "-d")
    [api] = look()["shop"].services
    assert (api.image_ref, api.running_digests) == (pinned, (digest,))


def test_it_takes_the_digest_of_an_index(
    project: Project, look: Look, registry: Registry, make_image: ImageMaker
) -> None:
    # What an engine has under a tag it does not pull again.
    tag = f"for-{project.compose.major}"
    child = make_image(f"acme/multi:amd64-{tag}", "multi")
    index = registry.push_index("acme/multi", tag, {"linux/amd64": child})
    project.write(f"api: {{image: '{registry.address}/acme/multi:{tag}'}}")
    project("up", "-d")
    [api] = look()["shop"].services
    assert index in api.running_digests


def test_it_names_no_image_for_what_is_built_here(
    project: Project, look: Look, image: str, make_image: ImageMaker
) -> None:
    name = f"shop{project.compose.separator}own"
    make_image.build(f"{name}:latest", "own")
    project.write(f"api: {{image: '{image}'}}", "own: {build: .}")
    project("up", "-d", "--no-build")
    images = {service.name: service.image_ref for service in look()["shop"].services}
    assert images == {"api": image, "own": ""}
    shutil.rmtree(project.folder)
    images = {service.name: service.image_ref for service in look()["shop"].services}
    assert images == {"api": image, "own": ""}


def test_it_says_how_to_mend_a_path_that_is_not_there(
    project: Project, look: Look, image: str
) -> None:
    project.write(f"api: {{image: '{image}'}}")
    project("up", "-d")
    shutil.rmtree(project.folder)
    found = look()["shop"]
    assert [service.image_ref for service in found.services] == [image]
    assert f"{project.folder / 'docker-compose.yml'} is not there" in found.error
    assert f"{project.folder}:{project.folder}:ro" in found.error


def test_it_copes_with_an_image_removed_by_force(
    project: Project, look: Look, image: str, engine: Engine
) -> None:
    project.write(f"api: {{image: '{image}'}}")
    project("up", "-d")
    project("stop")
    engine.client.images.remove(image, force=True)
    [api] = look()["shop"].services
    assert api.image_ref == image
