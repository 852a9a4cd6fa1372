"""A token server for a real registry, after the Distribution project's token specification."""

from __future__ import annotations

import json
import time
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.certificates import Authority
from tests.servers import Asked, Reply, Server, as_json

SERVICE, ISSUER = "registry.test", "auth.test"
PUBLIC = "public/"
MINUTE = 60


class TokenServer:
    """Knows one person, who may pull everything, and a refresh token of theirs.

    Strangers may pull what is public. `ends_in` is how many seconds each next token is good for,
    whatever its answer says; without any left it is as long as the answer says.
    """

    def __init__(self) -> None:
        self.user, self.password, self.refresh_token = "ada", "lovelace", "of-ada"
        self.ends_in: list[int] = []
        self.signer = Authority("token server")
        self.server = Server(self.answer)

    def settings(self, folder: Path) -> dict[str, Any]:
        """What a registry's configuration has to say, so that it sends everybody here."""
        certificate = folder / "token-server.crt"
        certificate.write_text(self.signer.pem)
        return {
            "auth": {
                "token": {
                    "realm": f"http://{self.server.address}/token",
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(certificate),
                }
            }
        }

    @property
    def given(self) -> list[Asked]:
        return self.server.asked

    def answer(self, asked: Asked) -> Reply:
        wanted = asked.form if asked.method == "POST" else asked.query
        if wanted.get("service") != [SERVICE]:
            return as_json(400, details="another service")
        known = self._is_known(asked)
        if not known and (asked.authorization or asked.method == "POST"):
            return as_json(401, details="no")
        scopes = [scope for scope in wanted.get("scope", []) if known or _is_public(scope)]
        life = self.ends_in.pop(0) if self.ends_in else 5 * MINUTE
        token = self._token(scopes, life)
        if asked.method == "POST":
            return as_json(access_token=token, expires_in=5 * MINUTE, scope=" ".join(scopes))
        return as_json(token=token, expires_in=5 * MINUTE)

    def _is_known(self, asked: Asked) -> bool:
        if asked.method == "POST":
            sent = {name: asked.form.get(name) for name in ("grant_type", "refresh_token")}
            return sent == {
                "grant_type": ["refresh_token"],
                "refresh_token": [self.refresh_token],
            }
        basic = "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()
        return asked.authorization == basic

    def _token(self, scopes: list[str], life: int) -> str:
        now = int(time.time())
        der = self.signer.certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [b64encode(der).decode()]}
        claims = {
            "iss": ISSUER,
            "sub": self.user,
            "aud": SERVICE,
            "exp": now + life,
            "nbf": now - 10 * MINUTE,
            "iat": now - 10 * MINUTE,
            "jti": f"{len(self.given)}",
            "access": [_access(scope) for scope in scopes],
        }
        signed = f"{_packed(json.dumps(header).encode())}.{_packed(json.dumps(claims).encode())}"
        der_signature = self.signer.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        numbers = decode_dss_signature(der_signature)
        return f"{signed}.{_packed(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


def _is_public(scope: str) -> bool:
    return scope.startswith(f"repository:{PUBLIC}")


def _access(scope: str) -> dict[str, Any]:
    kind, name, actions = scope.split(":")
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _packed(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
