"""Senders that prove themselves by where they call: the token in the path."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from checks.models import Job
from dockrev.ids import new_id
from integrations import ingest, rotation
from integrations.models import Delivery, Receiver
from integrations.paths import token_hash
from integrations.receivers import RECEIVERS
from integrations.tallies import Tallies
from tests import rows
from tests.people import Program, error_of, person
from tests.receivers.stand_in import OTHER, TOKEN, call, receiver
from tests.receivers.test_way_in import called

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stand_in")]

PUSH = {"id": "1", "images": ["registry.example/acme/api:1.2.0"]}
WRONG = [
    "/api/webhooks/stand-in",
    "/api/webhooks/stand-in/",
    f"/api/webhooks/stand-in/{TOKEN[:-1]}",
    f"/api/webhooks/stand-in/{TOKEN}x",
    f"/api/webhooks/stand-in/{TOKEN.upper()}",
    f"/api/webhooks/stand-in/{OTHER}",
    "/api/webhooks/stand-in/••••",
    "/api/webhooks/stand-in/%00",
    "/api/webhooks/stand-in/" + "a" * 5000,
    "/api/webhooks/stand-in/%ED%A0%80",
]


@pytest.mark.parametrize("slash", ["", "/"])
def test_it_takes_a_call_with_the_token(client: Client, slash: str) -> None:
    row, service = receiver(), rows.service("registry.example/acme/api:1.2.0")
    answer = call(client, PUSH, path=f"/api/webhooks/stand-in/{TOKEN}{slash}")
    assert (answer.status_code, answer.json()["matchedServiceIds"]) == (202, [service.pk])
    assert Delivery.objects.get().receiver == row


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_servers_way_in_takes_it_too(slash: str) -> None:
    row = receiver()
    body = json.dumps(PUSH).encode()
    assert called(body, path=f"/api/webhooks/stand-in/{TOKEN}{slash}")[0] == "202 Accepted"
    assert Delivery.objects.get().receiver == row


@pytest.mark.parametrize("path", WRONG)
def test_it_refuses_any_other_token_and_none(client: Client, tallies: Tallies, path: str) -> None:
    receiver()
    receiver(token="", name="Without")
    error = error_of(call(client, PUSH, path=path), 401, "invalid_signature")
    assert error["details"] == {}
    assert called(json.dumps(PUSH).encode(), path=path)[0] == "401 Unauthorized"
    tallies.flush()
    assert Receiver.objects.filter(kind="stand-in").earliest("created_at").rejected_count == 2
    assert not Delivery.objects.exists()
    assert not Job.objects.exists()


def test_it_knows_no_path_behind_the_token_or_behind_kinds_without_one(client: Client) -> None:
    receiver()
    for path in (
        f"/api/webhooks/stand-in/{TOKEN}/more",
        f"/api/webhooks/github-packages/{TOKEN}",
        f"/api/webhooks/trigger/{TOKEN}",
        f"/api/webhooks/nobody/{TOKEN}",
    ):
        error_of(call(client, PUSH, path=path), 404, "not_found")
        assert not Delivery.objects.exists()


def test_it_answers_405_to_other_methods(client: Client) -> None:
    receiver()
    error_of(client.get(f"/api/webhooks/stand-in/{TOKEN}"), 405, "method_not_allowed")


def test_it_tells_receivers_of_a_kind_apart_by_their_tokens(client: Client) -> None:
    first, second = receiver(), receiver(token=OTHER, name="Second")
    call(client, PUSH, token=OTHER)
    call(client, PUSH, token=TOKEN)
    of = list(Delivery.objects.order_by("pk").values_list("receiver", flat=True))
    assert of == [second.pk, first.pk]


def test_it_counts_what_comes_while_it_is_off_for_the_one_whose_token_it_is(
    client: Client, tallies: Tallies
) -> None:
    receiver()
    off = receiver(token=OTHER, name="Second", enabled=False)
    assert call(client, PUSH, token=OTHER).json()["reason"] == "disabled"
    tallies.flush()
    counts = Receiver.objects.filter(kind="stand-in").values_list("pk", "disabled_count")
    assert {pk for pk, count in counts if count} == {off.pk}


def test_it_takes_both_tokens_for_a_day_after_a_rotation(client: Client, admin: Program) -> None:
    row = receiver()
    shown = admin.post(f"/api/receivers/{row.pk}/rotate").json()
    new = shown["secret"]
    assert shown["url"] == f"http://testserver/api/webhooks/stand-in/{new}"
    assert len(new) >= 43
    for token in (TOKEN, new):
        assert call(client, {"id": token}, token=token).status_code == 200
    assert list(Delivery.objects.order_by("pk").values_list("by_previous_secret", flat=True)) == [
        True,
        False,
    ]
    row.refresh_from_db()
    left = row.previous_until - timezone.now() if row.previous_until else timedelta()
    assert timedelta(hours=23) < left <= rotation.GRACE
    Receiver.objects.filter(pk=row.pk).update(previous_until=timezone.now())
    assert call(client, PUSH, token=TOKEN).status_code == 401
    assert call(client, PUSH, token=new).status_code == 202


def test_it_compares_the_token_whatever_its_hash_found(client: Client) -> None:
    row = receiver(token=OTHER)
    Receiver.objects.filter(pk=row.pk).update(path_token_hash=token_hash("stand-in", TOKEN))
    assert call(client, PUSH).status_code == 401


def test_an_empty_secret_lets_nobody_in(client: Client) -> None:
    row = receiver(token="")
    Receiver.objects.filter(pk=row.pk).update(path_token_hash=token_hash("stand-in", ""))
    assert call(client, PUSH, path="/api/webhooks/stand-in/").status_code == 401
    assert called(b"{}", path="/api/webhooks/stand-in")[0] == "401 Unauthorized"


class TestWhereATokenIsNever:
    def test_in_no_row_but_encrypted(self, client: Client) -> None:
        receiver()
        sent = {
            "X-Original-URI": f"/api/webhooks/stand-in/{TOKEN}",
            "Referer": f"https://dockrev.example/api/webhooks/stand-in/{TOKEN}?a=b",
            "X-Harmless": "kept",
        }
        body = {**PUSH, "hook": f"https://dockrev.example/api/webhooks/stand-in/{TOKEN}"}
        assert call(client, body, **sent).status_code == 202
        kept = Delivery.objects.get()
        assert kept.headers["x-original-uri"] == kept.headers["referer"] == "••••"
        assert kept.headers["x-harmless"] == "kept"
        assert '"images"' in bytes(kept.payload).decode()
        dump = []
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the database's own names
                dump += [bytes(v) if isinstance(v, memoryview) else v for v in cursor.fetchall()]
        assert "registry.example/acme/api" in str(dump)
        assert TOKEN not in str(dump)

    def test_in_no_log_and_no_answer(
        self,
        client: Client,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        receiver()
        client.raise_request_exception = False
        paths = [f"/api/webhooks/stand-in/{TOKEN}{end}" for end in ("", "/", "x", "/more", "?a=b")]
        answers = [call(client, PUSH, path=path) for path in paths]
        answers += [client.get(path) for path in paths]
        texts = [answer.content.decode() for answer in answers]
        texts += [str(dict(answer.headers)) for answer in answers]

        def fail(*_given: Any, **_named: Any) -> None:
            raise RuntimeError("the pipeline broke")

        monkeypatch.setattr(ingest, "_store", fail)
        broken = call(client, {"id": "2"})
        assert broken.status_code == 500
        request_id = broken.json()["error"]["details"]["requestId"]
        assert any(getattr(r, "request_id", "") == request_id for r in caplog.records)
        texts += [called(b"[", path=path)[2] for path in paths]
        texts += [called(b"", path=path, method="PUT")[2] for path in paths]
        said = "".join([*texts, broken.content.decode(), caplog.text, *capfd.readouterr()])
        said += "".join(str(vars(record)) for record in caplog.records if record.exc_info)
        assert "the pipeline broke" in said
        assert TOKEN not in said

    def test_on_no_page_and_in_no_answer_once_it_was_shown(
        self, client: Client, admin: Program
    ) -> None:
        client.force_login(person("operator"))
        made = admin.post("/api/receivers", {"kind": "github-packages", "name": "Ours"}).json()
        assert made["url"] == "http://testserver/api/webhooks/github-packages"
        row = receiver()
        call(client, PUSH)
        one = admin.get(f"/api/receivers/{row.pk}")
        assert one.json()["url"] == "http://testserver/api/webhooks/stand-in/••••"
        texts = [one, admin.get("/api/receivers"), admin.get("/api/deliveries")]
        delivery = Delivery.objects.get()
        texts.append(admin.get(f"/api/deliveries/{delivery.pk}"))
        texts += [client.get(path) for path in ("/deliveries", f"/deliveries/{delivery.pk}")]
        texts.append(admin.patch(f"/api/receivers/{row.pk}", {"name": "Renamed"}))
        assert [answer.status_code for answer in texts] == [200] * len(texts)
        assert not any(TOKEN in answer.content.decode() for answer in texts)


class TestSetByHand:
    @pytest.mark.parametrize(
        "token", ["with a blank in it", "with/a-slash-in-it", "with%20an-escape", "ünïcode-letters"]
    )
    def test_a_token_needs_no_escape_in_a_path(self, admin: Program, token: str) -> None:
        row = receiver()
        error = error_of(
            admin.patch(f"/api/receivers/{row.pk}", {"secret": token}), 400, "invalid_argument"
        )
        assert error["details"]["field"] == "secret"

    def test_it_counts_at_once_and_the_old_one_no_longer(
        self, client: Client, admin: Program
    ) -> None:
        row = receiver()
        answer = admin.patch(f"/api/receivers/{row.pk}", {"secret": OTHER})
        assert answer.status_code == 200
        assert OTHER not in answer.content.decode()
        assert call(client, PUSH, token=OTHER).status_code == 202
        assert call(client, PUSH, token=TOKEN).status_code == 401

    def test_two_receivers_cannot_have_the_same(self, admin: Program) -> None:
        receiver()
        second = receiver(token=OTHER, name="Second")
        answer = admin.patch(f"/api/receivers/{second.pk}", {"secret": TOKEN})
        assert error_of(answer, 400, "invalid_argument")["details"]["field"] == "secret"
        assert admin.patch(f"/api/receivers/{second.pk}", {"secret": OTHER}).status_code == 200


def test_it_finds_a_token_without_looking_at_the_others(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(50):
        receiver(token=f"{OTHER}-{number}", name=new_id("x"))
    receiver()
    call(client, {"id": "first"})
    with django_assert_max_num_queries(12):
        assert call(client, {"id": "second"}).status_code == 200


class TestAnotherProgramsPath:
    @pytest.mark.parametrize("path", ["/v1/webhook", "/v1/webhook/"])
    def test_it_leads_to_the_kind_that_is_called_there(
        self, client: Client, oci: Receiver, path: str
    ) -> None:
        assert call(client, PUSH, path=path, **{"X-Proof": TOKEN}).status_code == 202
        body = json.dumps({**PUSH, "id": "2"}).encode()
        assert called(body, path=path, HTTP_X_PROOF=TOKEN)[0] == "202 Accepted"
        assert oci.deliveries.count() == 2
        error_of(call(client, PUSH, path=path), 401, "invalid_signature")
        assert called(body, path=path)[0] == "401 Unauthorized"
        error_of(client.get(path), 405, "method_not_allowed")

    def test_nothing_is_behind_or_beside_it(self, client: Client, oci: Receiver) -> None:
        for path in (f"/v1/webhook/{TOKEN}", "/v1/webhooks", "/v1/webhook//", "/v2/webhook"):
            answer = call(client, PUSH, path=path, **{"X-Proof": TOKEN})
            assert answer.status_code in (302, 401, 404), path
            assert not oci.deliveries.exists()

    def test_it_is_there_only_with_that_kind(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(RECEIVERS, "oci", raising=False)
        error_of(call(client, PUSH, path="/v1/webhook"), 404, "not_found")
        assert called(b"{}", path="/v1/webhook")[0] == "404 Not Found"
