"""Receivers and deliveries, as a program sees them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dockrev.fields import MASK
from integrations.models import Delivery, HookAccount, Receiver
from tests import github
from tests.pages.rows import delivery
from tests.people import Program, error_of
from tests.rows import github_receiver, service, tracked

PATH = "/api/receivers/github-packages"
SECRET = "sixteen characters at the least"


def test_it_has_one_receiver_of_every_kind_from_the_first_start(viewer: Program) -> None:
    body = viewer.get("/api/receivers").json()
    github_packages = next(row for row in body["receivers"] if row["kind"] == "github-packages")
    assert github_packages["enabled"] is False
    assert github_packages["secretMasked"] is None
    assert github_packages["registryHost"] == "ghcr.io"
    assert github_packages["url"] == "http://testserver/api/webhooks/github-packages"
    assert github_packages["rejectedCount"] == 0
    assert "X-Hub-Signature-256" in github_packages["proof"]


def test_it_never_shows_a_secret_that_is_set(admin: Program) -> None:
    response = admin.patch(PATH, {"enabled": True, "secret": SECRET})
    assert response.status_code == 200, response.content
    assert response.json()["secretMasked"] == MASK
    assert SECRET not in response.content.decode()
    assert SECRET not in admin.get("/api/receivers").content.decode()
    row = Receiver.objects.get(kind="github-packages")
    assert (row.enabled, row.secret) == (True, SECRET)
    assert row.secret_created_at is not None


@pytest.mark.parametrize("kept", ["", MASK])
def test_it_keeps_the_secret_that_comes_back_empty_or_masked(admin: Program, kept: str) -> None:
    admin.patch(PATH, {"secret": SECRET})
    assert admin.patch(PATH, {"secret": kept, "enabled": True}).status_code == 200
    assert Receiver.objects.get(kind="github-packages").secret == SECRET


def test_it_speaks_for_the_host_that_is_set(admin: Program) -> None:
    assert admin.patch(PATH, {"registryHost": "GHE.example:5000"}).json()["registryHost"] == (
        "ghe.example:5000"
    )
    assert admin.patch(PATH, {"registryHost": ""}).json()["registryHost"] == "ghcr.io"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"secret": "short"}, "secret"),
        ({"secret": "a" * 501}, "secret"),
        ({"secret": 5}, "secret"),
        ({"secret": "a" * 20 + "\x00"}, "secret"),
        ({"enabled": True}, "secret"),
        ({"enabled": "true"}, "enabled"),
        ({"registryHost": "https://ghcr.io"}, "registryHost"),
        ({"registryHost": "a" * 300}, "registryHost"),
        ({"options": []}, "options"),
        ({"options": {"a": "\x00"}}, "options"),
        ({"options": {"a": "a" * 30_000}}, "options"),
        ({"options": {"nobody": True}}, "options"),
        ({"name": ""}, "name"),
    ],
)
def test_it_saves_nothing_of_a_receiver_that_is_wrong(
    admin: Program, given: dict[str, Any], field: str
) -> None:
    response = admin.patch(PATH, {"name": "New name", **given})
    assert error_of(response, 400, "invalid_argument")["details"]["field"] == field
    assert Receiver.objects.get(kind="github-packages").name != "New name"


def test_it_keeps_counters_that_the_pipeline_wrote_meanwhile(admin: Program) -> None:
    Receiver.objects.update(rejected_count=7)
    assert admin.patch(PATH, {"secret": SECRET}).json()["rejectedCount"] == 7


def test_it_rotates_and_takes_both_secrets_for_a_while(admin: Program, client: Client) -> None:
    github_receiver()
    tracked()
    shown = admin.post(f"{PATH}/rotate").json()
    assert set(shown) == {"url", "secret", "previousValidUntil"}
    assert shown["url"].endswith("/api/webhooks/github-packages")
    assert len(shown["secret"]) >= 43
    body = b'{"zen": "Keep it logically awesome."}'
    for secret in (github.SECRET, shown["secret"]):
        signed = github.sign(body, secret)
        assert github.deliver(client, body, event="ping", signature=signed).status_code == 200
    Receiver.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    signed = github.sign(body)
    assert github.deliver(client, body, event="ping", signature=signed).status_code == 401


def test_it_makes_another_of_a_kind_and_removes_it(admin: Program) -> None:
    made = admin.post("/api/receivers", {"kind": "github-packages", "name": "Second"})
    assert made.status_code == 201
    row = made.json()
    assert (row["enabled"], row["name"]) == (False, "Second")
    assert Receiver.objects.get(pk=row["id"]).secret == row["secret"]
    renamed = admin.patch(f"/api/receivers/{row['id']}", {"name": "Other"})
    assert renamed.json()["name"] == "Other"
    assert "secret" not in renamed.json()
    assert admin.delete(f"/api/receivers/{row['id']}").status_code == 204
    error_of(admin.get(f"/api/receivers/{row['id']}"), 404, "not_found")


def test_it_keeps_the_first_of_a_kind(admin: Program) -> None:
    assert error_of(admin.delete(PATH), 409, "conflict")["details"] == {"reason": "first"}


def test_it_keeps_one_that_an_account_keeps_hooks_for(admin: Program) -> None:
    """With it the account would go, and every trace of hooks that go on calling."""
    made = admin.post("/api/receivers", {"kind": "harbor", "name": "Second"}).json()
    row = Receiver.objects.get(pk=made["id"])
    account = HookAccount.objects.create(provider="harbor", name="At home", receiver=row)
    refused = error_of(admin.delete(f"/api/receivers/{row.pk}"), 409, "conflict")
    assert refused["details"] == {"reason": "has_accounts"}
    assert HookAccount.objects.filter(pk=account.pk).exists()
    account.delete()
    assert admin.delete(f"/api/receivers/{row.pk}").status_code == 204


def test_it_knows_no_other_kind(admin: Program) -> None:
    error_of(admin.get("/api/receivers/carrier-pigeon"), 404, "not_found")
    given = {"kind": "carrier-pigeon", "name": "Coo"}
    error = error_of(admin.post("/api/receivers", given), 400, "invalid_argument")
    assert error["details"]["field"] == "kind"


def test_it_shows_a_delivery_without_what_proves_it(viewer: Program, client: Client) -> None:
    service()
    github_receiver()
    tracked()
    answered = github.deliver(client, github.published(), delivery="guid-1").json()
    (listed,) = viewer.get("/api/deliveries").json()["deliveries"]
    whole = viewer.get(f"/api/deliveries/{answered['deliveryId']}").json()
    assert {name: whole[name] for name in listed} == listed
    assert (whole["receiver"], whole["senderId"]) == ("github-packages", "guid-1")
    assert (whole["decision"], whole["reason"]) == ("processed", None)
    for name in ("images", "matchedServiceIds", "jobIds", "reusedJobIds", "fallbackUsed"):
        assert whole[name] == answered[name]
    assert '"action": "published"' in whole["payload"]
    assert (whole["payloadCut"], whole["payloadSize"] > 100) == (False, True)
    assert whole["headers"]["x-github-event"] == "package"
    assert "sha256=" not in str(whole["headers"])


def test_it_finds_deliveries(viewer: Program) -> None:
    receiver = Receiver.objects.get(kind="github-packages")
    wanted = delivery(
        receiver,
        sender_id="guid-77",
        repository="acme/api",
        images=["ghcr.io/acme/api:1.2.0"],
        decision="ignored",
    )
    delivery(receiver)

    def found(query: str) -> list[str]:
        return [row["id"] for row in viewer.get(f"/api/deliveries?{query}").json()["deliveries"]]

    for query in ("q=guid-77", "q=ACME/api", f"q={wanted.pk}", "q=api:1.2.0", "decision=ignored"):
        assert found(query) == [wanted.pk], query
    assert len(found("receiver=github-packages")) == 2
    assert len(found(f"receiver={receiver.pk}")) == 2
    assert found("receiver=harbor") == []


def test_it_replays_a_delivery(operator: Program, client: Client) -> None:
    github_receiver()
    tracked()
    first = github.deliver(client, github.published()).json()
    row = service()
    response = operator.post(f"/api/deliveries/{first['deliveryId']}/replay")
    assert response.status_code == 202
    assert response.json()["matchedServiceIds"] == [row.pk]
    assert response.json()["attempt"] == 2
    assert Delivery.objects.get(pk=first["deliveryId"]).attempts == 2


@pytest.mark.parametrize("path", ["/api/deliveries", "/api/receivers"])
def test_it_asks_the_database_as_often_for_thirty_as_for_three(viewer: Program, path: str) -> None:
    receiver = Receiver.objects.get(kind="github-packages")

    def queries(number: int) -> list[str]:
        for index in range(number):
            delivery(receiver)
            Receiver.objects.create(kind="github-packages", name=f"{number} {index}")
        viewer.get(path)
        with CaptureQueriesContext(connection) as captured:
            viewer.get(path)
        return [query["sql"] for query in captured]

    few, many = queries(3), queries(30)
    assert len(many) == len(few), many
    assert not any("payload" in sql for sql in many)


def test_it_takes_no_number_that_json_has_no_place_for(admin: Program) -> None:
    answer = admin.call("PATCH", PATH, b'{"options": {"a": 1e999}}')
    error_of(answer, 400, "invalid_json")
    assert admin.get(PATH).status_code == 200
