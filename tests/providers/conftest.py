"""An account at each registry of our own, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from checks.models import Job
from integrations.hooks import asking, client
from integrations.hooks.provider import Access
from integrations.models import HookAccount, HookTarget, Receiver
from tests.hooks.doing import done
from tests.providers.cases import ALL_CASES, BASE, SECRET, TOKEN, USER, Case, Gitea, Msr, Quay

Do = Callable[..., Job]
Track = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0))


@pytest.fixture(params=ALL_CASES, ids=[case.key for case in ALL_CASES])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    made: Case = request.param()
    with made.fake:
        yield made


@pytest.fixture
def msr() -> Iterator[Msr]:
    made = Msr()
    with made.fake:
        yield made


@pytest.fixture
def quay() -> Iterator[Quay]:
    made = Quay()
    with made.fake:
        yield made


@pytest.fixture
def gitea() -> Iterator[Gitea]:
    made = Gitea()
    with made.fake:
        yield made


def access_to(case: Case, **more: Any) -> Access:
    return Access(case.fake.url, TOKEN, USER, **more)


def account_at(case: Case, **columns: Any) -> HookAccount:
    """The only account there is. Its receiver is on, and has a secret since now."""
    Receiver.objects.all().delete()
    receiver = Receiver.objects.create(
        kind=case.provider.receiver,
        name="A receiver",
        enabled=True,
        secret=SECRET,
        secret_created_at=timezone.now(),
    )
    known = {
        "provider": case.key,
        "name": "An account",
        "receiver": receiver,
        "api_url": case.fake.url,
        "callback_url": f"{BASE}/{case.provider.receiver}",
        "username": USER,
        "credential": TOKEN,
    }
    return HookAccount.objects.create(**known | columns)


def track(account: HookAccount, *names: str) -> None:
    for name in names:
        HookTarget.objects.create(account=account, full_name=name)


def ask(what: Callable[..., Any], **given: Any) -> Job:
    """Ask for a job about the only account, and do it."""
    account = HookAccount.objects.select_related("receiver").get()
    return done(what(account, username="ada", reason="ui", **given))


def sync(**given: Any) -> Job:
    return ask(asking.sync, **given)


def audit() -> Job:
    return ask(asking.audit)
