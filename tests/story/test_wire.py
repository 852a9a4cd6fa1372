"""What only a real server shows: chunks, lengths that lie, many callers at once."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from tests import github
from tests.processes.instance import Instance
from tests.waiting import PATIENCE

MEGABYTE = 1024 * 1024
SET_UP = """
from tests import rows
rows.github_receiver(); rows.tracked(); rows.service()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A server without a worker: what it queues stays queued."""
    directory = tmp_path_factory.mktemp("wire")
    instance = Instance(directory)
    instance.environment["DJANGO_SETTINGS_MODULE"] = "dockrev.settings"
    try:
        instance.migrate()
        prepared = instance.command("shell", "--no-imports", "--command", SET_UP)
        assert prepared.returncode == 0, prepared.stderr
        instance.serve()
        yield instance
    finally:
        instance.end()


def headers(body: bytes, delivery: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": "package",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": github.sign(body),
    }


def in_chunks(body: bytes, size: int = 64 * 1024) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def test_it_takes_a_delivery_in_chunks(server: Instance) -> None:
    body = json.dumps(github.published()).encode()
    url = server.url(github.PATH)
    answer = requests.post(
        url, data=in_chunks(body, 100), headers=headers(body, "chunks"), timeout=PATIENCE
    )
    assert answer.status_code == 202, answer.text


def test_it_refuses_26_megabytes_in_chunks_in_flat_memory(server: Instance) -> None:
    body = b" " * (26 * MEGABYTE)
    url = server.url(github.PATH)
    try:
        answer = requests.post(
            url, data=in_chunks(body), headers=headers(body, "big"), timeout=PATIENCE
        )
    except requests.ConnectionError:
        pass  # it hung up on what it would not read
    else:
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "payload_too_large"
    assert server.serves()


def test_it_refuses_a_declared_length_without_reading(server: Instance) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as raw:
        raw.sendall(
            b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
            % (github.PATH.encode(), 26 * MEGABYTE)
        )
        assert raw.recv(1000).startswith(b"HTTP/1.1 413")


def test_it_reads_a_chunked_body_of_the_api(server: Instance) -> None:
    answer = requests.post(
        server.url("/api/checks"), data=iter([b'{"scope":', b' "all"}']), timeout=PATIENCE
    )
    assert answer.status_code == 401  # read, and nobody signed in
    token = server.command("token", "create", "--user", "admin").stdout.strip()
    signed_in = {"Authorization": f"Bearer {token}"}
    answer = requests.post(
        server.url("/api/checks"),
        data=iter([b'{"sco', b'pe": "all"}']),
        headers=signed_in,
        timeout=PATIENCE,
    )
    assert answer.status_code == 202, answer.text
    too_long = requests.post(
        server.url("/api/checks"),
        data=in_chunks(b" " * 2 * MEGABYTE),
        headers=signed_in,
        timeout=PATIENCE,
    )
    assert too_long.status_code == 413


def test_it_makes_one_job_of_fifty_equal_deliveries_at_once(server: Instance) -> None:
    body = json.dumps(github.published("acme/api", "2.0")).encode()
    barrier, answers = threading.Barrier(50), []

    def send() -> None:
        barrier.wait()
        url = server.url(github.PATH)
        answer = requests.post(url, data=body, headers=headers(body, "same"), timeout=PATIENCE)
        answers.append((answer.status_code, answer.json()["deliveryId"]))

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [200] * 49 + [202]
    assert len({delivery for _, delivery in answers}) == 1
    [(attempts,)] = server.rows(
        "SELECT attempts FROM integrations_delivery WHERE sender_id = 'same'"
    )
    assert attempts == 50
    assert len(server.rows("SELECT id FROM checks_job WHERE kind = 'check.service'")) == 1


def test_it_commits_different_deliveries_that_come_at_once(server: Instance) -> None:
    statuses: list[int] = []

    def send(number: int) -> None:
        body = json.dumps(github.published("acme/api", f"3.{number}")).encode()
        url = server.url(github.PATH)
        answer = requests.post(
            url, data=body, headers=headers(body, f"many-{number}"), timeout=PATIENCE
        )
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 40
    stored = "SELECT count(*) FROM integrations_delivery WHERE sender_id LIKE 'many-%'"
    assert server.rows(stored) == [(40,)]
