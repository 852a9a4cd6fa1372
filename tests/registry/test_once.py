from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from checks.registry.auth import Grants
from checks.registry.client import Access, RegistryClient, Unavailable
from checks.registry.lanes import Lanes
from checks.registry.once import Once
from checks.registry.reference import parse
from tests.servers import Asked, Reply, Starts

DIGEST = "sha256:" + "a" * 64


def test_it_asks_once_however_many_want_to_know(serve: Starts) -> None:
    server = serve(lambda asked: Reply(200, headers={"Docker-Content-Digest": DIGEST}))
    remote = Once(RegistryClient(Access(server.address), Grants()), Lanes(1))
    reference = parse(f"{server.address}/acme/api:1")
    pinned = parse(f"{server.address}/acme/api:1@sha256:{'b' * 64}")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(remote.head, [reference, pinned] * 20)) == {DIGEST}
    assert len(server.asked) == 1


def test_it_remembers_a_refusal(serve: Starts) -> None:
    server = serve(lambda asked: Reply(500))
    remote = Once(RegistryClient(Access(server.address), Grants()), Lanes(1))
    for _again in range(2):
        with pytest.raises(Unavailable):
            remote.head(parse(f"{server.address}/acme/api:1"))
    assert len(server.asked) == 1


def test_it_tells_questions_apart(serve: Starts) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(404) if asked.path.endswith("/2") else Reply(200, b'{"schemaVersion": 2}')

    server = serve(answer)
    remote = Once(RegistryClient(Access(server.address), Grants()), Lanes(1))
    for image in ("acme/api:1", "acme/api:2", "acme/web:1"):
        with pytest.raises(Exception, match=r"manifest|does not have"):
            remote.head(parse(f"{server.address}/{image}"))
    assert len({asked.path for asked in server.asked}) == 3
