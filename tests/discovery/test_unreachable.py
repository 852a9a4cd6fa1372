"""Reasons why an engine cannot be asked, from sockets that really behave so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from checks.discovery import engine
from checks.discovery.engine import look_at_engine
from checks.discovery.places import Place
from checks.discovery.projects import EngineUnavailable


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that gives everybody the same answer; empty: none at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            held = []
            while True:
                try:
                    connection, _address = listener.accept()
                except OSError:
                    return
                held.append(connection)
                if answer:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def reason(docker_host: str) -> str:
    with pytest.raises(EngineUnavailable) as refused:
        look_at_engine(Place(docker_host))
    return str(refused.value)


def test_it_knows_a_socket_that_is_not_there(tmp_path: Path) -> None:
    text = reason(f"unix://{tmp_path}/docker.sock")
    assert text.startswith("There is no Docker Engine at unix://")
    assert "DOCKREV_DOCKER_HOST" in text


def test_it_knows_a_port_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    assert reason(place).startswith(f"Nothing answers at {place}.")


def test_it_knows_a_proxy_that_refuses() -> None:
    forbidden = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
    with answering(forbidden) as place:
        assert "CONTAINERS=1, IMAGES=1, VERSION=1" in reason(place)


def test_it_knows_an_engine_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CALL_TIMEOUT", 0.2)
    with answering(b"") as place:
        assert reason(place) == f"The Docker Engine at {place} took too long to answer."


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"SSH-2.0\r\n"]
)
def test_it_knows_what_is_no_engine(answer: bytes) -> None:
    with answering(answer) as place:
        assert reason(place).startswith(f"The Docker Engine at {place} cannot be asked: ")


@pytest.mark.parametrize("place", ["nonsense://x", "tcp://", "unix:/", "http://[bad"])
def test_it_knows_a_place_that_is_none(place: str) -> None:
    assert reason(place)
