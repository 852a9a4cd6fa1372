from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from dockrev import http
from tests.servers import CUT, Asked, Reply, Server, Starts

BRIEF = (1.0, 0.3)


@contextmanager
def dripping() -> Iterator[str]:
    """A server that begins a head and never ends it, a byte at a time."""
    over = Event()

    def drip(listener: socket.socket) -> None:
        client, _address = listener.accept()
        with client, suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while not over.wait(0.01):
                client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=drip, args=(listener,))
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join()


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[Server]:
    server = Server(lambda asked: Reply(200, b"over TLS"))
    server.speak_tls(*certificate)
    with server.running():
        yield server


class TestAnswers:
    def test_it_returns_any_status_with_headers_in_any_case(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(404, b"no", {"X-Odd-Case": "yes"}))
        answer = http.request("POST", f"http://{server.address}/a?b=c", body=b"data")
        assert (answer.status, answer.body, answer.headers["x-odd-case"]) == (404, b"no", "yes")

    def test_it_does_not_follow_redirects_nor_read_more_of_them(self, serve: Starts) -> None:
        away = {"Location": "http://["}
        server = serve(lambda asked: Reply(302, b"x" * 65_536, away, length=None))
        answer = http.request("GET", f"http://{server.address}/", max_bytes=100)
        assert (answer.status, len(answer.body), answer.truncated) == (302, 100, True)

    @pytest.mark.parametrize(("size", "truncated"), [(99, False), (100, False), (101, True)])
    def test_it_reads_no_more_than_it_may(self, serve: Starts, size: int, truncated: bool) -> None:
        server = serve(lambda asked: Reply(200, b"x" * size))
        answer = http.request("GET", f"http://{server.address}/", max_bytes=100)
        assert (len(answer.body), answer.truncated) == (min(size, 100), truncated)

    def test_it_keeps_connections_but_no_cookies(self, serve: Starts) -> None:
        cookies: list[str] = []

        def answer(asked: Asked) -> Reply:
            cookies.append(asked.headers.get("cookie", ""))
            return Reply(200, b"x", {"Set-Cookie": "session=1; Path=/"})

        server = serve(answer)
        for _again in range(3):
            http.request("GET", f"http://{server.address}/")
        assert cookies == ["", "", ""]
        assert server.connections == 1

    def test_it_asks_again_where_a_kept_connection_was_closed(self, serve: Starts) -> None:
        first = Reply(200, b"x", length=1)  # the server closes after it without saying so
        server = serve(lambda asked: first)
        for _again in range(3):
            assert http.request("GET", f"http://{server.address}/").status == 200

    @pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("HEAD", 2), ("POST", 1)])
    def test_it_asks_again_where_that_changes_nothing(
        self, serve: Starts, method: str, tries: int
    ) -> None:
        server = serve(lambda asked: CUT)
        with pytest.raises(http.Unreachable, match="broke off"):
            http.request(method, f"http://{server.address}/")
        assert len(server.asked) == tries

    def test_it_does_not_wait_for_the_end_of_what_has_none(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b"x", length=None))
        brief = {"timeout": (0.1, 1), "longest_body": 0.3}
        with pytest.raises(http.Unreachable, match="did not answer"):
            http.request("GET", f"http://{server.address}/", max_bytes=10**9, **brief)  # type: ignore[arg-type]  # as they are

    @pytest.mark.parametrize("proxy", [True, False])
    def test_it_does_not_wait_for_the_end_of_a_head_that_drips(
        self, monkeypatch: pytest.MonkeyPatch, proxy: bool
    ) -> None:
        with dripping() as address:
            if proxy:
                monkeypatch.setenv("http_proxy", f"http://{address}")
            url = "http://outside.example/" if proxy else f"http://{address}/"
            with pytest.raises(http.Unreachable, match="did not answer"):
                http.request("GET", url, timeout=(0.1, 5), longest_body=0.3)

    def test_it_serves_many_threads(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, asked.path.encode()))

        def ask(number: int) -> bytes:
            return http.request("GET", f"http://{server.address}/{number}").body

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ask, range(200))) == [b"/%d" % n for n in range(200)]

    def test_it_starts_anew_in_a_forked_process(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b"x"))
        http.request("GET", f"http://{server.address}/")
        child = os.fork()
        if child == 0:
            answer = http.request("GET", f"http://{server.address}/")
            os._exit(0 if answer.status == 200 else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert server.connections == 2

    def test_it_takes_the_user_from_the_url_and_never_from_a_file(
        self, serve: Starts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = serve(lambda asked: Reply(200))
        netrc = tmp_path / "netrc"
        netrc.write_text("default login thief password secret")
        monkeypatch.setenv("NETRC", str(netrc))
        http.request("GET", f"http://{server.address}/")
        http.request("GET", f"http://ada:x%20y@{server.address}/")
        http.request("GET", f"http://{server.address}/", headers={"Authorization": "Bearer z"})
        given = [asked.authorization for asked in server.asked]
        assert given == ["", "Basic YWRhOnggeQ==", "Bearer z"]


class TestWords:
    def why(self, url: str, **arguments: object) -> str:
        with pytest.raises(http.Unreachable) as caught:
            http.request("GET", url, timeout=BRIEF, **arguments)  # type: ignore[arg-type]  # any of its own
        return str(caught.value)

    def test_it_names_the_host_and_nothing_else_of_the_url(self) -> None:
        words = self.why("http://user:hidden@127.0.0.1:1/secret-path?token=secret#x")
        assert words == "127.0.0.1:1 refused the connection."

    @pytest.mark.parametrize(
        "url",
        ["ftp://host/", "http://a b/", "http://", "nonsense", "http://[::1/", "http://h:99999/"],
    )
    def test_it_says_that_an_address_is_malformed(self, url: str) -> None:
        assert "valid http or https address" in self.why(url)

    def test_it_says_that_a_name_is_unknown(self) -> None:
        assert "nowhere.invalid" in self.why("http://nowhere.invalid/path")

    @pytest.mark.parametrize(
        "header",
        [("X", "a\r\nb"), ("X", "a\n"), ("X", "\n"), ("X\n", "a"), ("X", "€")],
    )
    def test_it_says_that_a_header_is_wrong(self, header: tuple[str, str]) -> None:
        words = self.why("http://127.0.0.1:1/", headers=dict([header]))
        assert words == "A header for 127.0.0.1:1 holds forbidden characters."

    def test_it_says_that_no_answer_came_in_time(self, serve: Starts) -> None:
        server = serve(lambda asked: None)
        assert self.why(f"http://{server.address}/") == (
            f"{server.address} did not answer within 0.3 s."
        )

    def test_it_says_that_the_answer_broke_off(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b"half", length=8))
        assert "broke off" in self.why(f"http://{server.address}/")

    def test_it_says_that_packing_is_broken(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b"not packed", {"Content-Encoding": "gzip"}))
        assert "cannot be unpacked" in self.why(f"http://{server.address}/")

    def test_it_says_that_a_certificate_is_not_trusted(self, tls_server: Server) -> None:
        assert self.why(f"https://{tls_server.address}/") == (
            f"The certificate of {tls_server.address} is not trusted: self-signed certificate."
        )

    def test_it_trusts_a_certificate_that_it_is_given(
        self, tls_server: Server, certificate: tuple[Path, Path]
    ) -> None:
        answer = http.request("GET", f"https://{tls_server.address}/", verify=str(certificate[0]))
        assert answer.body == b"over TLS"

    def test_it_says_that_a_server_does_not_speak_tls(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200))
        assert "plain http" in self.why(f"https://{server.address}/")

    def test_it_says_that_a_proxy_is_in_the_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert "proxy" in self.why("http://host.example/")


def test_it_logs_no_path(serve: Starts, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(lambda asked: Reply(200, length=0))
    with caplog.at_level(logging.DEBUG):
        for _again in range(2):
            http.request("GET", f"http://{server.address}/bot123:secret/send")
    assert "secret" not in caplog.text
