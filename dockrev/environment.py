"""What the environment says: where things are. What should happen is in the database."""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path

import environ
from cryptography.fernet import Fernet

env = environ.FileAwareEnv()  # every variable also as NAME_FILE


class BadEnvironment(Exception):
    """The environment or the data directory cannot be used; the text says how to mend it."""


def data_directory(base: Path) -> Path:
    """Return the directory that holds database, key files and backups.

    Raises BadEnvironment if it cannot be made or written to.
    """
    directory = Path(env.str("DOCKREV_DATA_DIR", default=str(base / "data"))).expanduser().resolve()
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise BadEnvironment(
            f"The data directory {directory} cannot be made ({error.strerror}). "
            "Set DOCKREV_DATA_DIR to a folder that you may write to."
        ) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise BadEnvironment(
            f"The data directory {directory} cannot be written to. "
            "Give this user write access, or set DOCKREV_DATA_DIR to another folder."
        )
    return directory


def secret_key(directory: Path) -> str:
    """Return the key that signs sessions and queue messages."""
    return env.str("DOCKREV_SECRET_KEY", default="") or _from_file(
        directory / "secret.key", secrets.token_urlsafe(50)
    )


def encryption_keys(directory: Path) -> list[str]:
    """Return the keys of secrets at rest: the first encrypts, all decrypt."""
    given = env.list("DOCKREV_ENCRYPTION_KEYS", default=[])
    keys = given or _from_file(directory / "encryption.key", Fernet.generate_key().decode()).split()
    for key in keys:
        try:
            Fernet(key)
        except ValueError as error:
            where = "DOCKREV_ENCRYPTION_KEYS" if given else str(directory / "encryption.key")
            raise BadEnvironment(
                f"{where} holds a key that is not 32 bytes in URL-safe base64. "
                "Put the right key back, or make one with: "
                "python -c 'from cryptography.fernet import Fernet; "
                "print(Fernet.generate_key().decode())'"
            ) from error
    return keys


def trusted_proxies() -> list[str]:
    """Return the addresses and networks whose word on who calls is taken."""
    written: list[str] = env.list("DOCKREV_TRUSTED_PROXIES", default=[])
    for text in written:
        try:
            ipaddress.ip_network(text.strip(), strict=False)
        except ValueError as error:
            raise BadEnvironment(
                f"DOCKREV_TRUSTED_PROXIES: {error}. "
                "List addresses or networks, such as 172.18.0.0/16, with commas between."
            ) from error
    return written


def _from_file(path: Path, fresh: str) -> str:
    """Read a key file, or make it, readable by its owner alone.

    The key is written aside and linked into place, so that of two first starts at once both
    read the same whole key.
    """
    try:
        if not path.exists():
            aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(fresh + "\n")
            try:
                os.link(aside, path)
            except FileExistsError:
                pass
            finally:
                aside.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise BadEnvironment(
            f"The key file {path} cannot be used ({error.strerror}). "
            "Give this user access to the data directory."
        ) from error
