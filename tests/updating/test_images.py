"""Where compose files say an image, and what an edit changes there: that, and no other byte."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.discovery.documents import parse
from checks.updating import edits
from checks.updating.image_names import Goal, changed
from checks.updating.images import Files, Found, NotEditable

OLD, NEW = "1.25", "1.27.1"
OLD_DIGEST, NEW_DIGEST = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@dataclass(frozen=True)
class Case:
    """Files by name, and what becomes of those that change. `…` around a value marks it."""

    files: Mapping[str, str]
    service: str = "web"
    config: tuple[str, ...] = ("compose.yaml",)
    also: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    environment_files: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def one(text: str, **more: object) -> Case:
    return Case({"compose.yaml": text}, **more)  # type: ignore[arg-type] # what `Case` takes


CASES: dict[str, Case] = {
    "plain": one("services:\n  web:\n    image: nginx:«1.25»\n"),
    "with a comment": one("services:\n  web:\n    image: nginx:«1.25» # 1.25 is fine\n"),
    "a comment with the same above": one(
        "# image: nginx:1.25\nservices:\n  web:\n    # image: nginx:1.25\n    image: nginx:«1.25»\n"
    ),
    "single quotes": one("services:\n  web:\n    image: 'nginx:«1.25»'\n"),
    "double quotes": one('services:\n  web:\n    image: "nginx:«1.25»"\n'),
    "quoted keys": one('\'services\':\n  "web":\n    "image": nginx:«1.25»\n'),
    "flow mapping": one("services: {web: {image: nginx:«1.25», ports: ['80:80']}}\n"),
    "JSON": one('{"services": {"web": {"image": "nginx:«1.25»"}}}'),
    "value on its own line": one("services:\n  web:\n    image:\n      nginx:«1.25»\n"),
    "block scalar": one("services:\n  web:\n    image: |-\n      nginx:«1.25»\n"),
    "folded, kept": one(
        "services:\n  web:\n    image: >\n      nginx:«1.25»\n\n  api: {image: a}\n"
    ),
    "explicit key": one("services:\n  web:\n    ? image\n    : nginx:«1.25»\n"),
    "tag of YAML": one("services:\n  web:\n    image: !!str nginx:«1.25»\n"),
    "CRLF": one("services:\r\n  web:\r\n    image: nginx:«1.25»\r\n    restart: always\r\n"),
    "only CR": one("services:\r  web:\r    image: nginx:«1.25»\r"),
    "BOM": one("\ufeffservices:\n  web:\n    image: nginx:«1.25»\n"),
    "no newline at the end": one("services:\n  web:\n    image: nginx:«1.25»"),
    "tabs in a comment and a value": one(
        "services:\n  web:\n    image: nginx:«1.25» #\tfine\n    command: 'a\tb'\n"
    ),
    "blanks after it": one("services:\n  web:\n    image: nginx:«1.25»   \n"),
    "wide blanks before it": one("services:\n  web:\n    image:     nginx:«1.25»\n"),
    "not ASCII before it": one("# größer, 日本, 🎉\nservices:\n  web: {image: nginx:«1.25»} # ü\n"),
    "document markers": one("%YAML 1.1\n---\nservices:\n  web:\n    image: nginx:«1.25»\n...\n"),
    "registry with a port": one("services:\n  web:\n    image: nas.lan:5000/a/nginx:«1.25»\n"),
    "the name has the tag in it": one("services:\n  web:\n    image: acme/app-1.25:«1.25»\n"),
    "two services of one image": one(
        "services:\n  api:\n    image: nginx:1.25\n  web:\n    image: nginx:«1.25»\n"
    ),
    "the other of two": one(
        "services:\n  api:\n    image: nginx:«1.25»\n  web:\n    image: nginx:1.25\n", service="api"
    ),
    "anchor": one("services:\n  web:\n    image: &img nginx:«1.25»\n"),
    "anchor and alias": one(
        "services:\n  web:\n    image: &img nginx:«1.25»\n  api:\n    image: *img\n", also=("api",)
    ),
    "by its alias": one(
        "services:\n  web:\n    image: &img nginx:«1.25»\n  api:\n    image: *img\n",
        service="api",
        also=("web",),
    ),
    "anchor in an x- field": one(
        "x-img: &img nginx:«1.25»\nservices:\n  web: {image: *img}\n", variables=()
    ),
    "merge key": one(
        "x-base: &base\n  image: nginx:«1.25»\n  restart: always\n"
        "services:\n  web:\n    <<: *base\n    ports: ['80:80']\n"
    ),
    "merge key of several": one(
        "x-a: &a {image: nginx:«1.25»}\nx-b: &b {image: other:1}\n"
        "services:\n  web:\n    <<: [*a, *b]\n"
    ),
    "merged and given anew": one(
        "x-base: &base\n  image: nginx:1.25\nservices:\n  web:\n    <<: *base\n"
        "    image: nginx:«1.25»\n"
    ),
    "merge key that others use": one(
        "x-base: &base\n  image: nginx:«1.25»\nservices:\n  web:\n    <<: *base\n"
        "  api:\n    <<: *base\n",
        also=("api",),
    ),
    "an x- field that nobody uses": one(
        "x-old:\n  image: nginx:1.25\nservices:\n  web:\n    image: nginx:«1.25»\n"
    ),
    "override file": Case(
        {
            "compose.yaml": "services:\n  web:\n    image: nginx:1.25\n",
            "compose.override.yaml": "services:\n  web:\n    image: nginx:«1.25»\n",
        },
        config=("compose.yaml", "compose.override.yaml"),
    ),
    "override without an image": Case(
        {
            "compose.yaml": "services:\n  web:\n    image: nginx:«1.25»\n",
            "b.yaml": "services:\n  web:\n    restart: always\n",
        },
        config=("compose.yaml", "b.yaml"),
    ),
    "extends in the file": one(
        "services:\n  base:\n    image: nginx:«1.25»\n  web:\n    extends: base\n", also=("base",)
    ),
    "extends from another file": Case(
        {
            "compose.yaml": "services:\n  web:\n    extends: {file: common.yaml, service: base}\n",
            "common.yaml": "services:\n  base:\n    image: nginx:«1.25»\n",
        }
    ),
    "include": Case(
        {
            "compose.yaml": "include: [inner/compose.yaml]\nservices: {api: {image: a:1}}\n",
            "inner/compose.yaml": "services:\n  web:\n    image: nginx:«1.25»\n",
        }
    ),
    "include with its own .env": Case(
        {
            "compose.yaml": "include: [inner/compose.yaml]\nservices: {api: {image: a:1}}\n",
            "inner/compose.yaml": "services:\n  web:\n    image: nginx:$TAG\n",
            "inner/.env": "TAG=«1.25»\n",
        },
        variables=("TAG",),
    ),
    ".env": Case(
        {
            "compose.yaml": "services:\n  web:\n    image: nginx:${TAG}\n",
            ".env": "# versions\nOTHER=1.25\nTAG=«1.25»  # of nginx\n",
        },
        variables=("TAG",),
    ),
    ".env, CRLF, export, quotes": Case(
        {
            "compose.yaml": "services:\n  web:\n    image: nginx:${TAG:?}\n",
            ".env": '\ufeffexport TAG = "«1.25»"\r\nA=b\r\n',
        },
        variables=("TAG",),
    ),
    ".env, single quotes": Case(
        {"compose.yaml": "services: {web: {image: 'nginx:$TAG'}}", ".env": "TAG='«1.25»'"},
        variables=("TAG",),
    ),
    ".env, set twice": Case(
        {
            "compose.yaml": "services: {web: {image: 'nginx:$TAG'}}",
            ".env": "TAG=1.25\nTAG=«1.25»\n",
        },
        variables=("TAG",),
    ),
    ".env, by another variable": Case(
        {
            "compose.yaml": "services: {web: {image: 'nginx:$TAG'}}",
            ".env": "VERSION=«1.25»\nTAG=${VERSION}\n",
        },
        variables=("VERSION",),
    ),
    ".env, shared": Case(
        {
            "compose.yaml": "services:\n  web: {image: 'nginx:$TAG'}\n  api: {image: 'a/b:$TAG'}\n",
            ".env": "TAG=«1.25»\n",
        },
        variables=("TAG",),
        also=("api",),
    ),
    "a variable for the whole image": Case(
        {"compose.yaml": "services: {web: {image: $IMAGE}}", ".env": "IMAGE=nginx:«1.25»\n"},
        variables=("IMAGE",),
    ),
    "a variable for the registry": Case(
        {
            "compose.yaml": "services: {web: {image: '${REGISTRY}/nginx:«1.25»'}}",
            ".env": "REGISTRY=nas.lan:5000\n",
        }
    ),
    "the default of a variable": one("services: {web: {image: 'nginx:${TAG:-«1.25»}'}}"),
    "the default in a default": one("services: {web: {image: 'nginx:${A-${B:-«1.25»}}'}}"),
    "a default that does not count": Case(
        {"compose.yaml": "services: {web: {image: 'nginx:${TAG:-1.24}'}}", ".env": "TAG=«1.25»"},
        variables=("TAG",),
    ),
    "the registry from the environment": one(
        "services: {web: {image: '$REGISTRY/nginx:«1.25»'}}", environment={"REGISTRY": "ghcr.io"}
    ),
    "an env file of the command line": Case(
        {"compose.yaml": "services: {web: {image: 'nginx:$TAG'}}", "prod.env": "TAG=«1.25»\n"},
        variables=("TAG",),
        environment_files=("prod.env",),
    ),
    "the last of two env files": Case(
        {
            "compose.yaml": "services: {web: {image: 'nginx:$TAG'}}",
            "a.env": "TAG=1.25\n",
            "b.env": "TAG=«1.25»\n",
        },
        variables=("TAG",),
        environment_files=("a.env", "b.env"),
    ),
    "a dollar sign before it": one("services: {web: {image: nginx:«1.25», command: 'a $$b'}}"),
    "flavour": one("services: {web: {image: nginx:«1.25»-alpine}}"),
}


def write(folder: Path, case: Case, value: str | None = None) -> None:
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(filled(text, value).encode())


def filled(text: str, value: str | None = None) -> str:
    before, mark, rest = text.partition("«")
    old, _mark, behind = rest.partition("»")
    return before + (value or old) + behind if mark else text


def files(folder: Path, case: Case) -> Files:
    return Files(
        [folder / name for name in case.config],
        working_dir=folder,
        environment_files=[folder / name for name in case.environment_files],
        environment=case.environment,
    )


@pytest.mark.parametrize("name", CASES)
def test_it_changes_the_value_and_no_other_byte(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    write(tmp_path, case)
    tag = NEW + ("-alpine" if name == "flavour" else "")
    found = files(tmp_path, case).edit(case.service, tag=tag)
    assert tuple(found.also) == case.also
    assert found.variables == case.variables
    edits.apply(found.edits)
    for file, text in case.files.items():
        assert (tmp_path / file).read_bytes().decode() == filled(text, NEW), file
    edits.undo(found.edits)
    for file, text in case.files.items():
        assert (tmp_path / file).read_bytes().decode() == filled(text), file


def test_it_says_the_line_and_what_the_value_belongs_to(tmp_path: Path) -> None:
    write(tmp_path, CASES[".env"])
    [edit] = files(tmp_path, CASES[".env"]).edit("web", tag=NEW).edits
    assert (edit.path, edit.line, edit.names) == (str(tmp_path / ".env"), 3, "TAG")
    write(tmp_path, CASES["CRLF"])
    [edit] = files(tmp_path, CASES["CRLF"]).edit("web", tag=NEW).edits
    assert (edit.line, edit.names) == (3, "services.web.image")


def test_it_moves_tag_and_digest_together(tmp_path: Path) -> None:
    image = f"nginx:{OLD}@{OLD_DIGEST}"
    case = one(f"services:\n  web:\n    image: '{image}'\n")
    write(tmp_path, case)
    found = files(tmp_path, case).edit("web", tag=NEW, digest=NEW_DIGEST)
    edits.apply(found.edits)
    assert files(tmp_path, case).image_of("web") == f"nginx:{NEW}@{NEW_DIGEST}"
    edits.undo(found.edits)
    assert files(tmp_path, case).image_of("web") == image


def test_it_moves_a_digest_alone(tmp_path: Path) -> None:
    case = Case(
        {"compose.yaml": "services: {web: {image: 'nginx:$TAG'}}", ".env": f"TAG=1@{OLD_DIGEST}"}
    )
    write(tmp_path, case)
    edits.apply(files(tmp_path, case).edit("web", tag="1", digest=NEW_DIGEST).edits)
    assert files(tmp_path, case).image_of("web") == f"nginx:1@{NEW_DIGEST}"


def test_it_writes_a_tag_where_there_is_none(tmp_path: Path) -> None:
    case = one("services: {web: {image: ghcr.io/acme/api}}")
    write(tmp_path, case)
    edits.apply(files(tmp_path, case).edit("web", tag="2").edits)
    text = (tmp_path / "compose.yaml").read_text()
    assert text == "services: {web: {image: ghcr.io/acme/api:2}}"


def test_it_changes_nothing_where_only_the_image_behind_the_tag_is_new(tmp_path: Path) -> None:
    write(tmp_path, CASES["plain"])
    assert files(tmp_path, CASES["plain"]).edit("web", tag=OLD, digest=NEW_DIGEST) == Found((), {})


def test_it_reads_a_file_with_an_edit_once_however_many_services_it_has(tmp_path: Path) -> None:
    services = "".join(f"  s{number}: {{image: 'acme/app:1'}}\n" for number in range(60))
    case = one(f"services:\n{services}")
    write(tmp_path, case)
    read = files(tmp_path, case)
    before = parse.cache_info().misses
    read.edit("s7", tag="2")
    assert parse.cache_info().misses - before <= 2  # as it was, and as it would be


MIXED = """
x-shared: &shared {image: 'acme/shared:1'}
services:
  one: *shared
  two: *shared
  three: {image: 'acme/three:1'}
  four: {image: "acme/four:$FOUR"}
  five: {image: 'acme/five:1', labels: &five {a: b}}
  six: {image: "acme/\\x73ix:1"}
  seven: {build: .}
  eight: {image: 'acme/eight:1@sha256:%s'}
