"""Harbor's events, as it sends them in both formats, and as it sent them once."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.models import Job
from integrations.models import Delivery, Receiver
from integrations.receivers.base import BadProof, Incoming, Setup, Verdict
from integrations.receivers.harbor import Harbor
from tests import rows
from tests.receivers.odd import ANY_JSON, bent, sound
from tests.receivers.sending import call, read

HARBOR = Harbor()
SECRET = "Bearer kept at both ends of the line"
DIGEST = f"sha256:{'4e' * 32}"
HOST = "harbor.example.org"

DEFAULT = {
    "push": "PUSH_ARTIFACT",
    "pull": "PULL_ARTIFACT",
    "delete": "DELETE_ARTIFACT",
    "upload chart": "UPLOAD_CHART",
    "download chart": "DOWNLOAD_CHART",
    "delete chart": "DELETE_CHART",
    "scan": "SCANNING_COMPLETED",
    "scan failed": "SCANNING_FAILED",
    "scan stopped": "SCANNING_STOPPED",
    "quota": "QUOTA_EXCEED",
    "quota warning": "QUOTA_WARNING",
    "retention": "TAG_RETENTION",
}
CLOUD = {
    "push": "harbor.artifact.pushed",
    "pull": "harbor.artifact.pulled",
    "delete": "harbor.artifact.deleted",
    "scan": "harbor.scan.completed",
    "scan failed": "harbor.scan.failed",
    "scan stopped": "harbor.scan.stopped",
    "quota": "harbor.quota.exceeded",
    "quota warning": "harbor.quota.warned",
    "retention": "harbor.tag_retention.finished",
}


def resource(tag: str = "2.4.1", digest: str = DIGEST, **more: Any) -> dict[str, Any]:
    reference = f"@{tag}" if tag.startswith("sha256:") else f":{tag}"
    address = f"{HOST}/shop/web/api{reference}"
    return {"digest": digest, "tag": tag, "resource_url": address, **more}


def data(*resources: dict[str, Any]) -> dict[str, Any]:
    repository = {"name": "web/api", "namespace": "shop", "repo_full_name": "shop/web/api"}
    return {"resources": list(resources) or [resource()], "repository": repository}


def default(event: str = "PUSH_ARTIFACT", held: Any = None) -> dict[str, Any]:
    return {"type": event, "occur_at": 1764000000, "operator": "ci", "event_data": held or data()}


def cloud(event: str = "harbor.artifact.pushed", held: Any = None, **more: str) -> dict[str, Any]:
    envelope = {"specversion": "1.0", "id": "5d1b", "source": "/projects/7/webhook/policies/3"}
    return {**envelope, "type": event, "data": held or data(), **more}


def overview(**more: Any) -> dict[str, Any]:
    report = {
        "scan_status": "Success",
        "summary": {
            "total": 15,
            "summary": {"Critical": 2, "High": 5, "Medium": 6, "Low": 1, "Unknown": 1},
        },
        "end_time": "2025-11-20T08:00:00Z",
        "scanner": {"name": "Trivy", "version": "v0.60.0"},
    }
    return {"application/vnd.security.vulnerability.report; version=1.1": report | more}


def replication(**more: Any) -> dict[str, Any]:
    held = {
        "harbor_hostname": HOST,
        "job_status": "Success",
        "src_resource": {"registry_name": "hub", "endpoint": "https://hub.docker.com"},
        "dest_resource": {"endpoint": f"https://{HOST}", "namespace": "mirror"},
        "successful_artifact": [{"type": "image", "name_tag": "nginx [2 item(s) in total]"}],
    }
    return {"replication": held | more}


def names(body: Any, *, host: str = "") -> list[str]:
    reading = read(HARBOR, body, host=host)
    assert reading.verdict is Verdict.IMAGES
    return [str(image) for image in reading.images]


class TestPushes:
    @pytest.mark.parametrize("wrap", [default, cloud])
    def test_it_names_the_image_by_its_address(self, wrap: Any) -> None:
        assert names(wrap()) == [f"{HOST}/shop/web/api:2.4.1@{DIGEST}"]

    def test_it_names_each_of_several_once(self) -> None:
        held = data(resource(), resource("2.4"), resource())
        assert names(default(held=held)) == [
            f"{HOST}/shop/web/api:2.4.1@{DIGEST}",
            f"{HOST}/shop/web/api:2.4@{DIGEST}",
        ]

    def test_it_takes_a_tag_that_is_the_digest_for_none(self) -> None:
        old_address = f"{HOST}/shop/web/api:{DIGEST}"
        for each in (resource(DIGEST), resource(DIGEST, resource_url=old_address)):
            assert names(default(held=data(each))) == [f"{HOST}/shop/web/api@{DIGEST}"]

    def test_it_takes_a_digest_alone(self) -> None:
        each = resource()
        del each["tag"]
        assert names(default(held=data(each))) == [f"{HOST}/shop/web/api@{DIGEST}"]

    def test_it_takes_addresses_with_port_and_scheme(self) -> None:
        each = resource(resource_url="https://127.0.0.1:8443/shop/api:1", tag="1", digest="")
        assert names(default(held=data(each))) == ["127.0.0.1:8443/shop/api:1"]

    def test_it_names_the_host_that_the_receiver_speaks_for(self) -> None:
        assert names(default(), host="images.example.org:5000") == [
            f"images.example.org:5000/shop/web/api:2.4.1@{DIGEST}"
        ]

    def test_it_needs_a_host_from_somewhere(self) -> None:
        body = default(held=data({"tag": "1"}))
        assert read(HARBOR, body).verdict is Verdict.INVALID_PAYLOAD
        assert names(body, host=HOST) == [f"{HOST}/shop/web/api:1"]

    def test_it_takes_the_names_of_old_versions(self) -> None:
        old = {
            "event_type": "pushImage",
            "events": [{"full_name": "shop/api", "tag": "1", "image_id": "4e" * 32}],
        }
        assert read(HARBOR, old).verdict is Verdict.INVALID_PAYLOAD
        assert names(old, host=HOST) == [f"{HOST}/shop/api:1"]
        assert names(default("pushImage")) == names(default())

    def test_it_takes_the_good_ones_among_bad_ones(self) -> None:
        held = data(resource(resource_url="../../etc"), resource())
        assert names(default(held=held)) == [f"{HOST}/shop/web/api:2.4.1@{DIGEST}"]

    def test_it_leaves_what_is_pushed_beside_an_image(self) -> None:
        signature = resource(DIGEST.replace(":", "-") + ".sig")
        reading = read(HARBOR, default(held=data(signature)))
        assert reading.verdict is Verdict.NOT_RELEVANT
        assert len(names(default(held=data(signature, resource())))) == 2

    def test_it_reads_no_more_of_one_call_than_it_can_use(self) -> None:
        held = data(*(resource(f"1.{n}") for n in range(1000)))
        assert len(names(default(held=held))) == 100

    def test_it_takes_a_push_of_a_sender_without_names_of_its_own(self) -> None:
        held = {"registryUrl": HOST, "repository": "shop/api", "tag": "1", "digest": DIGEST}
        assert names(cloud("container.image.push", held)) == [f"{HOST}/shop/api:1@{DIGEST}"]
        assert read(HARBOR, cloud("container.image.push", {})).verdict is Verdict.INVALID_PAYLOAD


HOSTILE = {
    "a way up": f"{HOST}/shop/../api:1",
    "a blank": f"{HOST}/shop/my api:1",
    "capitals": f"{HOST}/Shop/api:1",
    "300 characters": f"{HOST}/shop/{'a' * 300}:1",
    "credentials": f"user:pass@{HOST}/shop/api:1",
    "credentials and a scheme": f"https://user:pass@{HOST}/shop/api:1",
    "no host": "/shop/api:1",
    "a port that is none": f"{HOST}:99999/shop/api:1",
    "a query": f"{HOST}/shop/api?x=1:1",
    "a control character": f"{HOST}/shop/a\x1bpi:1",
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("event", ["PUSH_ARTIFACT", "SCANNING_COMPLETED"])
def test_it_takes_no_hostile_reference(case: str, event: str) -> None:
    held = data(resource("1", resource_url=HOSTILE[case], scan_overview=overview()))
    reading = read(HARBOR, default(event, held))
    assert reading.verdict in (Verdict.INVALID_PAYLOAD, Verdict.NOT_RELEVANT)
    assert (reading.images, reading.findings) == ((), ())


@pytest.mark.parametrize("tag", ["../1", "a b", "x" * 300, "a/b", "-1"])
def test_it_takes_no_hostile_tag(tag: str) -> None:
    held = data(resource(tag, resource_url=f"{HOST}/shop/api"))
    assert read(HARBOR, default(held=held)).verdict is Verdict.INVALID_PAYLOAD


@pytest.mark.parametrize(
    "body",
    [
        *(default(event) for name, event in DEFAULT.items() if name != "push"),
        *(cloud(event) for name, event in CLOUD.items() if name != "push"),
        default(""),
        default("SOMETHING_NEW"),
        {},
    ],
)
def test_it_leaves_every_other_event(body: Any) -> None:
    reading = read(HARBOR, body)
    assert reading.verdict is Verdict.NOT_RELEVANT
    assert reading.event == body.get("type", "")
    assert reading.findings == ()


class TestReplications:
    @pytest.mark.parametrize(
        "body",
        [
            default("REPLICATION", replication()),
            cloud("harbor.replication.status.changed", replication()),
        ],
    )
    def test_it_names_what_arrived(self, body: Any) -> None:
        assert names(body) == [f"{HOST}/mirror/nginx"]
        assert names(body, host="images.example.org") == ["images.example.org/mirror/nginx"]

    def test_it_takes_tags_and_projects_as_they_are(self) -> None:
        held = replication(
            dest_resource={"endpoint": f"http://{HOST}:8080"},
            successful_artifact=[{"type": "artifact", "name_tag": "nginx:1.29 [1 item(s)]"}],
        )
        assert names(default("REPLICATION", held)) == [f"{HOST}:8080/nginx:1.29"]

    def test_it_knows_another_registry_from_the_one_that_calls(self) -> None:
        there = {"registry_name": "hub", "endpoint": "https://hub.docker.com", "namespace": "acme"}
        held = replication(dest_resource=there)
        assert names(default("REPLICATION", held), host=HOST) == ["docker.io/acme/nginx"]

    @pytest.mark.parametrize(
        "more",
        [
            {"successful_artifact": [], "job_status": "Error"},
            {"successful_artifact": None, "job_status": "InProgress"},
            {"successful_artifact": [{"type": "chart", "name_tag": "redis"}]},
        ],
    )
    def test_it_leaves_one_that_brought_no_image(self, more: dict[str, Any]) -> None:
        reading = read(HARBOR, default("REPLICATION", replication(**more)))
        assert reading.verdict is Verdict.NOT_RELEVANT

    def test_it_cannot_use_one_that_does_not_say_where(self) -> None:
        held = replication(dest_resource=None)
        assert read(HARBOR, default("REPLICATION", held)).verdict is Verdict.INVALID_PAYLOAD


class TestScans:
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda held: default("SCANNING_COMPLETED", held),
            lambda held: default("scanningCompleted", held),
            lambda held: cloud("harbor.scan.completed", held),
        ],
    )
    def test_it_counts_what_was_found(self, wrap: Any) -> None:
        reading = read(HARBOR, wrap(data(resource(DIGEST, scan_overview=overview()))))
        [finding] = reading.findings
        assert str(finding.image) == f"{HOST}/shop/web/api@{DIGEST}"
        assert (finding.critical, finding.high, finding.other) == (2, 5, 8)
        assert finding.scanner == "Trivy"
        assert finding.at == datetime(2025, 11, 20, 8, tzinfo=UTC)

    def test_it_knows_that_nothing_was_found(self) -> None:
        nothing = overview(summary={"total": 0, "fixable": 0, "summary": {}})
        held = data(resource(scan_overview=nothing))
        [finding] = read(HARBOR, default("SCANNING_COMPLETED", held)).findings
        assert (finding.critical, finding.high, finding.other) == (0, 0, 0)

    def test_it_takes_the_last_report_that_ended(self) -> None:
        older = overview(end_time="2025-11-19T08:00:00Z", scanner={"name": "Clair"})
        failed = overview(scan_status="Error", end_time="2025-11-21T08:00:00Z")
        both = {"a": next(iter(older.values())), "c": next(iter(failed.values())), **overview()}
        held = data(resource(scan_overview=both))
        [finding] = read(HARBOR, default("SCANNING_COMPLETED", held)).findings
        assert finding.scanner == "Trivy"

    @pytest.mark.parametrize(
        "report",
        [
            {},
            overview(summary=None),
            overview(summary={}),
            overview(summary={"total": 3, "summary": {}}),
            overview(scan_status="Running"),
        ],
    )
    def test_it_guesses_no_counts(self, report: dict[str, Any]) -> None:
        held = data(resource(scan_overview=report))
        assert read(HARBOR, default("SCANNING_COMPLETED", held)).findings == ()

    @pytest.mark.parametrize("number", [-1, 10**9, 10**40, "7", None, True, float("nan")])
    def test_it_leaves_out_a_count_that_is_none(self, number: Any) -> None:
        counts = {"total": 3, "summary": {"Critical": number, "High": 3}}
        held = data(resource(scan_overview=overview(summary=counts)))
        [finding] = read(HARBOR, default("SCANNING_COMPLETED", held)).findings
        assert (finding.critical, finding.high) == (0, 3)


class TestKeys:
    def test_it_knows_a_cloud_event_by_its_id_at_its_source(self) -> None:
        first = read(HARBOR, cloud())
        assert first.sender_id == "5d1b"
        assert read(HARBOR, cloud(time="later")).dedupe_key == first.dedupe_key
        for other in (cloud(id="5d1c"), cloud(source="/projects/8/webhook/policies/3")):
            assert read(HARBOR, other).dedupe_key != first.dedupe_key

    def test_it_knows_others_by_their_body(self) -> None:
        body = default()
        key = read(HARBOR, body).dedupe_key
        assert read(HARBOR, body).dedupe_key == key
        assert read(HARBOR, body | {"occur_at": 1764000001}).dedupe_key != key
        without_id = [cloud(id=""), cloud(id="", time="later")]
        assert len({read(HARBOR, each).dedupe_key for each in without_id}) == 2


class TestProof:
    def prove(self, given: str) -> int:
        return HARBOR.verify(Incoming({"authorization": given}, b"{}"), (SECRET,), Setup())

    def test_it_takes_the_header_exactly_as_it_was_entered(self) -> None:
        assert self.prove(SECRET) == 0

    @pytest.mark.parametrize("given", ["", SECRET.lower(), SECRET[7:], SECRET + " ", "Bearer é"])
    def test_it_takes_no_other(self, given: str) -> None:
        with pytest.raises(BadProof):
            self.prove(given)

    def test_it_takes_no_empty_secret(self) -> None:
        with pytest.raises(BadProof):
            HARBOR.verify(call({}), ("",), Setup())


@pytest.mark.django_db
def test_it_checks_the_service_that_runs_the_image(client: Client) -> None:
    Receiver.objects.filter(kind="harbor").update(enabled=True)
    row = Receiver.objects.get(kind="harbor")
    row.secret = SECRET
    row.save(update_fields=["secret"])
    service = rows.service(f"{HOST}/shop/web/api:2.4.1")

    def deliver(body: Any, secret: str = SECRET, kind: str = "application/json") -> Any:
        return client.post(
            "/api/webhooks/harbor",
            json.dumps(body),
            content_type=kind,
            headers={"Authorization": secret},
        )

    assert deliver(default(), "Bearer another").status_code == 401
    answer = deliver(cloud(), kind="application/cloudevents+json")
    assert (answer.status_code, answer.json()["matchedServiceIds"]) == (202, [service.pk])
    assert deliver(cloud()).json()["reason"] == "duplicate_delivery"
    assert deliver(default("QUOTA_EXCEED")).json()["reason"] == "event_not_relevant"
    unusable = deliver(default(held={"resources": []}))
    assert (unusable.status_code, unusable.json()["decision"]) == (200, "rejected")
    assert Job.objects.get().kind == "check.service"
    kept = Delivery.objects.get(sender_id="5d1b")
    assert kept.event == "harbor.artifact.pushed"
    assert SECRET not in str(kept.headers)


EXAMPLES = [
    default(),
    cloud(),
    default("SCANNING_COMPLETED", data(resource(scan_overview=overview()))),
    default("REPLICATION", replication()),
]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.sampled_from(EXAMPLES).flatmap(bent) | ANY_JSON)
def test_it_bears_any_shape(body: Any) -> None:
    for host in ("", HOST):
        sound(read(HARBOR, body, host=host))
