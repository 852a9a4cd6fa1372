"""Projects from their files alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from checks.discovery.files import compose_files, normal_name, projects_below, read_project
from checks.discovery.projects import FoundProject


def written(folder: Path, **files: str) -> FoundProject:
    """Write files (`a__b` is `a/b`, without an ending `.yaml`) and read the first."""
    paths = []
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        paths.append(path)
    return read_project(paths[:1], environment={})


def images(project: FoundProject) -> dict[str, str]:
    return {service.name: service.image_ref for service in project.services}


def test_it_reads_a_project(tmp_path: Path) -> None:
    folder = tmp_path / "My.App"
    folder.mkdir()
    found = written(folder, compose="services: {web: {image: 'nginx:1.27', platform: linux/arm64}}")
    assert (found.name, found.source, found.error) == ("myapp", "files", "")
    assert found.working_dir == folder
    assert found.config_files == (folder / "compose.yaml",)
    [web] = found.services
    assert (web.image_ref, web.platform, web.state) == ("nginx:1.27", "linux/arm64", "absent")


def test_it_takes_text_as_it_is_written(tmp_path: Path) -> None:
    """YAML's own idea of numbers, dates and truth would change names and tags."""
    found = written(tmp_path, compose="services: {on: {image: 1.10}, 1_0: {image: 2024-01-01}}")
    assert images(found) == {"on": "1.10", "1_0": "2024-01-01"}


def test_it_lets_a_later_file_win(tmp_path: Path) -> None:
    tmp_path.joinpath("a.yaml").write_text(
        "services: {web: {image: nginx:1, platform: p}, db: {image: postgres:15}}"
    )
    tmp_path.joinpath("b.yaml").write_text(
        "services: {web: {image: nginx:2}, db: , new: {image: n}}"
    )
    found = read_project([tmp_path / "a.yaml", tmp_path / "b.yaml"], environment={})
    assert images(found) == {"web": "nginx:2", "db": "postgres:15", "new": "n"}
    assert found.services[0].platform == "p"


def test_it_resets_and_overrides(tmp_path: Path) -> None:
    tmp_path.joinpath("a.yaml").write_text(
        "services: {a: {image: x, build: .}, b: {image: y, platform: p}, c: {image: z}}"
    )
    tmp_path.joinpath("b.yaml").write_text(
        "services: {a: {image: !reset null}, b: !override {image: w}, c: !reset null}"
    )
    found = read_project([tmp_path / "a.yaml", tmp_path / "b.yaml"], environment={})
    assert images(found)["a"] == ""
    assert [s.platform for s in found.services if s.name == "b"] == [""]


def test_it_interpolates_from_env_and_environment(tmp_path: Path) -> None:
    tmp_path.joinpath(".env").write_text("TAG=1\nHOST=file\n")
    path = tmp_path / "compose.yaml"
    path.write_text("services: {web: {image: '${HOST}/web:${TAG}${MORE:-x}'}}")
    assert images(read_project([path], environment={})) == {"web": "file/web:1x"}
    assert images(read_project([path], environment={"HOST": "env"})) == {"web": "env/web:1x"}


def test_it_takes_the_environment_files_that_are_named(tmp_path: Path) -> None:
    tmp_path.joinpath(".env").write_text("TAG=default\n")
    tmp_path.joinpath("a.env").write_text("TAG=a\nX=1\n")
    tmp_path.joinpath("b.env").write_text("TAG=b\n")
    path = tmp_path / "compose.yaml"
    path.write_text("services: {web: {image: 'web:${TAG}-${X}'}}")
    found = read_project(
        [path], environment_files=[tmp_path / "a.env", tmp_path / "b.env"], environment={}
    )
    assert images(found) == {"web": "web:b-1"}


def test_it_says_which_environment_file_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services: {web: {image: web}}")
    found = read_project([path], environment_files=[tmp_path / "no.env"], environment={})
    assert f"{tmp_path / 'no.env'}: it cannot be read" in found.error


