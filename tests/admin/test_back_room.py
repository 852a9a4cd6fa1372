"""The admin: records are read, settings are edited by the forms that the API has."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from checks.models import IgnoreRule, Job, Registry
from dockrev.fields import MASK
from dockrev.models import ApiToken
from integrations.models import Delivery, DeliveryPart, HookAccount, HookTarget, Receiver
from notifications import announce
from notifications.models import Channel, Notification
from tests.pages.rows import candidate, delivery, job
from tests.people import Program, person
from tests.rows import github_receiver, service

pytestmark = pytest.mark.django_db
SECRET = "made by hand, long enough"
OURS = ("dockrev", "checks", "integrations", "notifications")


@pytest.fixture
def back_room() -> Client:
    client = Client()
    client.force_login(person("admin"))
    return client


def _form(client: Client, path: str) -> dict[str, Any]:
    """The fields of a page as a browser would send them back untouched."""
    form = client.get(path).context["adminform"].form
    found = {}
    for field in form:
        value = field.value()
        kind = getattr(field.field.widget, "input_type", "")
        if kind == "password" or value in (None, False):
            continue
        found[field.html_name] = "on" if value is True else value
    return found


def _some_delivery() -> Delivery:
    return delivery(github_receiver())


def _some_notification() -> Notification:
    channel = Channel.objects.create(kind="webhook", name="Chat", config="{}")
    return Notification.objects.create(
        channel=channel, kind="x", group_key="x", status="failed", created_at=timezone.now()
    )


def test_it_registers_every_model_of_ours() -> None:
    missing = [
        model.__name__
        for app in OURS
        for model in apps.get_app_config(app).get_models()
        if model not in admin.site._registry
    ]
    assert missing == []


def test_it_offers_one_way_to_schedule(back_room: Client) -> None:
    index = back_room.get("/admin/").content.decode()
    assert "/admin/dockrev/schedule/" in index
    assert "/admin/django_q/schedule/" not in index


@pytest.mark.parametrize("app", OURS)
def test_it_opens_every_list_and_every_form(back_room: Client, app: str) -> None:
    service()
    job()
    kept = delivery(github_receiver())
    DeliveryPart.objects.create(receiver=kept.receiver, delivery=kept, key="event-1")
    for model in apps.get_app_config(app).get_models():
        base = f"/admin/{app}/{model._meta.model_name}/"
        assert back_room.get(base).status_code == 200, base
        assert back_room.get(f"{base}add/").status_code in (200, 403), base
        row = model._default_manager.first()
        if row is not None:
            assert back_room.get(f"{base}{row.pk}/change/").status_code == 200, base


@pytest.mark.parametrize("model", [Job, Delivery, Notification])
def test_it_changes_no_record(back_room: Client, model: Any) -> None:
    base = f"/admin/{model._meta.label_lower.replace('.', '/')}/"
    for make in (job, _some_delivery, _some_notification):
        make()
    row = model.objects.get()
    for path in (f"{base}add/", f"{base}{row.pk}/change/", f"{base}{row.pk}/delete/"):
        assert back_room.post(path, {"post": "yes"}).status_code == 403, path
    assert model.objects.filter(pk=row.pk).exists()


def test_it_sets_a_receiver_up_and_never_shows_its_secret(back_room: Client) -> None:
    row = Receiver.objects.get(kind="github-packages")
    path = f"/admin/integrations/receiver/{row.pk}/change/"
    assert back_room.post(path, {**_form(back_room, path), "enabled": "on"}).status_code == 200
    given = {**_form(back_room, path), "enabled": "on", "secret": SECRET}
    assert back_room.post(path, given).status_code == 302
    row.refresh_from_db()
    assert (row.enabled, row.secret) == (True, SECRET)
    since = row.secret_created_at
    assert since is not None
    assert SECRET not in back_room.get(path).content.decode()
    Receiver.objects.update(rejected_count=5)
    for kept in ("", MASK):
        assert back_room.post(path, {**_form(back_room, path), "secret": kept}).status_code == 302
    row.refresh_from_db()
    assert (row.secret, row.secret_created_at, row.rejected_count) == (SECRET, since, 5)


@pytest.mark.parametrize(
    "typed",
    [
        '{"a": 1e999}',
        '{"a": NaN}',
        '{"a": "\\u0000"}',
        '{"a": "\\ud800"}',
        '{"a": "' + "b" * 30_000 + '"}',
        '{"a": ' * 30 + "1" + "}" * 30,
        "[" * 9000,
        "1" * 5000,
        "[1]",
        "{",
    ],
)
@pytest.mark.parametrize("field", ["options", "config"])
def test_it_refuses_json_that_cannot_be_kept(back_room: Client, field: str, typed: str) -> None:
    row: Any = Receiver.objects.get(kind="github-packages")
    path = f"/admin/integrations/receiver/{row.pk}/change/"
    if field == "config":
        row = Channel.objects.create(kind="webhook", name="Chat", config="{}")
        path = f"/admin/notifications/channel/{row.pk}/change/"
    answer = back_room.post(path, {**_form(back_room, path), "name": "Other", field: typed})
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    row.refresh_from_db()
    assert row.name != "Other"


def test_it_tracks_a_repository_as_it_is_typed(back_room: Client) -> None:
    account = HookAccount.objects.get()
    path = "/admin/integrations/hooktarget/add/"
    given = {"account": account.pk, "full_name": "https://github.com/acme/api", "selected": "on"}
    assert back_room.post(path, given).status_code == 302
    assert HookTarget.objects.get().full_name == "acme/api"
    for wrong in ("acme", "a b/c", "ACME/API"):  # the last one is there already
        assert back_room.post(path, {**given, "full_name": wrong}).status_code == 200, wrong
    assert HookTarget.objects.count() == 1


def test_it_renames_a_tracked_repository_for_the_matcher_too(back_room: Client) -> None:
    row = HookTarget.objects.create(account=HookAccount.objects.get(), full_name="acme/api")
    path = f"/admin/integrations/hooktarget/{row.pk}/change/"
    given = {**_form(back_room, path), "full_name": "Other/One"}
    assert back_room.post(path, given).status_code == 302
    row.refresh_from_db()
    assert (row.full_name, row.name_key, row.owner_key) == ("Other/One", "other/one", "other")


def test_it_keeps_a_repository_until_its_hook_is_gone(back_room: Client) -> None:
    account = HookAccount.objects.get()
    row = HookTarget.objects.create(account=account, full_name="acme/api", hook_id="7")
    base = "/admin/integrations/hooktarget/"
    change = f"{base}{row.pk}/change/"
    moved = {**_form(back_room, change), "full_name": "acme/web"}
    assert back_room.post(change, moved).status_code == 200
    assert back_room.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 302
    row.refresh_from_db()
    assert (row.full_name, row.removed, row.selected) == ("acme/api", True, False)
    given = {"account": account.pk, "full_name": "ACME/api", "selected": "on"}
    assert back_room.post(f"{base}add/", given).status_code == 302
    row.refresh_from_db()
    assert (row.removed, row.selected, row.hook_id) == (False, True, "7")
    assert HookTarget.objects.count() == 1


def _deleted(client: Client, row: Any) -> bool:
    """Whether it is gone, after its page and the list were asked to delete it."""
    base = f"/admin/{row._meta.label_lower.replace('.', '/')}/"
    client.post(f"{base}{row.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    client.post(base, chosen)
    return not type(row).objects.filter(pk=row.pk).exists()


class TestWhatStays:
    """What the pages and the API refuse to delete or to add, the admin does, too."""

    def test_the_first_receiver_of_a_kind(self, back_room: Client) -> None:
        first = Receiver.objects.get(kind="quay")
        second = Receiver.objects.create(kind="quay", name="Second")
        assert not _deleted(back_room, first)
        assert _deleted(back_room, second)

    def test_a_receiver_that_an_account_needs(self, back_room: Client) -> None:
        second = Receiver.objects.create(kind="quay", name="Second")
        account = HookAccount.objects.create(provider="quay", name="Quay", receiver=second)
        assert not _deleted(back_room, second)
        assert _deleted(back_room, account)
        assert _deleted(back_room, second)

    def test_the_account_of_github(self, back_room: Client) -> None:
        assert not _deleted(back_room, HookAccount.objects.get())

    def test_an_account_with_hooks(self, back_room: Client) -> None:
        receiver = Receiver.objects.get(kind="quay")
        account = HookAccount.objects.create(provider="quay", name="Quay", receiver=receiver)
        target = HookTarget.objects.create(account=account, full_name="acme/api", hook_id="7")
        assert not _deleted(back_room, account)
        HookTarget.objects.filter(pk=target.pk).update(hook_id="")
        assert _deleted(back_room, account)

    def test_one_account_of_github(self, back_room: Client) -> None:
        path = "/admin/integrations/hookaccount/add/"
        receiver = github_receiver()
        given = {**_form(back_room, path), "receiver": receiver.pk, "name": "Second"}
        assert back_room.post(path, {**given, "provider": "github"}).status_code == 200
        assert HookAccount.objects.count() == 1
        second = HookAccount.objects.create(provider="github", name="Second", receiver=receiver)
        assert back_room.get("/settings/github-packages").status_code == 200
        assert _deleted(back_room, second)


def test_it_tries_a_token_once_that_is_saved(
    back_room: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    account = HookAccount.objects.get()
    path = f"/admin/integrations/hookaccount/{account.pk}/change/"
    given = {**_form(back_room, path), "credential": "ghp_token"}
    with django_capture_on_commit_callbacks(execute=True):
        assert back_room.post(path, given).status_code == 302
    account.refresh_from_db()
    assert account.credential_report["state"] == "untried"
    moved = {**_form(back_room, path), "api_url": "https://ghe.example"}
    assert back_room.post(path, moved).status_code == 200
    account.refresh_from_db()
    assert account.api_url == ""


def test_it_keeps_a_token_and_a_password_that_are_not_typed_again(back_room: Client) -> None:
    account = HookAccount.objects.get()
    account.credential = "ghp_token"
    account.save(update_fields=["credential"])
    registry = Registry.objects.create(host="registry.example", password="private")
    for row in (account, registry):
        path = f"/admin/{row._meta.label_lower.replace('.', '/')}/{row.pk}/change/"
        page = back_room.get(path).content.decode()
        assert "ghp_token" not in page
        assert "private" not in page
        assert back_room.post(path, _form(back_room, path)).status_code == 302
    account.refresh_from_db()
    registry.refresh_from_db()
    assert (account.credential, registry.password) == ("ghp_token", "private")


def test_it_has_a_new_channel_hear_of_everything(back_room: Client) -> None:
    page = back_room.get("/admin/notifications/channel/add/").content.decode()
    for event in announce.EVENTS:
        assert re.search(rf'value="{event}"[^>]* checked', page)


def test_it_makes_and_edits_a_channel_without_showing_its_secrets(back_room: Client) -> None:
    given = {
        "kind": "webhook",
        "name": "Chat",
        "enabled": "on",
        "events": ["new_version_discovered"],
        "stack_ids": "[]",
        "config": json.dumps({"url": "https://hooks.example/T00/part", "secret": "shared one"}),
    }
    assert back_room.post("/admin/notifications/channel/add/", given).status_code == 302
    row = Channel.objects.get()
    path = f"/admin/notifications/channel/{row.pk}/change/"
    page = back_room.get(path).content.decode()
    assert "shared one" not in page
    assert "T00" not in page
    assert back_room.post(path, {**_form(back_room, path), "name": "Room"}).status_code == 302
    row.refresh_from_db()
    assert row.name == "Room"
    assert row.settings == {"url": "https://hooks.example/T00/part", "secret": "shared one"}
    elsewhere = {"url": "https://other.example/", "secret": MASK}
    asked = back_room.post(path, {**given, "config": json.dumps(elsewhere)})
    assert "The URL leads to another server now" in asked.content.decode()
    wrong = back_room.post(path, {**given, "config": '{"url": "file:///etc/passwd"}'})
    assert wrong.status_code == 200


def test_it_runs_again_replays_and_sends_again(back_room: Client) -> None:
    def act(model: Any, action: str, pk: str) -> None:
        base = f"/admin/{model._meta.label_lower.replace('.', '/')}/"
        response = back_room.post(base, {"action": action, "_selected_action": pk})
        assert response.status_code == 302

    act(Job, "run_again", job("discovery", scope="all", dedupe_key="old").pk)
    assert Job.objects.filter(kind="discovery", status="queued", created_by="admin").exists()
    row = delivery(github_receiver())
    act(Delivery, "replay", row.pk)
    row.refresh_from_db()
    assert row.attempts == 2
    sent = _some_notification()
    act(Notification, "send_again", sent.pk)
    sent.refresh_from_db()
    assert sent.status == "waiting"


def test_it_takes_a_token_away(back_room: Client) -> None:
    row, token = ApiToken.issue(person("viewer"), name="CI", expires_at=None)
    path = f"/admin/dockrev/apitoken/{row.pk}/"
    assert token not in back_room.get(f"{path}change/").content.decode()
    assert back_room.post(f"{path}delete/", {"post": "yes"}).status_code == 302
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("path", ["/admin/checks/job/", "/admin/integrations/delivery/"])
def test_it_asks_the_database_as_often_for_thirty_as_for_three(
    back_room: Client, path: str
) -> None:
    receiver = Receiver.objects.get(kind="github-packages")

    def queries(number: int) -> int:
        for _ in range(number):
            job()
            delivery(receiver)
        with CaptureQueriesContext(connection) as captured:
            back_room.get(path)
        return len(captured)

    queries(1)
    assert queries(3) == queries(30)


def test_it_hides_by_rules_made_in_the_admin_and_shows_again(back_room: Client) -> None:
    row = service()
    candidate(row, tag="1.3.0")
    path = "/admin/checks/ignorerule/"
    filled = {"scope": "all", "kind": "regex", "value": "1.3(", "enabled": "on"}
    page = back_room.post(f"{path}add/", filled)
    assert "cannot be read from character 4 on" in page.content.decode()
    assert back_room.post(f"{path}add/", {**filled, "value": "1.3"}).status_code == 302
    row.refresh_from_db()
    rule = IgnoreRule.objects.get()
    assert (row.status, rule.created_by) == ("ignored", "admin")
    chosen = {"action": "delete_selected", "_selected_action": rule.pk, "post": "yes"}
    assert back_room.post(path, chosen).status_code == 302
    row.refresh_from_db()
    assert (row.status, IgnoreRule.objects.count()) == ("update_available", 0)


class TestTokensInCallbackUrls:
    """Whoever pastes the address as a receiver shows it pastes the secret, which is kept there."""

    PLACE = "https://dockrev.example.com/api/webhooks/quay"
    TOKENS = ("of-the-first-receiver", "of-the-second-receiver")

    @pytest.mark.parametrize("last", [*TOKENS, "••••"])
    def test_none_is_kept(self, back_room: Client, last: str) -> None:
        first, second = (
            Receiver.objects.get(kind="quay"),
            Receiver(kind="quay", name="Second"),
        )
        for row, token in zip((first, second), self.TOKENS, strict=True):
            row.secret = token
            row.save()
        path = "/admin/integrations/hookaccount/add/"
        given = {"provider": "quay", "receiver": first.pk, "name": "Quay", "verify_tls": "on"}
        given["callback_url"] = f"{self.PLACE}/{last}/"
        assert back_room.post(path, given).status_code == 302
        account = HookAccount.objects.get(provider="quay")
        assert account.callback_url == self.PLACE
        account.callback_url = ""
        account.save(update_fields=["callback_url"])
        moved = {"callbackUrl": f"{self.PLACE}/{last}"}
        api = Program(person("admin", name="program"))
        answer = api.patch(f"/api/hook-accounts/{account.pk}", moved)
        assert answer.json()["callbackUrl"] == f"{self.PLACE}/••••"
        account.refresh_from_db()
        assert account.callback_url == self.PLACE
