from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import IgnoreRule, Registry, Service
from tests.github import digest
from tests.pages.rows import candidate, job
from tests.pages.test_overview import text_of
from tests.rows import service

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def path_of(row: Service) -> str:
    return f"/services/{row.stack_id}/{row.pk}"


def shown(client: Client, row: Service) -> str:
    response = client.get(path_of(row))
    assert response.status_code == 200
    return text_of(response.content)


def test_it_shows_what_runs_and_what_is_newer(viewer: Client) -> None:
    row = service(running=(digest("old"),))
    new = candidate(row, step="minor", tag="1.3.0")
    page = shown(viewer, row)
    assert "shop / api update available, checked just now" in page
    assert f"minor 1.2.0 → can become 1.3.0 found just now Digest {new.digest[:19]}" in page
    assert "Platforms linux/amd64 linux/arm64" in page
    assert f"Digest {digest('old')[:19]}" in page
    body = viewer.get(path_of(row)).content.decode()
    assert f'data-copy="{new.digest}"' in body
    assert 'data-copy="ghcr.io/acme/api:1.2.0"' in body


def test_it_shows_the_largest_step_first(viewer: Client) -> None:
    row = service()
    candidate(row, step="major", tag="2.0.0")
    candidate(row, step="patch", tag="1.2.1")
    page = shown(viewer, row)
    assert page.index("can become 2.0.0") < page.index("can become 1.2.1")


def test_it_shows_last_what_is_not_for_our_platform(viewer: Client) -> None:
    row = service()
    largest = candidate(row, step="major", tag="2.0.0")
    largest.arch = "mismatch"
    largest.save(update_fields=["arch"])
    candidate(row, step="patch", tag="1.2.1")
    page = shown(viewer, row)
    assert page.index("can become 1.2.1") < page.index("can become 2.0.0")
    assert "not built for linux/amd64" in page


def test_it_says_that_the_present_tag_is_gone(viewer: Client) -> None:
    row = service()
    candidate(row)
    Service.objects.filter(pk=row.pk).update(reason="ghcr.io does not have acme/api:1.2.0.")
    assert "ghcr.io does not have acme/api:1.2.0." in shown(viewer, row)


def test_it_says_that_the_present_tag_is_listed_no_more(viewer: Client) -> None:
    row = service()
    words = "The tag that runs, 1.2.0, is gone upstream. ghcr.io does not list it any more."
    assert words not in shown(viewer, row)
    Service.objects.update(tag_gone=True, checked_at=timezone.now())
    assert words in shown(viewer, row)
    assert "its tag is gone upstream" in text_of(viewer.get("/").content)


def test_it_shows_the_newest_of_each_step_side_by_side(viewer: Client) -> None:
    row = service()
    candidate(row, step="patch", tag="1.2.9")
    hidden = candidate(row, step="major", tag="2.0.0")
    hidden.ignored_by = IgnoreRule.objects.create(scope="all", kind="exact", value="2.0.0")
    hidden.save(update_fields=["ignored_by"])
    assert "runs 1.2.0 major 2.0.0 hidden minor \N{EN DASH} nothing newer patch 1.2.9" in shown(
        viewer, row
    )
    calendar = service("acme/api:2026.10.1", name="calendar")
    candidate(calendar, step="other", tag="2026.11.0")
    page = shown(viewer, calendar)
    assert "runs 2026.10.1 other 2026.11.0 patch \N{EN DASH} nothing newer" in page
    latest = service("acme/api:latest", name="latest")
    candidate(latest, step="rebuilt", tag="latest")
    assert "nothing newer" not in shown(viewer, latest)


def test_it_says_why_other_tags_were_left(viewer: Client) -> None:
    row = service()
    assert "were left" not in shown(viewer, row)
    Service.objects.update(tags_left={"prerelease": 2, "not_newer": 40})
    words = "42 other tags were left: not newer (40), pre-releases (2)."
    assert words in shown(viewer, row)


def test_it_shows_an_error_with_its_age(viewer: Client) -> None:
    row = service()
    Service.objects.filter(pk=row.pk).update(error="ghcr.io: 503", checked_at=timezone.now())
    page = shown(viewer, row)
    assert "The last check did not get through. It was just now ; what was known" in page
    assert "ghcr.io: 503" in page


def test_it_says_what_stands_in_for_what_runs(viewer: Client) -> None:
    row = service()
    assert "Digest not known" in shown(viewer, row)
    at = {"baseline_ref": row.image_ref, "baseline_at": timezone.now()}
    seen = {"baseline_digest": digest("first"), **at}
    Service.objects.filter(pk=row.pk).update(**seen)
    assert f"First seen {digest('first')[:19]}" in shown(viewer, row)
    Service.objects.filter(pk=row.pk).update(pinned_digest=digest("pin"))
    assert f"Pinned to {digest('pin')[:19]}" in shown(viewer, row)


def test_it_says_why_there_is_nothing_newer(viewer: Client) -> None:
    row = service()
    assert "It has not been checked yet." in shown(viewer, row)
    Service.objects.filter(pk=row.pk).update(checked_at=timezone.now(), status="unknown")
    assert "cannot be compared with a registry" in shown(viewer, row)
    Service.objects.filter(pk=row.pk).update(status="up_to_date")
    assert "It runs what the registry has" in shown(viewer, row)