"""


def test_what_it_says_of_many_at_once_is_what_it_says_of_each(tmp_path: Path) -> None:
    case = Case({"compose.yaml": MIXED % ("a" * 64), ".env": "FOUR=1\n"})
    write(tmp_path, case)
    read = files(tmp_path, case)
    names = ("one", "two", "three", "four", "five", "six", "seven", "eight")
    together = read.edit_together({name: Goal("2", NEW_DIGEST) for name in names})
    assert sorted(together) == ["eight", "five", "four", "three"]
    for name, found in together.items():
        assert found == read.edit(name, tag="2", digest=NEW_DIGEST)
    assert read.edit("one", tag="2").also == {"two": "acme/shared:2"}


def test_one_that_cannot_be_told_with_others_leaves_these_alone(tmp_path: Path) -> None:
    case = Case(
        {
            "compose.yaml": "services:\n"
            + "".join(f"  s{n}: {{image: 'acme/s{n}:1'}}\n" for n in range(9))
            + "  odd: {image: &odd 'acme/odd:1', command: *odd}\n"
        }
    )
    write(tmp_path, case)
    read = files(tmp_path, case)
    goals = {name: Goal("2") for name in ("odd", *(f"s{n}" for n in range(9)))}
    assert set(read.edit_together(goals)) >= {f"s{n}" for n in range(1, 9)}
    assert "odd" not in read.edit_together(goals)
    with pytest.raises(NotEditable, match="same value also stands"):
        read.edit("odd", tag="2")


def test_a_hundred_services_are_put_together_as_often_as_one(tmp_path: Path) -> None:
    services = "".join(f"  s{number}: {{image: 'acme/s{number}:1'}}\n" for number in range(100))
    case = one(f"services:\n{services}")
    write(tmp_path, case)
    read = files(tmp_path, case)
    before = parse.cache_info().misses
    together = read.edit_together({f"s{number}": Goal("2") for number in range(100)})
    assert len(together) == 100
    assert parse.cache_info().misses - before <= 2


def test_it_says_where_else_a_variable_is_used(tmp_path: Path) -> None:
    case = Case(
        {
            "compose.yaml": "services:\n  web:\n    image: nginx:$TAG\n"
            "    environment: {VERSION: '$TAG', OTHER: $TAGS}\n",
            ".env": "TAG=«1.25»\n",
        }
    )
    write(tmp_path, case)
    found = files(tmp_path, case).edit("web", tag=NEW)
    assert found.uses == ("services.web.environment.VERSION",)


REFUSED: dict[str, tuple[Case, str]] = {
    "alias elsewhere": (
        one(
            "services:\n  web:\n    image: &v nginx:1.25\n    environment: {IMAGE: *v}\n",
        ),
        r"also stands at services\.web\.environment\.IMAGE",
    ),
    "from the environment": (
        one("services: {web: {image: 'nginx:$TAG'}}", environment={"TAG": "1.25"}),
        "The variable TAG comes from the environment that Dockrev runs in",
    ),
    "put together": (
        Case({"compose.yaml": "services: {web: {image: 'nginx:$A.$B'}}", ".env": "A=3\nB=25\n"}),
        "put together from several parts",
    ),
    "one variable twice": (
        Case({"compose.yaml": "services: {web: {image: 'ng$V:$V'}}", ".env": "V=1.25\n"}),
        "No compose file writes the image",
    ),
    "escapes": (one('services: {web: {image: "nginx:1\\x2e25"}}'), "line 1: .* with escapes"),
    "folded over lines": (
        one('services:\n  web:\n    image: "nginx:\\\n      1.25"\n'),
        "over several lines",
    ),
    "escapes in .env": (
        Case(
            {"compose.yaml": "services: {web: {image: 'nginx:$TAG'}}", ".env": 'TAG="1.25\\n"\n'},
        ),
        "written with escapes",
    ),
    "build only": (one("services: {web: {build: .}}"), "is built here, not pulled"),
    "neither": (one("services: {web: {restart: always}}"), "give web no image"),
    "no such service": (one("services: {api: {image: a}}"), "has the service web"),
    "several documents": (
        one("services: {web: {image: 'nginx:1.25'}}\n---\nservices: {}\n"),
        "has the service web.*another document",
    ),
    "a tab where YAML allows none": (
        one("services:\n  web:\n    image: nginx:1.25\t\n"),
        "has the service web.*line 3",
    ),
    "not YAML": (one("services: [web: {"), "has the service web"),
    "a file that is gone": (
        Case({"other.yaml": "a: b\n"}, config=("compose.yaml",)),
        "has the service web.*No such file",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_with_words(tmp_path: Path, name: str) -> None:
    case, words = REFUSED[name]
    write(tmp_path, case)
    with pytest.raises(NotEditable, match=words):
        files(tmp_path, case).edit("web", tag=NEW)


def test_it_refuses_what_is_not_utf_8(tmp_path: Path) -> None:
    text = "# größer\nservices: {web: {image: 'nginx:1.25'}}\n"
    (tmp_path / "compose.yaml").write_bytes(text.encode("utf-16"))
    with pytest.raises(NotEditable, match="is not UTF-8"):
        files(tmp_path, CASES["plain"]).edit("web", tag=NEW)


def test_it_refuses_a_file_that_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, CASES["plain"])
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anything
    with pytest.raises(NotEditable, match="is read-only for Dockrev"):
        files(tmp_path, CASES["plain"]).edit("web", tag=NEW)


def test_it_keeps_every_name_but_the_tag() -> None:
    assert changed("a:5000/b", tag="2") == "a:5000/b:2"
    assert changed("a:5000/b:1", tag="2") == "a:5000/b:2"
    assert changed(f"b@{OLD_DIGEST}", tag="2", digest=NEW_DIGEST) == f"b@{NEW_DIGEST}"
    assert changed("b:1", tag="1", digest=NEW_DIGEST) == "b:1"


# Any file of a family ----------------------------------------------------------------------------

NAMES = st.sampled_from(["web", "api", "db", "image", "größe"[:2], "x.y", "a-b"])
STYLES = st.sampled_from(["{}", "'{}'", '"{}"', "&a{n} {}", "!!str {}", "|-\n      {}", "  {}"])
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
TAILS = st.sampled_from(
    ["", " # 1.25", " #\t1.25", "  ", "\n    restart: always", "\n    # image: x:1"]
)


@st.composite
def a_file(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """Its text before and after the edit, the service, and the new tag."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    target = draw(st.sampled_from(names))
    tag, new = draw(TAGS), draw(TAGS)
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    before, after = "", ""
    for number, name in enumerate(names):
        style, tail = draw(STYLES).replace("{n}", str(number)), draw(TAILS)
        tail = "" if style.startswith("|") else tail
        for_all = f"  {name}:\n    image: {style}{tail}\n"
        before += for_all.replace("{}", f"acme/app:{tag}")
        after += for_all.replace("{}", f"acme/app:{new if name == target else tag}")
    lead = draw(st.sampled_from(["", "\ufeff", "# ü 1.25\n", "x-a: 'acme/app:1'\n", "---\n"]))

    def whole(text: str) -> str:
        return f"{lead}services:\n{text}".replace("\n", newline)

    return whole(before), whole(after), target, new


@settings(max_examples=150, deadline=None)
@given(a_file())
def test_it_changes_the_value_alone_in_any_file(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[str, str, str, str]
) -> None:
    before, after, target, new = made
    folder = tmp_path_factory.mktemp("any")
    path = folder / "compose.yaml"
    path.write_bytes(before.encode())
    found = files(folder, one("")).edit(target, tag=new)
    edits.apply(found.edits)
    assert path.read_bytes().decode() == after
    image = yaml.safe_load(path.read_bytes())["services"][target]["image"]
    assert image.strip() == f"acme/app:{new}"
    edits.undo(found.edits)
    assert path.read_bytes().decode() == before
