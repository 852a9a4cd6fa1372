"""Who calls: tokens, sessions, and people whom a trusted proxy names."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.utils import timezone

from dockrev.models import ApiToken
from dockrev.proxies import client_address
from tests.people import Program, error_of, person

pytestmark = pytest.mark.django_db
PROXY = "10.0.0.2"
trusting = override_settings(
    TRUSTED_PROXIES=["10.0.0.0/24", "2001:db8::/64"],
    FORWARDED_USER_HEADER="Remote-User",
    FORWARDED_GROUPS_HEADER="Remote-Groups",
)


def _through(**headers: str) -> Any:
    client = Client(headers={name.replace("_", "-"): value for name, value in headers.items()})
    return client.get("/api/services", REMOTE_ADDR=PROXY)


def test_it_takes_nobodys_word_by_default() -> None:
    person("admin", "ada")
    error_of(_through(Remote_User="ada"), 401, "auth_required")


@trusting
def test_it_takes_no_word_from_an_address_that_is_not_trusted() -> None:
    person("admin", "ada")
    for address in ("10.0.1.2", "127.0.0.1", "", "nonsense"):
        response = Client().get(
            "/api/services", REMOTE_ADDR=address, headers={"Remote-User": "ada"}
        )
        error_of(response, 401, "auth_required")


@trusting
def test_it_takes_the_word_of_a_trusted_proxy() -> None:
    person("viewer", "ada")
    assert _through(Remote_User="ada").status_code == 200
    mapped = Client().get(
        "/api/services", REMOTE_ADDR="::ffff:10.0.0.2", headers={"Remote-User": "ada"}
    )
    assert mapped.status_code == 200


@trusting
def test_it_reads_no_second_name_for_the_same_header() -> None:
    person("admin", "ada")
    error_of(_through(X_Forwarded_User="ada"), 401, "auth_required")


@trusting
def test_it_makes_a_person_without_a_role() -> None:
    error_of(_through(Remote_User="grace"), 403, "permission_denied")
    made = User.objects.get(username="grace")
    assert not made.has_usable_password()
    assert not made.groups.exists()
    _through(Remote_User="grace")
    assert User.objects.count() == 1


@trusting
def test_it_gives_a_role_for_as_long_as_the_proxy_says_so() -> None:
    assert _through(Remote_User="grace", Remote_Groups="family, Viewer").status_code == 200
    error_of(_through(Remote_User="grace", Remote_Groups="family"), 403, "permission_denied")


@override_settings(TRUSTED_PROXIES=["10.0.0.2"], FORWARDED_GROUPS_HEADER="")
def test_it_believes_no_groups_unless_their_header_is_named() -> None:
    error_of(_through(Remote_User="eve", Remote_Groups="admin"), 403, "permission_denied")


@trusting
def test_it_turns_away_names_that_cannot_be_used() -> None:
    away = person("admin", "ada")
    away.is_active = False
    away.save(update_fields=["is_active"])
    for name in ("ada", "a b", "a" * 151, "<script>"):
        error_of(_through(Remote_User=name), 401, "auth_required")
    assert User.objects.count() == 1


@trusting
def test_it_wants_the_csrf_token_of_a_forwarded_person() -> None:
    person("operator", "ada")
    client = Client(enforce_csrf_checks=True)
    response = client.post(
        "/api/discovery/scan",
        content_type="application/json",
        headers={"Remote-User": "ada"},
        REMOTE_ADDR=PROXY,
    )
    assert error_of(response, 403, "permission_denied")["details"] == {"reason": "csrf"}


@trusting
def test_it_shows_pages_to_a_forwarded_person() -> None:
    person("viewer", "ada")
    client = Client()
    assert (
        client.get("/queue", headers={"Remote-User": "ada"}, REMOTE_ADDR=PROXY).status_code == 200
    )
    assert client.get("/queue").status_code == 302


@trusting
def test_it_takes_a_token_before_a_forwarded_name() -> None:
    person("viewer", "ada")
    program = Program(person("operator"))
    response = program.client.post(
        "/api/discovery/scan",
        content_type="application/json",
        headers={**program.headers, "Remote-User": "ada"},
        REMOTE_ADDR=PROXY,
    )
    assert response.status_code == 202


@trusting
@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # anyone can send that header
        ("10.0.0.2", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "198.51.100.7, 10.0.0.3", "198.51.100.7"),
        ("10.0.0.2", "[2001:db8:1::7]:443, 10.0.0.3:80", "2001:db8:1::7"),
        ("10.0.0.2", "unknown, 10.0.0.3", "10.0.0.3"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("2001:db8::1", "198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", ""),
    ],
)
def test_it_finds_the_address_beyond_the_proxies(peer: str, forwarded: str, address: str) -> None:
    environ = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}
    assert client_address(environ) == address


def test_it_turns_away_a_token_that_has_ended() -> None:
    user = person("viewer")
    program = Program(user)
    assert program.get("/api/services").status_code == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    error_of(program.get("/api/services"), 401, "auth_required")
    ApiToken.objects.update(expires_at=None)
    user.is_active = False
    user.save(update_fields=["is_active"])
    error_of(program.get("/api/services"), 401, "auth_required")


def test_it_notes_when_a_token_was_used() -> None:
    program = Program(person("viewer"))
    program.get("/api/services")
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    program.get("/api/services")
    assert ApiToken.objects.get().last_used_at == first  # not at every call


def _create(*arguments: str) -> str:
    out = StringIO()
    call_command("token", "create", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_it_prints_a_token_and_nothing_else() -> None:
    person("viewer", "ada")
    printed = _create("--user", "ada", "--name", "CI", "--expires", "30")
    (token,) = printed.splitlines()
    row = ApiToken.objects.get()
    assert row.name == "CI"
    assert row.expires_at is not None
    assert timedelta(days=29) < row.expires_at - timezone.now() < timedelta(days=31)
    assert token not in str(vars(row))
    response = Client().get("/api/services", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "arguments",
    [
        ("--user", "nobody"),
        ("--user", "ada", "--expires", "0"),
        ("--user", "ada", "--expires", "4000"),
        ("--user", "ada", "--expires", "soon"),
        ("--user", "ada", "--name", "a" * 101),
        (),
    ],
)
def test_it_makes_no_token_of_what_is_wrong(arguments: tuple[str, ...]) -> None:
    person("viewer", "ada")
    with pytest.raises(CommandError):
        _create(*arguments)
    assert not ApiToken.objects.exists()


def test_it_believes_the_end_of_a_long_list_of_addresses() -> None:
    """What a caller writes first must not push out what the proxy wrote last."""
    forwarded = "192.0.2.66, " * 300 + "203.0.113.9"
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": forwarded}
    with override_settings(TRUSTED_PROXIES=["127.0.0.1"]):
        assert client_address(environ) == "203.0.113.9"
