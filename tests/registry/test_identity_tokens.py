"""Refresh tokens, as `docker login` and credential helpers leave them for some registries."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine

from checks.registry.auth import Grants
from checks.registry.client import Access, BadAnswer, RegistryClient, Unauthorized
from checks.registry.reference import parse
from tests.servers import Asked, Reply, Starts, TokenRegistry, as_json

OURS = "the-identity-token"


class RefreshRegistry(TokenRegistry):
    """Its tokens are given for a refresh token, which `renews` replaces each time."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = {OURS}
        self.renews = False
        self.refuses_post = 0

    def _token(self, asked: Asked) -> Reply:
        if self.refuses_post:
            return Reply(self.refuses_post)
        if asked.method != "POST" or not self.taken & set(asked.form.get("refresh_token", [])):
            return as_json(400, error="invalid_grant")
        token = f"token-{len(self.tokens_given)}"
        self.valid.add(token)
        more: dict[str, Any] = (
            {"refresh_token": f"renewed-{len(self.tokens_given)}"} if self.renews else {}
        )
        self.taken |= set(more.values())
        return as_json(access_token=token, expires_in=300, **more)


@pytest.fixture
def refreshing(serve: Starts) -> RefreshRegistry:
    registry = RefreshRegistry()
    registry.server = serve(registry.answer)
    return registry


def client_of(registry: TokenRegistry, token: str = OURS) -> RegistryClient:
    access = Access(registry.server.address, username="<token>", password=token)
    return RegistryClient(access, Grants())


def head(client: RegistryClient, image: str = "acme/api:1.2") -> str:
    return client.head(parse(f"{client.access.host}/{image}"))


def test_it_exchanges_it_for_a_token(refreshing: RefreshRegistry) -> None:
    assert head(client_of(refreshing)) == refreshing.digest
    (asked,) = refreshing.tokens_given
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.form == {
        "grant_type": ["refresh_token"],
        "client_id": ["dockrev"],
        "service": ["the service"],
        "scope": ["repository:acme/api:pull"],
        "refresh_token": [OURS],
    }


def test_it_never_sends_it_in_a_header_or_an_address(refreshing: RefreshRegistry) -> None:
    head(client_of(refreshing))
    for asked in refreshing.server.asked:
        assert not asked.authorization.startswith("Basic")
        assert OURS not in asked.path
        assert OURS not in str(asked.headers)


def test_it_takes_a_new_one_for_as_long_as_it_is_taken(refreshing: RefreshRegistry) -> None:
    refreshing.renews = True
    client = client_of(refreshing)
    with time_machine.travel(0, tick=False) as clock:
        head(client)
        clock.shift(300)
        head(client)
        clock.shift(300)
        refreshing.taken = {OURS}
        assert head(client) == refreshing.digest
    sent = [asked.form["refresh_token"] for asked in refreshing.tokens_given]
    assert sent == [[OURS], ["renewed-1"], ["renewed-2"], [OURS]]


@pytest.mark.parametrize("status", [404, 405])
def test_it_says_what_to_do_where_no_token_is_exchanged(
    refreshing: RefreshRegistry, status: int
) -> None:
    refreshing.refuses_post = status
    with pytest.raises(Unauthorized, match=f"no identity token .{status}.. Enter a user name and"):
        head(client_of(refreshing))
    assert len(refreshing.tokens_given) == 1


def test_it_says_that_it_has_ended(refreshing: RefreshRegistry) -> None:
    with pytest.raises(Unauthorized, match="the token has ended") as refused:
        head(client_of(refreshing, "an old one"))
    assert "an old one" not in str(refused.value)


def test_it_is_no_password(serve: Starts) -> None:
    server = serve(lambda asked: Reply(401, headers={"WWW-Authenticate": "Basic realm=x"}))
    access = Access(server.address, username="<token>", password=OURS)
    with pytest.raises(Unauthorized, match="takes no identity token"):
        head(RegistryClient(access, Grants()))
    assert [asked.authorization for asked in server.asked] == [""]


def test_it_does_not_follow_a_redirect_with_it(refreshing: RefreshRegistry, serve: Starts) -> None:
    thief = serve(lambda asked: as_json(access_token="x"))
    answer = refreshing.answer

    def redirect(asked: Asked) -> Reply:
        if asked.path == "/token":
            return Reply(307, headers={"Location": f"http://{thief.other_name}/token"})
        return answer(asked)

    refreshing.server.answer = redirect
    with pytest.raises(BadAnswer, match="not followed"):
        head(client_of(refreshing))
    assert not thief.asked


def test_it_does_not_send_it_in_clear_to_another_host(refreshing: RefreshRegistry) -> None:
    refreshing.challenge = f'Bearer realm="http://localhost:{refreshing.server.port}/token"'
    with pytest.raises(BadAnswer, match="unencrypted to localhost"):
        head(client_of(refreshing))
    assert not refreshing.tokens_given
