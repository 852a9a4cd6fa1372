"""Callers that announce a body and do not send it keep nobody else from being answered."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from dockrev.turns import WAITING_EACH
from tests.processes.instance import Instance
from tests.waiting import until

HEAD = b"POST /api/webhooks/github-packages HTTP/1.1\r\nHost: localhost\r\n"


def connected(instance: Instance, stack: ExitStack, announced: bytes) -> socket.socket:
    caller = stack.enter_context(socket.create_connection(("127.0.0.1", instance.port), 5))
    caller.sendall(HEAD + announced + b"\r\n\r\n")
    return caller


def answered(instance: Instance) -> bytes:
    """The first line that a whole call without a proof is answered."""
    with ExitStack() as stack:
        caller = connected(instance, stack, b"Connection: close\r\nContent-Length: 2")
        caller.sendall(b"{}")
        return caller.recv(100).partition(b"\r\n")[0]


def test_it_answers_others_while_bodies_do_not_come(instance: Instance) -> None:
    instance.migrate()
    instance.serve()
    announced = [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Length: 99999"]
    with ExitStack() as stack:
        for number in range(WAITING_EACH - 2):
            connected(instance, stack, announced[number % 3])
        assert answered(instance) == b"HTTP/1.1 401 Unauthorized"
        for number in range(60):
            connected(instance, stack, announced[number % 3])
        until(lambda: b" 503 " in answered(instance), what="an address has its share")
        assert instance.serves("/api/version")
    until(lambda: b" 401 " in answered(instance), what="it is forgotten")
