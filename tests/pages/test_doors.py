"""Who gets through which door, and what those see who do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from checks.models import Job, Service, Stack
from tests.pages.rows import delivery, job
from tests.pages.test_overview import text_of
from tests.rows import github_receiver, service

pytestmark = pytest.mark.django_db

READ = ["/", "/queue", "/deliveries", "/settings", "/settings/github-packages"]
READ += ["/settings/registries"]
READ += ["{service}", "{job}", "{job}/log", "{delivery}"]
READ += ["/settings/policy", "/stacks/{stack}/policy"]
ACT = [
    "/check",
    "/discover",
    "/stacks/{stack}/check",
    "/stacks/{stack}/archive",
    "/stacks/{stack}/restore",
    "{service}/check",
    "{service}/archive",
    "{service}/restore",
    "{job}/cancel",
    "{job}/repeat",
    "{delivery}/replay",
]


@pytest.fixture
def places(db: None) -> dict[str, str]:
    row = service()
    return {
        "stack": row.stack_id,
        "service": f"/services/{row.stack_id}/{row.pk}",
        "job": f"/queue/{job('discovery').pk}",
        "delivery": f"/deliveries/{delivery(github_receiver()).pk}",
    }


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
@pytest.mark.parametrize("path", READ)
def test_it_shows_every_page_to_every_role(
    signed_in: Callable[[str], Client], places: dict[str, str], path: str, role: str
) -> None:
    assert signed_in(role).get(path.format(**places)).status_code == 200


@pytest.mark.parametrize("path", READ)
def test_it_shows_no_page_to_strangers_or_people_without_a_role(
    client: Client, signed_in: Callable[[str], Client], places: dict[str, str], path: str
) -> None:
    place = path.format(**places)
    assert client.get(place).headers["Location"].startswith("/sign-in?next=")
    refused = signed_in("").get(place)
    assert refused.status_code == 403
    assert "This account has no role yet." in text_of(refused.content)


@pytest.mark.parametrize("path", ACT)
def test_it_lets_nobody_below_an_operator_act(
    client: Client, signed_in: Callable[[str], Client], places: dict[str, str], path: str
) -> None:
    place = path.format(**places)
    before = (Job.objects.count(), Service.objects.get().archived_at, Stack.objects.get())
    refused = signed_in("viewer").post(place)
    assert refused.status_code == 403
    assert "Your role does not allow this." in text_of(refused.content)
    assert client.post(place).headers["Location"].startswith("/sign-in")
    assert before == (Job.objects.count(), Service.objects.get().archived_at, Stack.objects.get())


@pytest.mark.parametrize("path", ACT)
def test_it_acts_only_on_a_post(operator: Client, places: dict[str, str], path: str) -> None:
    assert operator.get(path.format(**places)).status_code == 405


@pytest.mark.parametrize("path", ACT)
def test_it_acts_only_with_the_page_s_own_token(
    operator: Client, places: dict[str, str], path: str
) -> None:
    operator.handler.enforce_csrf_checks = True
    refused = operator.post(path.format(**places))
    assert refused.status_code == 403
    assert "This was not done, for safety." in text_of(refused.content)


def test_it_says_that_there_is_nothing(viewer: Client, client: Client) -> None:
    for person in (viewer, client):
        response = person.get("/nothing/here")
        assert response.status_code == 404
        assert "There is nothing here." in text_of(response.content)


def test_it_says_that_it_failed_without_saying_how(operator: Client) -> None:
    operator.raise_request_exception = False
    shown = job("discovery")
    Job.objects.filter(pk=shown.pk).update(summary=[])
    response = operator.get(f"/queue/{shown.pk}")
    assert response.status_code == 500
    assert "Dockrev failed to show this." in text_of(response.content)
    assert b"Traceback" not in response.content


@pytest.mark.parametrize("path", [*READ, "/sign-in", "/nothing"])
def test_it_has_nothing_inline_and_a_strict_policy(
    viewer: Client, places: dict[str, str], path: str
) -> None:
    if path == "/sign-in":
        viewer.logout()
    response = viewer.get(path.format(**places))
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    page = response.content.decode()
    assert " style=" not in page
    assert "<style" not in page
    assert " onclick=" not in page
    assert page.count("<script") == page.count("<script src=")
