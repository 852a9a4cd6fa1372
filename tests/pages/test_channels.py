"""Settings, Notification channels: what the pages say, and what their buttons do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Host, Stack
from dockrev import switches
from dockrev.fields import MASK
from notifications import announce, push_keys, trying
from notifications.channels import TRANSPORTS
from notifications.models import Channel, Notification
from tests.pages.test_overview import text_of
from tests.people import Program
from tests.sink import Sink, sink

pytestmark = pytest.mark.django_db
PAGE = "/settings/channels"
NEW = f"{PAGE}/new/webhook"
URL = "https://hooks.example/path-token/of-a-room"
SECRETS = {
    "url": URL,
    "secret": "signing-secret",
    "headers": {"Authorization": "Bearer header-secret", "X-Team": "home-secret"},
}
GIVEN: dict[str, Any] = {
    "name": "Chat",
    "enabled": "on",
    "events": [announce.NEW_VERSION],
    "stacks": "all",
    "config-url": URL,
}


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


def channel(**fields: Any) -> Channel:
    config = json.dumps(fields.pop("config", SECRETS))
    known = {"kind": "webhook", "name": "Chat", "events": list(announce.EVENTS), **fields}
    return Channel.objects.create(config=config, **known)


def stack(name: str = "shop", host: str = "local") -> Stack:
    owner, _ = Host.objects.get_or_create(name=host)
    return Stack.objects.create(host=owner, name=name, source=Stack.Source.ENGINE)


def note(row: Channel, kind: str, status: str = "sent", **fields: Any) -> Notification:
    known = {"created_at": timezone.now(), **fields}
    return Notification.objects.create(channel=row, kind=kind, status=status, **known)


def place_of(row: Channel) -> str:
    return f"{PAGE}/{row.pk}"


def page(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def save(client: Client, row: Channel, **changes: Any) -> Any:
    """What a browser sends of the page of a channel, with these changes."""
    given = {
        "name": row.name,
        "enabled": "on" if row.enabled else "",
        "events": row.events,
        "stacks": "some" if row.stack_ids else "all",
        "stack": row.stack_ids,
        "config-headers-name": list(row.settings.get("headers", {})),
        "config-headers-value": ["" for _each in row.settings.get("headers", {})],
        **changes,
    }
    return client.post(place_of(row), given)


class TestTheList:
    def test_it_says_what_to_do_where_there_is_none(self, admin: Client, viewer: Client) -> None:
        assert "Nobody is told of anything." in page(admin)
        assert f'href="{PAGE}/new"' in admin.get(PAGE).content.decode()
        assert "An admin can add one." in page(viewer)
        assert f'href="{PAGE}/new"' not in viewer.get(PAGE).content.decode()

    def test_it_says_how_each_is(self, admin: Client) -> None:
        kept = stack()
        channel(name="Fine", last_sent_at=timezone.now(), stack_ids=[kept.pk])
        channel(name="New", events=[])
        channel(name="Failing", last_error="It answered 503.")
        channel(name="Gone", enabled=False, disabled_reason="It answered 410 Gone.")
        channel(name="Off", enabled=False, stack_ids=[kept.pk, "stk_gone"])
        said = page(admin)
        assert "on Fine Webhook everything shop just now" in said
        assert "on, nothing sent yet New Webhook nothing all stacks nothing sent yet" in said
        assert "failing Failing Webhook It answered 503. everything all stacks" in said
        assert "switched off Gone Webhook It answered 410 Gone." in said
        assert "off Off Webhook everything 2 stacks" in said

    def test_it_lists_them_by_name_in_any_case(self, admin: Client) -> None:
        for name in ("Web", "all of us", "Mail"):
            channel(name=name)
        said = page(admin)
        assert said.index("all of us") < said.index("Mail") < said.index("Web Webhook")

    def test_it_shows_viewers_no_more_than_the_list(self, viewer: Client) -> None:
        row = channel()
        source = viewer.get(PAGE).content.decode().split('<main id="main"')[1]
        assert "Chat" in source
        assert "<form" not in source
        assert "<input" not in source
        assert viewer.get(place_of(row)).status_code == 403

    def test_it_asks_the_database_as_often_for_thirty_as_for_three(self, admin: Client) -> None:
        def queries(number: int) -> list[str]:
            for index in range(number):
                channel(stack_ids=[stack(f"of {index} in {number}").pk])
            admin.get(PAGE)
            with CaptureQueriesContext(connection) as captured:
                admin.get(PAGE)
            return [query["sql"] for query in captured]

        few, many = queries(3), queries(30)
        assert len(many) == len(few), many
        assert not any('"config"' in sql for sql in many)


class TestSeveral:
    def test_it_switches_those_that_are_ticked(self, admin: Client) -> None:
        one, two, three = (channel(name=name) for name in ("One", "Two", "Three"))
        Channel.objects.filter(pk=two.pk).update(enabled=False, disabled_reason="410")
        change = f"{PAGE}/change"
        done = admin.post(change, {"channel": [one.pk, three.pk], "act": "disable"}, follow=True)
        assert "2 channels are off." in text_of(done.content)
        assert not Channel.objects.filter(enabled=True).exists()
        done = admin.post(change, {"channel": [two.pk], "act": "enable"}, follow=True)
        assert "Two is on." in text_of(done.content)
        two.refresh_from_db()
        assert (two.enabled, two.disabled_reason) == (True, "")

    def test_it_asks_before_it_deletes(self, admin: Client) -> None:
        one, two = channel(name="One"), channel(name="Two")
        note(one, announce.NEW_VERSION)
        note(two, announce.NEW_VERSION, "waiting", next_attempt_at=timezone.now())
        given = {"channel": [one.pk, two.pk], "act": "delete"}
        asked = text_of(admin.post(f"{PAGE}/change", given).content)
        assert "Delete 2 channels?" in asked
        assert "2 messages in the history 1 of them was not sent yet, and will not be" in asked
        assert Channel.objects.count() == 2
        done = admin.post(f"{PAGE}/change", {**given, "sure": "yes"}, follow=True)
        assert "2 channels are deleted." in text_of(done.content)
        assert not Channel.objects.exists()

    @pytest.mark.parametrize(
        "given",
        [
            {"act": "disable"},
            {"act": "delete", "sure": "yes", "channel": ["\0", "chn_nobody"]},
            {"act": "burn", "channel": "the one"},
        ],
    )
    def test_it_does_nothing_to_nobody(self, admin: Client, given: dict[str, Any]) -> None:
        row = channel()
        chosen = {"channel": row.pk} if given.get("channel") == "the one" else {}
        done = admin.post(f"{PAGE}/change", {**given, **chosen}, follow=True)
        assert "Tick the channels first." in text_of(done.content)
        assert Channel.objects.get() == row


class TestAdding:
    def test_it_offers_every_kind_with_a_sentence(self, admin: Client) -> None:
        said = page(admin, f"{PAGE}/new")
        for kind, transport in TRANSPORTS.items():
            assert transport.about, kind
            assert f"{transport.label} {transport.about}" in said
            assert (settings.BASE_DIR / "docs" / transport.docs).is_file()
            assert admin.get(f"{PAGE}/new/{kind}").status_code == 200
        assert admin.get(f"{PAGE}/new/pigeon").status_code == 404

    def test_it_makes_a_channel(self, admin: Client) -> None:
        shop, other = stack(), stack("other")
        response = admin.post(
            NEW,
            {
                **GIVEN,
                "stacks": "some",
                "stack": [shop.pk],
                "language": "en",
                "config-secret": "signing-secret",
                "config-headers-name": ["Authorization", " X-Team ", ""],
                "config-headers-value": ["Bearer x", "home", ""],
            },
        )
        row = Channel.objects.get()
        assert response["Location"] == place_of(row)
        assert (row.name, row.enabled, row.language) == ("Chat", True, "en")
        assert (row.events, row.stack_ids) == ([announce.NEW_VERSION], [shop.pk])
        assert row.settings == {
            "url": URL,
            "secret": "signing-secret",
            "headers": {"Authorization": "Bearer x", "X-Team": "home"},
        }
        source = admin.get(place_of(row)).content.decode()
        assert f'value="{shop.pk}" checked' in source
        assert f'value="{other.pk}" checked' not in source
        assert "Chat is saved. Send it a test." in text_of(source.encode())

    def test_it_makes_one_that_deploys(self, admin: Client) -> None:
        given = {**GIVEN, "events": list(announce.EVENTS), "config-secret": "of doco-cd"}
        admin.post(f"{PAGE}/new/doco-cd", given)
        row = Channel.objects.get()
        assert set(row.events) == set(announce.OF_IMAGES)
        assert "Receivers that fell silent" not in page(admin, place_of(row))

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"name": ""}, "Name : This field is required."),
            ({"config-url": ""}, "URL : This field is required."),
            ({"config-url": "nowhere"}, "URL : Enter a valid URL."),
            ({"events": ["nothing"]}, "Messages : Select a valid choice."),
            ({"language": "xx"}, "Language : Select a valid choice."),
            ({"stacks": "some"}, "Stacks : Choose a stack, or all of them."),
            ({"stacks": "some", "stack": ["stk\0"]}, "Stacks : List the ids of stacks."),
            ({"name": "a\0b"}, "Name : Null characters are not allowed."),
            ({"quiet_from": "22:00"}, "Quiet hours have a beginning and an end."),
            (
                {"config-headers-name": ["X Y"], "config-headers-value": ["v"]},
                "Headers : A header has a name and a value in plain ASCII.",
            ),
            (
                {"config-headers-name": ["X"], "config-headers-value": [""]},
                "Headers : Enter the value of X.",
            ),
            (
                {"config-headers-name": ["Host"], "config-headers-value": ["a"]},
                "Headers : Dockrev sets Host itself.",
            ),
            (
                {"config-headers-name": ["X-A", "x-a"], "config-headers-value": ["a", "b"]},
                "Headers : Name each header once.",
            ),
            (
                {
                    "config-headers-name": [f"X-{n}" for n in range(30)],
                    "config-headers-value": ["v"] * 30,
                },
                "at most 20 headers.",
            ),
        ],
    )
    def test_it_says_what_is_wrong_and_where(
        self, admin: Client, changes: dict[str, Any], said: str
    ) -> None:
        given = {**GIVEN, "config-secret": "typed in vain", **changes}
        response = admin.post(NEW, given)
        assert response.status_code == 422
        text = text_of(response.content)
        assert "Nothing was saved." in text
        assert said in text
        assert "Type it again: secrets are not kept in a form." in text
        assert "typed in vain" not in response.content.decode()
        assert not Channel.objects.exists()

    def test_it_says_all_that_is_wrong_at_once(self, admin: Client) -> None:
        response = admin.post(NEW, {**GIVEN, "name": "", "config-url": "", "stacks": "some"})
        assert text_of(response.content).count("This field is required.") == 4
        assert "Choose a stack" in text_of(response.content)


class TestEditing:
    def test_it_says_which_kinds_are_off_for_all(self, admin: Client) -> None:
        switches.change({announce.SILENCE: False})
        assert "Receivers that fell silent switched off for all" in page(admin, NEW)

    def test_it_keeps_quiet_hours(self, admin: Client) -> None:
        row = channel()
        hours = {"quiet_from": "22:00", "quiet_to": "07:00", "quiet_days": ["mon", "tue"]}
        save(admin, row, **hours)
        row.refresh_from_db()
        assert (str(row.quiet_from), str(row.quiet_to)) == ("22:00:00", "07:00:00")
        assert row.quiet_days == ["mon", "tue"]
        assert 'value="22:00"' in admin.get(place_of(row)).content.decode()

    def test_it_takes_the_fields_of_the_service_that_is_chosen(self, admin: Client) -> None:
        given = {**GIVEN, "config-server": "https://ntfy.example", "config-topic": "dockrev"}
        admin.post(f"{PAGE}/new/apprise?service=ntfy", given)
        row = Channel.objects.get()
        assert row.settings == {"url": "ntfys://ntfy.example/dockrev"}
        said = page(admin, place_of(row))
        assert f"Stored now ntfys://{MASK}" in said
        assert "Topic" in said
        save(admin, row, name="Renamed")
        row.refresh_from_db()
        assert (row.name, row.settings["url"]) == ("Renamed", "ntfys://ntfy.example/dockrev")

    def test_it_keeps_the_password_of_a_mail_server(self, admin: Client) -> None:
        fields = {"config-server": "mail.example", "config-user": "ann", "config-to": "a@b.example"}
        given = {**GIVEN, **fields, "config-password": "of-the-server"}
        admin.post(f"{PAGE}/new/email", given)
        row = Channel.objects.get()
        stored = row.settings
        assert "of-the-server" in stored["smtpUrl"]
        save(admin, row, name="Renamed", **fields)
        row.refresh_from_db()
        assert (row.name, row.settings) == ("Renamed", stored)

    def test_it_warns_where_certificates_are_not_checked(self, admin: Client) -> None:
        row = channel()
        assert "certificate is not checked" not in page(admin, place_of(row))
        save(admin, row, **{"config-verify": "false"})
        row.refresh_from_db()
        assert row.settings["verify"] is False
        assert "The server's certificate is not checked" in page(admin, place_of(row))

    def test_it_keeps_what_nobody_touches(self, admin: Client) -> None:
        row = channel(language="en")
        assert save(admin, row, name="Room", language="en").status_code == 302
        row.refresh_from_db()
        assert (row.name, row.settings, row.language) == ("Room", SECRETS, "en")

    def test_it_replaces_and_removes_secrets(self, admin: Client) -> None:
        row = channel()
        save(admin, row, **{"config-secret": "another", "config-url": "https://hooks.example/b"})
        row.refresh_from_db()
        assert row.settings == {**SECRETS, "secret": "another", "url": "https://hooks.example/b"}
        names, values = ["", "X-Team", "X-New"], ["", "", "new"]
        headers = {"config-headers-name": names, "config-headers-value": values}
        save(admin, row, **{"config-secret-remove": "on", **headers})
        row.refresh_from_db()
        assert "secret" not in row.settings
        assert row.settings["headers"] == {"X-Team": "home-secret", "X-New": "new"}

    def test_it_asks_for_secrets_again_where_they_would_go_elsewhere(self, admin: Client) -> None:
        row = channel()
        response = save(admin, row, **{"config-url": "https://other.example/"})
        assert response.status_code == 422
        said = text_of(response.content)
        assert said.count("The URL leads to another server now: enter this again") == 4
        row.refresh_from_db()
        assert row.settings == SECRETS

    def test_it_keeps_stacks_that_went_away_while_they_are_ticked(self, admin: Client) -> None:
        row = channel(stack_ids=["stk_gone"])
        assert "No longer there stk_gone" in page(admin, place_of(row))
        save(admin, row)
        row.refresh_from_db()
        assert row.stack_ids == ["stk_gone"]
        save(admin, row, stacks="all")
        row.refresh_from_db()
        assert row.stack_ids == []

    def test_it_switches_on_again_without_the_old_reason(self, admin: Client) -> None:
        row = channel(enabled=False, disabled_reason="It answered 410 Gone.")
        assert "It was switched off: It answered 410 Gone." in page(admin, place_of(row))
        save(admin, row, enabled="on")
        row.refresh_from_db()
        assert (row.enabled, row.disabled_reason) == (True, "")

    def test_it_asks_for_all_of_it_where_it_cannot_be_read(self, admin: Client) -> None:
        row = channel()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE notifications_channel SET config = 'not encrypted by us'")
        assert "cannot be read with the present key" in page(admin, place_of(row))
        assert page(admin)
        response = admin.post(place_of(row), {**GIVEN, "config-url": "https://new.example/"})
        assert response.status_code == 302
        assert Channel.objects.get().settings == {"url": "https://new.example/"}

    def test_it_groups_stacks_by_host(self, admin: Client) -> None:
        stack("web", "nas")
        stack("shop")
        gone = stack("put-away")
        Stack.objects.filter(pk=gone.pk).update(archived_at=timezone.now())
        said = page(admin, NEW)
        assert "local shop nas web" in said
        assert "put-away" not in said
        row = channel(stack_ids=[gone.pk])
        assert "put-away archived" in page(admin, place_of(row))


class TestWhatWasSentLast:
    def test_it_says_when_and_what_became_of_it(self, admin: Client) -> None:
        row = channel(events=[announce.NEW_VERSION, announce.SILENCE])
        with time_machine.travel(timezone.now() - timedelta(hours=1)):
            note(row, announce.NEW_VERSION, "failed", error="It answered 500.")
        note(row, announce.NEW_VERSION, sent_at=timezone.now())
        note(row, announce.ANOMALY, "failed", error="It answered 503.")
        note(channel(name="Other"), announce.SILENCE)
        said = page(admin, place_of(row))
        source = admin.get(place_of(row)).content.decode()
        history = f"/settings/notifications?channel={row.pk}&amp;kind={announce.ANOMALY}"
        assert f'href="{history}"' in source
        last = said.partition("What was sent last")[2]
        assert "Newer images sent Example newer images just now" in last
        assert "Receivers that fell silent nothing yet" in last
        assert "Webhooks that need attention failed: It answered 503. , not chosen any more" in last

    def test_it_asks_the_database_as_often_for_thirty_as_for_three(self, admin: Client) -> None:
        row = channel()

        def queries(number: int) -> list[str]:
            for index in range(number):
                note(row, list(announce.EVENTS)[index % len(announce.EVENTS)])
            admin.get(place_of(row))
            with CaptureQueriesContext(connection) as captured:
                admin.get(place_of(row))
            return [query["sql"] for query in captured]

        few, many = queries(4), queries(40)
        assert len(many) == len(few), many


class TestATest:
    def test_it_says_what_came_of_it(self, admin: Client, place: Sink) -> None:
        row = channel(enabled=False, config={"url": place.url})
        said = text_of(admin.post(f"{place_of(row)}/test").content)
        assert "It was taken. Answer 204, after" in said
        assert place.received[0].json["kind"] == "notification_test"
        place.answers = [403]
        said = text_of(admin.post(f"{place_of(row)}/test").content)
        assert "It was not taken. It answered 403." in said

    def test_it_sends_an_example_that_says_so(self, admin: Client, place: Sink) -> None:
        row = channel(config={"url": place.url, "secret": "s"})
        given = {"kind": announce.ANOMALY}
        said = text_of(admin.post(f"{place_of(row)}/test", given).content)
        assert "It was taken." in said
        [received] = place.received
        assert received.headers["X-Dockrev-Test"] == "true"
        assert received.headers["X-Dockrev-Event"] == announce.ANOMALY
        assert received.headers["X-Dockrev-Delivery"] == f"ntf_example_{announce.ANOMALY}"
        assert received.json["debug"]["source"] == "example"
        assert received.json["kind"] == announce.ANOMALY
        assert admin.post(f"{place_of(row)}/test", {"kind": "nothing"}).status_code == 404

    def test_it_deploys_nothing(self, admin: Client, place: Sink) -> None:
        row = channel(kind="doco-cd", config={"url": place.url, "secret": "s"})
        admin.post(f"{place_of(row)}/test", {"kind": announce.NEW_VERSION})
        assert place.received[0].json["artifact"] == "dockrev.invalid/test:test"

    def test_it_has_a_limit(self, admin: Client, place: Sink) -> None:
        row = channel(config={"url": place.url})
        for _one in range(trying.MOST + 2):
            said = text_of(admin.post(f"{place_of(row)}/test").content)
        assert "There were many tests in a minute. Wait a little." in said
        assert len(place.received) == trying.MOST

    def test_it_says_so_where_what_is_stored_cannot_be_read(self, admin: Client) -> None:
        row = channel()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE notifications_channel SET config = 'not encrypted by us'")
        said = text_of(admin.post(f"{place_of(row)}/test").content)
        assert "This secret cannot be read with the present key." in said


class TestExamples:
    @pytest.mark.parametrize("kind", list(announce.EVENTS))
    def test_it_shows_each_kind_as_it_is_posted(self, admin: Client, kind: str) -> None:
        row = channel()
        source = admin.get(f"{place_of(row)}/examples?kind={kind}").content.decode()
        said = text_of(source.encode())
        assert f"X-Dockrev-Event {kind}" in said
        assert "X-Dockrev-Signature-256 sha256=••••" in said
        assert f"Authorization {MASK}" in said
        assert "&quot;schema&quot;: &quot;dockrev.notification." in source

    def test_it_shows_what_is_sent(self, admin: Client, place: Sink) -> None:
        row = channel(config={"url": place.url})
        kind = announce.NEW_VERSION
        shown = admin.get(f"{place_of(row)}/examples?kind={kind}").context["shown"]
        admin.post(f"{place_of(row)}/test", {"kind": kind})
        [received] = place.received
        assert {**received.json, "sentAt": ""} == {**json.loads(shown.body), "sentAt": ""}
        for name, value in shown.headers.items():
            assert received.headers[name] == value

    def test_it_takes_any_kind_for_the_first(self, admin: Client) -> None:
        row = channel(events=[announce.SILENCE])
        for kind in ("nothing", "\0", "a" * 5000):
            shown = admin.get(f"{place_of(row)}/examples", {"kind": kind}).context["kind"]
            assert shown == announce.SILENCE


KEYS = push_keys.generated()


def configs() -> dict[str, dict[str, Any]]:
    """A configuration of each kind, whose secrets all have the word in them."""
    return {
        "webhook": SECRETS,
        "doco-cd": {"url": URL, "secret": "signing-secret"},
        "telegram": {
            "botToken": "1234567:path-token-secret",
            "chatId": "-1",
            "apiUrl": "https://127.0.0.1:9",
        },
        "email": {"smtpUrl": "smtp://ann:path-token-secret@127.0.0.1:9?to=ann@home.example"},
        "webpush": {
            "vapidPublicKey": KEYS.public,
            "vapidPrivateKey": KEYS.private,
            "subject": "mailto:ann@home.example",
        },
        "apprise": {"url": "json://127.0.0.1:9/path-token-secret"},
    }


@pytest.mark.parametrize("kind", list(TRANSPORTS))
def test_it_never_shows_a_secret(admin: Client, kind: str) -> None:
    """On no page, in no answer, and in nothing that a form brings back."""
    row = channel(kind=kind, config=configs()[kind])
    program = Program(User.objects.get(username="admin"))
    paths = [
        *("/settings", PAGE, place_of(row), f"{PAGE}/new/{kind}", "/admin/notifications/channel/"),
        f"/admin/notifications/channel/{row.pk}/change/",
        *(f"{place_of(row)}/examples?kind={event}" for event in announce.EVENTS),
    ]
    answers = [admin.get(path) for path in paths]
    answers += [admin.post(f"{PAGE}/change", {"channel": row.pk, "act": "delete"})]
    answers += [save(admin, row, name=""), admin.post(f"{place_of(row)}/test")]
    api = "/api/notifications/channels"
    answers += [program.get(api), program.get(f"{api}/{row.pk}")]
    answers += [program.patch(f"{api}/{row.pk}", {"name": "x"})]
    answers += [program.get("/api/notifications/examples")]
    for answer in answers:
        assert answer.status_code in (200, 422), answer
        source = answer.content.decode()
        assert "-secret" not in source.replace("config-secret", ""), answer.wsgi_request.path
        assert "path-token" not in source, answer.wsgi_request.path
        assert KEYS.private not in source, answer.wsgi_request.path