def test_it_names_the_project_as_compose_does(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("name: '${N:-called}'\nservices: {web: {image: web}}")
    assert read_project([path], environment={}).name == "called"
    assert read_project([path], environment={"N": "other"}).name == "other"
    tmp_path.joinpath(".env").write_text("COMPOSE_PROJECT_NAME=from-env\n")
    assert read_project([path], environment={}).name == "from-env"
    assert read_project([path], project_name="given", environment={}).name == "given"


@pytest.mark.parametrize(
    ("folder", "name"), [("My App", "myapp"), ("_x", "x"), ("a.b-c_1", "ab-c_1"), ("ä", "")]
)
def test_it_makes_a_name_of_a_folder(folder: str, name: str) -> None:
    assert normal_name(folder) == name


def test_it_knows_what_is_built_here(tmp_path: Path) -> None:
    text = "services: {own: {build: .}, both: {build: ., image: 'acme/both:1'}}"
    assert images(written(tmp_path, compose=text)) == {"own": "", "both": "acme/both:1"}


def test_it_follows_extends(tmp_path: Path) -> None:
    found = written(
        tmp_path,
        compose=(
            "services:\n"
            "  a: {extends: {file: more/base.yaml, service: one}}\n"
            "  b: {extends: a, image: 'own:1'}\n"
        ),
        more__base="services: {one: {extends: two, platform: p}, two: {image: 'base:1'}}",
    )
    assert images(found) == {"a": "base:1", "b": "own:1"}
    assert found.services[1].platform == "p"


def test_it_says_that_a_service_extends_itself(tmp_path: Path) -> None:
    found = written(tmp_path, compose="services: {a: {extends: b}, b: {extends: a, image: x}}")
    assert "extends itself" in found.error


def test_it_follows_include(tmp_path: Path) -> None:
    tmp_path.joinpath("db").mkdir()
    tmp_path.joinpath("db/.env").write_text("PG=15\nTAG=theirs\n")
    tmp_path.joinpath(".env").write_text("TAG=ours\n")
    found = written(
        tmp_path,
        compose="include: [db/compose.yaml, {path: [cache.yaml]}]\nservices: {web: {image: w}}",
        db__compose="services: {db: {image: 'pg:${PG}-${TAG}'}, web: {image: other}}",
        cache="services: {cache: {image: redis}}",
    )
    assert images(found) == {"db": "pg:15-ours", "cache": "redis", "web": "w"}


def test_it_says_that_it_reads_nothing_remote(tmp_path: Path) -> None:
    text = "include: ['https://x.example/a.git']\nservices: {web: {image: w}}"
    found = written(tmp_path, compose=text)
    assert "https://x.example/a.git is not on this machine" in found.error
    assert images(found) == {"web": "w"}


def test_it_ends_where_files_include_each_other(tmp_path: Path) -> None:
    found = written(tmp_path, compose="include: compose.yaml\nservices: {web: {image: w}}")
    assert "includes too deep" in found.error


def test_it_uses_what_it_can_of_a_project_with_a_fault(tmp_path: Path) -> None:
    text = "services: {a: {image: '${NO:?set it}'}, b: {image: b}, c: {ports: []}}"
    found = written(tmp_path, compose=text)
    assert images(found) == {"b": "b"}
    assert "NO is not set: set it" in found.error
    assert "c has neither an image nor a build" in found.error


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("[1, 2]", "it is not a mapping"),
        ("just text", "it is not a mapping"),
        ("services: [a]", "its services are not a mapping"),
        ("services: {a: text}", "the service a is not a mapping"),
        ("services: {}", "it has no services"),
        ("services: {'a b': {image: x}}", "'a b' is no name for a service"),
        ("services: {a: {image: x}, a: {image: y}}", "line 1: the key a is there twice"),
        ("services: {a: {image: 'x}}", "line 1: "),
        ("a: {b: &c [*c]}", "an anchor contains itself"),
        ("services: !!python/object/apply:os.system ['true']", "line 1: "),
        (BOMB, "its aliases stand for too much"),
        ("[" * 20000, "it is nested too deep"),
        ("\x00", "it is not YAML"),
        ("# " + "x" * 600_000, "it is larger than 512 KiB"),
    ],
)
def test_it_says_what_is_wrong(tmp_path: Path, text: str, reason: str) -> None:
    found = written(tmp_path, compose=text)
    assert f"{tmp_path / 'compose.yaml'}: " in found.error
    assert reason in found.error
    assert found.services == ()


