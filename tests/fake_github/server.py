"""The fake GitHub itself: its state, what tests tell it to do, and what it was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from tests.fake_github.answers import Answer
from tests.fake_github.delivering import Courier, deliver
from tests.fake_github.faults import SILENT, Fault, Kind
from tests.fake_github.routing import Asked, finished, respond
from tests.fake_github.state import Attempt, Hook, Owner, Repository, Token, World
from tests.fake_github.wire import handler_for

ENTERPRISE = "/api/v3"


@dataclass(frozen=True)
class Recorded:
    """A request that came. `path` is without the query and without `prefix`, /api/v3 or nothing.

    `status` is 0 where there was no answer.
    """

    method: str
    path: str
    status: int
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict, repr=False)  # names in lower case
    body: bytes = field(default=b"", repr=False)
    prefix: str = ""


class FakeGitHub:
    """A context manager: it listens while it is entered, at `url` and at `enterprise_url`.

    latency: seconds before each answer.
    delivers: whether hooks are really called; if not, each delivery is noted as taken.
    clock_offset: how far its clock is ahead of ours.
    before: called with method and path as each request comes, in the thread that answers it.
    validates: whether requests and answers are held against the description.
    """

    def __init__(self) -> None:
        self.clock_offset = timedelta()
        self.world = World(self.now())
        self.latency = 0.0
        self.delivers = True
        self.before: Callable[[str, str], object] | None = None
        self.validates = True
        self.requests: list[Recorded] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.connections = 0
        self.most_at_once = 0
        self.over = Event()
        self._at_once = 0
        self._lock = RLock()

    # Running

    def __enter__(self) -> FakeGitHub:
        self._server = _Server(("127.0.0.1", 0), handler_for(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.enterprise_url = self.url + ENTERPRISE
        self._courier = Courier()
        run = {"poll_interval": 0.02}
        self._thread = Thread(target=self._server.serve_forever, kwargs=run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._courier.stop()

    # State

    def now(self) -> datetime:
        return (datetime.now(UTC) + self.clock_offset).replace(microsecond=0)

    def add_owner(self, login: str, kind: str = "Organization") -> Owner:
        """Add an owner, or change what kind a known one is."""
        with self._lock:
            owner = self.world.owner(login)
            if owner is None:
                owner = Owner(next(self.world.ids), login, kind)
                self.world.owners[login.lower()] = owner
            owner.kind = kind
            return owner

    def add_token(
        self,
        token: str,
        *,
        login: str = "ada",
        scopes: Iterable[str] | None = None,
        expires_at: datetime | None = None,
        webhooks: str = "write",
        repositories: Iterable[str] | None = None,
        unauthorized: Iterable[str] = (),
    ) -> Token:
        """A token of that person: classic with `scopes`, fine-grained without.

        `webhooks` ("write", "read" or "") and `repositories` are what a fine-grained one may;
        `unauthorized` organisations want it authorised for single sign-on first.
        """
        with self._lock:
            if self.world.owner(login) is None:
                self.add_owner(login, "User")
            new = Token(
                value=token,
                login=login,
                scopes=None if scopes is None else tuple(scopes),
                expires_at=expires_at,
                webhooks=webhooks,
                repositories=_names(repositories),
                unauthorized=frozenset(each.lower() for each in unauthorized),
            )
            self.world.tokens[token] = new
            return new

    def revoke(self, token: str) -> None:
        self.world.tokens[token].revoked = True

    def add_repository(
        self,
        full_name: str,
        *,
        private: bool = False,
        archived: bool = False,
        disabled: bool = False,
        readers: Iterable[str] | None = None,
        admins: Iterable[str] | None = None,
    ) -> Repository:
        """Add a repository, and its owner as an organisation where nobody has that name.

        `readers` may see it if it is private and `admins` may touch its hooks; None: everybody.
        """
        login, _, name = full_name.partition("/")
        with self._lock:
            new = Repository(
                id=next(self.world.ids),
                owner=self.world.owner(login) or self.add_owner(login),
                name=name,
                private=private,
                archived=archived,
                disabled=disabled,
                readers=_names(readers),
                admins=_names(admins),
                created_at=self.now(),
            )
            self.world.repositories[full_name.lower()] = new
            return new

    def remove_repository(self, full_name: str) -> None:
        del self.world.repositories[full_name.lower()]

    def rename(self, full_name: str, new_name: str) -> None:
        """Give a repository another name, under the same owner; the old one leads there."""
        with self._lock:
            repository = self.world.repositories.pop(full_name.lower())
            repository.name = new_name
            self.world.repositories[repository.full_name.lower()] = repository
            self.world.renamed[full_name.lower()] = repository

    def hooks(self, full_name: str) -> list[Hook]:
        """The hooks themselves, secrets and all; changing them changes GitHub."""
        return self._repository(full_name).hooks

    def add_hook(
        self,
        full_name: str,
        *,
        url: str,
        events: Iterable[str] = ("package",),
        active: bool = True,
        content_type: str = "json",
        insecure_ssl: str = "0",
        secret: str = "",
        updated_at: datetime | None = None,
    ) -> Hook:
        """A hook that is there without having been asked for; an owner's name: of all theirs.

        No ping is sent.
        """
        with self._lock:
            at = self.world.owner(full_name) or self._repository(full_name)
            new = Hook(
                id=next(self.world.hook_ids),
                at=at,
                url=url,
                events=list(events),
                active=active,
                content_type=content_type,
                insecure_ssl=insecure_ssl,
                secret=secret,
                created_at=updated_at or self.now(),
                updated_at=updated_at or self.now(),
            )
            at.hooks.append(new)
            return new

    def publish(
        self, full_name: str, body: dict[str, Any], *, event: str = "package", down: bool = False
    ) -> list[Attempt]:
        """Call every hook of the repository and its owner that wants it, and wait for them.

        All have one GUID. `down`: nobody could be reached, and none is called.
        """
        repository = self._repository(full_name)
        guid = str(uuid4())
        made = []
        for hook in [*repository.hooks, *repository.owner.hooks]:
            if hook.wants(event):
                attempt = self.world.attempt(hook, event, body, self.now(), guid=guid)
                attempt.repository_id = repository.id
                deliver(hook, attempt, sent=self.delivers, down=down)
                made.append(attempt)
        return made

    def settle(self) -> None:
        """Wait until the pings and redeliveries under way have arrived."""
        self._courier.settle()

    # Trouble

    def fail(
        self,
        method: str,
        path_pattern: str,
        with_: Kind,
        times: int = 1,
        *,
        done: bool = False,
        retry_in: int = 60,
    ) -> Fault:
        """Have the next `times` such requests fail; see `faults`. The pattern is fnmatch's."""
        fault = Fault(method, path_pattern, with_, times, done=done, retry_in=retry_in)
        self.faults.append(fault)
        return fault

    def rate_limit(self, *, remaining: int, reset_in: float = 3600) -> None:
        """So many requests are left until the limit is reset."""
        with self._lock:
            self.world.limit.used = self.world.limit.limit - remaining
            self.world.limit.reset = self.now() + timedelta(seconds=reset_in)

    # Answering

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[Answer, Fault | None]:
        """Answer one request. A fault that is returned says how the connection fares."""
        asked = self._read(method, target, headers, body)
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.before:
                self.before(method, asked.path)
            if self.latency:
                time.sleep(self.latency)
            with self._lock:
                return self._answer(asked)
        finally:
            with self._lock:
                self._at_once -= 1

    def _read(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Asked:
        parts = urlsplit(target)
        prefix = ENTERPRISE if parts.path.startswith(f"{ENTERPRISE}/") else ""
        path = unquote(parts.path.removeprefix(prefix))
        query = parse_qs(parts.query, keep_blank_values=True)
        return Asked(method, path, query, headers, body, self.url + prefix, prefix)

    def _answer(self, asked: Asked) -> tuple[Answer, Fault | None]:
        now = self.now()
        fault = next((each for each in self.faults if each.meets(asked.method, asked.path)), None)
        if fault:
            fault.met += 1
        if fault is None or fault.lets_it_be_done:
            answer = respond(self.world, asked, now, self._violate)
            self._call_hooks()
        if fault and not fault.of_connection:
            answer = finished(self.world, asked, fault.answer(now, asked.base), now)
        elif fault and not fault.lets_it_be_done:
            answer = Answer(0)
        silent = fault is not None and fault.kind in SILENT
        self.requests.append(
            Recorded(
                asked.method,
                asked.path,
                0 if silent else answer.status,
                asked.query,
                asked.headers,
                asked.body,
                asked.prefix,
            )
        )
        return answer, fault if fault and fault.of_connection else None

    def _call_hooks(self) -> None:
        for hook, attempt in self.world.owed:
            self._courier.take(hook, attempt, sent=self.delivers)
        self.world.owed.clear()

    def _violate(self, text: str) -> None:
        if self.validates:
            self.violations.append(text)

    def _repository(self, full_name: str) -> Repository:
        found = self.world.repository(full_name)
        assert found, f"there is no {full_name}"
        return found


def _names(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(each.lower() for each in names)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Handlers may be waiting for a client that waits for them.
    block_on_close = False
    request_queue_size = 128
