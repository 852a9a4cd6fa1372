"""A Bot API over HTTP, as its documentation has it: bots, chats, topics, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import unquote, urlsplit

from tests.fake_telegram.markup import Entity, Parsed, Refused, parse, units
from tests.servers import Asked, Reply, Server

TOKEN = "123456789:AAFakeTokenOfATestBot_abcdefghijklm"
MAX_UNITS = 4096
MAX_BYTES = 1 << 15  # of a text before its markup is read
MEMBERS = {
    "chat_id": (int, str),
    "message_thread_id": (int,),
    "text": (str,),
    "parse_mode": (str,),
    "link_preview_options": (dict,),
    "disable_notification": (bool,),
}


@dataclass
class Chat:
    """`state` is what the bot is there: member, blocked or kicked. `topics` is for forums."""

    id: int
    name: str = ""
    state: str = "member"
    topics: set[int] = field(default_factory=set)
    moved_to: int | None = None


@dataclass(frozen=True)
class Sent:
    chat: int
    text: str
    entities: list[Entity]
    thread: int | None
    preview: bool
    marked_up: bool

    def under(self, type_: str) -> list[str]:
        return Parsed(self.text, self.entities).under(type_)

    @property
    def links(self) -> list[str]:
        return [one.url for one in self.entities if one.type == "text_link"]


class Denied(Exception):
    def __init__(self, status: int, description: str, **parameters: int) -> None:
        answer: dict[str, object] = {"ok": False, "error_code": status, "description": description}
        if parameters:
            answer["parameters"] = parameters
        headers = {"Content-Type": "application/json"}
        if "retry_after" in parameters:
            headers["Retry-After"] = str(parameters["retry_after"])
        self.reply = Reply(status, json.dumps(answer).encode(), headers)


class FakeTelegram:
    """`pauses` are the seconds that the next calls are told to wait; `replies` are given instead of
    any answer. `reads_markup` off: markup is refused whatever it is."""

    def __init__(self) -> None:
        self.tokens = {TOKEN: {"id": 123456789, "is_bot": True, "first_name": "Test"}}
        self.chats: dict[int, Chat] = {}
        self.sent: list[Sent] = []
        self.pauses: list[int] = []
        self.replies: list[Reply] = []
        self.reads_markup = True
        self._ids = count(1)
        self.server = Server(self.answer)
        self.url = f"http://{self.server.address}"

    def chat(self, id_: int, **given: object) -> Chat:
        self.chats[id_] = Chat(id_, **given)  # type: ignore[arg-type]  # members of Chat
        return self.chats[id_]

    def answer(self, asked: Asked) -> Reply:
        if self.replies:
            return self.replies.pop(0)
        try:
            result = self._call(asked)
        except Denied as denied:
            return denied.reply
        answer = json.dumps({"ok": True, "result": result}).encode()
        return Reply(200, answer, {"Content-Type": "application/json"})

    def _call(self, asked: Asked) -> dict[str, object]:
        _empty, bot, *rest = urlsplit(asked.path).path.split("/")
        token = unquote(bot.removeprefix("bot"))
        if not bot.startswith("bot") or ":" not in token or len(rest) != 1:
            raise Denied(404, "Not Found")
        if token not in self.tokens:
            raise Denied(401, "Unauthorized")
        if rest[0].lower() == "getme":
            return dict(self.tokens[token])
        if rest[0].lower() != "sendmessage":
            raise Denied(404, "Not Found: method not found")
        if self.pauses:
            seconds = self.pauses.pop(0)
            text = f"Too Many Requests: retry after {seconds}"
            raise Denied(429, text, retry_after=seconds)
        return self._send(_members(asked))

    def _send(self, given: dict[str, object]) -> dict[str, object]:
        parsed = self._parsed(given)
        chat = self._chat(given.get("chat_id"))
        thread = given.get("message_thread_id")
        if thread is not None and thread not in chat.topics:
            raise Denied(400, "Bad Request: message thread not found")
        options = given.get("link_preview_options")
        sent = Sent(
            chat=chat.id,
            text=parsed.text,
            entities=parsed.entities,
            thread=thread if isinstance(thread, int) else None,
            preview=not (isinstance(options, dict) and options.get("is_disabled")),
            marked_up="parse_mode" in given,
        )
        self.sent.append(sent)
        return {"message_id": next(self._ids), "chat": {"id": chat.id}, "text": sent.text}

    def _parsed(self, given: dict[str, object]) -> Parsed:
        text = str(given.get("text", ""))
        if len(text.encode()) > MAX_BYTES:
            raise Denied(400, "Bad Request: text is too long")
        mode = given.get("parse_mode", "")
        if mode not in ("", "HTML"):
            raise Denied(400, "Bad Request: unsupported parse_mode")
        try:
            if mode and not self.reads_markup:
                raise Refused("Unsupported start tag")
            parsed = parse(text) if mode else Parsed(text)
        except Refused as error:
            raise Denied(400, f"Bad Request: can't parse entities: {error}") from None
        if not parsed.text.strip():
            raise Denied(400, "Bad Request: message text is empty")
        if units(parsed.text) > MAX_UNITS:
            raise Denied(400, "Bad Request: message is too long")
        return parsed

    def _chat(self, named: object) -> Chat:
        found = [
            chat
            for chat in self.chats.values()
            if str(chat.id) == str(named) or (chat.name and f"@{chat.name}" == named)
        ]
        if not found:
            raise Denied(400, "Bad Request: chat not found")
        [chat] = found
        if chat.moved_to is not None:
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Denied(400, text, migrate_to_chat_id=chat.moved_to)
        if chat.state == "blocked":
            raise Denied(403, "Forbidden: bot was blocked by the user")
        if chat.state == "kicked":
            raise Denied(403, "Forbidden: bot was kicked from the group chat")
        return chat


def _members(asked: Asked) -> dict[str, object]:
    try:
        given = json.loads(asked.body)
        asked.body.decode()
    except ValueError:
        raise Denied(400, "Bad Request: can't parse JSON object") from None
    if not isinstance(given, dict):
        raise Denied(400, "Bad Request: object expected as request")
    for name, value in given.items():
        if not isinstance(value, MEMBERS.get(name, ())):
            raise Denied(400, f'Bad Request: field "{name}" is unknown or of the wrong type')
    return given
