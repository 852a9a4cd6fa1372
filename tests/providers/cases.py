"""What the tests of all providers need of each: a registry, an account there, and its hooks."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlencode, urlunsplit

from integrations.hooks.provider import Proof, Provider
from integrations.hooks.providers import PROVIDERS
from tests import servers
from tests.fake_github.answers import Answer
from tests.fake_harbor.server import FakeHarbor
from tests.fake_registries.gitea import FakeGitea
from tests.fake_registries.msr import FakeMsr
from tests.fake_registries.quay import FakeQuay
from tests.fake_registries.server import Asked, FakeRegistry

BASE = "https://dockrev.example.com/api/webhooks"
FORMER = "https://old.example.com/api/webhooks"
SECRET = "a-secret-of-forty-characters-or-so-it-is"
NEXT_SECRET = "another-secret-which-nobody-can-guess-ei"
TOKEN = "a-token-that-nobody-may-read-0123456789"
USER = "ada"


@dataclass(frozen=True)
class Seen:
    """A hook as it is there. `secret` is empty where there is none beside the URL."""

    url: str
    events: frozenset[str]
    works: bool
    secret: str = field(default="", repr=False)


class Case(ABC):
    key: ClassVar[str]
    fake: FakeRegistry
    update: ClassVar[str]  # the method by which a hook that was switched off is put right

    @property
    def provider(self) -> type[Provider]:
        return PROVIDERS[self.key]

    def url(self, secret: str = SECRET, base: str = BASE) -> str:
        """What a hook of ours has to call."""
        known = f"{base}/{self.provider.receiver}"
        return f"{known}/{secret}" if self.provider.proof == Proof.URL else known

    def right(self, secret: str = SECRET, base: str = BASE) -> Seen:
        kept = "" if self.provider.proof == Proof.URL else secret
        return Seen(self.url(secret, base), frozenset(self.provider.events), True, kept)

    def names(self, count: int) -> list[str]:
        """Targets that the account may touch, made."""
        names = [self.name_of(number) for number in range(count)]
        for name in names:
            self.add(name)
        return names

    def name_of(self, number: int) -> str:
        return f"acme/r{number}"

    def path_of(self, name: str) -> str:
        """A pattern of the paths about the hooks of one target, to let them fail."""
        return f"*/{name}/*"

    @abstractmethod
    def add(self, name: str) -> None:
        """Have there be a target."""

    @abstractmethod
    def hooks(self, name: str) -> list[Seen]:
        """The hooks of a target as they are there, for each URL one."""

    @abstractmethod
    def add_hook(self, name: str, url: str, **more: Any) -> Any:
        """Have there be a hook for our events that nobody asked for."""

    @abstractmethod
    def switch_off(self, name: str) -> None:
        """As the registry does, or a person."""

    @abstractmethod
    def revoke(self) -> None:
        """The credential is worth nothing from now on."""

    @abstractmethod
    def allow(self) -> None:
        """The credential is good for everything."""

    @abstractmethod
    def publish(self, name: str) -> list[int]:
        """Push an image; what the hooks answered."""


class Msr(Case):
    key = "msr"
    update = "POST"

    def __init__(self) -> None:
        self.fake: FakeMsr = FakeMsr()
        self.allow()

    def add(self, name: str) -> None:
        self.fake.add_repository(name)

    def hooks(self, name: str) -> list[Seen]:
        """Two of one type for one URL are two hooks."""
        seen = []
        left = list(self.fake.of(name))
        while left:
            url, types, works = left[0].endpoint, set[str](), True
            for each in list(left):
                if each.endpoint == url and each.type not in types:
                    left.remove(each)
                    types.add(each.type)
                    works = works and not each.inactive
            seen.append(Seen(url, frozenset(types), works))
        return seen

    def add_hook(self, name: str, url: str, **more: Any) -> Any:
        return [self.fake.subscribe(name, url, type_, **more) for type_ in self.provider.events]

    def switch_off(self, name: str) -> None:
        for each in self.fake.of(name):
            each.inactive = True

    def revoke(self) -> None:
        self.fake.users.clear()

    def allow(self) -> None:
        self.fake.add_user(USER, TOKEN, manages={"acme"})

    def publish(self, name: str) -> list[int]:
        return self.fake.publish(name)


class Quay(Case):
    key = "quay"
    update = "POST"

    def __init__(self) -> None:
        self.fake: FakeQuay = FakeQuay()
        self.allow()

    def add(self, name: str) -> None:
        self.fake.add_repository(name)

    def hooks(self, name: str) -> list[Seen]:
        return [
            Seen(each.url, frozenset({each.event}), each.number_of_failures < 3)
            for each in self.fake.of(name)
        ]

    def add_hook(self, name: str, url: str, **more: Any) -> Any:
        return self.fake.notify(name, url, **more)

    def switch_off(self, name: str) -> None:
        for each in self.fake.of(name):
            each.number_of_failures = 3

    def revoke(self) -> None:
        self.fake.tokens.clear()

    def allow(self) -> None:
        self.fake.add_token(TOKEN, login=USER)

    def publish(self, name: str) -> list[int]:
        return self.fake.publish(name, "latest")


class Gitea(Case):
    key = "gitea"
    update = "PATCH"

    def __init__(self) -> None:
        self.fake: FakeGitea = FakeGitea()
        self.allow()

    def name_of(self, number: int) -> str:
        return f"acme{number}"

    def add(self, name: str) -> None:
        self.fake.add_organisation(name)

    def hooks(self, name: str) -> list[Seen]:
        return [
            Seen(each.url, frozenset(each.events), each.active, each.secret)
            for each in self.fake.of(name)
        ]

    def add_hook(self, name: str, url: str, **more: Any) -> Any:
        return self.fake.add_hook(name, url, **more)

    def switch_off(self, name: str) -> None:
        for each in self.fake.of(name):
            each.active = False

    def revoke(self) -> None:
        self.fake.tokens.clear()

    def allow(self) -> None:
        self.fake.add_token(TOKEN, login=USER)

    def publish(self, name: str) -> list[int]:
        return self.fake.publish(name, "api")


class HarborHere(FakeRegistry):
    """The fake Harbor, with the server, the faults and the calls of the other fakes."""

    def __init__(self) -> None:
        super().__init__()
        self.there = FakeHarbor()
        self.there.server.close()  # this one speaks for it

    def respond(self, asked: Asked) -> Answer:
        path = urlunsplit(("", "", asked.path, urlencode(asked.query, doseq=True), ""))
        request = servers.Asked(asked.method, path, dict(asked.headers), asked.body)
        reply = self.there.answer(request)
        return Answer(reply.status, json.loads(reply.body) if reply.body else None, reply.headers)

    def refusal(self, status: int) -> Answer:
        return Answer(status, {"errors": [{"code": "SAID", "message": f"harbor says {status}"}]})


class Harbor(Case):
    key = "harbor"
    update = "PUT"

    def __init__(self) -> None:
        self.fake: HarborHere = HarborHere()
        self.allow()

    def name_of(self, number: int) -> str:
        return f"acme{number}"

    def add(self, name: str) -> None:
        self.fake.there.add_project(name)

    def hooks(self, name: str) -> list[Seen]:
        return [
            Seen(
                each["address"], frozenset(policy.event_types), policy.enabled, each["auth_header"]
            )
            for policy in self.fake.there.of(name)
            for each in policy.targets
        ]

    def add_hook(self, name: str, url: str, **more: Any) -> Any:
        return self.fake.there.add_policy(name, url, **more)

    def switch_off(self, name: str) -> None:
        for policy in self.fake.there.of(name):
            policy.enabled = False

    def revoke(self) -> None:
        self.fake.there.people.clear()

    def allow(self) -> None:
        self.fake.there.add_person(USER, TOKEN)

    def publish(self, name: str) -> list[int]:
        statuses = []
        for execution in self.fake.there.push(f"{name}/api", "latest"):
            payload = json.dumps(execution.payload).replace("harbor.example.com", self.fake.host)
            for target in execution.policy.targets:
                headers = {"Content-Type": "application/json"}
                headers["Authorization"] = target["auth_header"]
                statuses.append(self.fake.call(target["address"], payload.encode(), headers))
        return statuses


# Those with a file of tests of their own here; Harbor has a folder.
CASES: tuple[type[Case], ...] = (Msr, Quay, Gitea)
ALL_CASES: tuple[type[Case], ...] = (*CASES, Harbor)
