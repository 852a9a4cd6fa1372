"""What the containers of a service wrote, by the engine's word: bounded, and in plain text.

The API: docs.docker.com/reference/api/engine, ContainerLogs and ContainerAttach, which says how
standard output and error come in one stream. Importing this loads the Docker SDK.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Any

import docker
from django.utils.translation import gettext as _
from docker.errors import NotFound
from requests import Response

from checks.container_logs.lines import (
    MOST_CONTAINERS,
    MOST_LINES,
    BadSince,
    Line,
    Logs,
    Since,
    Source,
    moment_of,
)
from checks.discovery.engine import call_on
from checks.discovery.job import place_of
from checks.discovery.labels import Label, is_one_off
from checks.models import Service
from checks.updating.containers import plain

LONGEST_LINE = 2000  # characters
LONGEST_RAW = 4 * LONGEST_LINE + 64  # bytes of that, with its time
LONGEST_FRAME = 1024 * 1024
CHUNK = 64 * 1024
PATIENCE = 4  # seconds for each call: a person waits
BUDGET = 8.0  # seconds for all of a service's containers

STREAMS = {1: "stdout", 2: "stderr"}

Answer = dict[str, Any]  # JSON of the engine's API


def look(service: Service, tail: int, since: Since, container: str) -> Logs:
    """What `lines.logs_of` says."""
    with call_on(place_of(service.stack.host), timeout=PATIENCE) as client:
        return _Look(client, tail, since).of(service, container)


class _Look:
    def __init__(self, client: docker.DockerClient, tail: int, since: Since) -> None:
        self._api = client.api
        self._tail = min(tail, MOST_LINES)
        self._since = since
        self._until = time.monotonic() + BUDGET

    def of(self, service: Service, container: str) -> Logs:
        named = self._containers(service)
        sources: list[Source] = []
        lines: list[Line] = []
        last: list[str] = []
        for name, container_id in named.items():
            if container not in ("", name):
                continue
            with suppress(NotFound):  # it went between two calls
                source, found = self._read(name, container_id)
                sources.append(source)
                lines += found
                at = max((line.at for line in found), default="") or self._after(source.id)
                last += [f"{source.id}@{at}"] if at else []
        lines.sort(key=lambda line: line.at)
        shown = tuple(lines[-self._tail :])
        return Logs(tuple(named), tuple(sources), shown, ",".join(last))

    def _containers(self, service: Service) -> dict[str, str]:
        """Their ids by name, in the order of their names; not those of `compose run`."""
        labels = [f"{Label.PROJECT}={service.stack.name}", f"{Label.SERVICE}={service.name}"]
        listed = self._api.containers(all=True, filters={"label": labels})
        named = {_name(each): str(each["Id"]) for each in listed if not is_one_off(each)}
        return dict(sorted(named.items())[:MOST_CONTAINERS])

    def _after(self, container: str) -> str:
        return self._since.of.get(container, self._since.time)

    def _read(self, name: str, container_id: str) -> tuple[Source, list[Line]]:
        seen: Answer = self._api.inspect_container(container_id)
        status = str(seen["State"].get("Status") or "")
        named = {"id": container_id[:12], "name": name, "status": status}
        answer = self._ask(container_id, self._after(named["id"]))
        with answer:
            if answer.status_code == HTTPStatus.NOT_FOUND:
                raise NotFound(named["name"])
            if answer.status_code != HTTPStatus.OK:
                return Source(**named, trouble=_unreadable(seen, answer)), []
            found: deque[Line] = deque(maxlen=self._tail)
            is_whole = self._take(answer, found, named, tty=bool(seen["Config"].get("Tty")))
        late = "" if is_whole else _("Its log took too long to read: the last lines are not here.")
        return Source(**named, trouble=late), list(found)

    def _ask(self, container_id: str, after: str) -> Response:
        """The SDK's own call puts both streams into one, without a word which is which."""
        asked = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": str(self._tail)}
        if after:
            asked["since"] = _seconds(after)
        answer: Response = self._api.get(
            f"{self._api.base_url}/v{self._api.api_version}/containers/{container_id}/logs",
            params=asked,
            stream=True,
            timeout=PATIENCE,
        )
        return answer

    def _take(
        self, answer: Response, found: deque[Line], named: Mapping[str, str], *, tty: bool
    ) -> bool:
        """False where it took too long."""
        chunks: Iterable[bytes] = answer.iter_content(CHUNK)
        after, last = self._after(named["id"]), ""
        for stream, raw in _lines(_whole(chunks) if tty else _frames(chunks)):
            at, text = _read(raw)
            last = at or last
            if not after or last > after:
                found.append(Line(last, named["name"], stream, text))
            if time.monotonic() > self._until:
                return False
        return True


def _whole(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """A terminal has one stream."""
    return ((STREAMS[1], chunk) for chunk in chunks)


def _frames(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Each frame has eight bytes before it: the stream, three zeros, and its length."""
    held = b""
    for chunk in chunks:
        held += chunk
        at = 0
        while len(held) - at >= 8:
            size = int.from_bytes(held[at + 4 : at + 8])
            if size > LONGEST_FRAME:
                return
            if len(held) - at < 8 + size:
                break
            yield STREAMS.get(held[at], STREAMS[1]), held[at + 8 : at + 8 + size]
            at += 8 + size
        held = held[at:]


def _lines(pieces: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Whole lines of each stream. The engine cuts a long one, with a time before each part: only
    as much is kept as comes before the second."""
    rests: dict[str, bytes] = {}
    for stream, piece in pieces:
        *whole, rest = (rests.get(stream, b"") + piece).split(b"\n")
        yield from ((stream, line[:LONGEST_RAW]) for line in whole)
        rests[stream] = rest[:LONGEST_RAW]
    yield from ((stream, rest) for stream, rest in rests.items() if rest)


def _read(raw: bytes) -> tuple[str, str]:
    """When a line was written, where it says so, and what."""
    before, _space, after = raw.partition(b" ")
    try:
        at, said = moment_of(before.decode(errors="replace")), after
    except BadSince:
        at, said = "", raw
    text = plain(said.decode(errors="replace"))
    if len(text) > LONGEST_LINE:
        text = f"{text[:LONGEST_LINE]}…"
    return at, text


def _seconds(at: str) -> str:
    """As the engine takes a time, to the nanosecond."""
    return f"{datetime.fromisoformat(at[:19] + 'Z').timestamp():.0f}.{at[20:29]}"


def _unreadable(seen: Answer, answer: Response) -> str:
    driver = str((seen["HostConfig"].get("LogConfig") or {}).get("Type") or "?")
    if driver == "none":
        return _("It keeps no log: its logging driver is none.")
    if answer.status_code == HTTPStatus.FORBIDDEN:
        return _("The socket proxy before the engine does not let its log be read (CONTAINERS=1).")
    try:
        said = str(answer.json()["message"])[:300]
    except (ValueError, KeyError, TypeError):
        said = f"HTTP {answer.status_code}"
    text = _("The engine cannot read its log (logging driver %(driver)s): %(why)s")
    return text % {"driver": driver, "why": said}


def _name(listed: Answer) -> str:
    return str((listed.get("Names") or [""])[0]).lstrip("/") or str(listed["Id"])[:12]
