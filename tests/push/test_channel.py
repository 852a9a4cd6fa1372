"""The channel: its keys, made here or pasted, and what its page says of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from dockrev.fields import MASK
from notifications import push_keys
from notifications.channels.webpush import WebPush
from notifications.models import Channel
from notifications.push_models import PushSubscription
from tests.pages.test_overview import text_of
from tests.people import Program, error_of, person
from tests.push.conftest import Subscribes, key_of, row_of

pytestmark = pytest.mark.django_db
CHANNELS = "/api/notifications/channels"
# Printed by `web-push generate-vapid-keys --json`.
PRINTED = '{"publicKey":"%s","privateKey":"%s"}'
PAIR = push_keys.generated()
OTHER = push_keys.generated()


@pytest.fixture
def admin() -> Program:
    return Program(person("admin"))


def make(admin: Program, **config: Any) -> Any:
    return admin.post(CHANNELS, {"kind": "webpush", "name": "Browsers", "config": config})


class TestKeys:
    def test_it_makes_them_where_none_are_given(self, admin: Program) -> None:
        made = make(admin)
        assert made.status_code == 201
        kept = Channel.objects.get().settings
        assert push_keys.belonging(kept["vapidPrivateKey"]).public == kept["vapidPublicKey"]
        assert made.json()["config"] == {
            "vapidPublicKey": kept["vapidPublicKey"],
            "vapidPrivateKey": MASK,
        }
        again = make(admin).json()
        assert again["config"]["vapidPublicKey"] != kept["vapidPublicKey"]

    @pytest.mark.parametrize(
        "config",
        [
            {"vapidPublicKey": PAIR.public, "vapidPrivateKey": PAIR.private},
            {"vapidPublicKey": f"{PAIR.public}=", "vapidPrivateKey": f"{PAIR.private}="},
            {"vapidPrivateKey": PAIR.private},
            {"vapidPublicKey": PRINTED % PAIR},
            {"vapidPrivateKey": PRINTED % PAIR},
            {"vapidPublicKey": OTHER.public, "vapidPrivateKey": f"\n{PRINTED % PAIR}\n"},
        ],
    )
    def test_it_takes_those_that_the_tool_prints(
        self, admin: Program, config: dict[str, str]
    ) -> None:
        made = make(admin, **config)
        assert made.status_code == 201, made.content
        kept = Channel.objects.get().settings
        assert (kept["vapidPublicKey"], kept["vapidPrivateKey"]) == PAIR

    @pytest.mark.parametrize(
        ("config", "field"),
        [
            ({"vapidPublicKey": PAIR.public, "vapidPrivateKey": OTHER.private}, "vapidPublicKey"),
            ({"vapidPublicKey": PAIR.public}, "vapidPrivateKey"),
            ({"vapidPrivateKey": "short"}, "vapidPrivateKey"),
            ({"vapidPrivateKey": "*" * 43}, "vapidPrivateKey"),
            ({"vapidPrivateKey": push_keys.packed(b"\x00" * 32)}, "vapidPrivateKey"),
            ({"vapidPrivateKey": push_keys.packed(b"\xff" * 32)}, "vapidPrivateKey"),
            ({"vapidPublicKey": "x", "vapidPrivateKey": PAIR.private}, "vapidPublicKey"),
            ({"vapidPublicKey": "{" * 900}, "vapidPublicKey"),
            ({"vapidPublicKey": '{"publicKey": 1, "privateKey": 2}'}, "vapidPublicKey"),
            ({"vapidPublicKey": '{"publicKey": "x"}'}, "vapidPublicKey"),
            ({"vapidPublicKey": "x" * 1001}, "vapidPublicKey"),
            ({"subject": "ada@example.org"}, "subject"),
            ({"subject": "http://dockrev.example"}, "subject"),
            ({"subject": "mailto:<ada@example.org>"}, "subject"),
            ({"subject": "mailto:ada"}, "subject"),
            ({"subject": "https://a.example/\r\nX: y"}, "subject"),
            ({"endpoint": "https://a.example"}, "endpoint"),
        ],
    )
    def test_it_takes_no_others(self, admin: Program, config: dict[str, str], field: str) -> None:
        refused = make(admin, **config)
        error = error_of(refused, 400, "invalid_argument")
        assert error["details"]["field"] == f"config.{field}"
        for private in (OTHER.private, PAIR.private):
            assert private not in refused.content.decode()
        assert not Channel.objects.exists()

    def test_it_keeps_them_until_others_are_given(self, admin: Program) -> None:
        path = f"{CHANNELS}/{make(admin).json()['id']}"
        before = Channel.objects.get().settings
        config = admin.get(path).json()["config"]
        assert admin.patch(path, {"name": "Phones", "config": config}).status_code == 200
        changed = admin.patch(path, {"config": {"subject": "mailto:ada@example.org"}})
        assert changed.json()["config"]["subject"] == "mailto:ada@example.org"
        assert Channel.objects.get().settings == {**before, "subject": "mailto:ada@example.org"}
        new = {"vapidPublicKey": None, "vapidPrivateKey": None}
        assert admin.patch(path, {"config": new}).status_code == 200
        assert key_of(Channel.objects.get()) != before["vapidPublicKey"]

    @pytest.mark.parametrize("subject", ["mailto:ada@example.org", "https://ada.example/about"])
    def test_it_names_whom_to_turn_to(self, admin: Program, subject: str) -> None:
        assert make(admin, subject=subject).status_code == 201
        assert Channel.objects.get().settings["subject"] == subject


class TestPage:
    @pytest.fixture
    def browser(self) -> Client:
        made = Client()
        made.force_login(person("admin"))
        return made

    def test_it_is_made_on_its_page_with_keys_of_its_own(self, browser: Client) -> None:
        path = "/settings/channels/new/webpush"
        assert "With other keys every browser has to subscribe again." in text_of(
            browser.get(path).content
        )
        given = {"name": "Browsers", "enabled": "on", "stacks": "all", "events": ["digest"]}
        made = browser.post(path, given, follow=True)
        row = Channel.objects.get()
        assert made.redirect_chain[-1][0] == f"/settings/channels/{row.pk}"
        said = made.content.decode()
        assert key_of(row) in said
        assert "No browser takes messages of this channel." in said
        assert row.settings["vapidPrivateKey"] not in said

    def test_it_says_on_its_page_that_keys_do_not_belong_together(
        self, browser: Client, channel: Channel
    ) -> None:
        before = channel.settings
        given = {"name": "Browsers", "stacks": "all", "config-vapidPublicKey": OTHER.public}
        said = browser.post(f"/settings/channels/{channel.pk}", given).content
        assert "These two keys do not belong together." in text_of(said)
        channel.refresh_from_db()
        assert channel.settings == before

    def panel(self, channel: Channel) -> str:
        request = RequestFactory().get("/settings/channels/x")
        return render_to_string(WebPush.panel, {"channel": channel}, request)

    def test_it_shows_the_public_key_and_no_browser_yet(self, channel: Channel) -> None:
        page = self.panel(channel)
        assert "No browser takes messages of this channel." in page
        assert key_of(channel) in page
        assert channel.settings["vapidPrivateKey"] not in page

    def test_it_counts_browsers_and_marks_those_with_other_keys(
        self, channel: Channel, subscribe: Subscribes, django_assert_num_queries: Any
    ) -> None:
        subscribe()
        old = subscribe()
        PushSubscription.objects.filter(pk=row_of(old).pk).update(server_key=OTHER.public)
        with django_assert_num_queries(3):
            page = self.panel(channel)
        said = text_of(page.encode())
        assert "1 browser takes messages of this channel." in said
        assert "1 browser subscribed with other keys and gets nothing" in said
        assert old.path not in page

    def test_it_makes_new_keys_for_an_admin(self, channel: Channel, subscribe: Subscribes) -> None:
        browser = Client()
        browser.force_login(person("admin"))
        subscribe()
        before = channel.settings
        warning = text_of(self.panel(channel).encode())
        assert "gets nothing any more until it is switched on again" in warning
        path = f"/settings/channels/{channel.pk}/keys"
        answer = browser.post(path, {"next": "/settings"}, follow=True)
        assert "Each browser has to subscribe again." in answer.content.decode()
        channel.refresh_from_db()
        after = channel.settings
        assert after["subject"] == before["subject"]
        assert push_keys.belonging(after["vapidPrivateKey"]).public == after["vapidPublicKey"]
        assert after["vapidPublicKey"] != before["vapidPublicKey"]
        assert "1 browser subscribed with other keys" in text_of(self.panel(channel).encode())

    def test_it_gives_no_other_channel_keys(self) -> None:
        other = Channel.objects.create(kind="webhook", name="x", config=json.dumps({"url": "x"}))
        browser = Client()
        browser.force_login(person("admin"))
        assert browser.post(f"/settings/channels/{other.pk}/keys").status_code == 404
        assert Channel.objects.get().settings == {"url": "x"}
