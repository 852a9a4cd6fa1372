"""Registries whose certificate is signed by a private CA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from ssl import DER_cert_to_PEM_cert

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.utils import timezone
from pytest_django import Settings

from checks.models import Registry
from checks.registry.auth import Grants
from checks.registry.certs_d import authorities_in
from checks.registry.client import Access, RegistryClient, Unavailable
from checks.registry.reference import parse
from checks.remotes import remotes
from dockrev import authorities
from dockrev.authorities import BadAuthorities
from tests.certificates import NEVER, Authority
from tests.servers import Reply, Server, TokenRegistry

DIGEST = "sha256:" + "a" * 64


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def private(authority: Authority, tmp_path: Path) -> Iterator[Server]:
    server = Server(lambda asked: Reply(200, headers={"Docker-Content-Digest": DIGEST}))
    server.speak_tls(*authority.sign_for("127.0.0.1", tmp_path))
    with server.running():
        yield server


def head(address: str, pem: str) -> str:
    client = RegistryClient(Access(address, authorities=pem), Grants())
    return client.head(parse(f"{address}/acme/api:1"))


def test_it_trusts_the_ca_that_it_was_given(private: Server, authority: Authority) -> None:
    for _again in range(2):
        assert head(private.address, authority.pem) == DIGEST
    assert private.connections == 1


def test_it_trusts_a_server_s_own_certificate(private: Server, tmp_path: Path) -> None:
    assert head(private.address, (tmp_path / "registry.crt").read_text()) == DIGEST


def test_it_says_what_to_do_about_another(private: Server, authority: Authority) -> None:
    head(private.address, authority.pem)
    with pytest.raises(Unavailable, match=r"not trusted: .* add that CA's certificate in Settings"):
        head(private.address, Authority("Another CA").pem)


def test_it_says_no_such_thing_of_a_certificate_for_another_name(
    authority: Authority, tmp_path: Path
) -> None:
    server = Server(lambda asked: Reply(200))
    server.speak_tls(*authority.sign_for("127.0.0.9", tmp_path))
    with server.running(), pytest.raises(Unavailable) as refused:
        head(server.address, authority.pem)
    assert "not trusted" in str(refused.value)
    assert "Settings" not in str(refused.value)


def test_it_trusts_it_for_that_registry_alone(
    private: Server, authority: Authority, tmp_path: Path
) -> None:
    """Storage and realms on other hosts have to be trusted by everybody."""
    other = f"https://{private.other_name}/blob"
    private.answer = lambda asked: Reply(307, headers={"Location": other})
    with pytest.raises(Unavailable, match=r"localhost:.* is not trusted"):
        head(private.address, authority.pem)


def test_it_trusts_it_for_its_own_realm(
    private: Server, authority: Authority, token_registry: TokenRegistry
) -> None:
    token_registry.challenge = f'Bearer realm="https://{private.address}/token"'
    private.answer = token_registry.answer
    access = Access(private.address, username="ada", password="lovelace", authorities=authority.pem)
    client = RegistryClient(access, Grants())
    assert client.head(parse(f"{private.address}/acme/api:1")) == token_registry.digest


@pytest.mark.django_db
def test_it_is_kept_with_the_registry(private: Server, authority: Authority) -> None:
    Registry.objects.create(host=private.address, authorities=authority.pem)
    remote = remotes([private.address])[private.address]
    assert remote.head(parse(f"{private.address}/acme/api:1")) == DIGEST


class TestCertsD:
    @pytest.fixture
    def folder(self, tmp_path: Path, settings: Settings) -> Path:
        settings.DOCKER_CERTS = tmp_path / "certs.d"
        return tmp_path / "certs.d"

    def put(self, folder: Path, host: str, text: str | bytes) -> None:
        (folder / host).mkdir(parents=True)
        data = text if isinstance(text, bytes) else text.encode()
        (folder / host / "ca.crt").write_bytes(data)

    @pytest.mark.django_db
    def test_it_is_read_from_where_docker_has_it(
        self, private: Server, authority: Authority, folder: Path
    ) -> None:
        self.put(folder, private.address, authority.pem)
        remote = remotes([private.address])[private.address]
        assert remote.head(parse(f"{private.address}/acme/api:1")) == DIGEST

    def test_it_looks_nowhere_else(self, authority: Authority, folder: Path) -> None:
        self.put(folder, "x", authority.pem)
        for host in ("", ".", "../certs.d/x", "y", "[:::]"):
            assert authorities_in(folder, host) == ""

    @pytest.mark.parametrize("text", ["", "nonsense", b"\xff\xfe", "x" * 100_000])
    def test_it_says_that_a_file_cannot_be_used(
        self, folder: Path, text: str | bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.put(folder, "registry.example", text)
        assert authorities_in(folder, "registry.example") == ""
        assert "cannot be used" in caplog.text


class TestText:
    def test_it_keeps_the_certificates_alone(self, authority: Authority) -> None:
        other = Authority("Another CA")
        written = f"our CA:\n{authority.pem}\nsubject=x\n{other.pem}".replace("\n", "\r\n")
        assert authorities.normal(written) == authority.pem + other.pem

    def test_it_says_whose_they_are_and_when_they_end(self, authority: Authority) -> None:
        (found,) = authorities.read(authority.pem)
        assert found.name == "Acme CA"
        assert found.ends_at == authority.certificate.not_valid_after_utc

    def test_it_takes_an_ended_one_beside_a_good_one(self, authority: Authority) -> None:
        ended = Authority("Old CA", days=-1)
        assert authorities.normal(ended.pem + authority.pem) == ended.pem + authority.pem
        with pytest.raises(BadAuthorities, match="ended on"):
            authorities.normal(ended.pem)

    def test_it_takes_none_whose_end_is_in_no_calendar(self, authority: Authority) -> None:
        der = Authority(ends=NEVER).certificate.public_bytes(Encoding.DER)
        assert b"99991231235959Z" in der
        never_was = DER_cert_to_PEM_cert(der.replace(b"99991231235959Z", b"00000101000000Z"))
        for written in (never_was, authority.pem + never_was):
            with pytest.raises(BadAuthorities, match="cannot be read"):
                authorities.normal(written)

    def test_it_says_when_one_ended_in_every_zone(self) -> None:
        der = Authority(ends=NEVER).certificate.public_bytes(Encoding.DER)
        long_ago = DER_cert_to_PEM_cert(der.replace(b"99991231235959Z", b"00010101000000Z"))
        with timezone.override("America/New_York"), pytest.raises(BadAuthorities, match="ended"):
            authorities.normal(long_ago)

    def test_what_it_keeps_can_be_read_again(self) -> None:
        """Lines may be longer in what is pasted than in what is kept."""
        kept = Authority(padding=48_300).pem
        begin, *lines, end = kept.splitlines()
        pasted = "\n".join([begin, "".join(lines), end])
        assert len(pasted) < authorities.MOST_CHARACTERS < len(kept)
        with pytest.raises(BadAuthorities, match="too long"):
            authorities.normal(pasted)

    def test_it_takes_no_private_key(self, authority: Authority) -> None:
        with pytest.raises(BadAuthorities, match="private key") as refused:
            authorities.normal(authority.pem + authority.private_key)
        assert authority.private_key.splitlines()[1] not in str(refused.value)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "as PEM"),
            ("MIIB", "as PEM"),
            ("-----BEGIN PUBLIC KEY-----", "as PEM"),
            ("-----BEGIN CERTIFICATE-----", "cannot be read"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "cannot be read",
            ),
            ("x" * 65_537, "too long"),
            ("-----BEGIN CERTIFICATE-----" * 21, "more than 20"),
        ],
    )
    def test_it_takes_nothing_else(self, text: str, why: str) -> None:
        with pytest.raises(BadAuthorities, match=why):
            authorities.normal(text)


def test_it_is_asked_with_tls_on_loopback_too_where_it_has_one() -> None:
    assert Access("127.0.0.1:5000").base_url == "http://127.0.0.1:5000"
    assert Access("127.0.0.1:5000", authorities="x").base_url == "https://127.0.0.1:5000"
