"""The one way to a provider's REST API: bounded, patient where that does no harm, and with its
credential for one server only."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

from django.utils import timezone
from django.utils.translation import gettext as _
from requests.utils import parse_header_links

from dockrev import http
from integrations.hooks import refusals
from integrations.hooks.errors import NotSeen, ProviderError, RateLimited, Unavailable
from integrations.hooks.provider import Progress
from integrations.receivers.base import member, text

AT_ONCE = 5
PER_PAGE = 100  # the most that providers give
MAX_ITEMS = 1000  # of one page, of a server that does not keep to that
MAX_PAGES = 250
MAX_ANSWER = 8 * 1024 * 1024
PAUSES = (0.5, 1.5)  # seconds before a second and a third attempt
JITTER = 0.5  # of a pause, at most, on top
# Its times are in whole seconds, and an answer is on its way for a while.
CLOCKS_AGREE = timedelta(seconds=5)
REPEATABLE = {"GET", "PUT", "PATCH", "DELETE"}
MOVED = {301, 302, 307, 308}


@dataclass(frozen=True)
class Patience:
    """How long to try. No further attempt begins once `total` seconds have gone by, and no answer
    may take more than `longest`, however steadily it comes."""

    timeout: tuple[float, float] = (5.0, 12.0)  # GitHub, for one, gives up after 10 seconds
    total: float = 15.0
    longest: float = http.LONGEST_BODY


PATIENT = Patience()
# For a person who waits for the page.
QUICK = Patience((3.0, 7.0), 3.0, 7.0)


@dataclass(frozen=True)
class Answer:
    """A success, or 304, of the provider of that name. `data` is the JSON, None without any."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    data: Any = field(repr=False)
    of: str = ""
    came_at: datetime = field(default_factory=timezone.now)

    @property
    def etag(self) -> str:
        etag = self.headers.get("ETag", "")
        return etag if len(etag) <= 200 and etag.isprintable() else ""

    @property
    def date(self) -> datetime | None:
        """What time it was there."""
        return refusals.date_of(self.headers)

    @property
    def ahead(self) -> timedelta:
        """How far its clock is ahead of ours: nothing, where it is less than can be told."""
        ahead = (self.date or self.came_at) - self.came_at
        return ahead if abs(ahead) > CLOCKS_AGREE else timedelta()

    @property
    def unchanged(self) -> bool:
        return self.status == 304

    @property
    def object(self) -> dict[str, Any]:
        """Raises Unavailable if the answer is no object."""
        if not isinstance(self.data, dict):
            raise nonsense(self.of)
        return self.data

    @property
    def items(self) -> list[dict[str, Any]]:
        """Raises Unavailable if the answer is no list of objects, or one that nobody asked for."""
        if not isinstance(self.data, list) or len(self.data) > MAX_ITEMS:
            raise nonsense(self.of)
        if not all(isinstance(item, dict) for item in self.data):
            raise nonsense(self.of)
        return self.data

    def within(self, name: str) -> list[dict[str, Any]]:
        """The items that are a member of an object. Raises Unavailable, too."""
        return replace(self, data=member(self.data, name)).items

    def word(self, name: str) -> str:
        """The text that is a member of an object. Raises Unavailable if it has none."""
        word = text(self.object, name, limit=255)
        if not word:
            raise nonsense(self.of)
        return word

    @property
    def links(self) -> dict[str, str]:
        parsed = parse_header_links(self.headers.get("Link", ""))
        return {link.get("rel", ""): link.get("url", "") for link in parsed}


