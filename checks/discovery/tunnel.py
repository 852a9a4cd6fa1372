"""A socket of ours behind which the engine of another machine is, by the system's ssh.

What Docker's own tools do for `ssh://`, and with our options: each connection is one
`ssh … docker system dial-stdio`, so that one which breaks takes no other with it. Docker's
documentation: docs.docker.com/engine/security/protect-access
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.discovery.places import Place, Unreachable, ssh_target
from dockrev import addresses
from dockrev.parenthood import end_with_parent
from dockrev.private_folders import write_private

CONNECT_SECONDS = 5
MOST_SAID = 4000  # bytes
OPTIONS = {
    "BatchMode": "yes",  # it must never ask: nobody is there to answer
    "StrictHostKeyChecking": "yes",
    "ConnectTimeout": str(CONNECT_SECONDS),
    "ConnectionAttempts": "1",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "3",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "ControlMaster": "no",
    "ControlPath": "none",
}
REMOTE = ("docker", "system", "dial-stdio")
_PASSED = ("HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_ALL", "SSH_AUTH_SOCK")

# What ssh says in small letters, and what that means.
_SIGNS: tuple[tuple[str, str | Promise], ...] = (
    (
        "host key verification failed",
        gettext_lazy(
            "The host key of %(place)s is not known here, or is another than the one that is. "
            "Look at it with ssh-keyscan, compare its fingerprint on that machine, and enter "
            "the lines as known hosts."
        ),
    ),
    (
        "docker daemon socket",
        gettext_lazy(
            "The user of %(place)s may not use Docker there. Add the user to the group docker "
            "on that machine."
        ),
    ),
    (
        "permission denied",
        gettext_lazy(
            "%(place)s refuses the key. Add its public half to ~/.ssh/authorized_keys of that "
            "user, or enter another key. It must have no passphrase."
        ),
    ),
    ("could not resolve", gettext_lazy("The name of %(place)s is not known in the network here.")),
    ("connection refused", gettext_lazy("No ssh server answers at %(place)s.")),
    ("timed out", gettext_lazy("%(place)s did not answer within the time that ssh waits.")),
    ("no route to host", gettext_lazy("There is no way in the network to %(place)s.")),
    (
        "not found",
        gettext_lazy(
            "ssh reached %(place)s, but there is no docker program for that user. Install the "
            "Docker CLI there."
        ),
    ),
    (
        "cannot connect to the docker daemon",
        gettext_lazy("ssh reached %(place)s, but no Docker Engine runs there. Start it."),
    ),
)


class Tunnel:
    """`socket` is where it is. What ssh complains of is in `said`."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.socket = folder / "docker.sock"
        self._command = command
        self._errors = folder / "ssh.err"
        self._running: list[subprocess.Popen[bytes]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def said(self) -> str:
        try:
            with self._errors.open("rb") as file:
                return file.read(MOST_SAID).decode(errors="replace")
        except OSError:
            return ""

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._listener.close()
        self._thread.join()
        for process in self._running:
            process.kill()
            process.wait()

    def _serve(self) -> None:
        """What this thread starts ends with it at the latest."""
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            with connection, self._errors.open("ab") as errors:
                self._running = [each for each in self._running if each.poll() is None]
                with suppress(OSError):  # then the one who connected sees the end at once
                    self._running.append(self._start(connection, errors.fileno()))

    def _start(self, connection: socket.socket, errors: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - no shell
            self._command,
            stdin=connection.fileno(),
            stdout=connection.fileno(),
            stderr=errors,
            env={name: os.environ[name] for name in _PASSED if name in os.environ},
            start_new_session=True,
            preexec_fn=partial(end_with_parent, os.getpid()),
        )


@contextmanager
def tunnel_to(place: Place, folder: Path) -> Iterator[Tunnel]:
    """Raises Unreachable where no ssh is here, OSError."""
    tunnel = Tunnel(folder, command(place, folder))
    try:
        yield tunnel
    finally:
        tunnel.close()


def command(place: Place, folder: Path) -> list[str]:
    """What connects to the place; the files that it needs are in the folder."""
    target = ssh_target(place.url)
    addresses.refuse_literal(target.host)
    program = shutil.which("ssh")
    if program is None:
        raise Unreachable(
            _("The program ssh is not here. Install it where Dockrev runs: openssh-client.")
        )
    options = [f"-o{name}={value}" for name, value in {**OPTIONS, **_files(place, folder)}.items()]
    user = [f"-l{target.user}"] if target.user else []
    port = [f"-p{target.port}"] if target.port else []
    return [program, "-T", *options, *user, *port, "--", target.host, *REMOTE]


def _files(place: Place, folder: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    if place.known_hosts:
        write_private(folder / "known_hosts", place.known_hosts)
        files["UserKnownHostsFile"] = _quoted(str(folder / "known_hosts"))
        files["GlobalKnownHostsFile"] = "/dev/null"
    if place.key:
        write_private(folder / "key", place.key)
    if place.key or place.key_file:
        key_file = str(folder / "key") if place.key else place.key_file
        files["IdentityFile"] = _quoted(key_file)
        files["IdentitiesOnly"] = "yes"
        files["IdentityAgent"] = "none"
    return files


def _quoted(path: str) -> str:
    """As ssh reads its options: in quotes, and with % for something else."""
    return '"' + path.replace("%", "%%") + '"'


def explain_ssh(said: str, place: Place) -> str:
    """What ssh complained of, in words that say how to mend it; empty where it was silent."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = said.lower()
    if not lines:
        return ""
    for sign, meaning in _SIGNS:
        if sign in text:
            return str(meaning) % {"place": place.url}
    words = _("ssh cannot reach %(place)s: %(why)s")
    return words % {"place": place.url, "why": lines[-1][:300]}
