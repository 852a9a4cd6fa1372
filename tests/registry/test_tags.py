"""The tags of a repository, from a real registry and from servers that do not behave."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.registry import tags as listing
from checks.registry.auth import Grants
from checks.registry.client import (
    Access,
    BadAnswer,
    NotFound,
    RegistryClient,
    Resting,
    Unauthorized,
    Unavailable,
)
from checks.registry.tags import next_page, read_page
from tests.real.registry import Registry
from tests.servers import CUT, Asked, Reply, Server, Starts, as_json

URL = "https://registry.example/v2/acme/api/tags/list?n=1000"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def tags_of(server: Server, repository: str = "acme/api") -> list[str]:
    access = Access(server.address, timeout=(1.0, 0.3))
    return list(RegistryClient(access, Grants()).tags(repository))


def page(tags: list[str] | None, link: str = "") -> Reply:
    reply = as_json(name="acme/api", tags=tags)
    return Reply(200, reply.body, {"Link": link} if link else {})


@pytest.mark.engine
class TestARealRegistry:
    @pytest.mark.parametrize("size", [2, 5, 1000])
    def test_it_reads_every_tag(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch, size: int
    ) -> None:
        monkeypatch.setattr(listing, "PAGE", size)
        pushed = ["1.0", "1.1", "1.10", "2.0", "latest"]
        for tag in pushed:
            registry.push_image("tags/many", tag, content="the same")
        client = RegistryClient(Access(registry.address))
        assert sorted(client.tags("tags/many")) == pushed

    def test_it_says_that_there_is_no_such_repository(self, registry: Registry) -> None:
        with pytest.raises(NotFound, match="does not list the tags of tags/none"):
            RegistryClient(Access(registry.address)).tags("tags/none")


class TestPages:
    @pytest.mark.parametrize(
        "link",
        [
            "</v2/acme/api/tags/list?last=b&n=2>; rel=next",
            '<http://{address}/v2/acme/api/tags/list?last=b&n=2>; rel="next"',
            '</first>; rel="first", <list?last=b&n=2#there>;title="a, <b>; rel=next" ; REL="next"',
        ],
    )
    def test_it_follows_links_as_registries_write_them(self, serve: Starts, link: str) -> None:
        def answer(asked: Asked) -> Reply:
            if "last" in asked.query:
                return page(["c"])
            return page(["a", "b"], link.format(address=asked.headers["host"]))

        server = serve(answer)
        assert tags_of(server) == ["a", "b", "c"]
        assert [asked.query.get("last") for asked in server.asked] == [None, ["b"]]

    def test_it_goes_on_after_an_empty_page(self, serve: Starts) -> None:
        pages = [["a"], None, ["c"]]

        def answer(asked: Asked) -> Reply:
            number = len(server.asked)
            return page(pages[number - 1], f"<list?last={number}>; rel=next" if number < 3 else "")

        server = serve(answer)
        assert tags_of(server) == ["a", "c"]

    def test_it_asks_for_many_at_once(self, serve: Starts) -> None:
        server = serve(lambda asked: page(["a"]))
        assert tags_of(server) == ["a"]
        assert [asked.path for asked in server.asked] == ["/v2/acme/api/tags/list?n=1000"]

    @pytest.mark.parametrize("elsewhere", ["http://{other}/list", "//{other}/", "https://{own}/x"])
    def test_it_follows_no_link_to_another_server(self, serve: Starts, elsewhere: str) -> None:
        def answer(asked: Asked) -> Reply:
            own = asked.headers["host"]
            link = elsewhere.format(own=own, other=own.replace("127.0.0.1", "localhost"))
            return page(["a"], f'<{link}>; rel="next"')

        server = serve(answer)
        with pytest.raises(BadAnswer, match="names another server"):
            tags_of(server)
        assert len(server.asked) == 1

    def test_it_stops_where_links_go_round(self, serve: Starts) -> None:
        server = serve(lambda asked: page(["a"], f"<{asked.path}>; rel=next"))
        assert tags_of(server) == ["a"]
        assert len(server.asked) == 1

    def test_it_goes_on_where_a_full_page_names_no_next(
        self, serve: Starts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listing, "PAGE", 2)
        pages = {None: ["a", "b"], "b": ["c"]}
        server = serve(lambda asked: page(pages[asked.query.get("last", [None])[0]]))
        assert tags_of(server) == ["a", "b", "c"]

    def test_it_notices_a_registry_without_pages(
        self, serve: Starts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listing, "PAGE", 2)
        orders = [["a", "b"], ["b", "a"]]
        server = serve(lambda asked: page(orders[len(server.asked) - 1]))
        assert tags_of(server) == ["a", "b"]
        assert len(server.asked) == 2

    @pytest.mark.parametrize("reply", [Reply(400), Reply(404), Reply(200, b"<html>")])
    def test_it_has_all_where_the_registry_knows_no_page_after_a_full_one(
        self, serve: Starts, monkeypatch: pytest.MonkeyPatch, reply: Reply
    ) -> None:
        monkeypatch.setattr(listing, "PAGE", 2)
        server = serve(lambda asked: reply if "last" in asked.query else page(["a", "b"]))
        assert tags_of(server) == ["a", "b"]

    def test_it_does_not_take_an_outage_for_the_end(
        self, serve: Starts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listing, "PAGE", 2)
        server = serve(lambda asked: Reply(500) if "last" in asked.query else page(["a", "b"]))
        with pytest.raises(Unavailable):
            tags_of(server)

    def test_it_takes_all_tags_at_once(self, serve: Starts) -> None:
        many = [f"1.{number}.0" for number in range(50_000)]
        server = serve(lambda asked: page(many))
        assert tags_of(server) == many
        assert len(server.asked) == 1

    @pytest.mark.parametrize("limit", ["MOST_TAGS", "MOST_PAGES"])
    def test_it_gives_up_on_a_list_without_end(
        self, serve: Starts, monkeypatch: pytest.MonkeyPatch, limit: str
    ) -> None:
        monkeypatch.setattr(listing, limit, 20)

        def answer(asked: Asked) -> Reply:
            number = len(server.asked)
            return page([f"1.{number}"], f"<list?n=1&last=1.{number}>; rel=next")

        server = serve(answer)
        with pytest.raises(BadAnswer, match="more tags there than"):
            tags_of(server)
        assert len(server.asked) == 21

    def test_it_gives_up_when_it_takes_too_long(
        self, serve: Starts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listing, "LONGEST", 0.0)
        server = serve(lambda asked: page(["a"]))
        with pytest.raises(BadAnswer, match="more tags there than"):
            tags_of(server)


class TestTrouble:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b"{}",
            b'{"tags": {}}',
            b'{"tags": ["a", 1]}',
            b"[" * 9999,
            b"\xff",
        ],
    )
    def test_it_says_that_it_is_no_list(self, serve: Starts, body: bytes) -> None:
        server = serve(lambda asked: Reply(200, body))
        with pytest.raises(BadAnswer, match="list of tags that can be read"):
            tags_of(server)

    def test_it_reads_an_empty_repository(self, serve: Starts) -> None:
        assert tags_of(serve(lambda asked: page(None))) == []
        assert tags_of(serve(lambda asked: page([]))) == []

    def test_it_leaves_out_what_is_no_tag(self, serve: Starts) -> None:
        odd = ["1.0", "", "two words", "a/b", "-1", "१", "x" * 129, "2.0"]
        assert tags_of(serve(lambda asked: page(odd))) == ["1.0", "2.0"]

    @pytest.mark.parametrize("odd", ["", " ", "two words", "1.1 ", "a\n", "a/b", "-1", "x" * 129])
    def test_it_leaves_out_a_single_one(self, serve: Starts, odd: str) -> None:
        assert tags_of(serve(lambda asked: page(["1.0", odd, "2.0"]))) == ["1.0", "2.0"]
        assert tags_of(serve(lambda asked: page([odd]))) == []

    @pytest.mark.parametrize(
        ("reply", "error"),
        [
            (Reply(404), NotFound),
            (Reply(403), Unauthorized),
            (Reply(401, headers={"WWW-Authenticate": "Basic realm=x"}), Unauthorized),
            (Reply(405), BadAnswer),
            (Reply(429), Resting),
            (Reply(503), Resting),
            (CUT, Unavailable),
            (Reply(200, b'{"tags": ["1.0"', length=500), Unavailable),
        ],
    )
    def test_it_never_takes_a_part_for_the_whole(
        self, serve: Starts, reply: Reply, error: type[Exception]
    ) -> None:
        server = serve(
            lambda asked: reply if "last" in asked.query else page(["a"], "<list?last=a>; rel=next")
        )
        with pytest.raises(error):
            tags_of(server)

    def test_it_stops_reading_a_page_without_end(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b" " * 65_536, length=None))
        with pytest.raises(BadAnswer, match="more than 8 MiB"):
            tags_of(server)


class TestAnything:
    @given(ANYTHING | st.fixed_dictionaries({"tags": ANYTHING}))
    def test_it_reads_it_or_says_that_it_cannot(self, answer: object) -> None:
        try:
            tags = read_page(json.dumps(answer).encode(), "registry.example")
        except BadAnswer:
            return
        assert all(isinstance(tag, str) for tag in tags)

    @given(st.text() | st.from_regex(r"<.*>\s*;\s*rel=.*", fullmatch=True))
    def test_it_never_leaves_for_another_server(self, link: str) -> None:
        try:
            following = next_page(link, URL)
        except BadAnswer:
            return
        assert not following or following.lower().startswith("https://registry.example")
