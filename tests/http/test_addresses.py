from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import requests
from pytest_django.fixtures import Settings

from checks.container_logs.lines import Since, logs_of
from checks.discovery.look import look_at
from checks.discovery.places import Place
from checks.discovery.projects import EngineUnavailable
from checks.models import Host, Service, Stack
from dockrev import addresses, http
from tests.servers import Reply, Server, Starts

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[::169.254.169.254]",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
]
NOT_GLOBAL = [
    "127.0.0.1",
    "localhost",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fc00::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[::ffff:10.0.0.1]",
    "[2002:0a00:0001::1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::8.8.8.8]",
    "2130706433",
    "127.1",
]
GLOBAL = ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]
BRIEF = (0.5, 0.5)


@pytest.fixture
def server(serve: Starts) -> Server:
    return serve(lambda asked: Reply(200, b"here"))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    """Names that resolve to what a test says: a name server is not to be had here."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def resolve(host: str, port: object, *args: int, **kwargs: int) -> object:
        if host not in known:
            return real(host, port, *args, **kwargs)  # type: ignore[arg-type]  # passed on as it came
        return [info for each in known[host] for info in real(each, port, type=socket.SOCK_STREAM)]  # type: ignore[arg-type]  # the same

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield known


class TestWhatIsNeverCalled:
    @pytest.mark.parametrize("host", NEVER)
    @pytest.mark.parametrize("who", [nullcontext, addresses.from_the_environment])
    def test_it_refuses_link_local_and_metadata_addresses(
        self, host: str, who: type[nullcontext[None]]
    ) -> None:
        with who(), pytest.raises(http.Unreachable, match="never calls those"):
            http.request("GET", f"http://{host}/latest", timeout=BRIEF)

    def test_it_refuses_a_name_of_theirs(self, names: dict[str, list[str]]) -> None:
        names["innocent.example"] = ["169.254.169.254"]
        with pytest.raises(http.Unreachable, match=r"^innocent\.example is a link-local"):
            http.request("GET", "http://innocent.example/", timeout=BRIEF)

    def test_it_holds_for_libraries_too(self) -> None:
        with pytest.raises(requests.ConnectionError, match="never calls those"):
            requests.get("http://169.254.169.254/", timeout=BRIEF)

    def test_it_refuses_them_behind_a_proxy(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", f"http://{server.address}")
        with pytest.raises(http.Unreachable, match="never calls those"):
            http.request("GET", "http://169.254.169.254/", timeout=BRIEF)
        assert not server.asked


class TestWhatAPersonTyped:
    def test_it_may_be_at_home(self, server: Server) -> None:
        assert http.request("GET", f"http://{server.address}/").body == b"here"

    def test_it_must_be_public_where_the_operator_says_so(
        self, server: Server, settings: Settings
    ) -> None:
        settings.PUBLIC_TARGETS_ONLY = True
        with pytest.raises(http.Unreachable, match="only global addresses"):
            http.request("GET", f"http://{server.address}/")
        with addresses.from_the_environment():
            assert http.request("GET", f"http://{server.address}/").status == 200


class TestWhatCameFromOutside:
    @pytest.mark.parametrize("host", NOT_GLOBAL)
    def test_it_must_be_global(self, host: str) -> None:
        with addresses.from_outside(), pytest.raises(http.Unreachable, match="global addresses"):
            http.request("GET", f"http://{host}/", timeout=BRIEF)

    @pytest.mark.parametrize("address", GLOBAL)
    def test_it_connects_to_what_it_looked_at(
        self, address: str, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[object] = []

        class Recorder(socket.socket):
            def connect(self, address: object) -> None:
                called.append(address)
                raise ConnectionRefusedError

        monkeypatch.setattr(socket, "socket", Recorder)
        names["outside.example"] = [address]
        with addresses.from_outside(), pytest.raises(http.Unreachable, match="refused"):
            http.request("GET", "http://outside.example/", timeout=BRIEF)
        assert [str(each[0]) for each in called if isinstance(each, tuple)] == [
            socket.getaddrinfo(address, 80)[0][4][0]
        ]

    def test_it_looks_at_every_address_of_a_name(
        self, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At home one is often private and one global."""
        called: list[str] = []

        def refuse(address: tuple[str, int], *args: object, **kwargs: object) -> socket.socket:
            called.append(address[0])
            raise ConnectionRefusedError

        monkeypatch.setattr(addresses, "_connect_to", refuse)
        names["twofold.example"] = ["192.168.0.1", "8.8.8.8"]
        with addresses.from_outside(), pytest.raises(http.Unreachable, match="refused"):
            http.request("GET", "http://twofold.example/", timeout=BRIEF)
        assert called == ["8.8.8.8"]

    def test_it_tries_no_other_once_its_time_is_over(
        self, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[object] = []

        def refuse(address: object, *args: object, **kwargs: object) -> socket.socket:
            called.append(address)
            raise TimeoutError

        monkeypatch.setattr(addresses, "_connect_to", refuse)
        names["silent.example"] = [f"127.0.0.{number}" for number in range(1, 6)]
        with pytest.raises(http.Unreachable):
            http.request("GET", "http://silent.example/", timeout=BRIEF, longest_body=-1.0)
        assert called == [("127.0.0.1", 80)]

    def test_it_waits_for_an_address_no_longer_than_for_the_whole(
        self, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[float] = []

        def refuse(address: object, wait: float, **kwargs: object) -> socket.socket:
            waits.append(wait)
            raise TimeoutError

        monkeypatch.setattr(addresses, "_connect_to", refuse)
        names["silent.example"] = ["127.0.0.1"]
        with pytest.raises(http.Unreachable):
            http.request("GET", "http://silent.example/", timeout=(60.0, 1.0), longest_body=-50.0)
        assert len(waits) == 1
        assert 9 < waits[0] <= 10

    def test_it_tries_a_few_of_a_thousand_addresses(
        self, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        called: list[object] = []

        def refuse(address: object, *args: object, **kwargs: object) -> socket.socket:
            called.append(address)
            raise ConnectionRefusedError

        monkeypatch.setattr(addresses, "_connect_to", refuse)
        names["many.example"] = [f"127.0.{number // 250}.{number % 250}" for number in range(1000)]
        with pytest.raises(http.Unreachable, match="refused"):
            http.request("GET", "http://many.example/", timeout=BRIEF)
        assert len(called) == addresses.TRIED

    def test_it_does_not_use_a_connection_that_a_person_s_call_has_left(
        self, server: Server
    ) -> None:
        assert http.request("GET", f"http://{server.address}/").status == 200
        with addresses.from_outside(), pytest.raises(http.Unreachable):
            http.request("GET", f"http://{server.address}/")


class TestWhatAHostSentUsTo:
    def test_it_may_be_at_home_if_the_host_is(self, server: Server) -> None:
        with addresses.named_by("127.0.0.1"):
            assert http.request("GET", f"http://{server.address}/").status == 200

    def test_it_must_be_global_if_the_host_is(self, server: Server) -> None:
        with addresses.named_by("8.8.8.8"), pytest.raises(http.Unreachable, match="global"):
            http.request("GET", f"http://{server.address}/")

    def test_it_must_be_global_if_the_host_is_among_others(
        self, server: Server, names: dict[str, list[str]]
    ) -> None:
        names["twofold.example"] = ["127.0.0.1", "8.8.8.8"]
        with addresses.named_by("twofold.example"), pytest.raises(http.Unreachable, match="global"):
            http.request("GET", f"http://{server.address}/")

    @pytest.mark.parametrize("now", [["192.168.1.1"], []])
    def test_it_must_be_global_if_the_host_answered_from_there(
        self,
        server: Server,
        names: dict[str, list[str]],
        monkeypatch: pytest.MonkeyPatch,
        now: list[str],
    ) -> None:
        """Whoever owns a name may have it say anything a moment later."""
        real, host = addresses._connect_to, f"turncoat{len(now)}.example"
        with monkeypatch.context() as outside:
            outside.setattr(
                addresses,
                "_connect_to",
                lambda _address, *args, **kwargs: real(("127.0.0.1", server.port), *args, **kwargs),
            )
            names[host] = ["8.8.8.8"]
            assert http.request("GET", f"http://{host}/").status == 200
        names[host] = now
        with (
            addresses.named_by(host),
            pytest.raises(http.Unreachable, match="global"),
        ):
            http.request("GET", f"http://{server.address}/")

    def test_it_stays_as_it_is_where_the_host_has_no_address(self, server: Server) -> None:
        with addresses.named_by("nowhere.invalid"):
            assert http.request("GET", f"http://{server.address}/").status == 200


class TestProxies:
    def test_it_may_use_one_at_home_for_what_must_be_public(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", server.address)
        with addresses.from_outside():
            assert http.request("GET", "http://outside.example/path").body == b"here"
        assert server.asked[0].path == "http://outside.example/path"

    @pytest.mark.parametrize("host", [*NEVER, "169.254.169.254."])
    def test_it_does_not_ask_one_for_what_is_never_called(
        self, server: Server, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        monkeypatch.setenv("http_proxy", server.address)
        with pytest.raises(http.Unreachable):
            http.request("GET", f"http://{host}/")
        assert server.asked == []

    def test_it_is_not_put_off_by_a_proxy_that_makes_no_sense(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ftp_proxy", "http://x:99999")
        assert http.request("GET", f"http://{server.address}/").status == 200


def test_it_reaches_an_engine_at_home_where_targets_must_be_public(
    serve: Starts, settings: Settings
) -> None:
    settings.PUBLIC_TARGETS_ONLY = True
    server = serve(lambda asked: Reply(500, b"{}"))
    look_at(Place(f"tcp://{server.address}"))
    assert server.asked


def test_it_reads_no_logs_where_no_person_may_have_it_call(
    serve: Starts, settings: Settings
) -> None:
    settings.PUBLIC_TARGETS_ONLY = True
    server = serve(lambda asked: Reply(500, b"{}"))
    host = Host(name="nas", docker_host=f"tcp://{server.address}", plain=True)
    service = Service(name="web", stack=Stack(name="shop", host=host))
    with pytest.raises(EngineUnavailable):
        logs_of(service, tail=10, since=Since())
    assert not server.asked
