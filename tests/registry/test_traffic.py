from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError, Event, Lock
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from checks.registry.auth import Grants
from checks.registry.client import Access, RegistryClient, Resting, Unauthorized
from checks.registry.reference import Reference, parse
from checks.registry.traffic import Limit, Traffic, read_limit
from tests.servers import Asked, Reply, Server, Starts, TokenRegistry, as_json
from tests.waiting import PATIENCE

GOOD = Reply(200, headers={"Docker-Content-Digest": "sha256:" + "a" * 64})


def client_of(server: Server) -> RegistryClient:
    return RegistryClient(Access(server.address), Grants())


def image_of(server: Server) -> Reference:
    return parse(f"{server.address}/acme/api:1.2")


def rest_of(client: RegistryClient, image: Reference) -> float:
    """The seconds of rest that come of a question."""
    with time_machine.travel(timezone.now(), tick=False), pytest.raises(Resting):
        client.head(image)
    until = client.access.traffic.rests_until
    assert until is not None
    return (until - timezone.now()).total_seconds()


class TestRests:
    @pytest.mark.parametrize("status", [429, 503])
    def test_it_asks_nothing_before_the_rest_is_over(self, serve: Starts, status: int) -> None:
        replies = [Reply(status, headers={"Retry-After": "17"}), GOOD]
        server = serve(lambda asked: replies.pop(0))
        client, image = client_of(server), image_of(server)
        with time_machine.travel("2026-01-02 03:04:05Z", tick=False) as clock:
            with pytest.raises(Resting, match=rf"until 2026-01-02 03:04:22 UTC.*\({status}\)"):
                client.head(image)
            clock.shift(16)
            with pytest.raises(Resting, match="nothing is asked of it before"):
                list(client.tags("acme/api"))
            assert len(server.asked) == 1
            clock.shift(2)
            assert client.head(image)
        assert client.access.traffic.rests_until is None

    def test_it_reads_a_rest_until_a_time(self, serve: Starts) -> None:
        when = "Fri, 01 Jan 2100 00:00:00 GMT"
        server = serve(lambda asked: Reply(429, headers={"Retry-After": when}))
        assert rest_of(client_of(server), image_of(server)) == pytest.approx(86_400, abs=5)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "soon",
            "²",
            "-1",
            "0",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Mon, 01 Jan 99999999999 00:00:00 GMT",
            "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        ],
    )
    def test_it_guesses_where_a_rest_makes_no_sense(self, serve: Starts, text: str) -> None:
        encoded = text.encode().decode("latin-1")
        server = serve(lambda asked: Reply(429, headers={"Retry-After": encoded}))
        assert 55 < rest_of(client_of(server), image_of(server)) <= 75

    def test_it_guesses_longer_each_time(self) -> None:
        with time_machine.travel(timezone.now(), tick=False) as clock:
            traffic = Traffic()
            guessed = []
            for _again in range(20):
                until = traffic.rest(None, too_many=True)
                assert traffic.rest(None, too_many=True) == traffic.rests_until  # the same rest
                guessed.append(until - timezone.now())
                clock.move_to(until + timedelta(hours=3))
        assert timedelta(minutes=2) <= guessed[1] <= timedelta(minutes=2.5)
        assert timedelta(minutes=4) <= guessed[2] <= timedelta(minutes=5)
        assert timedelta(hours=6) <= guessed[-1] <= timedelta(hours=7.5)

    def test_it_ends_with_the_first_answer_after_it(self) -> None:
        traffic = Traffic()
        with time_machine.travel(timezone.now(), tick=False) as clock:
            traffic.rest(10, too_many=True)
            traffic.answered({})  # asked before
            assert traffic.resting_until
            clock.shift(11)
            traffic.answered({})
        assert (traffic.rests, traffic.told_to_rest) == (0, False)

    def test_it_believes_the_body_too(self, serve: Starts) -> None:
        server = serve(lambda asked: as_json(403, errors=[{"code": "toomanyrequests"}]))
        with pytest.raises(Resting, match="asked too often"):
            list(client_of(server).tags("acme/api"))

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b'{"errors": 7}', b'{"errors": [7]}', b"[" * 9999]
    )
    def test_it_takes_other_refusals_as_they_are(self, serve: Starts, body: bytes) -> None:
        server = serve(lambda asked: Reply(403, body))
        with pytest.raises(Unauthorized):
            list(client_of(server).tags("acme/api"))

    def test_it_rests_where_tokens_are_refused(self, token_registry: TokenRegistry) -> None:
        token_registry.token_answer = lambda token: Reply(429, headers={"Retry-After": "17"})
        access = Access(token_registry.server.address, username="ada", password="lovelace")
        client = RegistryClient(access, Grants())
        for _again in range(2):
            with pytest.raises(Resting):
                client.head(image_of(token_registry.server))
        assert len(token_registry.tokens_given) == 1


class TestLanes:
    def test_it_asks_no_more_at_once_than_it_is_told_to(self, serve: Starts) -> None:
        lock, under_way, most = Lock(), [0], [0]

        def answer(asked: Asked) -> Reply:
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            with suppress(BrokenBarrierError):
                meeting.wait()  # of three, who never come
            with lock:
                under_way[0] -= 1
            return GOOD

        meeting = Barrier(3, timeout=0.05)
        server = serve(answer)
        client, image = client_of(server), image_of(server)
        client.access.traffic.keep_to(2)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _again: client.head(image), range(8)))
        assert found == ["sha256:" + "a" * 64] * 8
        assert most == [2]

    def test_who_waited_for_a_lane_hears_of_a_rest_that_began_meanwhile(
        self, serve: Starts
    ) -> None:
        both_ask = Barrier(2, timeout=PATIENCE)
        first = Event()

        def answer(asked: Asked) -> Reply:
            first.set()
            both_ask.wait()
            return Reply(429, headers={"Retry-After": "17"})

        server = serve(answer)
        client, image = client_of(server), image_of(server)
        client.access.traffic.keep_to(1)

        def ask_too() -> None:
            first.wait(PATIENCE)
            both_ask.wait()
            client.head(image)

        with ThreadPoolExecutor(2) as pool:
            asking: list[Future[Any]] = [pool.submit(client.head, image), pool.submit(ask_too)]
            for each in asking:
                with pytest.raises(Resting):
                    each.result(10)
        assert len(server.asked) == 1


def test_it_counts_requests_and_pulls(serve: Starts) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(200, b'{"schemaVersion": 2, "config": {}}') if asked.method == "GET" else GOOD

    server = serve(answer)
    client = client_of(server)
    client.head(image_of(server))
    client.manifest("acme/api", "1.2")
    traffic = client.access.traffic
    assert (traffic.requests, traffic.pulls, traffic.refused) == (2, 1, 0)
    assert traffic.seconds > 0


@pytest.mark.parametrize(
    ("most", "remaining", "limit"),
    [
        ("100;w=21600", "76;w=21600", Limit(100, 76, 21600)),
        ("100; w=60", "0", Limit(100, 0, 60)),
        ("5000", "4999", Limit(5000, 4999)),
        ("100;w=999999999", "0", Limit(100, 0, 86_400)),
        ("10, 10;w=1, 50;w=60", "9", Limit(10, 9)),
        ("", "9", None),
        ("much", "9", None),
        ("9", "-1", None),
    ],
)
def test_it_reads_what_a_registry_lets_us_ask(
    most: str, remaining: str, limit: Limit | None
) -> None:
    assert read_limit({"RateLimit-Limit": most, "RateLimit-Remaining": remaining}) == limit
