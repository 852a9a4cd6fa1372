from __future__ import annotations

import json

import pytest
from django.test import Client
from django.utils import timezone

from dockrev import preferences
from integrations.models import Receiver
from notifications.models import Channel
from tests.pages.test_overview import text_of
from tests.rows import github_receiver, tracked

pytestmark = pytest.mark.django_db


def settings_page(client: Client) -> str:
    response = client.get("/settings")
    assert response.status_code == 200
    return text_of(response.content)


def test_it_says_what_to_do_next_about_github_packages(viewer: Client) -> None:
    assert "State off Last delivery never Hooks none Secret not set" in settings_page(viewer)
    receiver = github_receiver()
    Receiver.objects.filter(pk=receiver.pk).update(secret_created_at=timezone.now())
    page = settings_page(viewer)
    assert "State on, and no repository is selected Last delivery never" in page
    assert "Secret set just now Next: Every delivery is ignored." in page
    tracked("acme/api")
    assert "State nothing came yet" in settings_page(viewer)
    Receiver.objects.filter(pk=receiver.pk).update(last_accepted_at=timezone.now())
    page = settings_page(viewer)
    assert "State connected Last delivery just now" in page
    assert "http://testserver/api/webhooks/github-packages" in page
    assert 'href="/settings/github-packages"' in viewer.get("/settings").content.decode()


def test_it_gives_the_address_that_the_outside_knows(viewer: Client) -> None:
    preferences.set("public_base_url", "https://dockrev.example/")
    assert "https://dockrev.example/api/webhooks/github-packages" in settings_page(viewer)


def test_it_shows_channels_and_why_one_is_off(viewer: Client) -> None:
    assert "No channel yet, so nobody is told" in settings_page(viewer)
    secret = json.dumps({"url": "https://hooks.example/secret"})
    Channel.objects.create(
        kind="webhook", name="Chat", config=secret, events=["ghcr_webhook_anomaly"]
    )
    Channel.objects.create(kind="webhook", name="Old", config=secret, disabled_reason="410 Gone")
    page = settings_page(viewer)
    assert "Chat on, for webhooks that need attention Webhook nothing sent yet" in page
    assert "Old 410 Gone" in page
    assert "hooks.example" not in viewer.get("/settings").content.decode()


def test_it_never_shows_a_secret(admin: Client) -> None:
    github_receiver(secret="a secret that nobody may see")
    assert "nobody may see" not in admin.get("/settings").content.decode()


def test_it_leads_only_admins_to_the_admin(admin: Client, operator: Client) -> None:
    assert 'href="/admin/"' in admin.get("/settings").content.decode()
    page = operator.get("/settings").content.decode()
    assert "/admin/" not in page
    assert "Only an admin can change" in page


@pytest.mark.parametrize("theme", ["light", "dark", "system"])
def test_it_keeps_the_colours_that_somebody_chose(viewer: Client, theme: str) -> None:
    viewer.post("/settings/theme", {"theme": theme})
    for path in ("/", "/settings"):
        assert f'data-theme="{theme}"' in viewer.get(path).content.decode()


def test_it_keeps_no_other_colours(viewer: Client) -> None:
    viewer.post("/settings/theme", {"theme": '"><script>'})
    assert 'data-theme="system"' in viewer.get("/").content.decode()
    viewer.cookies["dockrev_theme"] = "pink"
    assert 'data-theme="system"' in viewer.get("/").content.decode()


def test_it_names_the_person_and_the_role(operator: Client) -> None:
    assert "Signed in as operator , role operator." in settings_page(operator)
