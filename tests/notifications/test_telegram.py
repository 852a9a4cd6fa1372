"""The Telegram channel against a Bot API that refuses what the real one refuses."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from notifications import configuration, trying
from notifications.announce import NEW_VERSION
from notifications.channels.base import SendError
from notifications.channels.telegram import API_URL, Telegram
from notifications.models import Channel, Notification
from tests.fake_telegram.markup import units
from tests.fake_telegram.server import MAX_UNITS, TOKEN, FakeTelegram
from tests.notifications.chat import URL, message
from tests.notifications.test_outbox import news, send_all, tell
from tests.servers import Reply, as_json

SECRET = TOKEN.partition(":")[2]


@pytest.fixture
def api() -> Iterator[FakeTelegram]:
    fake = FakeTelegram()
    with fake.server.running():
        fake.chat(7)
        yield fake


def telegram(api: FakeTelegram, **config: Any) -> Telegram:
    return Telegram({"botToken": TOKEN, "chatId": "7", "apiUrl": api.url, **config})


def refusal(api: FakeTelegram, **config: Any) -> SendError:
    with pytest.raises(SendError) as caught:
        telegram(api, **config).send(message())
    assert SECRET not in str(caught.value)
    return caught.value


class TestWords:
    def test_it_sends_a_title_that_leads_there_and_lines(self, api: FakeTelegram) -> None:
        assert telegram(api).send(message("Tom & Jerry <3", "one\ntwo")) == 200
        [sent] = api.sent
        assert sent.text == "Tom & Jerry <3\none\ntwo"
        assert sent.under("bold") == sent.under("text_link") == ["Tom & Jerry <3"]
        assert sent.links == [URL]
        assert not sent.preview

    def test_it_leads_nowhere_where_the_public_address_is_not_known(
        self, api: FakeTelegram
    ) -> None:
        telegram(api).send(message(url="/queue/job_1"))
        telegram(api).send(message(url='https://e.example/"><b>'))
        telegram(api).send(message(url="javascript:alert(1)"))
        assert [sent.links[1:] for sent in api.sent] == [[], [], []]
        assert [sent.links for sent in api.sent][::2] == [[], []]

    def test_it_links_each_service_where_its_line_names_it(self, api: FakeTelegram) -> None:
        services = [
            ("shop", "api", "https://e.example/1"),
            ("shop", "api-2", "https://e.example/2"),
        ]
        services.append(("shop", "db", "https://e.example/3"))
        text = "shop / api-2: 1 to 2\nshop / api: 1 to 2\nand more"
        telegram(api).send(message("3 updates", text, services=services))
        [sent] = api.sent
        assert sent.text == f"3 updates\n{text}\nshop / db"
        assert sent.under("text_link") == ["3 updates", "shop / api-2", "shop / api", "shop / db"]
        assert sent.links == [
            URL,
            "https://e.example/2",
            "https://e.example/1",
            "https://e.example/3",
        ]

    def test_it_shows_a_log_as_it_was_written(self, api: FakeTelegram) -> None:
        telegram(api).send(message(log=["\x1b[31mERROR\x1b[0m <main>", "  at x\x00\x07"]))
        [sent] = api.sent
        assert sent.under("pre") == ["ERROR <main>\n  at x"]

    def test_it_takes_a_title_that_tries_to_be_markup(self, api: FakeTelegram) -> None:
        telegram(api).send(message("</a><b>", "</pre>&lt;&amp;"))
        [sent] = api.sent
        assert sent.text == "</a><b>\n</pre>&lt;&amp;"
        assert sent.marked_up

    def test_it_cuts_a_text_without_end_and_keeps_the_end_of_a_log(self, api: FakeTelegram) -> None:
        log = ["<line>\U0001f433"] * 50_000 + ["the last line"]
        telegram(api).send(message("t" * 5000, "&" * 1_000_000, log=log))
        [sent] = api.sent
        assert sent.marked_up
        assert units(sent.text) <= MAX_UNITS
        assert sent.text.endswith("the last line")
        assert sent.text.count("…") == 3

    def test_it_uses_what_a_short_log_leaves(self, api: FakeTelegram) -> None:
        telegram(api).send(message("t", "x" * 10_000))
        assert units(api.sent[0].text) > MAX_UNITS - 5

    @given(
        title=st.text(max_size=400),
        text=st.text(max_size=6000) | st.text("<>&;\n\U0001f433a\x00", max_size=6000),
        log=st.lists(st.text(max_size=800), max_size=20),
        url=st.text(max_size=60) | st.just(URL),
        names=st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30), st.just(URL))),
    )
    def test_it_sends_what_can_be_read_whatever_it_says(
        self, title: str, text: str, log: list[str], url: str, names: list[tuple[str, str, str]]
    ) -> None:
        api = FakeTelegram()
        api.chat(7)
        with api.server.running():
            telegram(api).send(message(title, text, log=log, url=url, services=names))
        [sent] = api.sent
        assert sent.marked_up


class TestAddress:
    def test_it_writes_into_a_topic(self, api: FakeTelegram) -> None:
        api.chat(-1001, topics={42}, name="forum")
        telegram(api, chatId="@forum", threadId=42).send(message())
        assert [(sent.chat, sent.thread) for sent in api.sent] == [(-1001, 42)]

    def test_it_follows_a_group_that_became_a_supergroup(self, api: FakeTelegram) -> None:
        api.chat(-5, moved_to=-1005)
        api.chat(-1005)
        assert telegram(api, chatId="-5").send(message()) == 200
        assert api.sent[0].chat == -1005

    def test_it_does_not_follow_in_circles(self, api: FakeTelegram) -> None:
        api.chat(-5, moved_to=-6)
        api.chat(-6, moved_to=-5)
        assert refusal(api, chatId="-5").final
        assert len(api.server.asked) == 3


class TestRefusals:
    def test_it_sends_plain_text_at_once_where_markup_is_refused(self, api: FakeTelegram) -> None:
        api.reads_markup = False
        assert telegram(api).send(message("<b>", "x" * 5000)) == 200
        [sent] = api.sent
        assert not sent.marked_up
        assert sent.text.startswith("<b>\nxxx")
        assert sent.text.endswith(URL)
        assert len(api.server.asked) == 2

    def test_it_waits_as_long_as_telegram_says(self, api: FakeTelegram) -> None:
        api.pauses = [31]
        error = refusal(api)
        assert (error.final, error.status) == (False, 429)
        assert error.retry_after == timedelta(seconds=31)

    def test_it_waits_as_long_as_a_header_says(self, api: FakeTelegram) -> None:
        api.replies = [Reply(503, b"busy", {"Retry-After": "12"})]
        error = refusal(api)
        assert (error.final, error.retry_after) == (False, timedelta(seconds=12))

    @pytest.mark.parametrize("seconds", [-1, 10**40, "soon", True, None, 1.5])
    def test_it_waits_a_day_at_most(self, api: FakeTelegram, seconds: object) -> None:
        parameters = {"retry_after": seconds}
        api.replies = [as_json(429, ok=False, description="x", parameters=parameters)]
        error = refusal(api)
        assert error.retry_after is None or error.retry_after <= timedelta(days=1)

    def test_it_says_how_to_mend_an_unknown_token(self, api: FakeTelegram) -> None:
        api.tokens.clear()
        error = refusal(api)
        assert (error.final, error.status, error.gone) == (True, 401, False)
        assert "@BotFather" in str(error)

    def test_it_says_how_to_mend_an_unknown_chat(self, api: FakeTelegram) -> None:
        error = refusal(api, chatId="8")
        assert (error.final, error.status) == (True, 400)
        assert "Write to the bot once" in str(error)

    def test_it_says_how_to_mend_an_unknown_topic(self, api: FakeTelegram) -> None:
        error = refusal(api, threadId=9)
        assert error.final
        assert "topic's number" in str(error)

    @pytest.mark.parametrize(
        ("state", "words"), [("blocked", "was blocked"), ("kicked", "Add it again")]
    )
    def test_it_gives_up_where_the_bot_is_not_wanted(
        self, api: FakeTelegram, state: str, words: str
    ) -> None:
        api.chat(7, state=state)
        error = refusal(api)
        assert (error.final, error.status) == (True, 403)
        assert words in str(error)

    def test_it_never_repeats_the_token_though_the_other_side_does(self, api: FakeTelegram) -> None:
        api.replies = [as_json(400, ok=False, description=f"no: /bot{TOKEN}\n\x1b[31m{SECRET}")]
        error = refusal(api)
        assert str(error) == "Telegram answered 400: no: /bot… …"

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(200, b"<html>welcome to the hotel</html>"),
            Reply(302, b"", {"Location": "http://127.0.0.1:9/"}),
            as_json(200, ok="yes"),
            Reply(200, b"[" * 50_000),
            as_json(200, ok=True, result="x" * 100_000),
        ],
    )
    def test_it_gives_up_where_no_bot_api_answers(self, api: FakeTelegram, reply: Reply) -> None:
        api.replies = [reply]
        error = refusal(api)
        assert error.final
        assert "not as Telegram's Bot API does" in str(error)

    def test_it_names_the_host_alone_where_nobody_answers(self, caplog: Any) -> None:
        transport = Telegram({"botToken": TOKEN, "chatId": "7", "apiUrl": "http://127.0.0.1:9"})
        with caplog.at_level(logging.DEBUG), pytest.raises(SendError) as caught:
            transport.send(message())
        assert not caught.value.final
        assert "127.0.0.1:9" in str(caught.value)
        assert SECRET not in str(caught.value) + caplog.text + repr(caught.value.__context__)


def cleaned(stored: dict[str, Any] | None = None, **config: Any) -> dict[str, Any]:
    return configuration.cleaned("telegram", config, stored or {})


class TestConfiguration:
    def test_it_takes_what_is_needed_and_masks_the_token(self) -> None:
        config = cleaned(botToken=TOKEN, chatId=-1001234567890, threadId=3)
        assert config == {
            "botToken": TOKEN,
            "chatId": "-1001234567890",
            "threadId": 3,
            "apiUrl": API_URL,
        }
        assert TOKEN not in str(configuration.masked("telegram", config))

    @pytest.mark.parametrize(
        "url",
        [
            "http://localhost:8081",
            "http://192.168.1.5:8081",
            "http://telegram-bot-api:8081",
            "http://nas.local/bots",
            "https://bots.example/",
        ],
    )
    def test_it_takes_a_server_of_ones_own(self, url: str) -> None:
        assert cleaned(botToken=TOKEN, chatId="7", apiUrl=url)["apiUrl"] == url.rstrip("/")

    @pytest.mark.parametrize(
        "url",
        [
            "http://bots.example",
            "http://93.184.215.14",
            "https://user:pass@bots.example",
            "https://bots.example/#x",
            "https://bots.example/?x=1",
            "https://bots.example/?",
            "https://bots.example/../x",
            "ftp://bots.example",
            "file:///etc/passwd",
            "http://169.254.169.254/",
            "https://x\\@bots.example",
            "https://bots.example\n.evil.example",
        ],
    )
    def test_it_refuses_addresses_that_are_none(self, url: str) -> None:
        with pytest.raises(ValidationError) as caught:
            cleaned(botToken=TOKEN, chatId="7", apiUrl=url)
        assert set(caught.value.message_dict) == {"apiUrl"}

    @pytest.mark.parametrize(
        "chat", ["../", "7/../8", "", "0", "@", "@a b", "7 8", "7\n", "1" * 40, "@x?chat_id=1"]
    )
    def test_it_refuses_chats_that_are_none(self, chat: str) -> None:
        try:
            config = cleaned(botToken=TOKEN, chatId=chat)
        except ValidationError as error:
            assert set(error.message_dict) == {"chatId"}
        else:
            assert config["chatId"] == "7"  # what was around it is taken away

    @pytest.mark.parametrize("token", ["../", "1:x/../y", "12", "1:" + "a" * 500, f"{TOKEN}?a=b"])
    def test_it_refuses_tokens_that_are_none(self, token: str) -> None:
        with pytest.raises(ValidationError) as caught:
            cleaned(botToken=token, chatId="7")
        assert token not in str(caught.value)

    @pytest.mark.parametrize("threadId", [0, -1, 2**31, "x", 1.5])
    def test_it_refuses_topics_that_are_none(self, threadId: object) -> None:
        with pytest.raises(ValidationError) as caught:
            cleaned(botToken=TOKEN, chatId="7", threadId=threadId)
        assert set(caught.value.message_dict) == {"threadId"}

    def test_it_asks_for_the_token_again_where_another_server_would_get_it(self) -> None:
        stored = cleaned(botToken=TOKEN, chatId="7")
        with pytest.raises(ValidationError) as caught:
            cleaned(stored, apiUrl="https://bots.example")
        assert set(caught.value.message_dict) == {"botToken"}
        moved = cleaned(stored, apiUrl="https://bots.example", botToken=TOKEN)
        with pytest.raises(ValidationError):
            cleaned(moved, apiUrl=None)
        assert cleaned(stored, apiUrl=None, chatId="8")["botToken"] == TOKEN


@pytest.mark.django_db
class TestChannel:
    def channel(self, api: FakeTelegram) -> Channel:
        config = {"botToken": TOKEN, "chatId": "7", "apiUrl": api.url}
        return Channel.objects.create(
            kind="telegram", name="t", events=[NEW_VERSION], config=json.dumps(config)
        )

    def test_it_tells_of_newer_images_through_the_outbox(self, api: FakeTelegram) -> None:
        self.channel(api)
        tell(news("api"), news("db", "ghcr.io/acme/db:1"))
        send_all()
        [sent] = api.sent
        assert Notification.objects.get().status == "sent"
        assert sent.under("bold") == ["2 updates"]
        assert "shop / db" in sent.text

    def test_it_tries_again_when_telegram_says(self, api: FakeTelegram) -> None:
        self.channel(api)
        api.pauses = [31]
        tell()
        send_all()
        assert Notification.objects.get().status == "waiting"
        send_all(timedelta(minutes=2))
        assert (Notification.objects.get().status, len(api.sent)) == ("sent", 1)

    def test_it_shows_in_a_test_what_is_wrong(self, api: FakeTelegram) -> None:
        row = self.channel(api)
        tried = trying.try_out(row)
        assert (tried.ok, tried.status) == (True, 200)
        api.chats.clear()
        tried = trying.try_out(row)
        assert (tried.ok, tried.status) == (False, 400)
        assert "Write to the bot once" in tried.error
