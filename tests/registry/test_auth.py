from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from checks.registry.auth import Challenge, Grants, challenges
from checks.registry.client import Access, BadAnswer, RegistryClient, Unauthorized
from checks.registry.reference import parse
from tests.servers import Asked, Reply, Starts, TokenRegistry, as_json
from tests.waiting import PATIENCE

SOME_DIGEST = "sha256:" + "a" * 64
TOKENS = st.text("abcXYZ019-_", min_size=1, max_size=8)
PARAMETERS = st.dictionaries(TOKENS.map(str.lower), st.text(max_size=20), max_size=4)


def client_of(registry: TokenRegistry, *, wrong: bool = False) -> RegistryClient:
    password = "babbage" if wrong else registry.password
    access = Access(registry.server.address, username="ada", password=password)
    return RegistryClient(access, Grants())


def head(client: RegistryClient, image: str = "acme/api:1.2") -> str:
    return client.head(parse(f"{client.access.host}/{image}"))


class TestChallenges:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            (
                'Bearer realm="https://auth.example/token",service="reg"',
                [("bearer", {"realm": "https://auth.example/token", "service": "reg"})],
            ),
            (
                "Bearer realm=https://auth.example/token, service=reg",
                [("bearer", {"realm": "https://auth.example/token", "service": "reg"})],
            ),
            (
                'Bearer realm="https://a/t",scope="*", Basic realm="Forge"',
                [("bearer", {"realm": "https://a/t", "scope": "*"}), ("basic", {"realm": "Forge"})],
            ),
            ('BASIC Realm = "a \\"b\\", c"', [("basic", {"realm": 'a "b", c'})]),
            ("Basic, Bearer realm=x", [("basic", {}), ("bearer", {"realm": "x"})]),
            (
                'Bearer scope="repository:a/b:pull,push"',
                [("bearer", {"scope": "repository:a/b:pull,push"})],
            ),
            ("", []),
            ('Bearer realm="no end', [("bearer", {"realm": "no end"})]),
            ('="x", realm="lost"', []),
        ],
    )
    def test_it_reads_them_as_registries_write_them(
        self, header: str, expected: list[tuple[str, dict[str, str]]]
    ) -> None:
        assert challenges(header) == [Challenge(*each) for each in expected]

    @given(st.text())
    def test_it_never_fails(self, header: str) -> None:
        assert all(each.scheme for each in challenges(header))

    @given(st.lists(st.tuples(TOKENS.map(str.lower), PARAMETERS), max_size=3))
    def test_it_reads_whatever_is_quoted(self, offered: list[tuple[str, dict[str, str]]]) -> None:
        def quoted(text: str) -> str:
            return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

        header = ", ".join(
            f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in given.items())
            for scheme, given in offered
        )
        assert challenges(header) == [Challenge(*each) for each in offered]


