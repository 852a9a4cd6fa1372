"""An edited file in its Git repository: what is committed, as whom, and what is only said."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.updating import commits, edits
from checks.updating.plan import Change, Edit
from checks.versions.authors import OURS, Author, author
from checks.versions.patterns import BadPattern
from tests.real.requirements import require

TEXT = "services:\r\n  api: {image: 'acme/api:1.2'}  # ours\r\n  web: {image: acme/web:1}\r\n"


def git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{a}_{b}": "x@y" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
    safe = ["-c", "safe.directory=*"]
    done = subprocess.run(
        ["git", *safe, *arguments],
        cwd=folder,
        env={**os.environ, **who},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one commit, and something staged that is nobody's business."""
    place = tmp_path / "a $HOME ünïcode\nfolder" / "inner"
    place.mkdir(parents=True)
    git(place.parent, "init", "--quiet")
    (place / "compose.yaml").write_bytes(TEXT.encode())
    (place / "other").write_text("one\n")
    git(place, "add", ".")
    git(place, "commit", "--quiet", "-m", "first")
    (place / "other").write_text("two\n")
    git(place, "add", "other")
    (place / "new").write_text("new\n")
    return place


def change_of(file: Path, old: str = "1.2", new: str = "1.3") -> Change:
    data = file.read_bytes()
    start = data.index(old.encode())
    digest = hashlib.sha256(data).hexdigest()
    edit = Edit(str(file), digest, start, 2, old, new, "services.api.image")
    given = ("svc_1", "api", "minor", "acme/api:1.2", "", "sha256:a", "acme/api:1.3", "sha256:b")
    return Change(*given, edits=(edit,))


def say(change: Change, who: Author = OURS) -> str:
    [said] = commits.commit(change, "Update shop/api, 1.2 → 1.3", who)
    return said


def test_it_commits_the_edited_file_alone(folder: Path) -> None:
    change = change_of(folder / "compose.yaml")
    edits.apply(change.edits)
    said = say(change, Author("Ada", "ada@example.org"))
    made = git(folder, "rev-parse", "--short", "HEAD")
    assert said == f"{folder}/compose.yaml is committed: {made}"
    shown = git(folder, "show", "--name-only", "--format=%an %ae %cn %s", "HEAD").splitlines()
    assert shown == ["Ada ada@example.org Ada Update shop/api, 1.2 → 1.3", "", "inner/compose.yaml"]
    assert git(folder, "status", "--porcelain", ".").splitlines() == [
        "M  inner/other",
        "?? inner/new",
    ]
    assert git(folder, "show", "HEAD:./other") == "one"
    assert (folder / "compose.yaml").read_bytes() == TEXT.replace("1.2", "1.3").encode()


def test_a_way_back_is_committed_too(folder: Path) -> None:
    change = change_of(folder / "compose.yaml")
    edits.apply(change.edits)
    say(change)
    edits.undo(change.edits)
    assert "is committed" in say(change)
    assert git(folder, "rev-list", "--count", "HEAD") == "3"
    assert git(folder, "diff", "HEAD~2", "HEAD") == ""
    assert "it is as in the last commit" in say(change)


def test_what_a_person_changed_in_it_stays_uncommitted(folder: Path) -> None:
    file = folder / "compose.yaml"
    file.write_bytes(file.read_bytes() + b"# a note\r\n")
    change = change_of(file)
    edits.apply(change.edits)
    assert "other changes that are not committed" in say(change)
    assert git(folder, "rev-list", "--count", "HEAD") == "1"


def test_a_file_of_one_long_line_is_no_trouble(folder: Path) -> None:
    file = folder / "compose.yaml"
    file.write_text(f"services: {{api: {{image: acme/api:1, labels: ['{'1 ' * 200_000}']}}}}")
    git(folder, "add", "compose.yaml")
    git(folder, "commit", "--quiet", "-m", "long")
    change = change_of(file, "1", "11")
    edits.apply(change.edits)
    assert "is committed" in say(change)
    edits.undo(change.edits)
    assert "is committed" in say(change)


def test_a_change_of_another_value_is_another_change(folder: Path) -> None:
    file = folder / "compose.yaml"
    change = change_of(file)
    edits.apply(change.edits)
    file.write_bytes(file.read_bytes().replace(b"web:1", b"web:2"))
    assert "other changes" in say(change)


