"""A repository's tags, a page at a time, as the OCI distribution specification lists them."""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urldefrag, urlencode, urljoin, urlsplit

from django.utils.translation import gettext as _

from checks.registry.errors import BadAnswer, NotFound
from checks.registry.reference import are_tags, is_tag
from checks.registry.transport import host_of, origin
from dockrev import http

PAGE = 1000  # asked for at once: some registries refuse more
MOST_TAGS = 200_000
MOST_PAGES = 2_000
MOST_BYTES = MOST_TAGS * 129  # a tag has 128 at most, and a space
LONGEST_LINK = 16_384
LONGEST = 40.0  # seconds for all pages together

_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s;,="]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]*))?)*)')
_ETAG = re.compile(r'(?:W/)?"[!#-~]{1,190}"')
_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\b)', re.IGNORECASE)


class NotModified(Exception):
    """The registry says that a list of tags is still what it was when its ETag was given."""


class Unreadable(ValueError):
    """Packed tags that are not what was packed."""


class Tags:
    """Many tags in little memory, without a collection's other talents.

    `etag` is what the registry has named the list by; empty where it has not, or where it sent the
    list in parts: then the name is of the first alone.
    """

    def __init__(self, tags: Iterable[str], etag: str = "") -> None:
        self.packed = zlib.compress(" ".join(tags).encode(), 1)
        self.etag = etag

    @classmethod
    def unpack(cls, packed: bytes | memoryview, etag: str = "") -> Tags:
        """Tags from the `packed` of others. Raises Unreadable."""
        tags = cls((), etag)
        tags.packed = bytes(packed)
        tags._text()
        return tags

    def __iter__(self) -> Iterator[str]:
        return iter(self._text().split())

    def _text(self) -> str:
        unpacking = zlib.decompressobj()
        try:
            text = unpacking.decompress(self.packed, MOST_BYTES)
            if not unpacking.eof:
                raise Unreadable
            return text.decode("ascii")
        except (zlib.error, UnicodeDecodeError):
            raise Unreadable from None


def etag_of(headers: Mapping[str, str]) -> str:
    """The name of an answer's content; empty without one that can be sent back."""
    found = headers.get("ETag", "").strip()
    return found if _ETAG.fullmatch(found) else ""


def every_tag(ask: Callable[[str], http.Response], url: str) -> Iterator[str]:
    """Yield the tags of every page; `ask` gets one, and refuses all but a whole one.

    A list cut short would look like one without newer versions: what is too long raises BadAnswer.
    """
    host = urlsplit(url).netloc
    page, asked = f"{url}?n={PAGE}", set[str]()
    guessed_after = set[str]()
    count, ends = 0, time.monotonic() + LONGEST
    while page and page not in asked:
        asked.add(page)
        try:
            answer = ask(page)
            tags = read_page(answer.body, host)
        except (BadAnswer, NotFound):
            if guessed_after:
                return
            raise
        count += len(tags)
        if count > MOST_TAGS or len(asked) > MOST_PAGES or time.monotonic() > ends:
            text = _("%(host)s has more tags there than Dockrev can read.")
            raise BadAnswer(text % {"host": host})
        if guessed_after and guessed_after.issuperset(tags):
            return
        yield from tags
        page, guessed_after = next_page(answer.headers.get("Link", ""), page), set()
        if not page and len(tags) == PAGE:
            # Some registries have more and do not say so. Others send the same page again, in
            # another order, or know no such page.
            page, guessed_after = f"{url}?{urlencode({'n': PAGE, 'last': tags[-1]})}", set(tags)


def read_page(body: bytes, host: str) -> list[str]:
    """Return the tags of one page; what could not be a tag is left out. Raises BadAnswer."""
    try:
        listed = json.loads(body)["tags"]
        # Registries write a repository that is empty now as null.
        tags = [] if listed is None else listed
        if not isinstance(tags, list):
            raise TypeError
        if are_tags(tags):
            return tags
    except (ValueError, KeyError, TypeError, RecursionError):
        text = _("%(host)s did not send a list of tags that can be read.")
        raise BadAnswer(text % {"host": host}) from None
    return [tag for tag in tags if is_tag(tag)]


def next_page(link: str, url: str) -> str:
    """Where a Link header says that the next page is; empty without one.

    Raises BadAnswer where that is another origin: it must not get our credentials.
    """
    targets: list[str] = [
        each[1] for each in _LINK.finditer(link[:LONGEST_LINK]) if _NEXT.search(each[2])
    ]
    if not targets:
        return ""
    here = urlsplit(url)
    try:
        there, _fragment = urldefrag(urljoin(url, targets[0]))
        host_of(there)
        same = origin(urlsplit(there)) == origin(here)
    except ValueError:
        same = False
    if not same:
        text = _("%(host)s names another server for the rest of its tags: not followed.")
        raise BadAnswer(text % {"host": here.hostname})
    return there
