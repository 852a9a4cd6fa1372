"""The events of Mirantis Secure Registry up to 3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations.models import Delivery
from integrations.receivers.base import BadProof, Incoming, Setup, Verdict
from integrations.receivers.msr import MirantisSecureRegistry
from tests import rows
from tests.pages.rows import candidate
from tests.people import Program
from tests.receivers.odd import ANY_JSON, bent, sound
from tests.receivers.sending import call, read

MSR = MirantisSecureRegistry()
HOST = "msr.example.org"
DIGEST = f"sha256:{'5f' * 32}"
RECORDED = [
    "TAG_PULL",
    "TAG_DELETE",
    "MANIFEST_PULL",
    "MANIFEST_DELETE",
    "SCAN_FAILED",
    "REPO_CREATED",
    "REPO_UPDATED",
    "REPO_DELETED",
    "REPO_EVENT",
    "SCANNER_UPDATE_COMPLETED",
    "SOMETHING_NEW",
    "",
]


def contents(**more: Any) -> dict[str, Any]:
    held = {"namespace": "shop", "repository": "api", "tag": "2.4.1", "digest": DIGEST}
    return held | {"imageName": f"{HOST}/shop/api:2.4.1", "os": "linux"} | more


def event(kind: str = "TAG_PUSH", held: Any = None, **more: Any) -> dict[str, Any]:
    wrapper = {"type": kind, "createdAt": "2025-11-20T08:00:00.123456789Z"}
    return wrapper | {"contents": contents() if held is None else held} | more


def scan(status: Any = 6, **more: Any) -> dict[str, Any]:
    summary = {
        "namespace": "shop",
        "reponame": "api",
        "tag": "2.4.1",
        "critical": 2,
        "major": 5,
        "minor": 8,
        "last_scan_status": status,
        "check_completed_at": "2025-11-20T08:00:00.5Z",
    }
    held = contents(scanSummary=summary | more)
    del held["digest"]
    return event("SCAN_COMPLETED", held)


def sample(kind: str) -> dict[str, Any]:
    """What its own test sends, the same each time."""
    held = {"namespace": "foo", "repository": "bar", "tag": "latest", "digest": DIGEST}
    held |= {"imageName": f"{HOST}/foo/bar:latest", "author": ""}
    held |= {"pushedAt": "2015-01-02T15:04:05Z"}
    return event(kind, held, location="/repositories/foo/bar/tags/latest")


def names(body: Any, *, host: str = "") -> list[str]:
    reading = read(MSR, body, host=host)
    assert reading.verdict is Verdict.IMAGES
    return [str(image) for image in reading.images]


class TestPushes:
    @pytest.mark.parametrize("kind", ["TAG_PUSH", "MANIFEST_PUSH"])
    def test_it_names_the_image(self, kind: str) -> None:
        assert names(event(kind)) == [f"{HOST}/shop/api:2.4.1@{DIGEST}"]
        assert names(event(kind), host="other.example.org") == [
            f"other.example.org/shop/api:2.4.1@{DIGEST}"
        ]

    def test_it_reads_the_full_name_with_tag_or_digest_and_port(self) -> None:
        by_digest = contents(imageName=f"{HOST}:4443/shop/api@{DIGEST}")
        del by_digest["tag"], by_digest["digest"]
        assert names(event("MANIFEST_PUSH", by_digest)) == [f"{HOST}:4443/shop/api@{DIGEST}"]
        assert names(event(held={"imageName": "10.0.0.7/shop/api:1"})) == ["10.0.0.7/shop/api:1"]

    @pytest.mark.parametrize("kind", ["TAG_PUSH", "MANIFEST_PUSH"])
    def test_it_works_with_the_samples_of_its_own_test(self, kind: str) -> None:
        assert names(sample(kind)) == [f"{HOST}/foo/bar:latest@{DIGEST}"]

    def test_it_cannot_use_one_that_names_nothing(self) -> None:
        nothing: list[Any] = [{}, {"namespace": "shop"}, contents(imageName=""), [], "x"]
        for held in nothing:
            assert read(MSR, event(held=held)).verdict is Verdict.INVALID_PAYLOAD
        unnamed = event(held=contents(imageName=""))
        assert names(unnamed, host=HOST) == [f"{HOST}/shop/api:2.4.1@{DIGEST}"]

    @pytest.mark.parametrize("kind", ["PROMOTION", "PUSH_MIRRORING", "POLL_MIRRORING"])
    def test_it_acts_on_promotions_and_mirroring_that_name_an_image(self, kind: str) -> None:
        assert names(event(kind)) == [f"{HOST}/shop/api:2.4.1@{DIGEST}"]
        for held in ({}, {"targetRepository": "shop/api"}, {"namespace": "shop"}):
            assert read(MSR, event(kind, held)).verdict is Verdict.NOT_RELEVANT


@pytest.mark.parametrize("kind", RECORDED)
def test_it_only_records_the_others(kind: str) -> None:
    reading = read(MSR, event(kind))
    assert (reading.verdict, reading.event) == (Verdict.NOT_RELEVANT, kind)
    assert (reading.repository, reading.findings) == ("shop/api", ())
    assert read(MSR, event(kind, {})).verdict is Verdict.NOT_RELEVANT


def test_it_says_what_became_of_a_repository() -> None:
    reading = read(MSR, event("REPO_EVENT", {"event": "REPO_DELETED", "namespace": "shop"}))
    assert reading.action == "REPO_DELETED"


HOSTILE = {
    "a way up": {"repository": ".."},
    "a blank": {"repository": "my api"},
    "capitals": {"namespace": "Shop"},
    "300 characters": {"repository": "a" * 140, "namespace": "b" * 140},
    "credentials": {"imageName": "user:pass@msr.example.org/shop/api:1"},
    "no host": {"imageName": "/shop/api:1"},
    "a hostile tag": {"tag": "../1"},
    "a tag of 300 characters": {"tag": "1" * 300},
    "another's slash": {"namespace": "shop/"},
    "a control character": {"imageName": f"{HOST}\x00/shop/api:1"},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_it_takes_no_hostile_reference(case: str) -> None:
    reading = read(MSR, event(held=contents(**HOSTILE[case])))
    assert (reading.verdict, reading.images) == (Verdict.INVALID_PAYLOAD, ())
    scanned = scan()
    scanned["contents"] |= HOSTILE[case]
    assert read(MSR, scanned).findings == ()


class TestScans:
    def test_it_counts_what_a_completed_scan_found(self) -> None:
        reading = read(MSR, scan())
        assert (reading.verdict, reading.action) == (Verdict.NOT_RELEVANT, "completed")
        [finding] = reading.findings
        assert str(finding.image) == f"{HOST}/shop/api:2.4.1"
        assert (finding.critical, finding.high, finding.other) == (2, 5, 8)
        assert finding.at == datetime(2025, 11, 20, 8, 0, 0, 500000, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("code", "name"),
        [
            (0, "failed"),
            (1, "unscanned"),
            (2, "scanning"),
            (3, "pending"),
            (4, "scanned"),
            (5, "checking"),
        ],
    )
    def test_it_says_the_other_codes_by_name_and_counts_nothing(self, code: int, name: str) -> None:
        reading = read(MSR, scan(code))
        assert (reading.action, reading.findings) == (name, ())

    @pytest.mark.parametrize("code", [7, -1, None, "6", True, 10**40])
    def test_it_takes_no_other_code_for_completed(self, code: Any) -> None:
        reading = read(MSR, scan(code))
        assert reading.findings == ()
        assert reading.verdict is Verdict.NOT_RELEVANT

    @pytest.mark.parametrize("number", [None, "2", -2, 10**12])
    def test_it_guesses_no_counts(self, number: Any) -> None:
        assert read(MSR, scan(critical=number)).findings == ()


class TestKeys:
    def test_it_knows_a_call_by_event_time_and_image(self) -> None:
        key = read(MSR, event()).dedupe_key
        assert read(MSR, event(held=contents(author="ada"))).dedupe_key == key
        for other in (
            event("MANIFEST_PUSH"),
            event(createdAt="2025-11-20T08:00:01Z"),
            event(held=contents(imageName=f"{HOST}/shop/api:2.4.2")),
        ):
            assert read(MSR, other).dedupe_key != key

    def test_it_knows_one_without_these_by_its_body(self) -> None:
        keys = {read(MSR, event(createdAt="", held=contents(n=n))).dedupe_key for n in (1, 2)}
        assert len(keys) == 2


class TestProof:
    def test_it_takes_the_token_in_the_path_and_no_other(self) -> None:
        secret = "a token of enough letters"
        assert MSR.verify(MSR.prove(call({}), secret), (secret,), Setup()) == 0
        for token in ("", secret[:-1], secret.upper()):
            with pytest.raises(BadProof):
                MSR.verify(Incoming({"authorization": secret}, b"", token), (secret,), Setup())

    def test_it_takes_no_empty_token(self) -> None:
        with pytest.raises(BadProof):
            MSR.verify(call({}), ("",), Setup())


@pytest.mark.django_db
class TestWayIn:
    @pytest.fixture
    def path(self, admin: Program) -> str:
        """The address that a person is shown once."""
        url: str = admin.call("POST", "/api/receivers/msr/rotate").json()["url"]
        admin.patch("/api/receivers/msr", {"enabled": True})
        return urlsplit(url).path

    def test_it_checks_the_service_that_runs_the_image(self, client: Client, path: str) -> None:
        service = rows.service(f"{HOST}/shop/api:2.4.1")
        answer = client.post(path, event(), content_type="application/json")
        assert (answer.status_code, answer.json()["matchedServiceIds"]) == (202, [service.pk])
        again = client.post(path, event(), content_type="application/json")
        assert again.json()["reason"] == "duplicate_delivery"
        wrong = path[:-1] + ("a" if path[-1] != "a" else "b")
        assert client.post(wrong, event(), content_type="application/json").status_code == 401

    def test_it_takes_its_sample_and_finds_no_service(self, client: Client, path: str) -> None:
        answer = client.post(path, sample("TAG_PUSH"), content_type="application/json")
        assert (answer.status_code, answer.json()["decision"]) == (202, "processed")
        assert answer.json()["matchedServiceIds"] == []
        assert answer.json()["fallbackReason"] == "no_managed_service_match"

    def test_it_answers_what_it_cannot_use_without_an_error(
        self, client: Client, path: str
    ) -> None:
        for raw in (b"[", b"{}", b'{"type": "TAG_PUSH"}', b"\xff"):
            answer = client.post(path, raw, content_type="application/json")
            assert answer.status_code == 200
            assert answer.json()["decision"] in {"rejected", "ignored"}

    def test_it_keeps_what_a_scan_found_and_shows_the_state_of_others(
        self, client: Client, path: str, admin: Program
    ) -> None:
        service = rows.service(f"{HOST}/shop/api:2.4.0")
        candidate(service, step="patch", tag="2.4.1")
        client.post(path, scan(5), content_type="application/json")
        facts = admin.get(f"/api/services/{service.pk}").json()
        assert facts["candidate"]["finding"] is None
        assert Delivery.objects.get().action == "checking"
        later = scan() | {"createdAt": "2025-11-20T09:00:00Z"}
        client.post(path, later, content_type="application/json")
        finding = admin.get(f"/api/services/{service.pk}").json()["candidate"]["finding"]
        assert (finding["critical"], finding["high"], finding["other"]) == (2, 5, 8)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.sampled_from([event(), scan(), sample("TAG_PUSH")]).flatmap(bent) | ANY_JSON)
def test_it_bears_any_shape(body: Any) -> None:
    for host in ("", HOST):
        sound(read(MSR, body, host=host))
