"""What a registry sends to the hooks that were made there, and what our receivers make of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from integrations import rotation
from integrations.hooks import asking
from integrations.models import HookAccount, Receiver
from tests.fake_registries.server import Delivered
from tests.hooks.doing import said
from tests.providers.cases import NEXT_SECRET, Case, Gitea, Msr, Quay
from tests.providers.conftest import account_at, audit, sync, track

pytestmark = pytest.mark.django_db


@pytest.fixture
def name(case: Case) -> str:
    """A target whose hook was made."""
    [name] = case.names(1)
    track(account_at(case), name)
    sync()
    return name


def arrive(call: Delivered) -> Any:
    """The answer of our receiver to a call that a registry made."""
    headers = {key: value for key, value in call.headers.items() if key != "Content-Type"}
    path, kind = urlsplit(call.url).path, call.headers["Content-Type"]
    return Client().generic("POST", path, call.body, content_type=kind, headers=headers)


def test_a_push_is_taken(case: Case, name: str) -> None:
    case.publish(name)
    [call] = case.fake.delivered
    answer = arrive(call)
    assert answer.status_code == 202
    assert answer.json()["decision"] == "processed"
    [image] = answer.json()["images"]
    owner = name.partition("/")[0]
    assert image.startswith(f"{case.fake.host}/{owner}")
    assert ":latest" in image


def test_a_push_of_somebody_else_is_not(case: Case, name: str) -> None:
    case.publish(name)
    [call] = case.fake.delivered
    receiver = Receiver.objects.get()
    rotation.replace(receiver, NEXT_SECRET, timezone.now())
    receiver.save()
    answer = arrive(call)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_signature"


def test_a_push_is_taken_once_hooks_have_the_next_secret(case: Case, name: str) -> None:
    receiver = Receiver.objects.get()
    new = rotation.rotate(receiver, timezone.now(), username="ada", reason="ui")
    case.publish(name)
    sync()
    case.publish(name)
    before, after = case.fake.delivered
    assert case.hooks(name) == [case.right(new)]
    assert Receiver.objects.get().previous_secret == ""
    assert arrive(before).status_code == 401
    assert arrive(after).status_code == 202
    assert said(audit(), "state") == {name: "ok"}


def test_the_sample_of_msr_is_taken(msr: Msr) -> None:
    [name] = msr.names(1)
    track(account_at(msr), name)
    sync()
    _test(msr, name)
    [call] = msr.fake.delivered
    assert arrive(call).status_code in {200, 202}
    assert call.url == msr.url()


def test_the_test_of_quay_is_taken(quay: Quay) -> None:
    [name] = quay.names(1)
    track(account_at(quay), name)
    sync()
    _test(quay, name)
    [call] = quay.fake.delivered
    assert arrive(call).status_code in {200, 202}


def test_forgejo_signs_as_gitea_does(gitea: Gitea) -> None:
    gitea.fake.be_forgejo()
    [name] = gitea.names(1)
    track(account_at(gitea), name)
    sync()
    gitea.publish(name)
    [call] = gitea.fake.delivered
    assert arrive(call).status_code == 202


def _test(case: Case, name: str) -> None:
    """Ask for a test, as the button does."""
    account = HookAccount.objects.select_related("receiver").get()
    asking.ping(account, account.targets.get(full_name=name))
    case.fake.settle()
