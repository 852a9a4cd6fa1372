"""What the environment says: where things are. What should happen is in the database."""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from cryptography.fernet import Fernet
from environ.fileaware_mapping import FileAwareMapping

MIN_SECRET = 16  # characters
_ON = frozenset({"true", "on", "ok", "y", "yes", "1"})
_OFF = frozenset({"false", "off", "n", "no", "0", ""})


class CannotStart(Exception):
    """Dockrev cannot start; the text is one line that says why and how to mend it."""


class BadEnvironment(CannotStart):
    """The environment or the data directory cannot be used; the text says how to mend it."""


class Variables(FileAwareMapping):  # type: ignore[misc]  # it has no types
    """The environment, where NAME_FILE names a file that holds the value of NAME."""

    def __getitem__(self, key: str) -> str:
        try:
            # `echo` and editors end a file with a line end that is no part of a password.
            value = str(super().__getitem__(key)).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadEnvironment(
                f"The file that {key}_FILE names cannot be read ({error}). "
                f"Mend the path or the file, or set {key} instead."
            ) from error
        # The library takes what begins with $ for the name of another variable, and a password
        # may begin so. It puts these back.
        return value.replace("$", r"\$")


class Environment(environ.Env):  # type: ignore[misc]  # it has no types
    ENVIRON = Variables()

    def __init__(self) -> None:
        super().__init__()
        self.escape_proxy = True


env = Environment()


def data_directory(base: Path) -> Path:
    """Return the directory that holds database, key files and backups.

    Raises BadEnvironment if it cannot be made or written to.
    """
    # Empty is not set: so a compose file hands on a variable that nobody set.
    named = env.str("DOCKREV_DATA_DIR", default="") or base / "data"
    directory = Path(named).expanduser().resolve()
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


def http_address() -> tuple[str, int]:
    """Return the host and port to listen at."""
    text = env.str("DOCKREV_HTTP_ADDR", default="") or "127.0.0.1:50883"
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") or "0.0.0.0"  # noqa: S104 - what `:port` means
    try:
        ipaddress.ip_address("127.0.0.1" if bare == "localhost" else bare)
        if not 0 < int(port) < 65536:
            raise ValueError(port)
    except ValueError as error:
        raise BadEnvironment(
            f"DOCKREV_HTTP_ADDR is {text!r}. "
            "Write an address and a port, such as 127.0.0.1:50883 or [::1]:50883."
        ) from error
    return "127.0.0.1" if bare == "localhost" else bare, int(port)


def time_zone() -> str:
    """Return the zone that times are shown and schedules are read in."""
    for variable in ("DOCKREV_TIME_ZONE", "TZ"):
        name: str = env.str(variable, default="")
        if name:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise BadEnvironment(
                    f"{variable} is {name!r}, which is no time zone. "
                    "Write one such as Europe/Berlin or UTC."
                ) from error
            return name
    return "UTC"


def database(directory: Path) -> dict[str, Any]:
    """Return Django's description of the database: a file in the data directory, or a server."""
    text = env.str("DATABASE_URL", default="")
    if not text:
        # Not by a URL: a folder's name may hold what there means something else.
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(directory / "dockrev.sqlite3"),
        }
    try:
        if urlsplit(text).scheme not in {"sqlite", "postgres", "postgresql"}:
            raise ValueError(text)
        described: dict[str, Any] = env.db_url_config(text)
    except ValueError as error:
        raise BadEnvironment(
            "DATABASE_URL cannot be read. Leave it away for SQLite, or write "
            "postgres://user:password@host:5432/name."
        ) from error
    return described


def choice(variable: str, allowed: tuple[str, ...]) -> str:
    """Return the variable's value, which is one of these; the first is the default."""
    text: str = env.str(variable, default="") or allowed[0]
    if text not in allowed:
        raise BadEnvironment(f"{variable} is {text!r}. Write one of: {', '.join(allowed)}.")
    return text


def flag(variable: str) -> bool:
    """Return whether a variable is on; off unless it is set. A word that is neither is refused:
    what somebody thinks is on must not be off."""
    text = str(env.str(variable, default="")).strip().lower()
    if text not in _ON | _OFF:
        raise BadEnvironment(f"{variable} is {text!r}. Write true or false.")
    return text in _ON


def docker_certs() -> Path:
    """Where Docker's engine looks for registries' CA certificates."""
    return Path(env.str("DOCKREV_DOCKER_CERTS", default="") or "/etc/docker/certs.d")


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


def webhook_secret() -> str:
    """Return what callers of the trigger must know where no secret is set in the pages."""
    secret: str = env.str("DOCKREV_WEBHOOK_SECRET", default="").strip()
    if secret and not (len(secret) >= MIN_SECRET and fits_header(secret)):
        raise BadEnvironment(
            "DOCKREV_WEBHOOK_SECRET is too short or not ASCII. "
            f"It needs {MIN_SECRET} characters; make one with: openssl rand -hex 32"
        )
    return secret


def fits_header(secret: str) -> bool:
    """Whether a secret comes through as a header's value."""
    return secret.isascii() and secret.isprintable() and secret == secret.strip()


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
