"""Who may subscribe which browser, what is taken from it, and who sees and removes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from dockrev.models import hash_token
from notifications import push_keys, push_subscribing
from notifications.models import Channel
from notifications.push_models import PushSubscription
from tests.people import Program, error_of, person
from tests.push.conftest import SUBSCRIPTIONS, Subscribes, key_of, make_channel, row_of
from tests.push.service import HOST, Browser
from tests.servers import Reply

pytestmark = pytest.mark.django_db
KEY = "/api/web-push/key"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def made(channel: Channel) -> dict[str, Any]:
    return Browser(key_of(channel)).subscription


class TestKey:
    def test_it_is_that_of_the_first_channel_and_of_each(self, program: Program) -> None:
        make_channel("Off", enabled=False)
        first, second = make_channel("First"), make_channel("Second")
        answer = program.get(KEY)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json() == {
            "publicKey": key_of(first),
            "channelId": first.pk,
            "channels": [
                {"id": first.pk, "name": "First", "publicKey": key_of(first)},
                {"id": second.pk, "name": "Second", "publicKey": key_of(second)},
            ],
            "csrfToken": None,
        }
        assert first.settings["vapidPrivateKey"] not in answer.content.decode()

    def test_it_says_that_there_is_none(self, program: Program) -> None:
        error_of(program.get(KEY), 404, "not_found")
        error_of(program.post(SUBSCRIPTIONS, Browser("x").subscription), 404, "not_found")

    def test_it_gives_a_service_worker_what_it_needs_to_write(
        self, channel: Channel, ada: User
    ) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(ada)
        given, json_type = json.dumps(made(channel)), "application/json"
        refused = browser.post(SUBSCRIPTIONS, given, json_type)
        error_of(refused, 403, "permission_denied")
        token = browser.get(KEY).json()["csrfToken"]
        taken = browser.post(SUBSCRIPTIONS, given, json_type, headers={"X-CSRFToken": token})
        assert taken.status_code == 201


class TestSubscribing:
    @pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
    def test_it_keeps_a_browser_for_every_role(self, channel: Channel, role: str) -> None:
        caller, given = Program(person(role, "grace")), made(channel)
        caller.headers["User-Agent"] = FIREFOX
        answer = caller.post(SUBSCRIPTIONS, given)
        row = PushSubscription.objects.get()
        assert answer.status_code == 201
        assert answer.json() == {
            "id": row.pk,
            "channelId": channel.pk,
            "user": "grace",
            "browser": "Firefox on Linux",
            "host": HOST,
            "createdAt": answer.json()["createdAt"],
            "lastSentAt": None,
            "failingSince": None,
            "lastError": None,
        }
        assert (row.endpoint, row.auth) == (given["endpoint"], given["keys"]["auth"])
        assert row.server_key == key_of(channel)
        assert caller.get(SUBSCRIPTIONS).json()["subscriptions"] == [answer.json()]

    def test_it_keeps_the_endpoint_and_the_secret_encrypted(
        self, channel: Channel, program: Program
    ) -> None:
        given = made(channel)
        program.post(SUBSCRIPTIONS, given)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM notifications_pushsubscription")
            stored = str(cursor.fetchall())
        assert given["endpoint"] not in stored
        assert given["keys"]["auth"] not in stored
        assert hash_token(given["endpoint"]) in stored

    def test_it_knows_a_browser_that_comes_again(self, channel: Channel, program: Program) -> None:
        given = made(channel)
        first = program.post(SUBSCRIPTIONS, given)
        again = program.post(SUBSCRIPTIONS, given)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        other = {**given, "keys": Browser("x").subscription["keys"]}
        assert program.post(SUBSCRIPTIONS, other).status_code == 200
        assert PushSubscription.objects.get().auth == other["keys"]["auth"]

    def test_it_subscribes_to_the_channel_that_is_named(self, program: Program) -> None:
        make_channel("First")
        second = make_channel("Second")
        given = {**made(second), "channelId": second.pk, "publicKey": key_of(second)}
        assert program.post(SUBSCRIPTIONS, given).json()["channelId"] == second.pk
        gone = {**given, "channelId": "chn_" + "0" * 26}
        error = error_of(program.post(SUBSCRIPTIONS, gone), 400, "invalid_argument")
        assert error["details"]["field"] == "channelId"

    def test_it_refuses_a_key_that_is_not_the_present_one(
        self, channel: Channel, program: Program
    ) -> None:
        given = {**made(channel), "publicKey": push_keys.generated().public}
        error = error_of(program.post(SUBSCRIPTIONS, given), 409, "conflict")
        assert error["details"]["reason"] == "key_changed"

    def test_it_forgets_what_a_browser_had_before(self, channel: Channel, program: Program) -> None:
        old, new = made(channel), made(channel)
        program.post(SUBSCRIPTIONS, old)
        others = Program(person("viewer", "grace"))
        theirs = made(channel)
        others.post(SUBSCRIPTIONS, theirs)
        program.post(SUBSCRIPTIONS, {**new, "replaces": old["endpoint"]})
        program.post(SUBSCRIPTIONS, {**new, "replaces": theirs["endpoint"]})
        program.post(SUBSCRIPTIONS, {**new, "replaces": new["endpoint"]})
        known = {row.endpoint for row in PushSubscription.objects.all()}
        assert known == {new["endpoint"], theirs["endpoint"]}

    def test_it_lets_a_person_have_so_many_and_all_together_so_many(
        self, channel: Channel, program: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(push_subscribing, "MOST_OF_ONE", 2)
        monkeypatch.setattr(push_subscribing, "MOST", 3)
        first = made(channel)
        for given in (first, made(channel)):
            assert program.post(SUBSCRIPTIONS, given).status_code == 201
        error = error_of(program.post(SUBSCRIPTIONS, made(channel)), 409, "conflict")
        assert error["details"]["reason"] == "too_many"
        assert program.post(SUBSCRIPTIONS, first).status_code == 200
        other = Program(person("viewer", "grace"))
        assert other.post(SUBSCRIPTIONS, made(channel)).status_code == 201
        error_of(other.post(SUBSCRIPTIONS, made(channel)), 409, "conflict")


GOOD = Browser("x").subscription
POINT = GOOD["keys"]["p256dh"]


def off_the_curve() -> str:
    raw = bytearray(push_keys.unpacked(POINT))
    raw[-1] ^= 1
    return push_keys.packed(bytes(raw))


class TestAttackers:
    @pytest.mark.parametrize(
        "endpoint",
        [
            "https://fcm.googleapis.com@evil.example/send/x",
            "https://evil.example:443@fcm.googleapis.com/x",
            "http://push.vendor.example/send/x",
            "https://127.0.0.1/x",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://localhost/x",
            "https://push.vendor.example:8443/x",
            "https://push.vendor.example:22/x",
            "https://push.vendor.example",
            "https://push.vendor.example\\@evil.example/x",
            "https://push.vendor.example/x y",
            "https://push.vendor.example/x\r\nHost: evil",
            "https://push.vendor.example/x#fragment",
            "https://PUSH.vendor.example/x",
            "https://push.vendor.example./x",
            "https://-push.vendor.example/x",
            "https://push.\u0432endor.example/x",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "//push.vendor.example/x",
            "",
            "x" * 2001,
            "https://push.vendor.example/" + "x" * 2000,
        ],
    )
    def test_it_takes_no_address_but_one_of_a_push_service(
        self, channel: Channel, program: Program, endpoint: str
    ) -> None:
        given = {**GOOD, "endpoint": endpoint}
        error = error_of(program.post(SUBSCRIPTIONS, given), 400, "invalid_argument")
        assert error["details"]["field"] == "endpoint"
        assert not PushSubscription.objects.exists()

    @pytest.mark.parametrize(
        "endpoint",
        [
            "https://fcm.googleapis.com/fcm/send/dXc-1_2:APA91bHun",
            "https://fcm.googleapis.com:443/fcm/send/dXc",
            "https://updates.push.services.mozilla.com/wpush/v2/gAAAA-_",
            "https://web.push.apple.com/QGuQ",
            "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAD%2b%2fx%3d%3d",
        ],
    )
    def test_it_takes_those_of_the_vendors(
        self, channel: Channel, program: Program, endpoint: str
    ) -> None:
        assert program.post(SUBSCRIPTIONS, {**GOOD, "endpoint": endpoint}).status_code == 201

    @pytest.mark.parametrize(
        ("keys", "field"),
        [
            ({"p256dh": off_the_curve()}, "keys.p256dh"),
            ({"p256dh": push_keys.packed(b"\x04" + b"\x00" * 64)}, "keys.p256dh"),
            ({"p256dh": push_keys.packed(b"\x00" * 65)}, "keys.p256dh"),
            (
                {"p256dh": push_keys.packed(b"\x02" + push_keys.unpacked(POINT)[1:33])},
                "keys.p256dh",
            ),
            ({"p256dh": POINT[:-4]}, "keys.p256dh"),
            ({"p256dh": POINT.replace(POINT[5], "+")}, "keys.p256dh"),
            ({"p256dh": "A" * 201}, "keys.p256dh"),
            ({"p256dh": ""}, "keys.p256dh"),
            ({"p256dh": 5}, "keys.p256dh"),
            ({"auth": push_keys.packed(b"x" * 15)}, "keys.auth"),
            ({"auth": push_keys.packed(b"x" * 17)}, "keys.auth"),
            ({"auth": "not base64!"}, "keys.auth"),
            # The library would leave out what does not belong there.
            ({"auth": f"{GOOD['keys']['auth']}!!!!"}, "keys.auth"),
            ({"auth": None}, "keys.auth"),
        ],
    )
    def test_it_takes_no_keys_but_right_ones(
        self, channel: Channel, program: Program, keys: dict[str, Any], field: str
    ) -> None:
        given = {**GOOD, "keys": {**GOOD["keys"], **keys}}
        error = error_of(program.post(SUBSCRIPTIONS, given), 400, "invalid_argument")
        assert error["details"]["field"] == field

    def test_it_reads_no_ten_megabytes(self, channel: Channel, program: Program) -> None:
        given = {**GOOD, "keys": {**GOOD["keys"], "p256dh": "A" * 10_000_000}}
        error_of(program.post(SUBSCRIPTIONS, given), 413, "payload_too_large")

    def test_it_gives_a_browser_to_who_has_its_keys_and_to_nobody_else(
        self, channel: Channel, program: Program, ada: User
    ) -> None:
        given, grace = made(channel), person("viewer", "grace")
        program.post(SUBSCRIPTIONS, given)
        other = Program(grace)
        for keys in (
            Browser("x").subscription["keys"],
            {**given["keys"], "auth": GOOD["keys"]["auth"]},
            {**given["keys"], "p256dh": POINT},
        ):
            error = error_of(other.post(SUBSCRIPTIONS, {**given, "keys": keys}), 409, "conflict")
            assert error["details"]["reason"] == "not_yours"
        assert PushSubscription.objects.get().user == ada
        # The same browser, at which somebody else signed in.
        assert other.post(SUBSCRIPTIONS, given).status_code == 200
        assert PushSubscription.objects.get().user == grace
        assert program.get(SUBSCRIPTIONS).json()["total"] == 0

    def test_it_lets_nobody_see_test_or_remove_those_of_others(self, subscribe: Subscribes) -> None:
        browser = subscribe()
        row, other = row_of(browser), Program(person("operator", "grace"))
        endpoint = {"endpoint": browser.subscription["endpoint"]}
        assert other.get(SUBSCRIPTIONS).json()["subscriptions"] == []
        error_of(other.post(f"{SUBSCRIPTIONS}/{row.pk}/test"), 404, "not_found")
        error_of(other.delete(f"{SUBSCRIPTIONS}/{row.pk}"), 404, "not_found")
        error_of(other.call("DELETE", SUBSCRIPTIONS, endpoint), 404, "not_found")
        page = Client()
        page.force_login(User.objects.get(username="grace"))
        assert page.post(f"/settings/browsers/{row.pk}/remove").status_code == 404
        assert PushSubscription.objects.count() == 1
        assert browser.asked == []

    def test_its_list_alone_is_no_page(self, subscribe: Subscribes) -> None:
        subscribe()
        page = Client()
        page.force_login(User.objects.get())
        answer = page.get("/settings/browsers")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/settings")
        asked = page.get("/settings/browsers", headers={"HX-Request": "true"})
        assert 'id="browsers"' in asked.content.decode()

    def test_it_says_its_address_to_nobody(
        self, channel: Channel, subscribe: Subscribes, program: Program
    ) -> None:
        browser = subscribe()
        secrets = (browser.path, browser.subscription["keys"]["auth"])
        admin = person("admin")
        page = Client()
        page.force_login(admin)
        said = [
            program.get(SUBSCRIPTIONS),
            Program(admin).get(SUBSCRIPTIONS),
            Program(admin).get(f"/api/notifications/channels/{channel.pk}"),
            page.get("/settings"),
            page.get("/admin/notifications/pushsubscription/"),
            page.get(f"/admin/notifications/pushsubscription/{row_of(browser).pk}/change/"),
            page.get(f"/admin/notifications/channel/{channel.pk}/change/"),
        ]
        private = channel.settings["vapidPrivateKey"]
        for answer in said:
            assert answer.status_code == 200
            for secret in (*secrets, private):
                assert secret not in answer.content.decode()


class TestRemoving:
    def test_it_is_removed_by_its_id_and_by_its_endpoint(
        self, program: Program, subscribe: Subscribes
    ) -> None:
        one, other = subscribe(), subscribe()
        assert program.delete(f"{SUBSCRIPTIONS}/{row_of(one).pk}").status_code == 204
        endpoint = {"endpoint": other.subscription["endpoint"]}
        assert program.call("DELETE", SUBSCRIPTIONS, endpoint).status_code == 204
        error_of(program.call("DELETE", SUBSCRIPTIONS, endpoint), 404, "not_found")
        assert not PushSubscription.objects.exists()

    def test_it_lets_an_admin_remove_all(self, subscribe: Subscribes) -> None:
        browser, admin = subscribe(), Program(person("admin"))
        [seen] = admin.get(SUBSCRIPTIONS).json()["subscriptions"]
        assert seen["user"] == "ada"
        assert admin.delete(f"{SUBSCRIPTIONS}/{row_of(browser).pk}").status_code == 204

    def test_it_is_listed_in_a_fixed_number_of_queries(
        self, program: Program, subscribe: Subscribes, django_assert_num_queries: Any
    ) -> None:
        for _ in range(3):
            subscribe()
        with django_assert_num_queries(4):  # the token, the roles, the page, the total
            program.get(SUBSCRIPTIONS)


class TestTrying:
    def test_it_sends_a_test_to_one_browser(self, program: Program, subscribe: Subscribes) -> None:
        one, other = subscribe(), subscribe()
        tried = program.post(f"{SUBSCRIPTIONS}/{row_of(one).pk}/test").json()
        assert tried == {"ok": True, "status": 201, "error": None}
        [shown] = one.shown
        assert shown["kind"] == "notification_test"
        assert other.shown == []
        again = program.post(f"{SUBSCRIPTIONS}/{row_of(one).pk}/test")
        error_of(again, 429, "rate_limited")
        program.delete(f"{SUBSCRIPTIONS}/{row_of(one).pk}")
        program.post(SUBSCRIPTIONS, one.subscription)
        anew = program.post(f"{SUBSCRIPTIONS}/{row_of(one).pk}/test")
        error_of(anew, 429, "rate_limited")
        assert len(one.shown) == 1

    @pytest.mark.parametrize(
        ("status", "words"),
        [(410, "signed off at its push service"), (500, f"{HOST} answered 500.")],
    )
    def test_it_says_what_went_wrong(
        self, program: Program, subscribe: Subscribes, status: int, words: str
    ) -> None:
        browser = subscribe()
        browser.answers = [Reply(status)]
        tried = program.post(f"{SUBSCRIPTIONS}/{row_of(browser).pk}/test").json()
        assert (tried["ok"], tried["status"]) == (False, status)
        assert words in tried["error"]
        assert PushSubscription.objects.exists() is (status != 410)

    def test_it_says_that_the_keys_have_changed(
        self, program: Program, channel: Channel, subscribe: Subscribes
    ) -> None:
        browser = subscribe()
        push_subscribing.give_new_keys(channel, push_keys.generated())
        tried = program.post(f"{SUBSCRIPTIONS}/{row_of(browser).pk}/test").json()
        assert tried["error"] == "The keys have changed since: subscribe again."
        assert browser.asked == []


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/130.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("<script>\x00" + "é" * 300, "<script>"),
        ("", "A browser"),
    ],
)
def test_it_names_a_browser(agent: str, name: str) -> None:
    assert push_subscribing.browser_of(agent) == name
