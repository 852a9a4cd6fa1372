"""Another machine, as far as ssh knows: a server of the suite's own, or a program in its place."""

from __future__ import annotations

import getpass
import subprocess
import sys
from pathlib import Path

from tests.real.engine import Engine
from tests.real.processes import Server, accepts, free_port
from tests.real.requirements import SSH_SERVER, require


class SshServer:
    """`docker` of whoever signs in is that of the engine. `key` is the private one it takes."""

    def __init__(self, directory: Path, engine: Engine) -> None:
        self.port = free_port()
        self.user = getpass.getuser()
        self._directory = directory
        self._engine = engine
        self._server: Server | None = None
        for name in ("host", "user", "stranger"):
            self._generate(name)
        directory.joinpath("authorized_keys").write_text(self._read("user.pub"))

    @property
    def url(self) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return self._read("user")

    @property
    def strangers_key(self) -> str:
        return self._read("stranger")

    @property
    def known_hosts(self) -> str:
        return f"[127.0.0.1]:{self.port} {self._read('host.pub')}"

    def start(self) -> None:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it locks away what talks to strangers
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self._directory}/host",
            f"AuthorizedKeysFile {self._directory}/authorized_keys",
            f"PidFile {self._directory}/sshd.pid",
            f"SetEnv DOCKER_HOST={self._engine.host}",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "StrictModes no",
            "UsePAM no",
        ]
        config = self._directory / "sshd_config"
        config.write_text("\n".join(lines) + "\n")
        self._server = Server(
            [require("ssh")[SSH_SERVER], "-D", "-e", "-f", config], self._directory / "sshd.log"
        )
        self._server.wait_until(lambda: accepts(self.port))

    def stop(self) -> None:
        if self._server:
            self._server.stop()

    def _generate(self, name: str) -> None:
        quiet = ["ssh-keygen", "-q", "-t", "ed25519", "-N", ""]
        subprocess.run([*quiet, "-f", str(self._directory / name)], check=True)

    def _read(self, name: str) -> str:
        return self._directory.joinpath(name).read_text()


def stand_in(folder: Path, engine: Engine) -> None:
    """A program `ssh` that notes how it was called, and goes to the engine."""
    program = folder / "ssh"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, sys, json, pathlib\n"
        f"pathlib.Path({str(folder / 'called')!r}).write_text(json.dumps(sys.argv[1:]))\n"
        f"os.environ['DOCKER_HOST'] = {engine.host!r}\n"
        "os.execvp('docker', sys.argv[sys.argv.index('--') + 2 :])\n"
    )
    program.chmod(0o755)
