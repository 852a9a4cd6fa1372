"""A certificate authority of our own, and what it signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = timedelta(days=1)
NEVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # as RFC 5280 writes it


@dataclass
class Authority:
    """`days` is how long its certificate is good from now; less than 0: it has ended. `ends` says
    it to the second. `padding` is how many bytes it has of no use."""

    name: str = "Acme CA"
    days: int = 30
    ends: datetime | None = None
    padding: int = 0
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        made = self._builder(self.name, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        if self.padding:
            useless = x509.UnrecognizedExtension(
                x509.ObjectIdentifier("1.2.3"), bytes(self.padding)
            )
            made = made.add_extension(useless, critical=False)
        self.certificate = made.sign(self.key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def private_key(self) -> str:
        return _key_of(self.key).decode()

    def sign_for(self, address: str, folder: Path, *hosts: str) -> tuple[Path, Path]:
        """A certificate for an IP address, `localhost` and other hosts, and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        known = [x509.DNSName(host) for host in ("localhost", *hosts)]
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)), *known])
        signed = self._builder("registry", key).add_extension(names, critical=False)
        certificate, secret = folder / "registry.crt", folder / "registry.key"
        made = signed.sign(self.key, hashes.SHA256())
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(_key_of(key))
        return certificate, secret

    def _builder(self, subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        ends = self.ends or datetime.now(UTC) + self.days * DAY
        return (
            x509.CertificateBuilder()
            .subject_name(_named(subject))
            .issuer_name(_named(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(datetime.now(UTC), ends) - DAY)
            .not_valid_after(ends)
        )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _key_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
