"""What we send, as a push service reads it that somebody else wrote."""

from __future__ import annotations

import json

import pytest

from notifications import push_keys
from notifications.channels.base import SendError
from notifications.channels.webpush import WebPush
from notifications.models import Channel, Notification
from notifications.push_models import PushSubscription
from tests.notifications.test_outbox import news, send_all, tell
from tests.people import Program
from tests.push.conftest import SUBSCRIPTIONS, key_of
from tests.push.test_sending import message
from tests.real.web_push import Subscribed, WebPushTesting

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(real_service: WebPushTesting, channel: Channel, program: Program) -> Subscribed:
    made = real_service.subscribe(key_of(channel))
    assert program.post(SUBSCRIPTIONS, made.subscription).status_code == 201
    return made


def test_it_decrypts_what_the_outbox_sends(
    real_service: WebPushTesting, browser: Subscribed
) -> None:
    tell(news())
    send_all()
    row = Notification.objects.get()
    [shown] = map(json.loads, real_service.shown(browser))
    assert row.status == "sent"
    assert (shown["id"], shown["title"]) == (row.pk, "shop / api has an update")


def test_it_decrypts_the_longest_that_we_send(
    real_service: WebPushTesting, channel: Channel, browser: Subscribed
) -> None:
    sent = WebPush(channel.settings, channel.pk).send(message(text="many 界 words\n" * 900))
    [shown] = map(json.loads, real_service.shown(browser))
    assert sent == 201
    assert len(shown["body"]) > 1500


def test_it_is_forgotten_once_it_has_expired(
    real_service: WebPushTesting, channel: Channel, browser: Subscribed
) -> None:
    real_service.expire(browser)
    with pytest.raises(SendError) as caught:
        WebPush(channel.settings, channel.pk).send(message())
    assert (caught.value.status, caught.value.final) == (410, True)
    assert not PushSubscription.objects.exists()


def test_it_takes_nothing_that_another_signed(
    real_service: WebPushTesting, channel: Channel, browser: Subscribed
) -> None:
    forged = {**channel.settings, "vapidPrivateKey": push_keys.generated().private}
    with pytest.raises(SendError) as caught:
        WebPush(forged, channel.pk).send(message())
    assert (caught.value.status, caught.value.final) == (400, True)
    assert real_service.shown(browser) == []
