from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Host, Job, Service, Stack
from tests.pages.rows import candidate, job, many_services
from tests.rows import service

pytestmark = pytest.mark.django_db


def text_of(response_body: bytes) -> str:
    """What a page says, without its markup."""
    without = re.sub(r"<(script|style)[^>]*>.*?</\1>|<[^>]+>", " ", response_body.decode())
    return " ".join(html.unescape(without).split())


def overview(client: Client, query: str = "") -> str:
    response = client.get(f"/{query}")
    assert response.status_code == 200
    return text_of(response.content)


def test_it_shows_services_by_stack_with_what_they_can_become(viewer: Client) -> None:
    api = service(image="ghcr.io/acme/api:1.2.0")
    candidate(api, step="minor", tag="1.3.0")
    service(image="nginx:1.27", name="web", stack="home")
    page = overview(viewer)
    assert "2 services, 1 update" in page
    assert "update available api acme/api ghcr.io 1.2.0 → can become 1.3.0 minor" in page
    assert "unknown web nginx docker.io 1.27" in page
    assert page.index("home 1 service") < page.index("shop 1 service 1 update")


def test_it_says_since_when_everything_is_checked(viewer: Client) -> None:
    """Not when the last one was, nor that of one which is not there any more."""
    now = timezone.now()
    for hours, name in ((0, "api"), (3, "web"), (9, "gone")):
        row = service(name=name)
        Service.objects.filter(pk=row.pk).update(checked_at=now - timedelta(hours=hours))
    Service.objects.filter(name="gone").update(missing_since=now)
    assert "3 services, no updates, checked 3 hours ago" in overview(viewer)


def test_it_shows_the_largest_step_and_says_that_the_tag_was_rebuilt_too(viewer: Client) -> None:
    api = service()
    candidate(api, step="rebuilt", tag="1.2.0")
    candidate(api, step="patch", tag="1.2.1")
    candidate(api, step="major", tag="2.0.0")
    page = overview(viewer)
    assert "can become 2.0.0 the present tag was rebuilt too major" in page
    assert "1.2.1" not in page


def test_it_says_rebuilt_where_only_the_digest_moved(viewer: Client) -> None:
    candidate(service(image="redis:latest"), step="rebuilt", tag="latest")
    page = overview(viewer)
    assert "latest rebuilt" in page
    assert "can become" not in page


@pytest.mark.parametrize(
    "status", [status for status in Service.Status if status != Service.Status.UPDATE_AVAILABLE]
)
def test_it_says_every_status_in_words(viewer: Client, status: Service.Status) -> None:
    row = service()
    Service.objects.filter(pk=row.pk).update(status=status)
    assert f"{status.label} api" in overview(viewer)


@pytest.mark.parametrize(
    ("words", "found"),
    [("api", True), ("SHOP", True), ("ghcr acme", True), ("shop web", False), ("%", False)],
)
def test_it_searches_names_stacks_and_images(viewer: Client, words: str, *, found: bool) -> None:
    service()
    service(name="web", stack="home", image="nginx:1")
    page = overview(viewer, f"?q={words}")
    assert ("acme/api" in page) is found
    assert ("No service matches" in page) is not found


def test_it_filters_with_counts(viewer: Client) -> None:
    candidate(service(name="a"), step="major", tag="2")
    candidate(service(name="b"), step="minor")
    Service.objects.create(stack=Stack.objects.get(), name="c", error="no answer")
    page = overview(viewer, "?show=major")
    assert "All 3 Updates 2 Major 1 Failed 1" in page
    assert "1 to 1" not in page
    assert [name for name in "abc" if f"available {name} acme" in page] == ["a"]


def test_it_takes_any_filter_and_page_without_failing(viewer: Client) -> None:
    service()
    for query in (
        "?show=nonsense",
        "?page=x",
        "?page=99",
        "?q=%00%F0%9F%90%B3",
        f"?q={'x' * 9000}",
    ):
        assert viewer.get(f"/{query}").status_code == 200


def test_it_puts_what_is_archived_away(viewer: Client) -> None:
    row = service()
    Service.objects.filter(pk=row.pk).update(archived_at=timezone.now())
    service(name="web")
    assert "acme/api" in overview(viewer, "?show=archived")
    assert "available api" not in overview(viewer)
    assert "1 service," in overview(viewer)


def test_it_shows_why_a_stack_is_invalid(viewer: Client) -> None:
    host = Host.objects.get(name="local")
    Stack.objects.create(
        host=host,
        name="blog",
        source="files",
        status="invalid",
        error="/srv/blog/compose.yaml cannot be read. Mount it at the same path.",
        config_files=["/srv/blog/compose.yaml"],
    )
    page = overview(viewer)
    assert "blog 0 services /srv/blog/compose.yaml cannot be read. Mount it" in page


def test_it_names_the_host_where_there_are_several(viewer: Client) -> None:
    service()
    assert "shop 1 service" in overview(viewer)
    Host.objects.create(name="nas")
    assert "shop local 1 service" in overview(viewer)


