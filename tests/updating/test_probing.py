"""What a probe asks of a container, where it may ask it, and how it says what it got."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import docker
import pytest

from checks.discovery.places import Place
from checks.updating import probing, routes
from checks.updating.containers import Container, Published
from checks.updating.demands import Demands
from checks.updating.engines import Engine
from checks.updating.probing import why_not
from checks.updating.routes import routes_to
from checks.versions.probes import http_probe

OURS = "f" * 64


def container(**more: Any) -> Container:
    known = {"image_id": "sha256:1", "status": "running", "exit_code": 0, "restarts": 0}
    rest = {"started_at": "2026-01-01T00:00:00Z", "restart_policy": "always"}
    return Container(**{"id": "c1", "name": "shop-api-1", **known, **rest, **more})


class Known(Engine):
    """An engine that has these containers."""

    def __init__(self, *containers: Container, place: str = "unix:///run/docker.sock") -> None:
        # One that is never asked.
        super().__init__(docker.DockerClient("unix:///nowhere.sock", version="1.41"), Place(place))
        self._containers = {each.id: each for each in containers}

    def container(self, container_id: str) -> Container | None:
        return self._containers.get(container_id)


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "own_container", lambda: "")


@contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """A server that says one thing to everybody; nothing at all where it is None."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            held = []
            while True:
                try:
                    line, _peer = server.accept()
                except OSError:
                    return
                if answer is not None:
                    if answer:
                        line.recv(2000)
                        line.sendall(answer)
                    line.close()
                held.append(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def ask(port: int) -> str:
    there = container(addresses=frozenset({"127.0.0.1"}))
    return why_not(Known(), there, Demands(http=http_probe(f":{port}/health 200-299")))


class TestHttp:
    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
            (b"HTTP/1.0 503 Sorry\r\n\r\nsecret", "answers /health with 503, not with 200 to 299"),
            (b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n", "with 302"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
            (b"H" * 5000, "not HTTP"),
        ],
    )
    def test_it_looks_at_the_status_alone(self, answer: bytes, why: str) -> None:
        with answering(answer) as port:
            said = ask(port)
        assert (why in said) if why else said == ""
        assert "secret" not in said

    def test_it_waits_no_longer_than_it_may(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probing, "TIMEOUT", 0.2)
        with answering(None) as port:
            assert "no answer within" in ask(port)

    def test_it_never_calls_where_clouds_keep_credentials(self) -> None:
        there = container(addresses=frozenset({"169.254.169.254"}))
        assert "cloud metadata" in why_not(Known(), there, Demands(tcp=80))


class TestTcp:
    def test_it_takes_a_connection_for_an_answer(self) -> None:
        with answering(None) as port:
            there = container(addresses=frozenset({"127.0.0.1"}))
            assert why_not(Known(), there, Demands(tcp=port)) == ""

    def test_one_that_is_closed_at_once_is_a_proxy_with_nobody_behind(self) -> None:
        with answering(b"") as port:
            there = container(addresses=frozenset({"127.0.0.1"}))
            assert "closes the connection" in why_not(Known(), there, Demands(tcp=port))


class TestWays:
    THERE = container(
        addresses=frozenset({"172.20.0.5"}),
        published=(Published(80, "", 8080), Published(80, "127.0.0.1", 81), Published(9, "", 9)),
    )

    def test_it_asks_the_container_first_and_then_its_published_ports(self) -> None:
        found = routes_to(Known(), self.THERE, 80)
        assert found == [("172.20.0.5", 80), ("127.0.0.1", 8080), ("127.0.0.1", 81)]

    def test_another_machine_is_only_asked_for_published_ports(self) -> None:
        """Its networks may have the addresses of ours."""
        engine = Known(place="tcp://nas.lan:2376")
        assert routes_to(engine, self.THERE, 80) == [("nas.lan", 8080)]
        assert routes_to(engine, replace(self.THERE, published=()), 80) == []

    def test_from_within_a_container_its_own_loopback_is_never_asked(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(routes, "own_container", lambda: OURS)
        own = container(id=OURS, gateways=frozenset({"172.18.0.1"}))
        for place in ("unix:///run/docker.sock", "tcp://socket-proxy:2375"):
            found = routes_to(Known(own, place=place), self.THERE, 80)
            assert found == [("172.20.0.5", 80), ("172.18.0.1", 8080)]
        assert routes_to(Known(), self.THERE, 80) == [("172.20.0.5", 80)]

    def test_one_in_the_network_of_another_is_asked_there(self) -> None:
        vpn = container(id="vpn", addresses=frozenset({"172.20.0.9"}))
        inside = container(network_mode="container:vpn")
        assert routes_to(Known(vpn), inside, 80) == [("172.20.0.9", 80)]
        assert routes_to(Known(), inside, 80) == []

    def test_one_in_the_network_of_the_host_is_asked_there(self) -> None:
        there = container(network_mode="host")
        assert routes_to(Known(), there, 80) == [("127.0.0.1", 80)]
        assert routes_to(Known(place="ssh://ada@nas"), there, 80) == [("nas", 80)]

    def test_it_says_where_there_is_no_way(self) -> None:
        said = why_not(Known(), container(), Demands(tcp=80))
        assert said == "Dockrev has no way to its port 80: neither a network nor a published port."
