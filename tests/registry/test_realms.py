"""Who may see who we are: the registry, and who gives its tokens, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.registry.auth import Grants
from checks.registry.client import Access, BadAnswer, RegistryClient, Unauthorized
from checks.registry.realms import read_realm
from checks.registry.reference import parse
from tests.servers import Asked, Reply, Server, Starts, TokenRegistry

DIGEST = "sha256:" + "a" * 64


def realm(host: str, url: str, *, token_host: str = "") -> tuple[str, bool]:
    """Whose password its realm gets, and whether it was kept from it."""
    access = Access(host, username="ada", password="lovelace", token_host=token_host)
    found = read_realm(access, {"realm": url})
    return found.access.username, found.withheld


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("ghcr.io", "https://ghcr.io/token"),
        ("docker.io", "https://auth.docker.io/token"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("registry.digitalocean.com", "https://api.digitalocean.com/v2/registry/auth"),
        ("registry.example.co.uk:5000", "https://git.example.co.uk/jwt/auth"),
        ("[2001:db8::1]:5000", "https://[2001:db8::1]:5001/token"),
        ("127.0.0.1:5000", "http://127.0.0.1:5001/token"),
    ],
)
def test_its_own_realm_is_told_who_we_are(host: str, url: str) -> None:
    assert realm(host, url) == ("ada", False)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("ghcr.io", "https://evil.example/token"),
        ("ghcr.io", "https://ghcr.io.evil.example/token"),
        ("ghcr.io", "https://ghcr.io@evil.example/token"),
        ("ghcr.io", "https://evil.io/token"),
        ("registry.example.co.uk", "https://evil.co.uk/token"),
        ("registry", "https://evil/token"),
        ("10.0.0.1:5000", "https://11.0.0.1:5000/token"),
        ("[2001:db8::1]", "https://[2001:db8::2]/token"),
    ],
)
def test_another_is_asked_as_a_stranger(host: str, url: str) -> None:
    assert realm(host, url) == ("", True)


def test_one_that_is_named_is_its_own() -> None:
    assert realm("rg.scw.cloud", "https://api.scaleway.com/auth") == ("", True)
    named = realm("rg.scw.cloud", "https://api.scaleway.com/auth", token_host="api.scaleway.com")
    assert named == ("ada", False)


@pytest.mark.parametrize(
    "url",
    [
        "https://auth.docker.io\\@evil.example/token",
        "https://auth.docker.io/to\tken",
        "https://auth.docker.io:99999/token",
        "https://[auth.docker.io]/token",
        "https://auth.docker.io/" + "x" * 8192,
    ],
)
def test_it_takes_no_realm_that_can_be_read_in_two_ways(url: str) -> None:
    with pytest.raises(BadAnswer, match="no place to get a token"):
        realm("docker.io", url)


def test_it_says_why_a_realm_was_asked_as_a_stranger(
    serve: Starts, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[0]))
    elsewhere = Server(lambda asked: Reply(401))
    elsewhere.speak_tls(*certificate)
    header = f'Bearer realm="https://{elsewhere.address}/token"'
    registry = serve(lambda asked: Reply(401, headers={"WWW-Authenticate": header}))
    access = Access(registry.other_name, username="ada", password="lovelace")
    with elsewhere.running(), pytest.raises(Unauthorized) as refused:
        RegistryClient(access, Grants()).head(parse(f"{access.host}/acme/api:1"))
    assert "Nobody was named to 127.0.0.1" in str(refused.value)
    assert "as token host" in str(refused.value)
    assert [asked.authorization for asked in elsewhere.asked] == [""]


def test_a_challenge_from_elsewhere_is_answered_as_a_stranger(
    serve: Starts, token_registry: TokenRegistry
) -> None:
    """A front that redirects to a registry which wants a token of its own."""
    token_registry.user = ""
    behind = f"http://localhost:{token_registry.server.port}"
    token_registry.challenge = f'Bearer realm="{behind}/token"'

    def answer(asked: Asked) -> Reply:
        if not asked.authorization:
            return Reply(401, headers={"WWW-Authenticate": "Basic realm=x"})
        return Reply(307, headers={"Location": f"{behind}{asked.path}"})

    front = serve(answer)
    access = Access(front.address, username="ada", password="lovelace")
    client = RegistryClient(access, Grants())
    assert client.head(parse(f"{front.address}/acme/api:1")) == token_registry.digest
    assert [bool(asked.authorization) for asked in front.asked] == [False, True]
    sent = {asked.authorization.partition(" ")[0] for asked in token_registry.server.asked}
    assert sent == {"", "Bearer"}


def test_a_challenge_from_elsewhere_names_no_realm_of_ours(
    serve: Starts, token_registry: TokenRegistry
) -> None:
    """Who is redirected to could name any place, and be told our password there."""
    token_registry.user = ""
    front = serve(
        lambda asked: Reply(
            307, headers={"Location": f"http://{token_registry.server.other_name}{asked.path}"}
        )
    )
    token_registry.challenge = f'Bearer realm="http://{token_registry.server.address}/token"'
    access = Access(front.address, username="ada", password="lovelace")
    client = RegistryClient(access, Grants())
    assert client.head(parse(f"{front.address}/acme/api:1")) == token_registry.digest
    asked = [*front.asked, *token_registry.server.asked]
    assert not any(each.authorization.startswith("Basic") for each in asked)
