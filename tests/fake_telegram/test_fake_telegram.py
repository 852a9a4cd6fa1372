"""The fake Bot API answers as the documentation of the real one says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.fake_telegram.markup import Entity, Refused, parse
from tests.fake_telegram.server import TOKEN, FakeTelegram
from tests.waiting import PATIENCE


@pytest.fixture
def api() -> Iterator[FakeTelegram]:
    fake = FakeTelegram()
    with fake.server.running():
        fake.chat(7)
        yield fake


def call(api: FakeTelegram, method: str = "sendMessage", token: str = TOKEN, **body: Any) -> Any:
    """Status and answer, also of refusals."""
    answer = requests.post(f"{api.url}/bot{token}/{method}", json=body, timeout=PATIENCE)
    return answer.status_code, answer.json()


class TestMarkup:
    def test_it_says_what_applies_to_which_part_in_utf16(self) -> None:
        parsed = parse('\U0001f433 <b><a href="https://e.example/?a=1&amp;b=2">x &lt; y</a></b>')
        assert parsed.text == "\U0001f433 x < y"
        assert parsed.entities == [
            Entity("text_link", 3, 5, "https://e.example/?a=1&b=2"),
            Entity("bold", 3, 5),
        ]
        assert parsed.under("bold") == ["x < y"]

    def test_it_leaves_entities_that_it_does_not_know(self) -> None:
        assert parse("&nbsp; &#65; &#x42; &amp;lt;").text == "&nbsp; A B &lt;"

    @pytest.mark.parametrize(
        ("html", "words"),
        [
            ("a < b", "Unclosed start tag"),
            ("<p>x</p>", 'Unsupported start tag "p"'),
            ("<b>x", 'end tag corresponding to start tag "b"'),
            ("x</b>", "Unexpected end tag"),
            ("<b><i>x</b></i>", 'expected "</i>", found "</b>"'),
            ("<b", "Unclosed start tag"),
            ('<a href="x>y</a>', "Unexpected end of name token"),
        ],
    )
    def test_it_refuses_what_is_no_markup(self, html: str, words: str) -> None:
        with pytest.raises(Refused, match=words):
            parse(html)


class TestCalls:
    def test_it_keeps_what_was_sent(self, api: FakeTelegram) -> None:
        status, answer = call(api, chat_id=7, text="<b>hi</b> you", parse_mode="HTML")
        assert (status, answer["ok"], answer["result"]["text"]) == (200, True, "hi you")
        assert api.sent[0].under("bold") == ["hi"]
        assert api.sent[0].preview

    def test_it_knows_its_bots(self, api: FakeTelegram) -> None:
        assert call(api, "getMe")[1]["result"]["is_bot"]
        assert call(api, "getMe", token="1:unknown")[0] == 401
        assert call(api, "getMe", token="nonsense")[0] == 404
        assert call(api, "dropEverything")[0] == 404

    def test_it_knows_its_chats_by_number_and_name(self, api: FakeTelegram) -> None:
        api.chat(-100, name="news")
        assert call(api, chat_id="@news", text="a")[1]["result"]["chat"]["id"] == -100
        assert call(api, chat_id="-100", text="a")[0] == 200
        status, answer = call(api, chat_id=8, text="a")
        assert (status, answer["description"]) == (400, "Bad Request: chat not found")

    def test_it_says_where_a_group_has_gone(self, api: FakeTelegram) -> None:
        api.chat(-5, moved_to=-1005)
        status, answer = call(api, chat_id=-5, text="a")
        assert (status, answer["parameters"]) == (400, {"migrate_to_chat_id": -1005})

    @pytest.mark.parametrize("state", ["blocked", "kicked"])
    def test_it_forbids_where_the_bot_is_not_wanted(self, api: FakeTelegram, state: str) -> None:
        api.chat(9, state=state)
        status, answer = call(api, chat_id=9, text="a")
        assert status == 403
        assert state in answer["description"]

    def test_it_has_topics_only_in_forums(self, api: FakeTelegram) -> None:
        api.chat(-6, topics={3})
        assert call(api, chat_id=-6, text="a", message_thread_id=3)[0] == 200
        assert call(api, chat_id=-6, text="a", message_thread_id=4)[0] == 400
        assert [sent.thread for sent in api.sent] == [3]

    def test_it_says_how_long_to_wait(self, api: FakeTelegram) -> None:
        api.pauses = [31]
        status, answer = call(api, chat_id=7, text="a")
        assert (status, answer["parameters"]) == (429, {"retry_after": 31})
        assert call(api, chat_id=7, text="a")[0] == 200

    def test_it_counts_what_is_left_of_the_markup(self, api: FakeTelegram) -> None:
        most = "&lt;" * 2096 + "\U0001f433" * 1000
        assert call(api, chat_id=7, text=most, parse_mode="HTML")[0] == 200
        status, answer = call(api, chat_id=7, text=most + "a", parse_mode="HTML")
        assert (status, answer["description"]) == (400, "Bad Request: message is too long")
        assert call(api, chat_id=7, text="a" * 40_000)[1]["description"].endswith("is too long")

    def test_it_refuses_empty_texts_and_members_that_it_does_not_have(
        self, api: FakeTelegram
    ) -> None:
        assert call(api, chat_id=7, text="<b> </b>", parse_mode="HTML")[0] == 400
        assert call(api, chat_id=7, text="a", thread=1)[0] == 400
        assert call(api, chat_id=7, text="a", message_thread_id="1")[0] == 400
        assert call(api, chat_id=7, text="a", parse_mode="Word")[0] == 400
        assert not api.sent
