"""A stand-in for the image that the Dockerfile builds on, where none can be pulled.

The same Debian with the same Python version, made by debootstrap, told about this machine's
certificates and mirrors. What it needs is kept in a cache outside the checkout.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SUITE = "trixie"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
PIP_OPTIONS = ("index-url", "extra-index-url", "proxy", "trusted-host")


def base_tarball() -> Path:
    """Return the root file system as a tar file: from the cache, else freshly made."""
    settings = dict(_settings_of_this_machine())
    key = hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:16]
    cached = _cache() / f"base-{SUITE}-{key}.tar"
    if not cached.is_file():
        with tempfile.TemporaryDirectory(prefix="dockrev-base-") as directory:
            root = Path(directory, "root")
            _bootstrap(root)
            for name, content in settings.items():
                root.joinpath(name).write_bytes(content)
            aside = cached.with_suffix(f".{os.getpid()}")
            _run("tar", "--create", "--file", aside, "--directory", root, ".")
            aside.replace(cached)
    return cached


def _bootstrap(root: Path) -> None:
    program = shutil.which("debootstrap")
    assert program is not None
    try:
        _run(program, "--variant=minbase", f"--include={PACKAGES}", SUITE, root, *_mirror())
    except AssertionError as error:
        log = root / "debootstrap/debootstrap.log"
        ending = log.read_text()[-2000:] if log.is_file() else ""
        pytest.fail(f"{error}\n{ending}", pytrace=False)
    for name in ("python", "pip"):
        root.joinpath("usr/local/bin", name).symlink_to(f"/usr/bin/{name}3")
    for waste in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / waste)
        root.joinpath(waste, "partial").mkdir(parents=True)


def _settings_of_this_machine() -> Iterator[tuple[str, bytes]]:
    """Files for the image's root: how this machine reaches packages goes into no Dockerfile."""
    yield CERTIFICATES, Path("/", CERTIFICATES).read_bytes()
    yield "etc/apt/apt.conf.d/90machine", _run("apt-config", "dump", "Acquire").encode()
    pip = [f"cert = /{CERTIFICATES}"]
    for option in PIP_OPTIONS:
        value = " ".join(each for each in _pip(option).split() if not each.startswith("file:"))
        pip += [f"{option} = {value}"] if value else []
    yield "etc/pip.conf", "\n".join(["[global]", *pip, ""]).encode()


def _pip(option: str) -> str:
    """What pip is told here, by its environment first."""
    given = os.environ.get(f"PIP_{option.upper().replace('-', '_')}")
    asked = ["python3", "-m", "pip", "config", "get", f"global.{option}"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return given or (found.stdout.strip() if found.returncode == 0 else "")


def _mirror() -> list[str]:
    """The mirror of this machine's own Debian, where apt knows one."""
    asked = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian")
    return _run(*asked).split()[:1]


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(os.environ.get("DOCKREV_TEST_CACHE") or Path(home, "dockrev-tests"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _run(*command: str | Path) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, f"{command[0]}: {finished.stdout[-1000:]}{finished.stderr}"
    return finished.stdout
