"""What became of a service's candidates, on its pages and in the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks import ignoring
from checks.candidates import Judged, settle_candidates
from checks.decide import Found, Verdict
from checks.models import Candidate, IgnoreRule, Image, Service
from checks.settle import close_what_no_longer_applies
from tests.github import digest
from tests.pages.rows import candidate
from tests.pages.test_overview import text_of
from tests.rows import service

pytestmark = pytest.mark.django_db
NOW = timezone.now()
HOUR = timedelta(hours=1)


def found(tag: str, step: str = "minor", **fields: Any) -> Found:
    return Found(step, tag, digest(tag), "match", **fields)


def settle(row: Service, *these: Found, hours_ago: int = 0, **verdict: Any) -> None:
    judged = Judged(row, Verdict("update_available", found=these, **verdict), "linux/amd64")
    settle_candidates({row.pk: judged}, NOW - HOUR * hours_ago)


def page_of(client: Client, row: Service) -> str:
    answer = client.get(f"/services/{row.stack_id}/{row.pk}/history")
    assert answer.status_code == 200
    return text_of(answer.content)


def events_of(client: Client, row: Service) -> dict[str, list[dict[str, Any]]]:
    answer = client.get(f"/api/services/{row.pk}/history").json()
    return {each["tag"]: each["events"] for each in answer["candidates"]}


@pytest.fixture
def ada(person: Any) -> User:
    user: User = person("operator")
    user.username = "ada"
    user.save(update_fields=["username"])
    return user


class TestWhatIsKept:
    def test_it_says_what_took_its_place(self, viewer: Client) -> None:
        row = service()
        settle(row, found("1.3.0"), hours_ago=3)
        settle(row, found("1.4.0"), hours_ago=2)
        page = page_of(viewer, row)
        assert page.index("1.4.0") < page.index("1.3.0")
        assert "found 3 hours ago replaced by 1.4.0 2 hours ago" in page
        events = events_of(viewer, row)
        assert [each["event"] for each in events["1.3.0"]] == ["discovered", "superseded"]
        newer = Candidate.objects.get(tag="1.4.0")
        assert events["1.3.0"][-1]["supersededBy"] == newer.pk

    def test_it_says_that_it_runs_now(self, viewer: Client) -> None:
        row = service()
        settle(row, found("1.3.0"), hours_ago=3)
        row.running_digests = [digest("1.3.0")]
        row.save(update_fields=["running_digests"])
        close_what_no_longer_applies([row.pk], NOW - HOUR)
        assert "applied: it runs now 1 hour ago" in page_of(viewer, row)

    def test_it_says_that_it_is_gone(self, viewer: Client) -> None:
        row = service()
        settle(row, found("1.3.0"), hours_ago=3)
        settle(row, hours_ago=1)
        assert "no longer there" in page_of(viewer, row)
        assert [each["event"] for each in events_of(viewer, row)["1.3.0"]][-1] == "gone"

    def test_it_says_to_how_many_channels_it_was_announced(self, viewer: Client) -> None:
        row = service()
        new = candidate(row)
        Candidate.objects.filter(pk=new.pk).update(announced_at=NOW + HOUR, announced_to=2)
        assert "announced to 2 channels" in page_of(viewer, row)
        assert events_of(viewer, row)["1.3.0"][-1]["channels"] == 2

    def test_it_says_how_long_it_waited(self, viewer: Client) -> None:
        row = service()
        ripe = NOW + timedelta(days=5)
        settle(row, hours_ago=3, waiting=(found("1.3.0", waits_until=ripe),))
        assert f"found; waits until {ripe.day} {ripe:%b %Y}" in page_of(viewer, row)
        settle(row, found("1.3.0"), hours_ago=1)
        assert "found 3 hours ago old enough to be offered 1 hour ago" in page_of(viewer, row)


class TestHiding:
    def test_it_says_who_skipped_it_and_that_it_came_back(self, viewer: Client, ada: User) -> None:
        row = service()
        new = candidate(row)
        ignoring.hide(new, "ada", NOW + HOUR)
        assert "skipped by ada" in page_of(viewer, row)
        ignoring.show_again(IgnoreRule.objects.get(), "ada", NOW + 2 * HOUR)
        page = page_of(viewer, row)
        assert "skipped by ada" in page
        assert "shown again" in page
        kinds = [each["event"] for each in events_of(viewer, row)["1.3.0"]]
        assert kinds == ["discovered", "hidden", "shown"]

    def test_it_says_until_when_it_was_snoozed(self, viewer: Client) -> None:
        row = service()
        until = NOW + timedelta(days=7)
        ignoring.hide(candidate(row), "ada", NOW + HOUR, until)
        assert f"snoozed by ada until {until.day} {until:%b %Y}" in page_of(viewer, row)
        hidden = events_of(viewer, row)["1.3.0"][-1]["rule"]
        assert hidden["match"] == {"kind": "exact", "value": "1.3.0"}
        assert hidden["createdBy"] == "ada"
        assert hidden["expiresAt"].endswith("Z")
        with time_machine.travel(until + HOUR):
            ignoring.expire(timezone.now())
        assert "shown again" in page_of(viewer, row)

    def test_it_names_the_rule_that_hid_it(self, viewer: Client) -> None:
        row = service()
        candidate(row)
        rule = IgnoreRule.objects.create(scope="all", kind="prefix", value="1.3", created_by="ada")
        ignoring.made(rule, "ada", NOW)
        ignoring.delete([rule], "ada", NOW + HOUR)
        page = page_of(viewer, row)
        assert "hidden by a rule of ada: tags that begin with 1.3" in page
        assert "shown again" in page

    def test_it_keeps_the_last_twenty(self) -> None:
        row = service()
        new = candidate(row)
        for number in range(25):
            ignoring.hide(new, f"user {number}", NOW)
            ignoring.show_again(IgnoreRule.objects.get(), "ada", NOW)
        new.refresh_from_db()
        assert [each["by"] for each in new.hidings] == [f"user {n}" for n in range(5, 25)]


class TestThePage:
    def test_it_says_what_will_be_there(self, viewer: Client) -> None:
        row = service()
        assert "Nothing newer was found so far." in page_of(viewer, row)

    def test_it_shows_fifty_at_once(self, viewer: Client) -> None:
        row = service()
        for number in range(60):
            settle(row, found(f"1.{number + 3}.0"), hours_ago=100 - number)
        first = page_of(viewer, row)
        assert "60 images that were newer" in first
        assert "1.62.0" in first
        assert "1.3.0" not in first
        answer = viewer.get(f"/api/services/{row.pk}/history?page=2").json()
        assert (answer["total"], len(answer["candidates"])) == (60, 10)

    def test_it_asks_the_database_as_often_for_many(self, viewer: Client) -> None:
        row = service()

        def queries(path: str) -> int:
            with CaptureQueriesContext(connection) as captured:
                assert viewer.get(path).status_code == 200
            return len(captured)

        paths = [f"/services/{row.stack_id}/{row.pk}/history", f"/api/services/{row.pk}/history"]
        settle(row, found("1.3.0"), hours_ago=50)
        settle(row, found("1.4.0"), hours_ago=49)
        few = [queries(path) for path in paths]
        for number in range(20):
            about = Image.objects.create(digest=f"sha256:{number}", version="1", read_at=NOW)
            settle(row, found(f"2.{number}.0", "major"), hours_ago=40 - number)
            Candidate.objects.filter(tag=f"2.{number}.0").update(image=about)
        assert [queries(path) for path in paths] == few
        assert max(few) <= 7

    def test_it_shows_what_a_stranger_called_it_as_text(self, viewer: Client) -> None:
        row = service("ghcr.io/acme/api:latest")
        new = candidate(row, step="rebuilt", tag="latest")
        evil = Image.objects.create(digest=new.digest, version="<b>1</b>", read_at=NOW)
        Candidate.objects.update(image=evil)
        for path in (f"/services/{row.stack_id}/{row.pk}", "/"):
            body = viewer.get(path).content.decode()
            assert "&lt;b&gt;1&lt;/b&gt;" in body
            assert "<b>1</b>" not in body

    def test_it_is_of_this_service_alone(self, viewer: Client) -> None:
        mine, other = service(), service(name="web")
        candidate(other, tag="9.9.9")
        assert "9.9.9" not in page_of(viewer, mine)
        assert viewer.get("/api/services/svc_none/history").status_code == 404
        assert viewer.get(f"/services/{mine.stack_id}/svc_none/history").status_code == 404


class TestTheServicesPage:
    def test_it_shows_what_is_over_and_what_waits(self, viewer: Client) -> None:
        row = service()
        row.policy = {"minimumAge": 7}
        row.save(update_fields=["policy"])
        settle(row, found("1.3.0"), hours_ago=3)
        ripe = NOW + timedelta(days=5)
        settle(row, found("1.4.0"), hours_ago=1, waiting=(found("1.5.0", waits_until=ripe),))
        page = text_of(viewer.get(f"/services/{row.stack_id}/{row.pk}").content)
        assert "minor 1.3.0 replaced by 1.4.0 1 hour ago" in page
        assert "Its policy wants an image to be 7 days old." in page
        assert f"1.5.0 waits until {ripe.day} {ripe:%b %Y}, in " in page

    def test_it_shows_the_version_behind_latest(self, viewer: Client) -> None:
        row = service("nginx:latest", running=(digest("old"),))
        row.image = Image.objects.create(digest=digest("old"), version="1.27.3", read_at=NOW)
        row.save(update_fields=["image"])
        new = candidate(row, step="rebuilt", tag="latest")
        image = Image.objects.create(digest=new.digest, version="1.27.4", read_at=NOW)
        Candidate.objects.update(image=image)
        overview = text_of(viewer.get("/").content)
        assert "latest 1.27.3 → can become 1.27.4" in overview
        page = text_of(viewer.get(f"/services/{row.stack_id}/{row.pk}").content)
        assert "rebuilt 1.27.3 → can become 1.27.4 latest, found" in page
        shown = viewer.get(f"/api/services/{row.pk}").json()
        assert shown["image"]["displayTag"] == "1.27.3"
        assert shown["candidate"]["displayTag"] == "1.27.4"

    def test_it_does_not_name_a_version_that_ran_before(self, viewer: Client) -> None:
        row = service("nginx:latest", running=(digest("new"),))
        row.image = Image.objects.create(digest=digest("old"), version="1.27.3", read_at=NOW)
        row.save(update_fields=["image"])
        assert viewer.get(f"/api/services/{row.pk}").json()["image"]["displayTag"] == "latest"
