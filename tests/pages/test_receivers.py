"""Settings, Registry webhooks: what the pages say, and what their buttons do."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dockrev.fields import MASK
from integrations.models import Delivery, Receiver
from integrations.receivers import CALLERS, RECEIVERS
from tests import github
from tests.pages.rows import delivery
from tests.pages.test_overview import text_of
from tests.receivers.stand_in import Signing, StandIn
from tests.rows import github_receiver, service, tracked

pytestmark = pytest.mark.django_db
PAGE = "/settings/receivers"
EXPLAIN = f"{PAGE}/explain"
SECRET = "a-secret-that-somebody-typed"


class InPath(StandIn):
    """Its address is its secret."""

    kind = "in-path"
    label = "In path"
    steps = ("Enter {url} there.", "Press Save.")
    docs = "in-path.md"


class InHeader(Signing):
    """Its secret goes into a header."""

    kind = "in-header"
    label = "In header"
    steps = ("Enter {url} as the address and {secret} as the secret.",)
    snippet = "url: {url}\nsecret: {secret}\n"


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (InPath, InHeader):
        for table in (RECEIVERS, CALLERS):
            monkeypatch.setitem(table, kind.kind, kind())


def receiver(kind: type[StandIn] = InHeader, **fields: Any) -> Receiver:
    if fields.get("secret"):
        fields.setdefault("secret_created_at", timezone.now())
    return Receiver.objects.create(kind=kind.kind, **{"name": kind.label, **fields})


def place(row: Receiver) -> str:
    return f"{PAGE}/{row.pk}"


def page(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def save(client: Client, row: Receiver, **changes: Any) -> Any:
    given = {"name": row.name, "registry_host": row.registry_host, "act": "save", **changes}
    return client.post(place(row), given)


class TestTheList:
    def test_it_says_what_to_do_where_none_is_on(self, admin: Client, viewer: Client) -> None:
        said = page(admin)
        assert f"State none is on On 0 of {Receiver.objects.count()} Last delivery never" in said
        assert "None yet. Choose the registry that your images come from." in said
        assert "Only an admin can change this." in page(viewer)

    def test_it_says_how_each_is(self, viewer: Client) -> None:
        now = timezone.now()
        on: dict[str, Any] = {"enabled": True, "secret": SECRET}
        receiver(name="Fine", last_accepted_at=now - timedelta(minutes=3, seconds=1), **on)
        receiver(name="Silent", last_accepted_at=now - timedelta(days=9), silent_at=now, **on)
        receiver(name="Refused", refused_since=2, registry_host="lab.example:5000", **on)
        receiver(name="New", **on)
        said = page(viewer)
        assert "State 2 need you" in said
        assert "Fine In header: connected 3 minutes ago" in said
        assert "Silent In header: silent for longer than usual 9 days ago" in said
        assert "Refused In header: 2 calls refused lab.example:5000 never heard" in said
        assert "New In header: nothing came yet" in said
        assert "nothing came yet never heard" not in said
        assert re.search(r" Off .*off Trigger \(CI, scripts\)", said)

    def test_it_leads_to_a_page_of_each(self, viewer: Client) -> None:
        row = receiver()
        source = viewer.get(PAGE).content.decode()
        assert f'href="{place(row)}"' in source
        assert 'href="/settings/github-packages"' in source

    def test_it_is_summed_up_in_the_settings(self, viewer: Client) -> None:
        receiver(name="Lab", enabled=True, secret=SECRET, refused_since=1)
        said = page(viewer, "/settings")
        assert "State 1 needs you" in said
        assert "Lab 1 call refused. Since the last delivery calls came without" in said

    def test_it_asks_the_database_as_often_for_thirty_as_for_three(self, viewer: Client) -> None:
        def queries(number: int) -> list[str]:
            for index in range(number):
                receiver(name=f"{number}-{index}", enabled=True, secret=SECRET)
            viewer.get(PAGE)
            with CaptureQueriesContext(connection) as captured:
                viewer.get(PAGE)
            return [query["sql"] for query in captured]

        few, many = queries(3), queries(30)
        assert len(many) == len(few), many
        assert not any('"secret"' in sql for sql in many)


class TestSettingUp:
    def test_it_makes_a_secret_as_it_is_switched_on_and_shows_it_once(self, admin: Client) -> None:
        row = receiver()
        response = save(admin, row, enabled="on")
        row.refresh_from_db()
        assert row.enabled
        assert len(row.secret) >= 43
        source = response.content.decode()
        assert "It is shown this once." in source
        assert f'data-copy="{row.secret}"' in source
        assert response["Cache-Control"].startswith("max-age=0")
        assert row.secret not in admin.get(place(row)).content.decode()

    def test_it_shows_the_whole_address_only_as_it_is_made(self, admin: Client) -> None:
        row = receiver(InPath)
        source = save(admin, row, enabled="on").content.decode()
        row.refresh_from_db()
        address = f"http://testserver/api/webhooks/in-path/{row.secret}"
        assert f'data-copy="{address}"' in source
        later = admin.get(place(row)).content.decode()
        assert row.secret not in later
        assert "http://testserver/api/webhooks/in-path/••••" in later
        assert 'data-copy="http' not in later

    def test_it_has_lines_to_paste_where_the_sender_takes_some(self, admin: Client) -> None:
        row = receiver()
        source = save(admin, row, enabled="on").content.decode()
        row.refresh_from_db()
        lines = f"url: http://testserver/api/webhooks/in-header\nsecret: {row.secret}"
        assert f'data-copy="{lines}"' in source
        later = admin.get(place(row)).content.decode()
        assert f"secret: {MASK}</pre>" in later
        assert 'data-copy="url:' not in later

    def test_it_fills_in_what_has_to_be_copied(self, admin: Client) -> None:
        row = receiver()
        said = page(admin, place(row))
        assert "Enter http://testserver/api/webhooks/in-header" in said
        assert f"as the address and {MASK} as the secret." in said
        made = text_of(admin.post(place(row), {"act": "rotate"}).content)
        row.refresh_from_db()
        assert re.search(rf"as the address and {re.escape(row.secret)} .*as the secret\.", made)
        assert "More is in docs/in-path.md." in page(admin, place(receiver(InPath)))

    def test_it_asks_for_the_host_where_calls_name_none(self, admin: Client) -> None:
        row = Receiver.objects.get(kind="nexus")
        save(admin, row, enabled="on")
        said = admin.get(place(row)).content.decode()
        assert "Enter the registry host: its calls do not name it." in text_of(said.encode())
        assert 'placeholder="needed: its calls name none"' in said
        save(admin, row, enabled="on", registry_host="nexus.example.com:8082")
        assert "its calls do not name it" not in page(admin, place(row))

    def test_it_takes_a_secret_typed_by_hand(self, admin: Client) -> None:
        row = receiver()
        response = save(admin, row, enabled="on", secret=SECRET)
        assert response.status_code == 302
        row.refresh_from_db()
        assert (row.enabled, row.secret) == (True, SECRET)
        assert save(admin, row, enabled="on", secret="").status_code == 302
        row.refresh_from_db()
        assert row.secret == SECRET

    def test_it_rotates_and_says_until_when_the_one_before_counts(self, admin: Client) -> None:
        row = receiver(enabled=True, secret=SECRET)
        said = text_of(admin.post(place(row), {"act": "rotate"}).content)
        row.refresh_from_db()
        assert (row.previous_secret, row.secret == SECRET) == (SECRET, False)
        assert "The one before still counts. It ends in 23 hours" in said
        assert SECRET not in said

    def test_it_keeps_host_and_options(self, admin: Client) -> None:
        row = receiver()
        changes = {"registry_host": "Lab.Example:5000", "option-strict": "on"}
        save(admin, row, **changes, **{"option-words": " a b "})
        row.refresh_from_db()
        assert row.registry_host == "lab.example:5000"
        assert row.options == {"strict": True, "words": "a b"}
        source = admin.get(place(row)).content.decode()
        assert re.search(r'name="option-strict"[^>]* checked', source)
        assert 'value="a b"' in source
        save(admin, row)
        row.refresh_from_db()
        assert row.options == {"strict": False, "words": ""}

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"secret": "short"}, "A secret has 16 to 500 characters."),
            ({"registry_host": "https://x"}, "This is not the name of a registry"),
            ({"name": ""}, "This field is required."),
        ],
    )
    def test_it_saves_nothing_of_what_is_wrong(
        self, admin: Client, changes: dict[str, str], error: str
    ) -> None:
        row = receiver()
        response = save(admin, row, enabled="on", **changes)
        assert response.status_code == 422
        said = text_of(response.content)
        assert "Nothing was saved." in said
        assert error in said
        row.refresh_from_db()
        assert (row.enabled, row.secret) == (False, "")
        assert "short" not in response.content.decode()

    def test_it_adds_another_of_a_kind_and_deletes_it(self, admin: Client) -> None:
        row = receiver()
        admin.post(place(row), {"act": "add", "name": "Second"})
        second = Receiver.objects.get(name="Second")
        assert (second.kind, second.enabled, second.secret) == (row.kind, False, "")
        assert "Delete this receiver" not in page(admin, place(row))
        assert "Delete this receiver" in page(admin, place(second))
        admin.post(place(row), {"act": "remove"})
        admin.post(place(second), {"act": "remove"})
        assert list(Receiver.objects.filter(kind=row.kind)) == [row]
        admin.post(place(row), {"act": "add", "name": ""})
        assert Receiver.objects.filter(kind=row.kind).count() == 1

    def test_it_leaves_github_packages_to_its_own_page(self, admin: Client) -> None:
        row = github_receiver()
        said = page(admin, place(row))
        assert "have a page of their own" in said
        assert "Send a test payload" in said
        assert "Enable" not in said

    def test_it_sets_up_the_trigger(self, admin: Client) -> None:
        row = Receiver.objects.get(kind="trigger")
        said = page(admin, place(row))
        assert "Send a test payload" not in said
        assert admin.post(f"{place(row)}/test").status_code == 404
        assert "It is shown this once." in save(admin, row, enabled="on").content.decode()

    def test_it_shows_viewers_all_but_buttons(self, viewer: Client) -> None:
        row = receiver(InPath, enabled=True, secret=SECRET, registry_host="lab.example")
        source = viewer.get(place(row)).content.decode()
        assert "lab.example" in source
        assert SECRET not in source
        assert "<form" not in source.split('<main id="main"')[1]

    def test_it_asks_the_database_as_often_for_thirty_deliveries_as_for_three(
        self, viewer: Client
    ) -> None:
        row = receiver(enabled=True, secret=SECRET)

        def queries(number: int) -> list[str]:
            for _one in range(number):
                delivery(row)
            viewer.get(place(row))
            with CaptureQueriesContext(connection) as captured:
                viewer.get(place(row))
            return [query["sql"] for query in captured]

        few, many = queries(3), queries(30)
        assert len(many) == len(few), many
        assert not any("payload" in sql for sql in many)


class TestATest:
    def test_it_shows_each_step(self, operator: Client) -> None:
        row = receiver(enabled=True, secret=SECRET)
        service("registry.example/acme/api:1.2.0")
        said = text_of(operator.post(f"{place(row)}/test").content)
        assert "It works. Look at the delivery" in said
        assert "passed Proof It knows the secret." in said
        assert "passed Services shop / api passed Work 1 check is queued." in said
        assert Delivery.objects.get().is_test

    def test_it_says_how_to_mend_it(self, operator: Client) -> None:
        said = text_of(operator.post(f"{place(receiver())}/test").content)
        assert "It does not work yet." in said
        assert "refused Proof It has no secret. Make one" in said
        assert "refused Switched on The receiver is off. Switch it on" in said
        assert not Delivery.objects.exists()

    def test_it_is_told_from_real_deliveries(self, operator: Client) -> None:
        row = receiver(enabled=True, secret=SECRET)
        operator.post(f"{place(row)}/test")
        assert "Nothing came yet" in page(operator, "/deliveries")
        delivery(row)
        said = page(operator, "/deliveries")
        assert "1 delivery, the last just now" in said
        assert "All 1 Processed 1 Ignored 0 Rejected 0 Tests 1" in said
        [kept] = Delivery.objects.filter(is_test=True)
        said = page(operator, f"/deliveries/{kept.pk}")
        assert "just now test" in said
        assert "which is as it should be" in said


class TestExplaining:
    def explained(self, client: Client, row: Receiver, **given: str) -> str:
        response = client.post(f"{EXPLAIN}?receiver={row.pk}", given)
        assert response.status_code == 200, text_of(response.content)
        return text_of(response.content)

    def test_it_says_what_would_happen(self, operator: Client) -> None:
        row = receiver(enabled=True, secret=SECRET)
        service("registry.example/acme/api:1.2.0")
        body = json.dumps({"id": "1", "images": ["registry.example/acme/api:1.2.0"]})
        headers = f"POST /api/webhooks/x HTTP/1.1\r\nHost: x\r\n\r\nX-Proof: {SECRET}"
        said = self.explained(operator, row, headers=headers, body=body)
        assert "What would happen processed passed Size" in said
        assert "passed Proof It knows the secret." in said
        assert re.search(r"passed Relevance [^:]+: an image was pushed\.", said)
        assert "passed Work 1 check would be queued. Services shop / api" in said
        said = self.explained(operator, row, body=body)
        assert "It would be refused at “Proof”. Were that right: processed." in said
        assert not Delivery.objects.exists()
        said = self.explained(operator, receiver(InPath, enabled=True, secret=SECRET), body=body)
        assert "What proves a call is in its URL, which is not looked at here." in said

    def test_it_takes_each_line_as_it_came(self, operator: Client) -> None:
        """A browser sends two characters for the end of a line."""
        row = github_receiver()
        tracked("acme/api")
        body = json.dumps(github.published(), indent=1)
        signed = f"X-Hub-Signature-256: {github.sign(body.encode())}"
        said = self.explained(operator, row, headers=signed, body=body.replace("\n", "\r\n"))
        assert "passed Proof It knows the secret." in said

    @pytest.mark.parametrize(
        ("given", "error"),
        [
            ({"headers": "no header"}, "No header: no header"),
            ({"headers": ": x"}, "No header: : x"),
            ({"headers": "x: " + "a" * 9000}, "The header x is too long"),
            ({"headers": "x: a\x07"}, "The header x is too long, or has control characters."),
            ({"headers": "x:\n" * 40_000}, "Ensure this value has at most"),
        ],
    )
    def test_it_says_which_field_is_wrong(
        self, operator: Client, given: dict[str, str], error: str
    ) -> None:
        response = operator.post(EXPLAIN, {"body": "{}", **given})
        assert response.status_code == 422
        assert error in text_of(response.content)

    @pytest.mark.parametrize("body", ["", "\x00", "[1]", "<script>alert(1)</script>"])
    def test_it_takes_any_body(self, operator: Client, body: str) -> None:
        response = operator.post(EXPLAIN, {"body": body})
        assert response.status_code in (200, 422)
        assert "<script>alert" not in response.content.decode()

    def test_it_loads_an_example(self, operator: Client) -> None:
        row = receiver()
        source = operator.get(f"{EXPLAIN}?receiver={row.pk}&example=0").content.decode()
        assert "registry.example/acme/api:1.2.0" in source
        for number in ("7", "x", "-1", "9" * 5000):
            response = operator.get(f"{EXPLAIN}?receiver={row.pk}&example={number}")
            assert response.status_code == 200

    def test_it_begins_with_a_delivery(self, operator: Client, client: Client) -> None:
        github_receiver()
        answer = github.deliver(client, github.published()).json()
        path = f"/deliveries/{answer['deliveryId']}"
        assert f"{EXPLAIN}?delivery={answer['deliveryId']}" in operator.get(path).content.decode()
        source = operator.get(f"{EXPLAIN}?delivery={answer['deliveryId']}").content.decode()
        assert "x-github-event: package" in source
        assert "&quot;action&quot;: &quot;published&quot;" in source
        assert "sha256=" not in source.replace("sha256:", "")
        assert "What proved this delivery was not kept" in source

    def test_it_shows_no_secret_of_a_delivery(self, operator: Client) -> None:
        row = receiver()
        kept = delivery(row, payload=json.dumps({"secret": "of the sender"}).encode())
        source = operator.get(f"{EXPLAIN}?delivery={kept.pk}").content.decode()
        assert "of the sender" not in source

    def test_it_knows_no_other_delivery(self, operator: Client) -> None:
        for wanted in ("dlv_" + "0" * 26, "x", "a" * 5000):
            response = operator.get(EXPLAIN, {"delivery": wanted})
            assert response.status_code == 404
