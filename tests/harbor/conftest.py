"""An account of a robot whose projects are at a Harbor of our own."""

from __future__ import annotations

import pytest

from checks.models import Job
from integrations.hooks import asking
from integrations.models import HookAccount, HookTarget, Receiver
from tests.fake_harbor.server import FakeHarbor
from tests.hooks.doing import Sync, Track, done

CALLBACK = "https://dockrev.example.com/api/webhooks/harbor"
SECRET = "an authorization header of forty letters"
ROBOT, TOKEN = "robot$dockrev", "s3cret-of-the-robot"


@pytest.fixture
def harbor(harbor: FakeHarbor) -> FakeHarbor:
    harbor.add_person(ROBOT, TOKEN, is_robot=True)
    return harbor


@pytest.fixture
def account(db: None, harbor: FakeHarbor) -> HookAccount:
    receiver, _ = Receiver.objects.get_or_create(kind="harbor", defaults={"name": "Harbor"})
    receiver.enabled, receiver.secret = True, SECRET
    receiver.save(update_fields=["enabled", "secret"])
    return HookAccount.objects.create(
        provider="harbor",
        name="Harbor at home",
        receiver=receiver,
        api_url=harbor.url,
        callback_url=CALLBACK,
        username=ROBOT,
        credential=TOKEN,
    )


@pytest.fixture
def track(account: HookAccount, harbor: FakeHarbor) -> Track:
    """Add a project, here and there."""

    def add(name: str = "library", *, selected: bool = True, **there: bool) -> HookTarget:
        harbor.add_project(name, **there)
        return HookTarget.objects.create(account=account, full_name=name, selected=selected)

    return add


@pytest.fixture
def sync(account: HookAccount) -> Sync:
    """Ask for a sync and do it."""

    def run(**given: object) -> Job:
        now = HookAccount.objects.select_related("receiver").get(pk=account.pk)
        return done(asking.sync(now, username="ada", reason="ui", **given))  # type: ignore[arg-type]  # passed on

    return run
