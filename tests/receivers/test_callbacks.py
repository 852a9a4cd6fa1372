"""Docker Hub is told what came of a push, where that is wanted; and nobody else ever is."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from checks.models import Job, JobLog, Service
from checks.queue import Queued
from dockrev import preferences
from integrations import ingest, reporting
from integrations.models import Delivery, Receiver
from tests import rows, senders
from tests.fake_docker_hub import FakeDockerHub
from tests.hooks.doing import done
from tests.people import Program, person
from tests.senders import send
from tests.servers import Reply, Server, Starts

pytestmark = pytest.mark.django_db
ID = "2141b5bi5i5b02bec211i4eeih0242eg11000a"
PATH = f"/u/acme/api/hook/{ID}/"


@pytest.fixture
def receiver() -> Receiver:
    return senders.receiver("docker-hub", callback=True)


@pytest.fixture
def service(receiver: Receiver) -> Service:
    return rows.service("acme/api:1.2.0")


def deliver(body: dict[str, Any]) -> Any:
    answer = send(Client(), "docker-hub", body)
    assert answer.status_code in {200, 202}
    return answer.json()


def callbacks() -> list[Job]:
    return list(Job.objects.filter(kind="deliveries.callback"))


def work() -> Job:
    """The only report, after a worker had it."""
    [job] = Job.objects.active().filter(kind="deliveries.callback")
    return done(Queued(job.pk, reused=False))


def kept() -> Delivery:
    return Delivery.objects.latest("pk")


class TestWhatIsTold:
    def test_it_says_success_once_the_work_is_queued(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        preferences.set("public_base_url", "https://dockrev.example")
        answer = deliver(hub.push())
        assert answer["matchedServiceIds"] == [service.pk]
        assert not hub.server.asked
        assert kept().callback_state == "waiting"
        assert work().status == "success"
        assert hub.told == {
            "state": "success",
            "description": "1 service is checked.",
            "context": "Dockrev",
            "target_url": f"https://dockrev.example/deliveries/{answer['deliveryId']}",
        }
        delivery = kept()
        assert (delivery.callback_state, delivery.callback_told) == ("sent", "success")
        assert (delivery.callback_status, delivery.callback_error) == (200, "")

    def test_it_tells_of_official_images_at_their_own_address(
        self, hub: FakeDockerHub, receiver: Receiver
    ) -> None:
        rows.service("busybox:1")
        deliver(hub.push("busybox"))
        work()
        assert hub.told["state"] == "success"

    def test_it_names_no_page_where_it_knows_no_public_address(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        deliver(hub.push())
        work()
        assert "target_url" not in hub.told

    def test_it_says_error_where_the_payload_could_not_be_used(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        answer = deliver(hub.push(tag="no/tag"))
        assert answer["reason"] == "invalid_payload"
        work()
        assert hub.told["state"] == "error"

    @pytest.mark.parametrize(("wanted", "state"), [(False, "success"), (True, "failure")])
    def test_it_says_failure_where_no_service_matches_and_that_is_wanted(
        self, hub: FakeDockerHub, receiver: Receiver, wanted: bool, state: str
    ) -> None:
        receiver.options["callbackFailure"] = wanted
        receiver.save(update_fields=["options"])
        deliver(hub.push())
        Delivery.objects.update(waiting_for_job="")  # discovery has found nothing
        work()
        assert hub.told["state"] == state

    def test_it_waits_for_the_discovery_that_may_still_find_one(
        self, hub: FakeDockerHub, receiver: Receiver
    ) -> None:
        receiver.options["callbackFailure"] = True
        receiver.save(update_fields=["options"])
        deliver(hub.push())
        waits = work()
        assert (waits.status, hub.server.asked) == ("queued", [])
        service = rows.service("acme/api:1.2.0")
        discovery = Job.objects.get(kind="discovery")
        ingest.match_again(Job, discovery)
        assert kept().matched_service_ids == [service.pk]
        Job.objects.filter(pk=waits.pk).update(not_before=timezone.now())
        work()
        assert hub.told["state"] == "success"

    def test_it_waits_for_no_discovery_for_ever(
        self, hub: FakeDockerHub, receiver: Receiver
    ) -> None:
        receiver.options["callbackFailure"] = True
        receiver.save(update_fields=["options"])
        deliver(hub.push())
        with time_machine.travel(timezone.now() + timedelta(minutes=11)):
            work()
        assert hub.told["state"] == "failure"

    def test_it_tells_nobody_twice_of_a_push_that_comes_twice(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        body = hub.push()
        deliver(body)
        work()
        assert deliver(body)["reason"] == "duplicate_delivery"
        assert len(callbacks()) == 1

    def test_it_tells_again_where_a_delivery_is_replayed(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        hub.next = Reply(500)
        deliver(hub.push())
        failed = work()
        assert (failed.status, failed.summary["error"]) == ("failed", "It answered 500.")
        assert kept().callback_error == "It answered 500."
        hub.next = None
        ingest.replay(kept())
        work()
        assert (kept().callback_state, hub.told["state"]) == ("sent", "success")
        assert kept().callback_error == ""


class TestWhetherItIsWanted:
    def test_it_is_off_until_it_is_switched_on(self, hub: FakeDockerHub, service: Service) -> None:
        Receiver.objects.update(options={})
        deliver(hub.push())
        assert (callbacks(), kept().callback_state) == ([], "")

    def test_it_is_not_told_where_it_was_switched_off_meanwhile(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        deliver(hub.push())
        Receiver.objects.update(options={"callback": False})
        assert work().status == "success"
        assert (kept().callback_state, hub.server.asked) == ("", [])

    @pytest.mark.parametrize("status", [404, 410])
    def test_it_gives_up_where_docker_hub_does_and_says_so(
        self, hub: FakeDockerHub, service: Service, status: int
    ) -> None:
        hub.next = Reply(status)
        deliver(hub.push())
        assert work().status == "success"
        assert (kept().callback_state, kept().callback_status) == ("unsupported", status)
        deliver(hub.push())
        assert (kept().callback_state, len(callbacks())) == ("unsupported", 1)
        assert len(hub.server.asked) == 1

    def test_it_tries_again_once_it_was_switched_off_and_on(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        hub.retired = True
        deliver(hub.push())
        work()
        hub.retired = False
        admin, path = Program(person("admin")), "/api/receivers/docker-hub"
        admin.call("PATCH", path, {"name": "Ours", "options": {"callback": True}})
        deliver(hub.push())
        assert kept().callback_state == "unsupported"
        admin.call("PATCH", path, {"options": {"callback": False}})
        admin.call("PATCH", path, {"options": {"callback": True}})
        deliver(hub.push())
        work()
        assert kept().callback_state == "sent"


HOSTILE = [
    f"http://hub.docker.com{PATH}",
    f"HTTPS://hub.docker.com{PATH}",
    f"https://hub.docker.com:8080{PATH}",
    f"https://hub.docker.com:80443{PATH}",
    f"https://hub.docker.com:{PATH}",
    f"https://hub.docker.com@169.254.169.254{PATH}",
    f"https://ada:word@hub.docker.com{PATH}",
    f"https://@hub.docker.com{PATH}",
    f"https://169.254.169.254#@hub.docker.com{PATH}",
    f"https://169.254.169.254\\@hub.docker.com{PATH}",
    f"https://hub.docker.com{PATH}#x",
    f"https://hub.docker.com{PATH}?x",
    f"https://hub.docker.com.example.com{PATH}",
    f"https://evilhub.docker.com{PATH}",
    f"https://hub.docker.com.{PATH}",
    f"https://hub-docker.com{PATH}",
    f"https://hubXdocker.com{PATH}",
    f"https://example.com/hub.docker.com{PATH}",
    f"https://docker.com{PATH}",
    f"https://HUB.docker.com{PATH}",
    f"https://\uff48ub.docker.com{PATH}",
    f"https://hub。docker.com{PATH}",
    f"https://[::ffff:127.0.0.1]{PATH}",
    f"https://2130706433{PATH}",
    f"https://127.0.0.1{PATH}",
    f"https://localhost{PATH}",
    f"//hub.docker.com{PATH}",
    f"https:/hub.docker.com{PATH}",
    f"https://hub.docker.com/u/acme/web/hook/{ID}/",
    f"https://hub.docker.com/u/globex/api/hook/{ID}/",
    f"https://hub.docker.com/_/api/hook/{ID}/",
    f"https://hub.docker.com/u/acme/api/../../u/acme/api/hook/{ID}/",
    f"https://hub.docker.com/u/acme/api/hook/../{ID}/",
    f"https://hub.docker.com/u/acme%2Fapi/hook/{ID}/",
    f"https://hub.docker.com/v2{PATH}",
    f"https://hub.docker.com/{PATH}",
    f"https://hub.docker.com/u/acme/api/hook/{ID}",
    f"https://hub.docker.com/u/acme/api/hook/{ID}/x",
    f"https://hub.docker.com/u/acme/api/hook/{ID.upper()}/",
    "https://hub.docker.com/u/acme/api/hook/abc/",
    f"https://hub.docker.com/u/acme/api/hook/{'a' * 65}/",
    "https://hub.docker.com/u/acme/api/hook/abcdefg٣/",
    f" https://hub.docker.com{PATH}",
    f"https://hub.docker.com{PATH} ",
    f"https://hub.docker.com{PATH}\n",
    f"https://hub.docker.com{PATH}\r\nHost: example.com",
    f"https://hub.docker.com\t{PATH}",
    "file:///etc/passwd",
    "gopher://hub.docker.com/",
    "x",
]


INNER = [
    "10.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "::1", "fc00::1",
    "::ffff:10.0.0.1", "2002:0a00:0001::1", "2001:0:53aa:64c::f5ff:fffe", "64:ff9b::10.0.0.1",
]  # fmt: skip


class TestHostileAddresses:
    @pytest.mark.parametrize("url", HOSTILE)
    def test_it_calls_nobody(self, hub: FakeDockerHub, service: Service, url: str) -> None:
        answer = deliver(hub.push() | {"callback_url": url})
        assert answer["matchedServiceIds"] == [service.pk]
        assert (kept().callback_state, callbacks()) == ("refused", [])
        assert not hub.dialled

    @pytest.mark.parametrize("url", [None, 7, ["https://hub.docker.com/"], {}, "", "x" * 601])
    def test_it_takes_no_address_that_is_none(
        self, hub: FakeDockerHub, service: Service, url: Any
    ) -> None:
        deliver(hub.push() | {"callback_url": url})
        assert (kept().callback_state, callbacks()) == ("", [])

    @pytest.mark.parametrize("name", [".*", "a.i", "(api)", "api/hook/" + ID])
    def test_it_reads_no_pattern_in_a_name(
        self, hub: FakeDockerHub, service: Service, name: str
    ) -> None:
        body = hub.push() | {"callback_url": f"https://hub.docker.com{PATH}"}
        body["repository"]["repo_name"] = f"acme/{name}"
        deliver(body)
        assert kept().callback_state == "refused"

    @pytest.mark.parametrize("address", INNER)
    def test_it_connects_to_no_address_that_is_not_global(
        self, hub: FakeDockerHub, service: Service, address: str
    ) -> None:
        hub.addresses[:] = [address]
        deliver(hub.push())
        assert work().status == "failed"
        assert kept().callback_state == "failed"
        assert not hub.dialled

    @pytest.mark.parametrize("address", INNER)
    def test_it_connects_to_no_such_address_beside_a_global_one(
        self, hub: FakeDockerHub, service: Service, address: str
    ) -> None:
        fine = set(hub.addresses)
        hub.addresses.insert(0, address)
        deliver(hub.push())
        work()
        assert {dialled for dialled, _port in hub.dialled} <= fine

    def test_it_connects_to_an_address_that_it_looked_at(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        deliver(hub.push())
        work()
        assert hub.dialled == [(hub.addresses[0], 443)]

    def test_it_asks_for_docker_hubs_own_certificate(
        self, hub: FakeDockerHub, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        deliver(hub.push())
        assert work().status == "failed"
        assert not hub.server.asked

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_it_follows_nobody(self, hub: FakeDockerHub, service: Service, status: int) -> None:
        hub.next = Reply(status, headers={"Location": "https://hub.docker.com/elsewhere"})
        deliver(hub.push())
        assert work().status == "failed"
        assert kept().callback_error == f"It answered {status}."
        assert len(hub.server.asked) == 1

    def test_it_takes_no_proxy_on_the_way(
        self,
        hub: FakeDockerHub,
        service: Service,
        serve: Starts,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        proxy: Server = serve(lambda asked: Reply(502))
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        deliver(hub.push())
        work()
        assert (kept().callback_state, proxy.connections) == ("sent", 0)

    def test_it_gives_nothing_away(
        self,
        hub: FakeDockerHub,
        service: Service,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("default login ada password lovelace")
        monkeypatch.setenv("NETRC", str(netrc))
        hub.next = Reply(500, headers={"Set-Cookie": "a=b; Path=/"})
        deliver(hub.push())
        work()
        hub.next = None
        ingest.replay(kept())
        work()
        for asked in hub.server.asked:
            assert not {"cookie", "authorization", "referer"} & asked.headers.keys()

    def test_it_waits_no_longer_than_it_should(
        self, hub: FakeDockerHub, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reporting, "WAIT", 0.3)
        hub.hangs = True
        deliver(hub.push())
        assert work().status == "failed"
        assert kept().callback_state == "failed"

    def test_it_reads_no_more_than_it_needs(self, hub: FakeDockerHub, service: Service) -> None:
        hub.next = Reply(200, b"x" * 65_536, length=None)  # without an end
        deliver(hub.push())
        assert work().status == "success"
        assert kept().callback_state == "sent"

    def test_it_keeps_the_address_to_itself(
        self, hub: FakeDockerHub, service: Service, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        body = hub.push()
        secret = body["callback_url"].rstrip("/").rpartition("/")[2]
        hub.next = Reply(500)
        deliver(body)
        job = work()
        hub.next, hub.addresses = None, ["10.0.0.1"]
        ingest.replay(kept())
        work()
        delivery: dict[str, Any] = dict(Delivery.objects.values().get())
        assert secret.encode() in bytes(delivery.pop("payload"))
        logs = [line.message for line in JobLog.objects.all()]
        told = list(Job.objects.values())
        assert job.params == {"delivery": kept().pk}
        assert secret not in f"{delivery} {logs} {told} {caplog.text}"


class TestWhereItIsShown:
    def test_it_is_in_the_delivery_that_the_api_shows(
        self, hub: FakeDockerHub, service: Service
    ) -> None:
        hub.retired = True
        answer = deliver(hub.push())
        path = f"/api/deliveries/{answer['deliveryId']}"
        viewer = Program(person("viewer"))
        assert viewer.get(path).json()["callback"]["state"] == "waiting"
        work()
        assert viewer.get(path).json()["callback"] == {
            "state": "unsupported",
            "told": "success",
            "status": 404,
            "error": None,
        }
        plain = deliver({k: v for k, v in hub.push().items() if k != "callback_url"})
        assert viewer.get(f"/api/deliveries/{plain['deliveryId']}").json()["callback"] is None