def test_it_says_that_a_file_is_not_there(tmp_path: Path) -> None:
    found = read_project([tmp_path / "no.yaml"], environment={})
    assert found.error == f"{tmp_path / 'no.yaml'}: it cannot be read (No such file or directory)"


def test_it_reads_merge_keys(tmp_path: Path) -> None:
    text = (
        "x-a: &a {image: a}\nx-b: &b {<<: *a, platform: p}\n"
        "services: {one: {<<: *b}, two: {<<: *b, image: own}}"
    )
    assert images(written(tmp_path, compose=text)) == {"one": "a", "two": "own"}


def test_it_sees_that_a_file_changed(tmp_path: Path) -> None:
    assert images(written(tmp_path, compose="services: {a: {image: x}}")) == {"a": "x"}
    assert images(written(tmp_path, compose="services: {a: {image: long}}")) == {"a": "long"}


def test_it_takes_the_files_that_compose_would(tmp_path: Path) -> None:
    for name in ("docker-compose.yml", "compose.yml", "docker-compose.override.yml"):
        tmp_path.joinpath(name).write_text("")
    assert [path.name for path in compose_files(tmp_path, {})] == [
        "compose.yml",
        "docker-compose.override.yml",
    ]
    tmp_path.joinpath(".env").write_text("COMPOSE_FILE=a.yml:sub/b.yml\n")
    assert compose_files(tmp_path, {}) == [tmp_path / "a.yml", tmp_path / "sub/b.yml"]


def test_it_finds_the_projects_in_folders(tmp_path: Path) -> None:
    text = "services: {web: {image: w}}"
    for place in (".", "one", "group/two", "one/data", ".hidden", "a/b/c/d/e/f"):
        folder = tmp_path / place
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath("compose.yaml").write_text(text)
    names = {project.name for project in projects_below(tmp_path)}
    assert names == {normal_name(tmp_path.name), "one", "two"}


def test_it_says_that_two_folders_are_one_project(tmp_path: Path) -> None:
    for place in ("x/app", "y/app"):
        tmp_path.joinpath(place).mkdir(parents=True)
        tmp_path.joinpath(place, "compose.yaml").write_text("services: {web: {image: w}}")
    [project] = projects_below(tmp_path)
    assert project.working_dir == tmp_path / "x/app"
    assert f"{tmp_path / 'y/app'} holds a project of the same name" in project.error


def test_it_does_not_multiply_what_includes_itself(tmp_path: Path) -> None:
    many = ",".join(["compose.yaml"] * 9)
    found = written(tmp_path, compose=f"include: [{many}]\nservices: {{web: {{image: x}}}}")
    assert "too much" in found.error
    assert len(found.error.splitlines()) <= 50
    assert images(found) == {"web": "x"}


def test_it_says_no_more_than_somebody_would_read(tmp_path: Path) -> None:
    services = ",".join(f"s{n}: {{image: '$ {n}'}}" for n in range(200))
    found = written(tmp_path, compose=f"services: {{{services}}}")
    assert len([line for line in found.error.splitlines() if "cannot be read" in line]) == 50


def test_it_waits_for_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = written(tmp_path, compose="services: {web: {extends: {file: pipe, service: web}}}")
    assert "pipe: it cannot be read" in found.error


