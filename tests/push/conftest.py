"""A push service, a channel, and browsers that subscribed to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from notifications import announce, push_keys
from notifications.models import Channel
from notifications.push_models import PushSubscription
from tests.people import Program, person
from tests.push.service import HOST, Browser, PushService, at_global_addresses

SUBSCRIPTIONS = "/api/web-push/subscriptions"
Subscribes = Callable[..., Browser]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PushService]:
    made = PushService()
    with at_global_addresses(made.server, made.addresses, made.dialled, tmp_path):
        yield made


def make_channel(name: str = "Browsers", **given: Any) -> Channel:
    pair = push_keys.generated()
    config = {
        "vapidPublicKey": pair.public,
        "vapidPrivateKey": pair.private,
        "subject": "mailto:ada@example.org",
    }
    row = {"events": list(announce.EVENTS), **given}
    return Channel.objects.create(kind="webpush", name=name, config=json.dumps(config), **row)


@pytest.fixture
def channel(db: None) -> Channel:
    return make_channel()


def key_of(channel: Channel) -> str:
    return str(channel.settings["vapidPublicKey"])


@pytest.fixture
def ada(db: None) -> User:
    return person("viewer", "ada")


@pytest.fixture
def program(ada: User) -> Program:
    return Program(ada)


@pytest.fixture
def subscribe(service: PushService, channel: Channel, program: Program) -> Subscribes:
    """Make a browser and subscribe it, as Ada unless it is said otherwise."""

    def make(caller: Program = program, host: str = HOST) -> Browser:
        browser = service.browser(key_of(channel), host)
        answer = caller.post(SUBSCRIPTIONS, browser.subscription)
        assert answer.status_code == 201, answer.content
        return browser

    return make


def row_of(browser: Browser) -> PushSubscription:
    [row] = [
        row
        for row in PushSubscription.objects.all()
        if row.endpoint == browser.subscription["endpoint"]
    ]
    return row
