"""What doco-cd is told of: each image that is new, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from notifications.announce import ANOMALY, NEW_VERSION, NewVersion
from notifications.models import Channel, Notification
from tests import rows, senders
from tests.github import digest
from tests.notifications.test_outbox import audited, news, send_all, tell, wrong
from tests.people import Program, error_of, person
from tests.sink import Received, Sink, sink

pytestmark = pytest.mark.django_db

HEADER = "X-Doco-OCI-Signature-256"
CHANNELS = "/api/notifications/channels"


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


@pytest.fixture
def channel(place: Sink) -> Channel:
    config = json.dumps({"url": place.url, "secret": senders.SECRET})
    return Channel.objects.create(
        kind="doco-cd", name="deploys", events=[NEW_VERSION], config=config
    )


def image(name: str = "ghcr.io/acme/api:1") -> dict[str, str]:
    return {"source": "oci", "artifact": name, "digest": digest(name)}


def versions(service: str, *, now: str, then: str) -> NewVersion:
    """News of a service that runs one tag and is offered another."""
    new = news(service, f"ghcr.io/acme/api:{then}")
    return replace(new, image=f"ghcr.io/acme/api:{now}", current_tag=now, candidate_tag=then)


def receive(received: Received) -> Any:
    """What our own receiver of such calls makes of one, over HTTP."""
    return Client().post(
        "/v1/webhook",
        received.body,
        content_type=received.headers["Content-Type"],
        headers={HEADER: received.headers[HEADER]},
        CONTENT_LENGTH=str(len(received.body)),
    )


class TestWhatIsSent:
    def test_it_is_what_our_own_receiver_understands(self, place: Sink, channel: Channel) -> None:
        senders.receiver("oci")
        service = rows.service("ghcr.io/acme/api:1")
        tell()
        send_all()
        [received] = place.received
        assert received.json == image()
        answer = receive(received)
        assert answer.status_code == 202
        assert answer.json()["matchedServiceIds"] == [service.pk]
        assert Notification.objects.get().status == "sent"

    def test_it_names_the_version_that_is_offered(self, place: Sink, channel: Channel) -> None:
        tell(versions("api", now="1.0", then="1.1"))
        send_all()
        assert [each.json for each in place.received] == [image("ghcr.io/acme/api:1.1")]

    def test_it_sends_each_image_once(self, place: Sink, channel: Channel) -> None:
        web = "ghcr.io/acme/web:1"
        tell(news("a"), news("b"), news("web", web))
        send_all()
        sent = sorted(each.json["artifact"] for each in place.received)
        assert sent == ["ghcr.io/acme/api:1", web]

    def test_it_sends_one_image_once_whatever_runs_now(self, place: Sink, channel: Channel) -> None:
        tell(versions("a", now="1.0", then="1.2"), versions("b", now="1.1", then="1.2"))
        tell(versions("c", now="1.1", then="1.2"))
        send_all()
        assert [each.json for each in place.received] == [image("ghcr.io/acme/api:1.2")]

    def test_it_says_how_many_hear_of_a_service(self, place: Sink, channel: Channel) -> None:
        told = tell(news("a"), news("web", "ghcr.io/acme/web:1"))
        assert told == {"svc_a": 1, "svc_web": 1}

    def test_it_is_for_its_stacks_alone(self, place: Sink, channel: Channel) -> None:
        Channel.objects.update(stack_ids=["stk_2"])
        tell(news("a", stack="1"), news("b", "ghcr.io/acme/web:1", stack="2"))
        send_all()
        assert [each.json["artifact"] for each in place.received] == ["ghcr.io/acme/web:1"]

    def test_it_hears_of_nothing_but_images(self, place: Sink, channel: Channel) -> None:
        audited(wrong())
        send_all()
        assert not place.received


class TestTryingAgain:
    def test_it_repeats_what_failed_and_nothing_else(self, place: Sink, channel: Channel) -> None:
        place.answers = [500]
        tell(news("a"), news("b", "ghcr.io/acme/b:1"), news("c", "ghcr.io/acme/c:1"))
        send_all()
        [first] = [each.json["artifact"] for each in place.received]
        send_all(timedelta(minutes=1))
        sent = [each.json["artifact"] for each in place.received]
        assert (len(sent), len(set(sent)), sent.count(first)) == (4, 3, 2)
        assert set(Notification.objects.values_list("status", flat=True)) == {"sent"}

    def test_it_gives_up_one_image_without_the_others(self, place: Sink, channel: Channel) -> None:
        place.answers = [400]
        tell(news("a"), news("b", "ghcr.io/acme/b:1"))
        send_all()
        states = Notification.objects.values_list("status", "error")
        assert sorted(states) == [("failed", "It answered 400."), ("sent", "")]

    @pytest.mark.parametrize("names", [[], ["ghcr.io/acme/api:1", "ghcr.io/acme/web:1"]])
    def test_it_sends_a_message_that_is_about_no_one_image_nowhere(
        self, place: Sink, channel: Channel, names: list[str]
    ) -> None:
        tell()
        row = Notification.objects.get()
        [new] = row.content["found"]
        del new["candidate_image"]  # as an earlier version wrote it
        named = [{**new, "candidate_image": name} for name in names]
        row.content["found"] = named or [new]
        row.save(update_fields=["content"])
        send_all()
        assert (place.received, Notification.objects.get().status) == ([], "failed")


class TestTheChannel:
    @pytest.fixture
    def admin(self) -> Program:
        return Program(person("admin"))

    def test_it_is_made_by_a_program(self, admin: Program, place: Sink) -> None:
        config = {"url": place.url, "secret": "of doco-cd"}
        given = {"kind": "doco-cd", "name": "deploys", "config": config}
        made = admin.post(CHANNELS, given).json()
        assert (made["kind"], made["events"]) == ("doco-cd", [NEW_VERSION])
        assert "of doco-cd" not in json.dumps(admin.get(CHANNELS).json())
        assert Channel.objects.get().settings == config
        path = f"{CHANNELS}/{made['id']}"
        changed = admin.patch(path, {"events": [NEW_VERSION, ANOMALY]}).json()
        assert changed["events"] == [NEW_VERSION]

    @pytest.mark.parametrize(
        ("config", "field"),
        [
            ({"url": "https://doco.example/v1/webhook"}, "config.secret"),
            ({"secret": "x"}, "config.url"),
            ({"url": "nowhere", "secret": "x"}, "config.url"),
            ({"url": "https://doco.example/", "secret": "x", "headers": {}}, "config.headers"),
        ],
    )
    def test_it_needs_an_address_and_a_secret(
        self, admin: Program, config: dict[str, Any], field: str
    ) -> None:
        given = {"kind": "doco-cd", "name": "deploys", "config": config}
        response = admin.post(CHANNELS, given)
        assert error_of(response, 400, "invalid_argument")["details"]["field"] == field
        assert not Channel.objects.exists()

    def test_it_gives_its_secret_to_no_other_server(self, admin: Program, channel: Channel) -> None:
        path = f"{CHANNELS}/{channel.pk}"
        moved = admin.patch(path, {"config": {"url": "https://elsewhere.example/"}})
        error = error_of(moved, 400, "invalid_argument")
        assert error["details"]["field"] == "config.secret"

    def test_it_is_made_in_the_admin_and_hears_of_images_alone(self, place: Sink) -> None:
        browser = Client()
        browser.force_login(person("admin"))
        given = {
            "kind": "doco-cd",
            "name": "deploys",
            "enabled": "on",
            "events": [NEW_VERSION, ANOMALY],  # as the form comes
            "stack_ids": "[]",
            "config": json.dumps({"url": place.url, "secret": "of doco-cd"}),
        }
        made = browser.post("/admin/notifications/channel/add/", given)
        assert made.status_code == 302
        row = Channel.objects.get()
        assert (row.events, row.settings["secret"]) == ([NEW_VERSION], "of doco-cd")
        page = browser.get(f"/admin/notifications/channel/{row.pk}/change/")
        assert "of doco-cd" not in page.content.decode()

    def test_its_test_is_an_image_that_is_nowhere(
        self, admin: Program, channel: Channel, place: Sink
    ) -> None:
        senders.receiver("oci")
        tried = admin.post(f"{CHANNELS}/{channel.pk}/test").json()
        assert (tried["ok"], tried["status"], tried["error"]) == (True, 204, None)
        [received] = place.received
        assert received.json == {
            "source": "oci",
            "artifact": "dockrev.invalid/test:test",
            "digest": f"sha256:{'0' * 64}",
        }
        assert receive(received).json()["decision"] == "processed"

    def test_its_test_says_what_doco_cd_refused(
        self, admin: Program, channel: Channel, place: Sink
    ) -> None:
        place.answers = [401]
        tried = admin.post(f"{CHANNELS}/{channel.pk}/test").json()
        assert (tried["ok"], tried["status"], tried["error"]) == (False, 401, "It answered 401.")
