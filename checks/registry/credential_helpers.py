"""Docker's credential helpers: programs that know who we are to a registry.

Followed: https://github.com/docker/docker-credential-helpers
"""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from typing import IO, NamedTuple

from django.utils.translation import gettext as _

LIMIT = 10.0  # seconds for one call
MOST_BYTES = 64 * 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# What every helper says where it has nothing; it is no failure.
_NOT_FOUND = b"credentials not found"


class Account(NamedTuple):
    """With `IDENTITY_TOKEN` as its user, the password is a refresh token."""

    username: str
    password: str

    @property
    def is_usable(self) -> bool:
        """Whether both are there, and hold nothing that no request can carry."""
        try:
            "".join(self).encode()
        except UnicodeEncodeError:
            return False
        return bool(self.username and self.password)


class HelperFailed(Exception):
    """The text is for people and quotes nothing that the helper said: it may be a secret."""


class HelperHangs(HelperFailed):
    """It did not answer in time, and would not for another server."""


def ask_helper(name: str, server: str) -> Account | None:
    """Ask `docker-credential-<name>` about a server; None where it knows nothing of that.

    Raises HelperFailed.
    """
    helper = f"docker-credential-{name}"
    named = {"helper": helper, "limit": LIMIT}
    program = shutil.which(helper) if _NAME.fullmatch(name) else None
    if program is None:
        text = _("Docker's credential helper %(helper)r is not there.")
        raise HelperFailed(text % {"helper": helper[:100]})
    try:
        code, said = _call(program, server.encode())
    except TimeoutError:
        text = _("Docker's credential helper %(helper)s did not answer within %(limit)d s.")
        raise HelperHangs(text % named) from None
    except OSError:
        text = _("Docker's credential helper %(helper)s cannot be started.")
        raise HelperFailed(text % named) from None
    if code != 0:
        if _NOT_FOUND in said:
            return None
        raise HelperFailed(_("Docker's credential helper %(helper)s failed.") % named)
    account = _read(said)
    if account is None:
        text = _("Docker's credential helper %(helper)s gave no user and password.")
        raise HelperFailed(text % named)
    return account


def _read(said: bytes) -> Account | None:
    try:
        answer = json.loads(said)
        username, password = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(username, str) or not isinstance(password, str):
        return None
    account = Account(username, password)
    return account if account.is_usable else None


def _call(program: str, question: bytes) -> tuple[int, bytes]:
    """Return the exit code and what was said, at most MOST_BYTES. TimeoutError, OSError."""
    ends = time.monotonic() + LIMIT
    helper = subprocess.Popen(  # noqa: S603 - no shell; the name is of safe characters
        [program, "get"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
    )
    assert helper.stdin and helper.stdout  # noqa: S101 - both are pipes
    with helper.stdout:
        try:
            with suppress(BrokenPipeError), helper.stdin:
                helper.stdin.write(question)
            said = _read_until(helper.stdout, ends)
            return helper.wait(max(0.0, ends - time.monotonic())), said
        except (subprocess.TimeoutExpired, TimeoutError):
            # Those that it started, too.
            os.killpg(helper.pid, signal.SIGKILL)
            helper.wait()
            raise TimeoutError from None


def _read_until(output: IO[bytes], ends: float) -> bytes:
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while len(said) < MOST_BYTES:
            left = ends - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise TimeoutError
            part = os.read(output.fileno(), MOST_BYTES - len(said))
            if not part:
                break
            said += part
    return said


def _environment() -> dict[str, str]:
    """Ours without our own secrets; helpers need the rest: HOME, AWS_PROFILE, …"""
    ours = {"DATABASE_URL", "DATABASE_URL_FILE"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("DOCKREV_")
    }
