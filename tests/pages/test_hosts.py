"""Settings, Docker hosts, and what other pages say of a host."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Host, HostKey
from tests.pages.test_overview import text_of
from tests.rows import service

pytestmark = pytest.mark.django_db
PAGE = "/settings/hosts"


def page(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def entered(name: str = "nas", **more: object) -> Host:
    return Host.objects.create(name=name, docker_host=f"ssh://{name}.example", **more)


def test_it_lists_each_with_how_it_is(admin: Client, viewer: Client) -> None:
    entered(error="No ssh server answers.", version="28.2.2", containers=4)
    for client in (admin, viewer):
        said = page(client)
        assert "No ssh server answers." in said
        assert "Docker 28.2.2" in said
    assert "Add a Docker host" not in page(viewer)


def test_its_pages_are_below_settings(admin: Client) -> None:
    host = entered()
    for path in (PAGE, f"{PAGE}/add", f"{PAGE}/{host.pk}"):
        assert '<a href="/settings" aria-current=' in admin.get(path).content.decode()


def test_the_list_holds_a_fixed_number_of_queries(admin: Client) -> None:
    entered()
    admin.get(PAGE)
    with CaptureQueriesContext(connection) as before:
        admin.get(PAGE)
    for number in range(5):
        entered(f"host-{number}")
    with CaptureQueriesContext(connection) as after:
        admin.get(PAGE)
    assert len(after) == len(before)


def test_it_saves_and_shows_no_key(admin: Client) -> None:
    host = entered()
    HostKey.objects.create(host=host, key="-----BEGIN PRIVATE KEY----- lovelace")
    given = {"act": "save", "name": "attic", "docker_host": "ssh://attic.example", "enabled": "on"}
    response = admin.post(f"{PAGE}/{host.pk}", given)
    assert response.status_code == 302
    assert "attic is saved" in page(admin, f"{PAGE}/{host.pk}")
    assert "lovelace" not in admin.get(f"{PAGE}/{host.pk}").content.decode()
    assert HostKey.objects.exists()
    wrong = admin.post(f"{PAGE}/{host.pk}", {**given, "docker_host": "attic"})
    assert wrong.status_code == 422
    assert "Begin with unix://" in text_of(wrong.content)


def test_it_tries_what_stands_in_the_form_and_keeps_nothing(admin: Client) -> None:
    given = {"act": "try", "name": "nas", "docker_host": "unix:///nowhere.sock", "enabled": "on"}
    said = text_of(admin.post(f"{PAGE}/add", given).content)
    assert "It does not work yet." in said
    assert "the socket is not there" in said
    assert not Host.objects.filter(name="nas").exists()


def test_removing_says_what_is_lost(admin: Client) -> None:
    host = entered()
    said = page(admin, f"{PAGE}/{host.pk}")
    assert "Archive its services" in said
    assert "the way back to what an update replaced" in said
    admin.post(f"{PAGE}/{host.pk}", {"act": "remove", "services": "delete"})
    assert not Host.objects.filter(pk=host.pk).exists()


def test_pages_say_that_a_host_is_down_or_read_only(operator: Client) -> None:
    row = service()
    place = f"/services/{row.stack_id}/{row.pk}"
    now = timezone.now()
    down = {"unreachable_since": now, "unreachable_at": now, "seen_at": now, "error": "It hangs."}
    Host.objects.filter(name="local").update(**down)
    for path in ("/", place):
        assert "The Docker Engine of local cannot be reached." in page(operator, path)
    Host.objects.filter(name="local").update(unreachable_since=None, error="", read_only=True)
    for path in ("/", place):
        assert "lets Dockrev only look" in page(operator, path)
