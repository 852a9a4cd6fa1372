"""Puts an edited file into its Git repository: that file alone, and only where that is wanted.

A repository can have Git run programs of its choice, by its configuration and its attributes. So
Git runs as the owner of the repository, not as root, without hooks, signing and anybody's own
settings; and where we cannot be the owner, Git itself refuses.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path

from django.utils.translation import gettext as _

from checks.updating import edits as files
from checks.updating.containers import plain
from checks.updating.plan import Change, Edit
from checks.versions.authors import Author

LIMIT = 30.0  # seconds for one call of Git
MOST_LINES = 20_000
LONGEST_WHY = 300

SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    # A folder within it that is made like a repository would bring a configuration of its own.
    "safe.bareRepository=explicit",
    "protocol.allow=never",
)
NOBODYS = 65534  # the group of whom this machine does not know


class NotCommitted(Exception):
    """Why there is no commit; the text is for people."""


def commit(change: Change, title: str, author: Author) -> Iterator[str]:
    """Commit what was edited, each file by itself, and say what became of each."""
    for real, of_file in groupby(sorted(change.edits, key=_real), key=_real):
        named = {"path": real}
        try:
            done = _commit(_repository(Path(real)), list(of_file), title, author)
        except (NotCommitted, files.NotWritten) as error:
            yield _("%(path)s is not committed: %(why)s") % {**named, "why": error}
        else:
            yield _("%(path)s is committed: %(commit)s") % {**named, "commit": done}


def _real(edit: Edit) -> str:
    return os.path.realpath(edit.path)


@dataclass(frozen=True)
class _Repository:
    file: Path
    program: str
    owner: tuple[int, int] | None  # whom Git is run as, where that is somebody else

    def __call__(self, *arguments: str, author: Author | None = None) -> bytes:
        """What Git prints. Raises NotCommitted."""
        settings = (part for setting in SETTINGS for part in ("-c", setting))
        command = [self.program, *settings, "--literal-pathspecs", *arguments]
        try:
            code, output, errors = self._run(command, _environment(author))
        except subprocess.TimeoutExpired:
            text = _("Git took longer than %(seconds)d seconds.")
            raise NotCommitted(text % {"seconds": LIMIT}) from None
        except (OSError, subprocess.SubprocessError) as error:
            raise NotCommitted(_("Git cannot be run: %(why)s") % {"why": error}) from error
        if code:
            said = " ".join(map(plain, errors.decode(errors="replace").splitlines()))
            raise NotCommitted(_("Git says: %(why)s") % {"why": said[:LONGEST_WHY]})
        return output

    def _run(self, command: list[str], environment: dict[str, str]) -> tuple[int, bytes, bytes]:
        """What it starts ends with it, at the latest when its time is over."""
        user, group = self.owner or (None, None)
        with subprocess.Popen(  # noqa: S603 - no shell; found in PATH
            command,
            cwd=self.file.parent,
            env=environment,
            user=user,
            group=group,
            extra_groups=None if self.owner is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=LIMIT)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return process.returncode, output, errors


def _repository(file: Path) -> _Repository:
    program = shutil.which("git")
    if program is None:
        raise NotCommitted(_("Git is not installed where Dockrev runs."))
    top = next((each for each in file.parents if (each / ".git").exists()), None)
    if top is None:
        raise NotCommitted(_("its folder is in no Git repository."))
    found = (top / ".git").stat()
    other = os.geteuid() == 0 and found.st_uid != 0
    return _Repository(file, program, (found.st_uid, _group(found.st_uid)) if other else None)


def _group(user: int) -> int:
    """The user's own. The folder's may be one that the user is not in: it comes from the folder
    above where that hands its group down."""
    try:
        return pwd.getpwuid(user).pw_gid
    except KeyError:
        return NOBODYS


def _environment(author: Author | None) -> dict[str, str]:
    """Nothing of ours, and no settings of a user or of the machine."""
    said = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "true",
        "GIT_NO_LAZY_FETCH": "1",
    }
    if author is not None:
        for who in ("AUTHOR", "COMMITTER"):
            said |= {f"GIT_{who}_NAME": author.name, f"GIT_{who}_EMAIL": author.email}
    return said


def _commit(git: _Repository, edits: Sequence[Edit], title: str, author: Author) -> str:
    name = f"./{git.file.name}"
    git("rev-parse", "--git-dir")
    try:
        before = git("cat-file", "--filters", f"HEAD:{name}")
    except NotCommitted as error:
        text = _("it is not in the last commit. %(why)s")
        raise NotCommitted(text % {"why": error}) from error
    now = files.read(str(git.file))
    if now == before:
        raise NotCommitted(_("it is as in the last commit."))
    if not _is_by(before, now, [(each.old, each.new) for each in edits]):
        raise NotCommitted(_("it had other changes that are not committed, so all stay so."))
    given = ("--only", "--no-verify", "--no-gpg-sign", "--quiet", "--message", title, "--", name)
    git("commit", *given, author=author)
    return git("rev-parse", "--short", "HEAD").decode(errors="replace").strip()


def _is_by(before: bytes, now: bytes, swaps: Sequence[tuple[str, str]]) -> bool:
    """Whether a file became another by these values alone, put in or taken out."""
    old, new = before.splitlines(), now.splitlines()
    if len(old) != len(new) or len(old) > MOST_LINES:
        return False
    different = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
    both = [(one.encode(), other.encode()) for one, other in swaps]
    undone = [(new, old) for old, new in both]
    return len(different) <= len(swaps) and all(
        _becomes(one, other, both) or _becomes(one, other, undone) for one, other in different
    )


def _becomes(one: bytes, other: bytes, swaps: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a line becomes another with some of the values changed, each in one place.

    Only looked for where the two begin to differ: a file may be one line of a megabyte.
    """
    if one == other:
        return True
    same = sum(
        1 for _pair in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    )
    for number, (old, new) in enumerate(swaps):
        others = [*swaps[:number], *swaps[number + 1 :]]
        for at in range(max(0, same - max(len(old), len(new))), same + 1):
            is_here = one.startswith(old, at) and other.startswith(new, at)
            if is_here and _becomes(one[at + len(old) :], other[at + len(new) :], others):
                return True
    return False
