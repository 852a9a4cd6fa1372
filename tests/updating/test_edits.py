"""Writing edits into files, and taking them back."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from checks.updating import edits
from checks.updating.plan import Edit
from tests.real.requirements import require

TEXT = "services:\r\n  web: {image: 'nginx:1.25'}  # pinned\r\n  api: {image: acme/api:2}"


def edit(path: Path, old: str, new: str, text: str = TEXT) -> Edit:
    data = text.encode()
    start = data.index(old.encode())
    line = data[:start].count(b"\n") + 1
    return Edit(str(path), hashlib.sha256(data).hexdigest(), start, line, old, new, "x")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "compose.yaml"
    path.write_bytes(TEXT.encode())
    return path


def test_it_changes_only_what_it_says_and_puts_it_back(file: Path) -> None:
    file.chmod(0o640)
    change = edit(file, "1.25", "1.27.1")
    edits.apply([change])
    assert file.read_bytes() == TEXT.replace("1.25", "1.27.1").encode()
    assert file.stat().st_mode & 0o7777 == 0o640
    edits.undo([change])
    assert file.read_bytes() == TEXT.encode()
    assert [each.name for each in file.parent.iterdir()] == ["compose.yaml"]


def test_it_does_again_what_is_done_without_harm(file: Path) -> None:
    change = edit(file, "1.25", "1.25.4")  # the old value begins the new one
    for _time in range(2):
        edits.apply([change])
        assert b"nginx:1.25.4'" in file.read_bytes()
    for _time in range(2):
        edits.undo([change])
        assert file.read_bytes() == TEXT.encode()


def test_it_knows_the_other_edits_of_a_plan(file: Path) -> None:
    first, second = edit(file, "1.25", "1.27.1"), edit(file, "api:2", "api:3.0")
    plan = [first, second]
    edits.apply([first], among=plan)
    edits.apply([second], among=plan)
    both = TEXT.replace("1.25", "1.27.1").replace("api:2", "api:3.0").encode()
    assert file.read_bytes() == both
    edits.undo([first], among=plan)
    assert file.read_bytes() == TEXT.replace("api:2", "api:3.0").encode()
    with pytest.raises(edits.Conflict):
        edits.undo([first])


@pytest.mark.parametrize("do", [edits.apply, edits.undo])
def test_it_leaves_a_file_alone_that_somebody_changed(file: Path, do: Any) -> None:
    change = edit(file, "1.25", "1.27.1")
    theirs = TEXT.replace("pinned", "PINNED").encode()
    file.write_bytes(theirs)
    with pytest.raises(edits.Conflict, match=r"compose\.yaml was changed since"):
        do([change])
    assert file.read_bytes() == theirs


def test_it_writes_all_or_none(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "z.env"
    other.write_text("TAG=9\n")
    changed = edit(other, "1", "2", "TAG=1\n")
    with pytest.raises(edits.Conflict):
        edits.apply([edit(file, "1.25", "1.27"), changed])
    assert file.read_bytes() == TEXT.encode()


def test_it_edits_what_a_link_leads_to(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    edits.apply([edit(link, "1.25", "1.27")])
    assert link.is_symlink()
    assert b"1.27" in file.read_bytes()


def test_it_keeps_hard_links_together(file: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin.yaml"
    twin.hardlink_to(file)
    edits.apply([edit(file, "nginx:1.25", "n:1")])
    assert twin.read_bytes() == file.read_bytes() == TEXT.replace("nginx:1.25", "n:1").encode()


@pytest.mark.parametrize("new", ["1.27.1-alpine", "1"])
def test_it_writes_into_a_file_that_is_mounted_by_itself(
    file: Path, monkeypatch: pytest.MonkeyPatch, new: str
) -> None:
    def busy(self: Path, target: object) -> Path:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(Path, "replace", busy)
    inode = file.stat().st_ino
    edits.apply([edit(file, "1.25", new)])
    assert file.stat().st_ino == inode
    assert file.read_bytes() == TEXT.replace("1.25", new).encode()
    assert [each.name for each in file.parent.iterdir()] == ["compose.yaml"]


def test_it_puts_back_what_it_could_not_write_to_the_end(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.link(file, file.with_name("other.yaml"))  # so it is written in place
    whole, calls = os.pwrite, iter([4])

    def full(handle: int, data: bytes, at: int) -> int:
        room = next(calls, None)
        if room is None and at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(handle, data[:room], at)

    monkeypatch.setattr(os, "pwrite", full)
    longer = edit(file, "services", "no services any more")
    with pytest.raises(edits.NotWritten, match="No space left"):
        edits.apply([longer])
    assert file.read_bytes() == TEXT.encode()


def test_it_writes_nothing_in_place_where_there_is_no_room_beside(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_given: Any) -> tuple[int, str]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(edits.NotWritten, match="No space left"):
        edits.apply([edit(file, "1.25", "1.27")])
    assert file.read_bytes() == TEXT.encode()


def test_it_follows_no_link_that_took_the_place_of_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write the folder would have us write elsewhere, as us."""
    elsewhere = file.with_name("passwd")
    elsewhere.write_bytes(TEXT.encode())

    def swap(**_given: Any) -> tuple[int, str]:
        file.unlink()
        file.symlink_to(elsewhere)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.mkstemp", swap)
    with pytest.raises(edits.NotWritten):
        edits.apply([edit(file, "1.25", "1.27")])
    assert elsewhere.read_bytes() == TEXT.encode()


def test_it_says_which_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(edits.NotWritten, match=r"gone\.yaml cannot be read or written: No such"):
        edits.apply([edit(tmp_path / "gone.yaml", "1.25", "1.27")])


def test_it_refuses_a_file_that_is_too_large(file: Path) -> None:
    file.write_bytes(b"#" * (edits.MAX_SIZE + 1))
    with pytest.raises(edits.NotWritten, match="larger than 1024 KiB"):
        edits.apply([edit(file, "1.25", "1.27")])


def test_it_refuses_a_file_that_is_read_only(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anything
    with pytest.raises(edits.NotWritten, match="Permission denied"):
        edits.apply([edit(file, "1.25", "1.27")])
    assert file.read_bytes() == TEXT.encode()


def test_it_keeps_the_owner(file: Path) -> None:
    require("root")  # nobody else can give files away
    os.chown(file, 12345, 23456)
    edits.apply([edit(file, "1.25", "1.27")])
    assert (file.stat().st_uid, file.stat().st_gid) == (12345, 23456)