def test_it_lists_its_jobs(viewer: Client) -> None:
    row = service()
    mine = job(service_id=row.pk, subject="shop / api", summary={"services": 1, "updates": 1})
    job(service_id="svc_other", subject="home / web")
    page = shown(viewer, row)
    assert "Check shop / api 1 service, 1 update a person" in page
    assert "home / web" not in page
    assert f'href="/queue/{mine.pk}"' in viewer.get(path_of(row)).content.decode()


@pytest.mark.parametrize("kind", ["check.service", "check.stack", "check.all"])
def test_it_shows_a_check_that_is_about_it(operator: Client, kind: str) -> None:
    row = service()
    ids = {"check.service": (row.stack_id, row.pk), "check.stack": (row.stack_id, "")}
    stack_id, service_id = ids.get(kind, ("", ""))
    job(kind, "running", stack_id=stack_id, service_id=service_id)
    body = operator.get(path_of(row)).content
    assert "Checking…" in text_of(body)
    assert b"every 1s" in body
    assert b'id="check"' not in body


def test_it_archives_and_restores(operator: Client, viewer: Client) -> None:
    row = service()
    assert "Archive this service" not in shown(viewer, row)
    page = text_of(operator.post(f"{path_of(row)}/archive", follow=True).content)
    assert "api is archived." in page
    assert "Restore this service" in page
    page = text_of(operator.post(f"{path_of(row)}/restore", follow=True).content)
    assert "api is back." in page
    assert Service.objects.get().archived_at is None


def test_it_is_nothing_under_another_stack(viewer: Client) -> None:
    row, other = service(), service(stack="home")
    assert viewer.get(f"/services/{other.stack_id}/{row.pk}").status_code == 404


def test_it_asks_the_database_as_often_for_many_candidates_and_jobs(viewer: Client) -> None:
    row = service()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            viewer.get(path_of(row))
        return len(captured)

    few = queries()
    for step in ("major", "minor", "patch"):
        candidate(row, step=step)
    for _number in range(12):
        job(service_id=row.pk)
    assert queries() == few <= 12


def test_it_says_why_nothing_can_be_compared(viewer: Client) -> None:
    row = service()
    Service.objects.update(status="unknown", checked_at=timezone.now(), reason="<gone> there")
    for path in ("/", path_of(row)):
        assert "&lt;gone&gt; there" in viewer.get(path).content.decode()


def press(client: Client, row: Service, button: str) -> str:
    """Press a button as a browser without scripts does, and read the page that comes."""
    response = client.post(f"{path_of(row)}/{button}", follow=True)
    assert response.status_code == 200
    return text_of(response.content)


def test_it_skips_a_version_and_shows_it_again(operator: Client) -> None:
    row = service()
    new = candidate(row, tag="1.3.0")
    page = press(operator, row, f"candidates/{new.pk}/skip")
    assert "shop / api ignored" in page
    assert "All that is newer is hidden by rules." in page
    assert "This tag 1.3.0 Hides now: 1.3.0 (minor). Made by operator just now" in page
    assert "without an end." in page
    rule = IgnoreRule.objects.get()
    assert (rule.kind, rule.value, rule.service, rule.expires_at) == ("exact", "1.3.0", row, None)
    page = press(operator, row, f"rules/{rule.pk}/show-again")
    assert "shop / api update available" in page
    assert "What rules hide here" not in page
    assert not IgnoreRule.objects.exists()


def test_it_snoozes_a_rebuilt_image_for_a_week(operator: Client) -> None:
    row = service()
    new = candidate(row, step="rebuilt", tag="1.2.0")
    assert "Skip this image" in shown(operator, row)
    assert f"This digest {new.digest[:19]}" in press(operator, row, f"candidates/{new.pk}/snooze")
    rule = IgnoreRule.objects.get()
    assert (rule.kind, rule.value) == ("digest", new.digest)
    assert rule.expires_at is not None
    assert rule.expires_at - rule.created_at == pytest.approx(timedelta(days=7), abs=MINUTE)


def test_it_switches_off_a_rule_that_is_for_others_too(operator: Client) -> None:
    row = service()
    candidate(row, tag="1.3.0")
    rule = IgnoreRule.objects.create(scope="all", kind="prefix", value="1.3", note="not before May")
    page = shown(operator, row)
    assert "Tags that begin with 1.3 not before May For everything. Made just now" in page
    assert "Show again everywhere" in page
    press(operator, row, f"rules/{rule.pk}/show-again")
    rule.refresh_from_db()
    assert rule.enabled is False


def test_it_knows_only_its_own_candidates_and_rules(operator: Client) -> None:
    row, other = service(), service(name="web")
    new = candidate(other)
    rule = IgnoreRule.objects.create(scope="service", service=other, kind="exact", value="1")
    for path in (f"candidates/{new.pk}/skip", f"rules/{rule.pk}/show-again"):
        assert operator.post(f"{path_of(row)}/{path}").status_code == 404


def test_it_offers_viewers_no_rules(viewer: Client) -> None:
    row = service()
    candidate(row)
    page = shown(viewer, row)
    assert "Skip this version" not in page
    assert "Snooze" not in page


def test_it_says_what_a_registry_can_bear(viewer: Client) -> None:
    row = service()
    Registry.objects.create(
        host=row.registry,
        cooldown_until=timezone.now() + timedelta(minutes=5, seconds=30),
        limit_most=100,
        limit_remaining=76,
        limit_seen_at=timezone.now(),
    )
    said = shown(viewer, row)
    assert "rests, and is asked again in 5 min" in said
    assert "76 of 100 left of its limit, just now" in said
