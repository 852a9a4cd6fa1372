"""The events of Mirantis Secure Registry up to 3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.receivers.base import BadProof, Incoming, Setup, Verdict
from integrations.receivers.msr import MirantisSecureRegistry
from tests.receivers.shapes import ANY_JSON, assert_fit_to_keep, bent, call, read

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


@given(body=st.sampled_from([event(), scan(), sample("TAG_PUSH")]).flatmap(bent) | ANY_JSON)
def test_it_bears_any_shape(body: Any) -> None:
    for host in ("", HOST):
        assert_fit_to_keep(read(MSR, body, host=host))