def test_it_reads_nothing_that_the_kernel_makes_up(tmp_path: Path) -> None:
    """A project's file may name any environment file, and this one holds our secrets."""
    tmp_path.joinpath("link").symlink_to("/proc/self/environ")
    first = Path("/proc/self/environ").read_text().partition("=")[0]
    for name in ("/proc/self/environ", "/proc/self/root/proc/self/environ", "link"):
        found = written(
            tmp_path,
            compose=f"include: [{{path: inner.yaml, env_file: {name}}}]",
            inner=f"services: {{web: {{image: 'x/${{{first}}}'}}}}",
        )
        assert images(found) == {"web": "x/"}
        assert "it cannot be read" in found.error


def test_it_keeps_its_own_settings_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image's name is shown to everybody and sent to the registry that it names."""
    names = ("DOCKREV_ENCRYPTION_KEYS", "DATABASE_URL", "https_proxy")
    for name in names:
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("TAG", "1")
    text = "/".join(f"${{{name}}}" for name in names)
    tmp_path.joinpath("compose.yaml").write_text(f"services: {{a: {{image: 'x/{text}:$TAG'}}}}")
    [found] = projects_below(tmp_path)
    assert images(found) == {"a": "x///:1"}


def labels(project: FoundProject) -> dict[str, dict[str, str]]:
    return {service.name: dict(service.labels) for service in project.services}


def test_it_keeps_the_labels_that_are_about_policy(tmp_path: Path) -> None:
    text = """
        services:
          map:
            image: a
            labels:
              dockrev.prereleases: true
              dockrev.include: ^1.10$$
              dockrev.track:
              dockrev.nothing: digest
              traefik.rule: Host(`${none:?}`)
          list:
            image: b
            labels: ["dockrev.track=${TRACK}", dockrev.exclude=a=b, dockrev.include, "a=$,"]
          none: {image: c, labels: text}
          odd: {image: d, labels: {dockrev.track: [x], 1: 2}}
        """
    tmp_path.joinpath(".env").write_text("TRACK=digest")
    found = written(tmp_path, compose=text)
    assert found.error == ""
    assert labels(found) == {
        "map": {"dockrev.prereleases": "true", "dockrev.include": "^1.10$", "dockrev.track": ""},
        "list": {"dockrev.track": "digest", "dockrev.exclude": "a=b", "dockrev.include": ""},
        "none": {},
        "odd": {"dockrev.track": ""},
    }


def test_it_adds_up_the_labels_of_files(tmp_path: Path) -> None:
    base = "{image: x, labels: {dockrev.track: digest, dockrev.include: a}}"
    tmp_path.joinpath("a.yaml").write_text(
        f"services: {{more: {base}, other: {base}, reset: {base}, child: {{extends: more}}}}"
    )
    tmp_path.joinpath("b.yaml").write_text(
        """
        services:
          more: {labels: [dockrev.include=b]}
          other: {labels: !override [dockrev.include=b]}
          reset: {labels: !reset null}
          child: {labels: !override {dockrev.exclude: c}}
        """
    )
    found = read_project([tmp_path / "a.yaml", tmp_path / "b.yaml"], environment={})
    assert labels(found) == {
        "more": {"dockrev.track": "digest", "dockrev.include": "b"},
        "other": {"dockrev.include": "b"},
        "reset": {},
        "child": {"dockrev.exclude": "c"},
    }


def test_a_folder_that_may_not_be_entered_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "lost+found", "z"):
        written(tmp_path, **{f"{name}__compose": "services: {web: {image: nginx}}"})
    (tmp_path / "loop").symlink_to("loop")
    stat = Path.stat

    def refused(path: Path, **how: bool) -> os.stat_result:  # root, who runs tests, may enter all
        if path.parent.name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied")
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", refused)
    assert [each.name for each in projects_below(tmp_path)] == ["a", "z"]
