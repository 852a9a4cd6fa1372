"""HTML as the Bot API reads it ("HTML style"): what is left as text, and what applies where.

Strict where the documentation is: a tag that it does not list, one left open, or one closed in the
wrong order is refused, with what the real one says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

KINDS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_TAG = re.compile(r"<(/?)([^\s>]*)([^>]*)>")
_ATTRIBUTE = re.compile(r"""\s*([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9.-]+))""")
_ENTITY = re.compile(r"&(?:#(\d{1,8})|#[xX]([0-9A-Fa-f]{1,6})|([A-Za-z]+));?")


class Refused(Exception):
    """The text is what the API answers."""


@dataclass(frozen=True)
class Entity:
    """`offset` and `length` in UTF-16 units, as in a MessageEntity."""

    type: str
    offset: int
    length: int
    url: str = ""


@dataclass
class Parsed:
    text: str = ""
    entities: list[Entity] = field(default_factory=list)

    def under(self, type_: str) -> list[str]:
        """The parts of the text that an entity of a type applies to."""
        data = self.text.encode("utf-16-le")
        return [
            data[2 * one.offset : 2 * (one.offset + one.length)].decode("utf-16-le")
            for one in self.entities
            if one.type == type_
        ]


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def parse(html: str) -> Parsed:
    parsed, at = Parsed(), 0
    opened: list[tuple[str, dict[str, str], int]] = []
    while at < len(html):
        if html[at] != "<":
            end = html.find("<", at)
            end = len(html) if end < 0 else end
            parsed.text += _decoded(html[at:end])
            at = end
            continue
        tag = _TAG.match(html, at)
        offset = len(html[:at].encode())
        if tag is None:
            raise Refused(f"Unclosed start tag at byte offset {offset}")
        if tag[1]:
            parsed.entities += _closed(opened, tag[2].lower(), parsed, offset)
        else:
            opened.append((tag[2].lower(), _attributes(tag, offset), units(parsed.text)))
        at = tag.end()
    if opened:
        raise Refused(f'Can\'t find end tag corresponding to start tag "{opened[-1][0]}"')
    return parsed


def _attributes(tag: re.Match[str], offset: int) -> dict[str, str]:
    name, rest, found = tag[2].lower(), tag[3], {}
    if name not in KINDS:
        raise Refused(f'Unsupported start tag "{name}" at byte offset {offset}')
    while rest.strip():
        one = _ATTRIBUTE.match(rest)
        if one is None:
            raise Refused(f'Unexpected end of name token in tag "{name}" at byte offset {offset}')
        found[one[1]] = _decoded(one[2] or one[3] or one[4] or "")
        rest = rest[one.end() :]
    return found


def _closed(
    opened: list[tuple[str, dict[str, str], int]], name: str, parsed: Parsed, offset: int
) -> list[Entity]:
    if not opened:
        raise Refused(f"Unexpected end tag at byte offset {offset}")
    expected, attributes, begin = opened.pop()
    if name != expected:
        raise Refused(
            f"Unmatched end tag at byte offset {offset}, expected "
            f'"</{expected}>", found "</{name}>"'
        )
    length = units(parsed.text) - begin
    return [Entity(KINDS[name], begin, length, attributes.get("href", ""))] if length else []


def _decoded(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        if found[3]:
            return NAMED.get(found[3], found[0])
        return chr(int(found[1]) if found[1] else int(found[2], 16))

    return _ENTITY.sub(one, text)