@pytest.mark.parametrize("hook", ["pre-commit", "commit-msg", "prepare-commit-msg", "post-commit"])
def test_no_hook_and_no_signing_is_run(folder: Path, tmp_path: Path, hook: str) -> None:
    ran = tmp_path / "ran"
    script = f"#!/bin/sh\ntouch {ran}\nexit 1\n"
    for place in (folder.parent / ".git/hooks" / hook, tmp_path / "sign"):
        place.parent.mkdir(exist_ok=True)
        place.write_text(script)
        place.chmod(0o755)
    for name, value in {"commit.gpgSign": "true", "gpg.program": str(tmp_path / "sign")}.items():
        git(folder, "config", name, value)
    git(folder, "config", "core.fsmonitor", str(tmp_path / "sign"))
    change = change_of(folder / "compose.yaml")
    edits.apply(change.edits)
    assert "is committed" in say(change)
    assert not ran.exists()


def test_in_a_repository_of_somebody_else_it_is_they_who_commit(
    folder: Path, tmp_path: Path
) -> None:
    require("root")
    """What the repository has Git run is run as its owner, in no group that this one is not in: a
    folder may have that of the folder above, or root's."""
    ran = tmp_path / "who"
    tmp_path.chmod(0o777)
    for place in (tmp_path.parent, tmp_path.parent.parent):
        place.chmod(0o755)
    (folder / ".gitattributes").write_text("compose.yaml filter=odd\n")
    git(folder, "config", "filter.odd.clean", f"echo $(id -u) $(id -G) > {ran}; cat")
    for place in (folder.parent, *folder.parent.rglob("*")):
        os.chown(place, 4321, 0)
    change = change_of(folder / "compose.yaml")
    edits.apply(change.edits)
    assert "is committed" in say(change)
    assert ran.read_text() == "4321 65534\n"
    made = [place for place in folder.parent.rglob("*") if place.stat().st_uid != 4321]
    assert not made


def test_a_folder_that_looks_like_a_repository_is_not_taken_for_one(
    folder: Path, tmp_path: Path
) -> None:
    """Whoever may write files into the repository could bring a configuration with them."""
    ran = tmp_path / "ran"
    git(folder, "init", "--quiet", "--bare", ".")
    for name, value in {
        "core.bare": "false",
        "core.worktree": "..",
        "filter.odd.smudge": f"touch {ran}; cat",
        "filter.odd.clean": f"touch {ran}; cat",
    }.items():
        git(folder, "config", "--file", "config", name, value)
    (folder / ".gitattributes").write_text("* filter=odd\n")
    shutil.copytree(folder.parent / ".git" / "objects", folder / "objects", dirs_exist_ok=True)
    shutil.copytree(folder.parent / ".git" / "refs", folder / "refs", dirs_exist_ok=True)
    change = change_of(folder / "compose.yaml")
    edits.apply(change.edits)
    assert "is not committed" in say(change)
    assert not ran.exists()


def test_what_never_ends_is_ended(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".gitattributes").write_text("compose.yaml filter=odd\n")
    git(folder, "config", "filter.odd.clean", "sleep 600")
    monkeypatch.setattr(commits, "LIMIT", 1.0)
    change = change_of(folder / "compose.yaml")
    edits.apply(change.edits)
    assert "Git took longer than 1 seconds" in say(change)


def take_git_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)


def take_repository_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder.parent / ".git")


def take_file_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(folder, "rm", "--quiet", "--cached", "compose.yaml")
    git(folder, "commit", "--quiet", "-m", "second")


def lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / ".git/index.lock").touch()


def spoil(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / ".git/HEAD").write_text("nothing\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (take_git_away, "Git is not installed"),
        (take_repository_away, "is in no Git repository"),
        (take_file_out, "is not in the last commit"),
        (lock, "index.lock"),
        (spoil, "Git says: fatal: not a git repository"),
    ],
)
def test_why_there_is_no_commit_is_said(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    words: str,
) -> None:
    change = change_of(folder / "compose.yaml")
    edits.apply(change.edits)
    spoil(folder, monkeypatch)
    said = say(change)
    assert "is not committed: " in said
    assert words in said


@pytest.mark.parametrize(
    "text", ["Ada", "<a@b>", " <a@b>", "Ada <>", "Ada <a b>", "A\n <a@b>", "A <a@b> x"]
)
def test_an_author_has_a_name_and_an_address(text: str) -> None:
    with pytest.raises(BadPattern, match="Write an author"):
        author(text)


def test_an_author_is_read() -> None:
    assert author("") == OURS
    assert author("Ada L. <ada@example.org>") == Author("Ada L.", "ada@example.org")