class TestTokens:
    def test_it_gets_one_as_the_user_and_keeps_it(self, token_registry: TokenRegistry) -> None:
        client = client_of(token_registry)
        assert head(client) == token_registry.digest
        assert head(client) == token_registry.digest
        (asked,) = token_registry.tokens_given
        assert asked.query == {"service": ["the service"], "scope": ["repository:acme/api:pull"]}
        assert token_registry.refused == 1

    def test_it_gets_the_next_repository_s_without_being_refused_again(
        self, token_registry: TokenRegistry
    ) -> None:
        client = client_of(token_registry)
        head(client, "acme/api")
        head(client, "acme/web")
        assert len(token_registry.tokens_given) == 2
        assert token_registry.refused == 1

    def test_it_gets_another_when_the_first_has_ended(self, token_registry: TokenRegistry) -> None:
        client = client_of(token_registry)
        with time_machine.travel(0, tick=False) as clock:
            head(client)
            clock.shift(299)
            head(client)
        assert len(token_registry.tokens_given) == 2
        assert token_registry.refused == 1

    def test_it_gets_another_when_the_first_is_refused(self, token_registry: TokenRegistry) -> None:
        client = client_of(token_registry)
        head(client)
        token_registry.valid.clear()
        assert head(client) == token_registry.digest
        assert len(token_registry.tokens_given) == 2

    def test_it_gets_one_for_all_that_are_refused_together(self, serve: Starts) -> None:
        refused = Barrier(5, timeout=PATIENCE)

        def answer(asked: Asked) -> Reply:
            if asked.path.startswith("/token"):
                return as_json(token="one-for-all", expires_in=300)
            if asked.authorization == "Bearer one-for-all":
                return Reply(200, headers={"Docker-Content-Digest": SOME_DIGEST})
            refused.wait()
            realm = f"http://{asked.headers['host']}/token"
            return Reply(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})

        server = serve(answer)
        client = RegistryClient(Access(server.address), Grants())
        images = [f"acme/api:{number}" for number in range(5)]
        with ThreadPoolExecutor(5) as threads:
            assert [*threads.map(head, [client] * 5, images)] == [SOME_DIGEST] * 5
        assert sum(asked.path.startswith("/token") for asked in server.asked) == 1

    def test_it_reads_the_other_name_of_a_token(self, token_registry: TokenRegistry) -> None:
        token_registry.token_answer = lambda token: as_json(access_token=token)
        assert head(client_of(token_registry)) == token_registry.digest

    def test_it_keeps_what_the_realm_asks_already(self, token_registry: TokenRegistry) -> None:
        token_registry.challenge = 'Bearer realm="http://{address}/token?account=x%20y"'
        head(client_of(token_registry))
        (asked,) = token_registry.tokens_given
        assert asked.query == {"account": ["x y"], "scope": ["repository:acme/api:pull"]}

    def test_it_prefers_a_token_to_a_password(self, token_registry: TokenRegistry) -> None:
        token_registry.challenge = "Basic realm=x, " + token_registry.challenge
        assert head(client_of(token_registry)) == token_registry.digest

    def test_it_says_that_the_password_is_wrong(self, token_registry: TokenRegistry) -> None:
        with pytest.raises(Unauthorized, match="the password is wrong"):
            head(client_of(token_registry, wrong=True))

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(200, b"<html>"),
            Reply(200, b"[]"),
            Reply(200, b"[" * 100_000),
            Reply(418, b"{}"),
            as_json(token=""),
            as_json(token=7),
            as_json(token="two words"),
            as_json(token="line\r\nX-Evil: 1"),
        ],
    )
    def test_it_does_not_take_nonsense_for_a_token(
        self, token_registry: TokenRegistry, reply: Reply
    ) -> None:
        token_registry.token_answer = lambda token: reply
        with pytest.raises(BadAnswer, match="token that can be read"):
            head(client_of(token_registry))

    @pytest.mark.parametrize(
        "life", [0, -5, True, None, "300", 1e308, 10**40, pytest.param(-(10**400), id="below")]
    )
    def test_it_bears_any_life_of_a_token(
        self, token_registry: TokenRegistry, life: object
    ) -> None:
        token_registry.token_answer = lambda token: as_json(token=token, expires_in=life)
        assert head(client_of(token_registry)) == token_registry.digest

    @pytest.mark.parametrize(
        "challenge",
        ["Bearer", "Bearer realm=/token", "Bearer realm=ftp://x/", "Bearer realm=http:"],
    )
    def test_it_says_that_there_is_no_place_for_a_token(
        self, token_registry: TokenRegistry, challenge: str
    ) -> None:
        token_registry.challenge = challenge
        with pytest.raises(BadAnswer, match="no place to get a token"):
            head(client_of(token_registry))

    @pytest.mark.parametrize("challenge", ["Negotiate", "x"])
    def test_it_says_that_it_does_not_know_the_way_in(
        self, token_registry: TokenRegistry, challenge: str
    ) -> None:
        token_registry.challenge = challenge
        with pytest.raises(BadAnswer, match="does not know"):
            head(client_of(token_registry))


class TestCredentials:
    def test_it_signs_in_with_a_password_where_that_is_asked(self, serve: Starts) -> None:
        def answer(asked: Asked) -> Reply:
            if not asked.authorization:
                return Reply(401, headers={"WWW-Authenticate": 'Basic realm="Registry"'})
            return Reply(200, headers={"Docker-Content-Digest": SOME_DIGEST})

        server = serve(answer)
        client = RegistryClient(Access(server.address, username="ada", password="é:x"), Grants())
        assert head(client) == SOME_DIGEST
        assert head(client, "acme/web") == SOME_DIGEST
        assert [bool(asked.authorization) for asked in server.asked] == [False, True, True]
        assert server.asked[1].authorization == "Basic YWRhOsOpOng="

    def test_it_does_not_send_them_in_clear_to_another_host(
        self, token_registry: TokenRegistry
    ) -> None:
        port = token_registry.server.port
        token_registry.challenge = f'Bearer realm="http://localhost:{port}/token"'
        with pytest.raises(BadAnswer, match="unencrypted to localhost"):
            head(client_of(token_registry))
        assert not token_registry.tokens_given

    def test_it_gets_a_stranger_s_token_from_another_host(
        self, token_registry: TokenRegistry
    ) -> None:
        token_registry.user = ""
        port = token_registry.server.port
        token_registry.challenge = f'Bearer realm="http://localhost:{port}/token"'
        client = RegistryClient(Access(token_registry.server.address), Grants())
        assert head(client) == token_registry.digest

    def test_it_drops_them_when_redirected_to_another_host(
        self, serve: Starts, token_registry: TokenRegistry
    ) -> None:
        storage = serve(lambda asked: Reply(200, headers={"Docker-Content-Digest": SOME_DIGEST}))

        def answer(asked: Asked) -> Reply:
            reply = TokenRegistry.answer(token_registry, asked)
            if reply.status == 200 and "/manifests/" in asked.path:
                return Reply(307, headers={"Location": f"http://{storage.other_name}/blob"})
            return reply

        token_registry.server.answer = answer
        assert head(client_of(token_registry)) == SOME_DIGEST
        assert [asked.authorization for asked in storage.asked] == [""]

    def test_it_never_shows_the_password(self) -> None:
        assert "lovelace" not in repr(Access("ghcr.io", username="ada", password="lovelace"))
