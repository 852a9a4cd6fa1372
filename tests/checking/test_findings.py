"""What scans found, from the registry's call to the page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks import findings
from checks.models import Candidate, Finding, Registry, Service
from integrations.models import Receiver
from integrations.receivers import base
from tests.github import digest
from tests.pages.rows import candidate
from tests.pages.test_overview import overview, text_of
from tests.people import Program, person
from tests.rows import service

pytestmark = pytest.mark.django_db

HOST = "harbor.example.org"
SECRET = "kept at both ends of the line"
NOW = timezone.now()
RUNNING = digest("running")
Counts = tuple[int, int, int]


@pytest.fixture
def harbor(client: Client) -> Any:
    """Delivers the end of a scan, as Harbor tells of it."""
    row = Receiver.objects.get(kind="harbor")
    row.enabled, row.secret = True, SECRET
    row.save(update_fields=["enabled", "secret"])

    def deliver(of: str, counts: Counts = (2, 5, 8), *, repository: str = "acme/api") -> Any:
        critical, high, low = counts
        report = {
            "scan_status": "Success",
            "summary": {"summary": {"Critical": critical, "High": high, "Low": low}},
            "end_time": timezone.now().isoformat(),
            "scanner": {"name": "Trivy"},
        }
        resource = {
            "digest": of,
            "resource_url": f"{HOST}/{repository}@{of}",
            "scan_overview": {"application/vnd.security.vulnerability.report": report},
        }
        body = {"type": "SCANNING_COMPLETED", "event_data": {"resources": [resource]}}
        return client.post(
            "/api/webhooks/harbor",
            json.dumps(body),
            content_type="application/json",
            headers={"Authorization": SECRET},
        )

    return deliver


@pytest.fixture
def api() -> Service:
    return service(f"{HOST}/acme/api:1.2.0", running=(RUNNING,))


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(person("viewer"))
    return client


def page_of(row: Service, client: Client) -> str:
    return text_of(client.get(f"/services/{row.stack_id}/{row.pk}").content)


def scan(
    *,
    tag: str = "",
    of: str = "",
    at: datetime | None = None,
    critical: int = 4,
    registry: str = HOST,
    repository: str = "acme/api",
) -> base.Finding:
    image = base.ImageEvent(registry, repository, tag, of)
    return base.Finding(image, critical, 1, 0, "MSR", at)


def keep(*scans: base.Finding, now: datetime = NOW) -> None:
    findings.keep(scans, source="MSR", now=now)


def kept() -> list[int]:
    return list(Finding.objects.order_by("pk").values_list("critical", flat=True))


class TestShown:
    def test_it_stands_beside_the_candidate_and_what_runs(
        self, viewer: Client, api: Service, harbor: Any
    ) -> None:
        newer = candidate(api, tag="1.3.0")
        answer = harbor(newer.digest)
        assert (answer.status_code, answer.json()["reason"]) == (200, "event_not_relevant")
        harbor(RUNNING, (9, 0, 1))
        assert "can become 1.3.0 scan: 2 critical, 5 high minor" in overview(viewer)
        page = page_of(api, viewer)
        assert "Scan 2 critical, 5 high, 8 others Trivy, just now" in page
        assert "what runs: 9 critical, 1 other" in page
        assert "Scan 9 critical, 1 other Trivy, just now" in page

    def test_it_says_that_nothing_was_found(
        self, viewer: Client, api: Service, harbor: Any
    ) -> None:
        harbor(candidate(api).digest, (0, 0, 0))
        assert "scan:" not in overview(viewer)
        assert "Scan no known weaknesses Trivy" in page_of(api, viewer)

    def test_it_says_nothing_where_nothing_was_scanned(self, viewer: Client, api: Service) -> None:
        candidate(api)
        assert "Scan" not in page_of(api, viewer)
        assert "scan:" not in overview(viewer)

    def test_it_is_told_to_programs(self, api: Service, harbor: Any) -> None:
        newer = candidate(api)
        harbor(newer.digest)
        harbor(RUNNING, (1, 0, 0))
        program = Program(person("viewer"))
        shown = program.get(f"/api/services/{api.pk}").json()
        finding = dict(shown["candidate"]["finding"])
        assert finding.pop("at").endswith("Z")
        assert finding == {"critical": 2, "high": 5, "other": 8, "scanner": "Trivy"}
        assert shown["candidates"][0]["finding"]["critical"] == 2
        assert shown["finding"]["critical"] == 1
        assert program.get("/api/services").json()["services"] == [shown]
        assert program.get(f"/api/stacks/{api.stack_id}").json()["services"] == [shown]
        history = program.get(f"/api/services/{api.pk}/history").json()
        assert history["candidates"][0]["finding"]["high"] == 5

    def test_it_knows_an_image_by_the_digest_of_our_platform_or_of_its_index(
        self, viewer: Client, api: Service, harbor: Any
    ) -> None:
        newer = candidate(api)
        ours, index = digest("ours"), digest("an index of what runs")
        Candidate.objects.filter(pk=newer.pk).update(platform_digest=ours)
        Service.objects.filter(pk=api.pk).update(equal_indexes={"linux/amd64": {index: RUNNING}})
        harbor(ours)
        harbor(index, (7, 0, 0))
        page = page_of(api, viewer)
        assert "Scan 2 critical" in page
        assert "what runs: 7 critical" in page

    def test_it_escapes_what_the_scanner_is_called(self, viewer: Client, api: Service) -> None:
        newer = candidate(api)
        hostile = base.Finding(
            base.ImageEvent(HOST, "acme/api", "", newer.digest), 1, scanner="<b>"
        )
        keep(hostile)
        page = viewer.get(f"/services/{api.stack_id}/{api.pk}").content.decode()
        assert "&lt;b&gt;, " in page
        assert "<b>" not in page

    def test_it_costs_a_page_one_query_however_many_there_are(
        self, viewer: Client, api: Service
    ) -> None:
        def queries() -> list[str]:
            with CaptureQueriesContext(connection) as captured:
                viewer.get("/")
            return [each["sql"] for each in captured if "checks_finding" in each["sql"]]

        keep(scan(of=candidate(api).digest))
        assert len(queries()) == 1
        for number in range(20):
            other = service(f"{HOST}/acme/api:1.2.0", name=f"api-{number}")
            keep(scan(of=candidate(other, tag=f"1.3.{number}").digest))
        assert len(queries()) == 1
        assert overview(viewer).count("scan: 4 critical, 1 high") == 21


def _critical(finding: dict[str, int] | None) -> int | None:
    return finding["critical"] if finding else None


class TestTags:
    """A scan that names a tag alone: whose it is depends on what had the tag then."""

    def shown(self, row: Service) -> tuple[int | None, int | None]:
        """Of what runs and of the candidate."""
        facts = Program(person("viewer")).get(f"/api/services/{row.pk}").json()
        newer = facts["candidate"] or {}
        return _critical(facts["finding"]), _critical(newer.get("finding"))

    def test_it_is_of_the_version_that_has_the_tag(self, api: Service) -> None:
        candidate(api, tag="1.3.0")
        keep(scan(tag="1.3.0", at=NOW - timedelta(days=3)), scan(tag="1.2.0", critical=9))
        assert self.shown(api) == (9, 4)

    def test_it_is_of_the_rebuilt_image_once_that_was_found(self, api: Service) -> None:
        rebuilt = candidate(api, step="rebuilt", tag="1.2.0")
        later = rebuilt.opened_at + timedelta(minutes=1)
        keep(scan(tag="1.2.0", at=later), now=later)
        assert self.shown(api) == (None, 4)

    def test_it_is_of_nothing_where_the_tag_may_have_moved(self, api: Service) -> None:
        rebuilt = candidate(api, step="rebuilt", tag="1.2.0")
        keep(scan(tag="1.2.0", at=rebuilt.opened_at - timedelta(minutes=1)))
        assert self.shown(api) == (None, None)

    @pytest.mark.parametrize(
        "change",
        [
            {"checked_at": None},
            {"error": "no answer"},
            {"tag_gone": True},
            {"running_digests": []},
            {"pinned_digest": RUNNING},
        ],
    )
    def test_it_is_not_of_what_runs_where_that_may_have_another_tag(
        self, api: Service, change: dict[str, Any]
    ) -> None:
        keep(scan(tag="1.2.0"))
        Service.objects.update(checked_at=NOW)
        assert self.shown(api)[0] == 4
        Service.objects.update(**change)
        facts = Program(person("operator")).get(f"/api/services/{api.pk}").json()
        assert facts["finding"] is None

    def test_a_digest_says_more_than_a_tag(self, api: Service) -> None:
        newer = candidate(api, tag="1.3.0")
        keep(scan(tag="1.3.0"), scan(of=newer.digest, critical=1))
        assert self.shown(api)[1] == 1

    def test_it_is_not_of_the_same_tag_elsewhere(self, api: Service) -> None:
        service("other.example.org/acme/api:1.2.0", name="elsewhere")
        candidate(api, tag="1.3.0")
        keep(scan(tag="1.3.0", registry="other.example.org"))
        assert kept() == [4]
        assert self.shown(api)[1] is None


class TestKept:
    def test_it_is_replaced_by_a_later_scan_and_not_by_an_earlier_one(self, api: Service) -> None:
        keep(scan(of=RUNNING, at=NOW - timedelta(hours=2)))
        keep(scan(of=RUNNING, at=NOW - timedelta(hours=1), critical=7))
        keep(scan(of=RUNNING, at=NOW - timedelta(hours=3), critical=1))
        assert kept() == [7]
        keep(
            scan(of=RUNNING, critical=2),
            scan(of=RUNNING, critical=3, at=NOW - timedelta(minutes=1)),
        )
        assert kept() == [2]

    def test_it_is_from_no_time_to_come(self, api: Service) -> None:
        keep(scan(of=RUNNING, at=datetime(2999, 1, 1, tzinfo=UTC)))
        assert Finding.objects.get().at == NOW

    def test_it_is_of_the_digest_whatever_tag_was_scanned(self, api: Service) -> None:
        keep(scan(of=RUNNING, tag="1.2.0"), scan(of=RUNNING, tag="latest", critical=5))
        assert Finding.objects.get().tag == ""

    def test_it_is_kept_of_what_a_present_service_runs_alone(self, api: Service) -> None:
        keep(scan(of=digest("x"), repository="acme/other"))
        keep(scan(of=digest("x"), registry="other.example.org"))
        assert kept() == []
        Service.objects.update(missing_since=NOW)
        keep(scan(of=digest("x")))
        assert kept() == []
        Service.objects.update(missing_since=None)
        keep(scan(of=digest("x")), scan(of=digest("x"), repository="acme/other"))
        assert kept() == [4]

    def test_it_is_kept_by_a_replay_once_a_service_runs_it(self, harbor: Any) -> None:
        delivery = harbor(RUNNING).json()["deliveryId"]
        assert kept() == []
        service(f"{HOST}/acme/api:1.2.0", running=(RUNNING,))
        Program(person("operator")).call("POST", f"/api/deliveries/{delivery}/replay")
        assert kept() == [2]
        assert Finding.objects.get().source == "Harbor"

    def test_it_is_kept_of_a_mirror_and_shown_beside_the_original(self, api: Service) -> None:
        Registry.objects.create(host="mirror.example.org", mirror_of=HOST)
        newer = candidate(api)
        keep(scan(of=newer.digest, registry="mirror.example.org"))
        facts = Program(person("viewer")).get(f"/api/services/{api.pk}").json()
        assert facts["candidate"]["finding"]["critical"] == 4

    def test_it_asks_as_often_for_eighty_as_for_one(self, api: Service) -> None:
        def queries(number: int) -> int:
            with CaptureQueriesContext(connection) as captured:
                keep(*(scan(of=digest(f"{number} {n}")) for n in range(number)))
            return len([each for each in captured if "SAVEPOINT" not in each["sql"]])

        assert queries(1) == queries(80) == 4
        assert queries(0) == 0


def test_admins_see_it_and_change_nothing(client: Client, api: Service) -> None:
    keep(scan(of=RUNNING))
    admin = person("admin")
    admin.is_staff = admin.is_superuser = True
    admin.save(update_fields=["is_staff", "is_superuser"])
    client.force_login(admin)
    row = Finding.objects.get()
    assert RUNNING in client.get("/admin/checks/finding/").content.decode()
    assert client.post(f"/admin/checks/finding/{row.pk}/delete/").status_code == 403
