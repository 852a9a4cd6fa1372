"""What GitHub is answered, and what comes of it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from checks.models import Job, Service
from integrations import ingest
from integrations.models import Delivery, Receiver
from integrations.tallies import Tallies
from tests import rows
from tests.github import PATH, deliver, digest, published

NOTHINGS: tuple[Any, ...] = (None, [], "", 0)

pytestmark = pytest.mark.django_db


class TestAcceptance:
    def test_it_queues_one_check_for_the_service_that_runs_the_image(
        self, client: Client, service: Service
    ) -> None:
        answer = deliver(client, published(), delivery="guid-1")
        assert answer.status_code == 202
        delivery, job = Delivery.objects.get(), Job.objects.get()
        assert answer.json() == {
            "ok": True,
            "deliveryId": delivery.pk,
            "decision": "processed",
            "reason": None,
            "attempt": 1,
            "images": [f"ghcr.io/acme/api:1.2.0@{digest('acme/api:1.2.0')}"],
            "matchedServiceIds": [service.pk],
            "jobIds": [job.pk],
            "reusedJobIds": [],
            "fallbackUsed": False,
            "fallbackReason": None,
        }
        assert (job.kind, job.reason, job.service_id) == ("check.service", "webhook", service.pk)
        assert (job.notify, job.status) == (True, "queued")
        assert (delivery.sender_id, delivery.hook_id) == ("guid-1", "7001")
        assert OrmQ.objects.count() == 1

    @pytest.mark.parametrize("path", [PATH, PATH + "/"])
    @pytest.mark.parametrize("event", ["package", "registry_package"])
    def test_it_takes_both_events_with_and_without_a_slash(
        self, client: Client, service: Service, event: str, path: str
    ) -> None:
        answer = deliver(client, published(top=event), event=event, path=path)
        assert answer.json()["matchedServiceIds"] == [service.pk]

    def test_it_takes_a_form(self, client: Client, service: Service) -> None:
        raw = urlencode({"payload": json.dumps(published())}).encode()
        answer = deliver(client, raw, **{"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.json()["matchedServiceIds"] == [service.pk]

    def test_it_ignores_what_the_sender_accepts(self, client: Client, service: Service) -> None:
        answer = deliver(client, published(), path=PATH + "?format=xml", Accept="text/html")
        assert answer.status_code == 202

    def test_it_answers_a_ping_and_marks_the_hook_verified(
        self, client: Client, service: Service
    ) -> None:
        body = {"zen": "Keep it calm.", "hook_id": 7001, "repository": {"full_name": "Acme/API"}}
        answer = deliver(client, body, event="ping")
        assert (answer.status_code, answer.json()["reason"]) == (200, "ping")
        target = Receiver.objects.get(kind="github-packages").accounts.get().targets.get()
        assert target.verified_at is not None
        assert target.hook_id == "7001"

    def test_it_lets_no_ping_say_which_hook_is_ours_once_a_sync_has_said_it(
        self, client: Client, service: Service
    ) -> None:
        ping = {"zen": "Keep it calm.", "repository": {"full_name": "acme/api"}}
        deliver(client, ping, event="ping", **{"X-GitHub-Hook-ID": "7001"})
        targets = Receiver.objects.get(kind="github-packages").accounts.get().targets
        assert targets.get().hook_id == "7001"
        targets.update(hook_id="7002", hook_url="https://dockrev.example/", verified_at=None)
        ingest.replay(Delivery.objects.get())
        deliver(client, ping, event="ping", **{"X-GitHub-Hook-ID": "7001"})
        assert (targets.get().hook_id, targets.get().verified_at) == ("7002", None)
        deliver(client, ping, event="ping", **{"X-GitHub-Hook-ID": "7002"})
        assert targets.get().verified_at is not None

    def test_it_takes_no_replay_for_a_sign_of_life(self, client: Client, service: Service) -> None:
        ping = {"zen": "Keep it calm.", "repository": {"full_name": "acme/api"}}
        deliver(client, ping, event="ping")
        targets = Receiver.objects.get(kind="github-packages").accounts.get().targets
        targets.update(verified_at=None)
        ingest.replay(Delivery.objects.get())
        assert targets.get().verified_at is None

    def test_it_keeps_no_secret_of_a_delivery(self, client: Client, service: Service) -> None:
        deliver(client, published(), Authorization="Bearer abc", **{"X-My-Token": "abc"})
        kept = Delivery.objects.get().headers
        assert kept["x-github-event"] == "package"
        hidden = {kept[n] for n in ("authorization", "x-my-token", "x-hub-signature-256")}
        assert hidden == {"••••"}

    @pytest.mark.parametrize(
        "name",
        [
            "X-Goog-IAP-JWT-Assertion",
            "Cf-Access-Jwt-Assertion",
            "X-Amzn-Oidc-Data",
            "X-Forwarded-Client-Cert",
            "Ocp-Apim-Subscription-Key",
            "X-Functions-Key",
            "ApiKey",
            "X-Ms-Credentials",
        ],
    )
    def test_it_keeps_nothing_that_opens_a_door_before_ours(
        self, client: Client, service: Service, name: str
    ) -> None:
        deliver(client, published(), **{name: "opens-it", "X-Forwarded-Proto": "https"})
        kept = Delivery.objects.get().headers
        assert (kept[name.lower()], kept["x-forwarded-proto"]) == ("••••", "https")

    def test_it_matches_whatever_the_case(self, client: Client, service: Service) -> None:
        body = published("Acme/API", repository="ACME/Api")
        assert deliver(client, body).json()["matchedServiceIds"] == [service.pk]

    def test_it_finds_the_image_by_its_package_before_its_repository(
        self, client: Client, service: Service
    ) -> None:
        worker = rows.service("ghcr.io/acme/api/worker:1", name="worker")
        body = published("acme/api/worker", "1")
        assert deliver(client, body).json()["matchedServiceIds"] == [worker.pk]

    def test_it_falls_back_to_the_repository_name(self, client: Client, service: Service) -> None:
        body = published("acme/image-of-another-name")
        assert deliver(client, body).json()["matchedServiceIds"] == [service.pk]

    def test_it_knows_the_fronts_of_a_registry(self, client: Client, service: Service) -> None:
        rows.tracked("linuxserver/wireguard")
        front = rows.service("lscr.io/linuxserver/wireguard:latest", name="vpn")
        body = published("linuxserver/wireguard", "latest", repository="linuxserver/wireguard")
        assert deliver(client, body).json()["matchedServiceIds"] == [front.pk]

    def test_it_speaks_for_the_registry_that_it_is_set_to(
        self, client: Client, service: Service
    ) -> None:
        Receiver.objects.update(registry_host="containers.example.com:8443")
        inside = rows.service("containers.example.com:8443/acme/api:1.2.0", name="inside")
        assert deliver(client, published()).json()["matchedServiceIds"] == [inside.pk]

    def test_it_leaves_archived_services_alone(self, client: Client, service: Service) -> None:
        Service.objects.update(archived_at=timezone.now())
        assert deliver(client, published()).json()["matchedServiceIds"] == []


class TestWhatIsNotActedOn:
    @pytest.mark.parametrize("missing", ["X-GitHub-Delivery", "X-GitHub-Event"])
    def test_it_asks_for_githubs_headers(
        self, client: Client, service: Service, missing: str
    ) -> None:
        answer = deliver(client, published(), **{missing: ""})
        assert answer.status_code == 400
        assert answer.json()["error"]["details"]["field"] == missing

    def test_it_is_off_until_it_is_switched_on(
        self, client: Client, service: Service, tallies: Tallies
    ) -> None:
        Receiver.objects.update(enabled=False)
        answer = deliver(client, published())
        assert (answer.status_code, answer.json()["reason"]) == (200, "disabled")
        tallies.flush()
        assert Receiver.objects.get(kind="github-packages").disabled_count == 1
        assert not Delivery.objects.exists()

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"[]",
            b'"text"',
            b"{",
            b"\xff\xfe{}",
            b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
            b"[" * 10_000 + b"]" * 10_000,
        ],
    )
    def test_it_keeps_a_body_that_is_not_json(
        self, client: Client, service: Service, raw: bytes
    ) -> None:
        answer = deliver(client, raw)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["code"] == "invalid_json"
        kept = Delivery.objects.get()
        assert error["details"]["deliveryId"] == kept.pk
        assert (kept.decision, kept.reason) == ("rejected", "invalid_json")
        assert bytes(kept.payload) == raw

    @pytest.mark.parametrize(
        "name", ["", "a\x00b", "../../etc", "x" * 300, "ünïcode", None, 7, ["a"], "has space"]
    )
    def test_it_rejects_a_package_without_a_usable_name(
        self, client: Client, service: Service, name: Any
    ) -> None:
        body = published(repository=None)
        body["package"]["name"] = name
        del body["package"]["package_version"]["package_url"]
        answer = deliver(client, body)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid_argument"
        assert Delivery.objects.get().reason == "invalid_payload"
        assert not Job.objects.exists()

    @pytest.mark.parametrize(
        ("event", "body"),
        [
            ("package", published(action="deleted")),
            ("push", published()),
            ("package", {"action": "published", "package": {"package_type": "npm", "name": "x"}}),
            ("package", {"action": "published", "package": None}),
            ("package", {"action": {"deep": 1}, "package": []}),
        ],
    )
    def test_it_ignores_what_names_no_pushed_image(
        self, client: Client, service: Service, event: str, body: dict[str, Any]
    ) -> None:
        answer = deliver(client, body, event=event)
        assert (answer.status_code, answer.json()["reason"]) == (200, "event_not_relevant")

    def test_it_survives_the_loss_of_any_member(self, client: Client, service: Service) -> None:
        whole = published()
        for path in _paths(whole):
            for value in NOTHINGS:
                body = json.loads(json.dumps(whole))
                at = body
                for name in path[:-1]:
                    at = at[name]
                at[path[-1]] = value
                assert deliver(client, body).status_code in {200, 202, 400}, path

    def test_it_ignores_a_repository_that_is_not_selected(
        self, client: Client, service: Service
    ) -> None:
        rows.tracked("acme/other", selected=False)
        for repository in ("acme/other", "acme/unknown"):
            answer = deliver(client, published(repository=repository))
            assert (answer.status_code, answer.json()["reason"]) == (200, "repo_not_selected")
            assert len(answer.json()["images"]) == 1
        unlinked = published("globex/app", repository=None)
        assert deliver(client, unlinked).json()["reason"] == "repo_not_selected"
        assert not Job.objects.exists()

    def test_it_answers_404_for_an_unknown_kind(self, client: Client, service: Service) -> None:
        answer = deliver(client, published(), path="/api/webhooks/nobody")
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"

    def test_it_answers_405_to_other_methods(self, client: Client, service: Service) -> None:
        answer = client.get(PATH)
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "method_not_allowed"

    def test_it_asks_to_come_back_while_the_database_is_busy(
        self, client: Client, service: Service
    ) -> None:
        with connection.execute_wrapper(_locked_for_writes):
            answer = deliver(client, published(), delivery="guid")
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) >= 1
        assert not Delivery.objects.exists()
        assert deliver(client, published(), delivery="guid").status_code == 202

    def test_it_refuses_a_body_over_the_limit_without_reading_it(
        self, client: Client, service: Service
    ) -> None:
        answer = client.post(
            PATH, b"{}", content_type="application/json", CONTENT_LENGTH=str(25 * 1024 * 1024 + 1)
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "payload_too_large"


def _locked_for_writes(execute: Any, sql: str, *given: Any) -> Any:
    if sql.startswith("INSERT"):
        raise OperationalError("database is locked")
    return execute(sql, *given)


def _paths(node: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(node, dict):
        return []
    return [
        path
        for name, value in node.items()
        for path in [(*before, name), *_paths(value, (*before, name))]
    ]