@dataclass(frozen=True)
class Listed:
    """A list of all pages, with their headers.

    `etag` is only there if one page was all; `cut`: there were more.
    """

    items: list[dict[str, Any]]
    etag: str = ""
    unchanged: bool = False
    cut: bool = False
    ahead: timedelta = timedelta()
    headers: tuple[Mapping[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class _Call:
    method: str
    url: str
    body: bytes | None = field(default=None, repr=False)
    etag: str = ""
    patience: Patience = PATIENT
    max_bytes: int = MAX_ANSWER


class Client:
    """Speaks with one credential. Safe to use from many threads, of which AT_ONCE send at once.

    Every call may raise a ProviderError. Once the provider has said that it wants a rest, nothing
    is sent before that is over. `headers` are sent each time; what is secret in them is `hidden`
    from all texts. `trusted` are certificates as `dockrev.http` takes them.
    """

    def __init__(
        self,
        name: str,
        base: str,
        headers: Mapping[str, str],
        *,
        hidden: tuple[str, ...] = (),
        trusted: str = "",
    ) -> None:
        self.name = name
        self._base = base.rstrip("/")
        self._origin = origin(self._base)
        self._headers, self._hidden, self._trusted = headers, hidden, trusted
        self._turn = threading.BoundedSemaphore(AT_ONCE)
        self._rest_until: datetime | None = None

    def error_of(self, answer: http.Response, hidden: tuple[str, ...]) -> ProviderError:
        """What an answer stands for that is no success."""
        return refusals.error_of(self.name, answer, hidden)

    def rest_until(self, headers: Mapping[str, str]) -> datetime | None:
        """When it may be asked again, where any answer says so."""
        return refusals.rest_until(headers)

    def get(
        self,
        path: str,
        *,
        etag: str = "",
        patience: Patience = PATIENT,
        max_bytes: int = MAX_ANSWER,
    ) -> Answer:
        """Read. With an ETag the answer may say that nothing has changed since."""
        return self._get(_Call("GET", self._base + path, None, etag, patience, max_bytes))

    def send(
        self, method: str, path: str, body: Any = None, *, hidden: tuple[str, ...] = ()
    ) -> Answer:
        """Write. What `body` holds that is secret is named again in `hidden`.

        After Unavailable it may have been done.
        """
        raw = None if body is None else json.dumps(body).encode()
        answer = self._try(_Call(method, self._base + path, raw))
        if not 200 <= answer.status < 300:
            self._refuse(answer, hidden)
        return self._read(answer)

    def pages(self, path: str, *, etag: str = "") -> Iterator[Answer]:
        """The pages of a list, one after the other, each asked for when it is wanted."""
        answer = self.get(path, etag=etag)
        yield answer
        for _page in range(MAX_PAGES - 1):
            url = self._here(answer.links.get("next", ""))
            if not url:
                return
            answer = self._get(_Call("GET", url))
            yield answer

    def following(
        self,
        path: str,
        query: Mapping[str, str | int],
        after: Callable[[Answer], Mapping[str, str]],
    ) -> Iterator[Answer]:
        """The pages of a list that links to none: `after` is what each says has to be added to
        the query for the next, nothing where it is the last. Raises Unavailable after too many."""
        more: Mapping[str, str] = {}
        for _page in range(MAX_PAGES):
            answer = self.get(f"{path}?{urlencode({**query, **more})}")
            yield answer
            more = after(answer)
            if not more:
                return
        text = _("%(provider)s has more to list than can be read.")
        raise Unavailable(text % {"provider": self.name})

    def all(self, path: str, *, etag: str = "", progress: Progress | None = None) -> Listed:
        """All pages of a list; several at once where the first says how many there are."""
        first = self.get(path, etag=etag)
        if first.unchanged:
            return Listed([], etag, unchanged=True, ahead=first.ahead)
        answers = [first, *self._at_once(self._further(first), len(first.items), progress)]
        cut = self._follow(answers, progress)
        return Listed(
            [item for answer in answers for item in answer.items],
            first.etag if len(answers) == 1 else "",
            cut=cut,
            ahead=first.ahead,
            headers=tuple(answer.headers for answer in answers),
        )

    def _further(self, first: Answer) -> list[str]:
        """The pages after the first, where their number is known."""
        parts = urlsplit(self._here(first.links.get("last", "")))
        query = parse_qs(parts.query)
        number = query.get("page", [""])[0]
        if not (number.isascii() and number.isdigit() and len(number) < 9):
            return []
        pages = range(2, min(int(number), MAX_PAGES) + 1)
        asked = [urlencode({**query, "page": [str(page)]}, doseq=True) for page in pages]
        return [parts._replace(query=text).geturl() for text in asked]

    def _at_once(self, urls: list[str], done: int, progress: Progress | None) -> list[Answer]:
        """Get the pages. Progress is told in the calling thread, and may raise to stop."""
        total = (len(urls) + 1) * PER_PAGE
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="provider")
        try:
            futures = [pool.submit(self._get, _Call("GET", url)) for url in urls]
            for future in as_completed(futures):
                done += len(future.result().items)
                if progress is not None:
                    progress(min(done, total - 1), total)
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)

    def _follow(self, answers: list[Answer], progress: Progress | None) -> bool:
        """Append what follows the last page known. True: there is more than will be read."""
        done = sum(len(answer.items) for answer in answers)
        while url := self._here(answers[-1].links.get("next", "")):
            if len(answers) >= MAX_PAGES:
                return True
            answers.append(self._get(_Call("GET", url)))
            done += len(answers[-1].items)
            if progress is not None:
                progress(done, 0)
        return False

    def _get(self, call: _Call) -> Answer:
        """Follow one redirect, which is how GitHub, for one, answers for what was renamed."""
        answer = self._try(call)
        if answer.status in MOVED and (location := answer.headers.get("Location", "")):
            answer = self._try(replace(call, url=self._here(location, call.url)))
        if answer.status != 304 and not 200 <= answer.status < 300:
            self._refuse(answer)
        return self._read(answer)

    def _try(self, call: _Call) -> http.Response:
        """Send, and again after a while what does no harm twice and had no proper answer."""
        started = time.monotonic()
        for pause in PAUSES if call.method in REPEATABLE else ():
            try:
                answer = self._once(call)
                if answer.status != 408 and answer.status < 500:
                    return answer
                fault = None
            except Unavailable as error:
                fault = error
            if time.monotonic() - started + pause > call.patience.total:
                if fault is None:
                    return answer
                raise fault
            time.sleep(pause * random.uniform(1, 1 + JITTER))  # noqa: S311 - spreads load, guards nothing
        return self._once(call)

    def _once(self, call: _Call) -> http.Response:
        with self._turn:
            if self._rest_until and self._rest_until > timezone.now():
                text = _("%(provider)s wants a rest.") % {"provider": self.name}
                raise RateLimited(text, self._rest_until)
            try:
                answer = http.request(
                    call.method,
                    call.url,
                    headers=_headers(self._headers, call),
                    body=call.body,
                    timeout=call.patience.timeout,
                    longest_body=call.patience.longest,
                    max_bytes=call.max_bytes,
                    trusted=self._trusted,
                )
            except http.Unreachable as error:
                raise Unavailable(str(error)) from None
        until = self.rest_until(answer.headers)
        if until is not None and answer.status < 500:
            self._rest_until = until
        return answer

    def _refuse(self, answer: http.Response, hidden: tuple[str, ...] = ()) -> NoReturn:
        error = self.error_of(answer, (*self._hidden, *hidden))
        if isinstance(error, RateLimited):
            self._rest_until = error.until
        raise error

    def _here(self, url: str, base: str = "") -> str:
        """The URL, empty if it is; the token is sent nowhere else. Raises Unavailable."""
        try:
            url = urljoin(base or f"{self._base}/", url) if url else ""
            if not url or origin(url) == self._origin:
                return url
        except ValueError:
            pass
        raise Unavailable(
            _("%(provider)s's answer leads to another server, where the token must not go.")
            % {"provider": self.name}
        )

    def _read(self, answer: http.Response) -> Answer:
        if answer.truncated:
            raise Unavailable(_("%(provider)s's answer is too long.") % {"provider": self.name})
        if not answer.body or answer.status == 304:
            return Answer(answer.status, answer.headers, None, self.name)
        try:
            return Answer(answer.status, answer.headers, json.loads(answer.body), self.name)
        except (ValueError, RecursionError):
            raise nonsense(self.name) from None


def path_of(*parts: str, **query: str | int) -> str:
    """A path of the API. Raises NotSeen for a part that is no name."""
    if any(part in {"", ".", ".."} for part in parts):
        raise NotSeen(_("This is not the name of anything there."))
    path = "".join(f"/{quote(part, safe='')}" for part in parts)
    return f"{path}?{urlencode(query)}" if query else path


def is_same_server(one: str, other: str) -> bool:
    """Whether two addresses are of one server; so a token that was sent to one may go on."""
    try:
        return bool(one and other) and origin(one) == origin(other)
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str | None, int]:
    """Scheme, host and port. Raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def nonsense(name: str) -> Unavailable:
    return Unavailable(
        _(
            "The answer is not one of %(provider)s's API. Its URL may be wrong, or a proxy or a "
            "sign-in page answers in its place."
        )
        % {"provider": name}
    )


def _headers(known: Mapping[str, str], call: _Call) -> dict[str, str]:
    headers = dict(known)
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    if call.etag:
        headers["If-None-Match"] = call.etag
    return headers
