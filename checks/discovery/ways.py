"""How Docker's programs and its SDK are told of an engine: files and sockets of one visit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from checks.discovery.places import SSH, Place, Unreachable, scheme_of
from checks.discovery.tunnel import Tunnel, explain_ssh, tunnel_to
from dockrev import addresses
from dockrev.private_folders import private_folder, write_private

PREFIX = "dockrev-way-"
CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"  # as DOCKER_CERT_PATH has them


@dataclass(frozen=True)
class Way:
    """`certificates` is a folder for DOCKER_CERT_PATH; none where nothing is encrypted."""

    place: Place
    url: str
    certificates: Path | None = None
    tunnel: Tunnel | None = None

    @property
    def complaint(self) -> str:
        """What went wrong before anything came from the engine, as far as it was said."""
        return explain_ssh(self.tunnel.said(), self.place) if self.tunnel else ""

    @property
    def environment(self) -> dict[str, str] | None:
        """What Docker's programs read besides DOCKER_HOST; None: what the operator says."""
        if not self.place.is_typed:
            return None
        if self.certificates is None:
            return {}
        return {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(self.certificates)}

    @property
    def has_client_certificate(self) -> bool:
        return bool(self.place.certificate)


@contextmanager
def way_to(place: Place) -> Iterator[Way]:
    """Raises Unreachable, OSError."""
    if place.trouble:
        raise Unreachable(place.trouble)
    if place.is_typed and scheme_of(place.url) == SSH:
        with private_folder(PREFIX) as folder, tunnel_to(place, folder) as tunnel:
            yield Way(place, f"unix://{tunnel.socket}", tunnel=tunnel)
    elif place.is_encrypted:
        with private_folder(PREFIX) as folder:
            _write_certificates(place, folder)
            yield Way(place, place.url, certificates=folder)
    else:
        yield Way(place, place.url)


def reaching(place: Place) -> AbstractContextManager[None]:
    """Inside, what holds for who named the place: a person, or the environment."""
    return nullcontext() if place.is_typed else addresses.from_the_environment()


def _write_certificates(place: Place, folder: Path) -> None:
    """The command line wants a file of authorities in any case."""
    write_private(folder / CA, place.authorities or Path(DEFAULT_CA_BUNDLE_PATH).read_text())
    if place.certificate:
        write_private(folder / CERTIFICATE, place.certificate)
        write_private(folder / KEY, place.key)