def test_it_says_how_old_the_rows_of_an_unreachable_host_are(viewer: Client) -> None:
    service()
    seen = timezone.now() - timedelta(hours=3)
    Host.objects.update(error="unix:///x.sock does not answer.", seen_at=seen)
    page = overview(viewer)
    assert "The Docker Engine of local cannot be reached." in page
    assert "What is shown of it is from 3 hours ago . unix:///x.sock does not answer." in page
    assert "acme/api" in page


def test_it_says_why_it_is_empty(viewer: Client, operator: Client) -> None:
    assert "Nobody has looked for stacks yet." in overview(viewer)
    host = Host.objects.get(name="local")
    Host.objects.update(seen_at=timezone.now())
    assert "No Compose project was found on local." in overview(viewer)
    Host.objects.filter(pk=host.pk).update(error="unix:///x.sock does not answer.")
    page = overview(operator)
    assert "The Docker Engine of local cannot be reached. unix:///x.sock does not answer." in page
    assert "DOCKREV_DOCKER_HOST" in page
    assert "DOCKREV_COMPOSE_DIRS" in page
    assert "Look now" in page


def test_it_escapes_what_others_named(viewer: Client) -> None:
    hostile = '<script>alert("1")</script>'
    row = service()
    Service.objects.filter(pk=row.pk).update(name=hostile, error=hostile, image_ref=hostile)
    Stack.objects.update(name=hostile, error=hostile)
    candidate(row, tag="<b>")
    for path in ("/", f"/services/{row.stack_id}/{row.pk}", f"/?q={hostile}"):
        page = viewer.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<b>" not in page
        assert "&lt;script&gt;" in page


def test_it_shows_fifty_to_a_page(viewer: Client) -> None:
    host = Host.objects.get(name="local")
    stack = Stack.objects.create(host=host, name="shop", source="engine")
    names = [f"svc-{number:03}" for number in range(101)]
    Service.objects.bulk_create([Service(stack=stack, name=name) for name in names])
    assert "1 to 50 of 101 Next" in overview(viewer)
    last = overview(viewer, "?page=3")
    assert "Previous 101 to 101 of 101" in last
    assert "svc-100" in last
    assert "shop 101 services" in last


def test_it_asks_the_database_as_often_for_thirty_services_as_for_three(viewer: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            viewer.get("/")
        return len(captured)

    many_services(3)
    few = queries()
    Service.objects.all().delete()
    many_services(30)
    assert queries() == few <= 14


def test_it_shows_viewers_no_button(viewer: Client, operator: Client) -> None:
    service()
    assert 'action="/check"' not in viewer.get("/").content.decode()
    assert "<button" not in viewer.get("/").content.decode().partition("<main")[2]
    assert 'action="/check"' in operator.get("/").content.decode()


def test_it_checks_a_service_and_says_so(operator: Client) -> None:
    row = service()
    path = f"/services/{row.stack_id}/{row.pk}/check"
    response = operator.post(path, headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert response.headers["HX-Trigger"] == "changed"
    queued = Job.objects.get()
    assert (queued.kind, queued.reason, queued.created_by) == ("check.service", "ui", "operator")
    assert (queued.service_id, queued.subject) == (row.pk, "shop / api")
    body = operator.get("/").content
    assert "Waiting…" in text_of(body)
    assert b"every 1s" in body


def test_it_joins_the_check_that_is_under_way(operator: Client) -> None:
    row = service()
    for _click in range(2):
        operator.post(f"/services/{row.stack_id}/{row.pk}/check")
    assert Job.objects.count() == 1


def test_it_checks_a_stack_and_everything_and_looks_again(operator: Client) -> None:
    stack = service().stack
    for path in (f"/stacks/{stack.pk}/check", "/check", "/discover"):
        assert operator.post(path).headers["Location"] == "/"
    asked = set(Job.objects.values_list("kind", "scope", "subject"))
    assert asked == {
        ("check.stack", "stack", "shop"),
        ("check.all", "all", ""),
        ("discovery", "all", ""),
    }
    page = overview(operator)
    assert "Looking… Checking…" in page
    assert "checking now" in page


def test_it_counts_how_far_a_full_check_is(viewer: Client) -> None:
    service()
    job("check.all", "running", scope="all", progress_done=12, progress_total=47)
    assert "checking 12 of 47" in overview(viewer)


def test_a_full_check_that_waits_can_be_asked_for_anew(operator: Client) -> None:
    service()
    summary = {"waiting": [{"host": "docker.io", "services": 35, "until": "2026-01-02T04:04:05Z"}]}
    job("check.all", "queued", scope="all", summary=summary, progress_done=12, progress_total=47)
    said = overview(operator)
    assert "12 of 47 checked, the rest waits" in said
    assert "Check all" in said
    assert "Checking…" not in said


def test_it_goes_back_to_where_a_button_was_but_never_elsewhere(operator: Client) -> None:
    row = service()
    path = f"/stacks/{row.stack_id}/archive"
    operator.post(path)
    back = operator.post(f"/stacks/{row.stack_id}/restore", {"next": "/?show=archived"})
    assert back.headers["Location"] == "/?show=archived"
    out = operator.post(path, {"next": "https://evil.example/"})
    assert out.headers["Location"] == "/"
    assert Stack.objects.get().archived_at is not None
