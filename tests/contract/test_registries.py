"""Registries, as a program enters and tries them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from checks.models import Registry
from dockrev.fields import MASK
from tests.certificates import Authority
from tests.people import Program, error_of
from tests.rows import service
from tests.servers import TokenRegistry

REGISTRIES = "/api/registries"
NEW = {"host": "registry.example:5000", "username": "ada", "password": "lovelace"}


@pytest.fixture(autouse=True)
def no_docker_config(tmp_path: Path, settings: Settings) -> None:
    settings.DOCKER_CONFIG = str(tmp_path)
    settings.DOCKER_CERTS = tmp_path


def made(admin: Program, **given: Any) -> dict[str, Any]:
    response = admin.post(REGISTRIES, {**NEW, **given})
    assert response.status_code == 201, response.content
    result: dict[str, Any] = response.json()
    return result


def test_it_enters_one_and_hides_its_password(admin: Program) -> None:
    authority = Authority()
    entry = made(admin, authorities=authority.pem, tokenHost="auth.example", mirrorOf="docker.io")
    ends = authority.certificate.not_valid_after_utc.isoformat().replace("+00:00", "Z")
    assert entry == {
        "id": Registry.objects.get().pk,
        "host": "registry.example:5000",
        "username": "ada",
        "passwordMasked": MASK,
        "insecure": False,
        "authorities": [{"name": "Acme CA", "endsAt": ends}],
        "tokenHost": "auth.example",
        "mirrorOf": "docker.io",
        "askedFirst": False,
        "signIn": {"kind": "registry", "name": "ada"},
        "services": 0,
        "servicesNotChecked": 0,
        "lastAnsweredAt": None,
        "restsUntil": None,
        "lastError": None,
        "unreachableSince": None,
        "limit": None,
    }
    listed = admin.get(REGISTRIES).json()
    assert (listed["registries"], listed["total"]) == ([entry], 1)


def test_it_lists_what_services_use_too(viewer: Program) -> None:
    service("nginx:1")
    (listed,) = viewer.get(REGISTRIES).json()["registries"]
    assert (listed["id"], listed["host"], listed["services"]) == (None, "docker.io", 1)
    assert listed["signIn"] == {"kind": "nobody", "name": None}
    assert viewer.get(f"{REGISTRIES}?page=2").json()["registries"] == []


def test_it_says_what_a_registry_said(viewer: Program) -> None:
    now = timezone.now().replace(microsecond=0)
    until = now.replace(year=now.year + 1)
    Registry.objects.create(
        host="docker.io",
        cooldown_until=until,
        last_error="too often",
        last_ok_at=now,
        limit_most=100,
        limit_remaining=7,
        limit_seen_at=now,
    )
    (listed,) = viewer.get(REGISTRIES).json()["registries"]
    assert listed["lastAnsweredAt"] == now.isoformat().replace("+00:00", "Z")
    assert listed["restsUntil"] == until.isoformat().replace("+00:00", "Z")
    assert listed["lastError"] == "too often"
    assert listed["limit"] == {
        "most": 100,
        "remaining": 7,
        "windowSeconds": None,
        "seenAt": listed["lastAnsweredAt"],
    }


def test_it_changes_what_is_named_and_nothing_else(admin: Program) -> None:
    path = f"{REGISTRIES}/{made(admin)['id']}"
    changed = admin.patch(path, {"mirrorOf": "docker.io", "askedFirst": True}).json()
    assert (changed["mirrorOf"], changed["askedFirst"]) == ("docker.io", True)
    for kept in ("", MASK):
        assert admin.patch(path, {"password": kept}).status_code == 200
        assert Registry.objects.get().password == "lovelace"
    assert admin.patch(path, {"password": "byron"}).status_code == 200
    assert Registry.objects.get().password == "byron"
    assert admin.patch(path, {"username": ""}).json()["passwordMasked"] is None
    assert Registry.objects.get().password == ""


def test_it_asks_for_the_password_again_for_another_host(admin: Program) -> None:
    path = f"{REGISTRIES}/{made(admin)['id']}"
    for password in ({}, {"password": MASK}):
        answer = admin.patch(path, {"host": "other.example", **password})
        assert error_of(answer, 400, "invalid_argument")["details"]["field"] == "password"
    assert Registry.objects.get().host == "registry.example:5000"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"host": ""}, "host"),
        ({"host": 7}, "host"),
        ({"host": "a" * 256}, "host"),
        ({"host": "no host"}, "host"),
        ({"host": "[:::]"}, "host"),
        ({"username": "a\u0000b"}, "username"),
        ({"username": ""}, "username"),
        ({"password": ""}, "password"),
        ({"password": "x" * 20_001}, "password"),
        ({"password": "\ud800"}, "password"),
        ({"insecure": "yes"}, "insecure"),
        ({"authorities": "nonsense"}, "authorities"),
        ({"authorities": Authority().private_key}, "authorities"),
        ({"tokenHost": "a:1"}, "tokenHost"),
        ({"mirrorOf": "no host"}, "mirrorOf"),
        ({"askedFirst": True}, "mirrorOf"),
    ],
)
def test_it_enters_none_that_is_wrong(admin: Program, given: dict[str, Any], field: str) -> None:
    error = error_of(admin.post(REGISTRIES, {**NEW, **given}), 400, "invalid_argument")
    assert error["details"]["field"] == field
    assert not Registry.objects.exists()


def test_it_enters_a_host_once(admin: Program) -> None:
    made(admin)
    error = error_of(admin.post(REGISTRIES, NEW), 400, "invalid_argument")
    assert error["details"]["field"] == "host"


def test_it_removes_one(admin: Program) -> None:
    path = f"{REGISTRIES}/{made(admin)['id']}"
    assert admin.delete(path).status_code == 204
    error_of(admin.delete(path), 404, "not_found")


def test_it_tries_one(admin: Program, token_registry: TokenRegistry) -> None:
    address = token_registry.server.address
    service(f"{address}/acme/api:1.2")
    path = f"{REGISTRIES}/{made(admin, host=address)['id']}"
    tried = admin.post(f"{path}/test").json()
    assert tried["ok"] is True
    outcomes = [(each["step"], each["outcome"]) for each in tried["steps"]]
    assert outcomes == [("reach", "ok"), ("sign_in", "ok"), ("read", "ok")]
    admin.patch(path, {"password": "babbage"})
    tried = admin.post(f"{path}/test").json()
    assert tried["ok"] is False
    assert "babbage" not in str(tried)


def test_it_is_for_admins_to_enter_and_to_try(operator: Program) -> None:
    error_of(operator.post(REGISTRIES, NEW), 403, "permission_denied")
    row = Registry.objects.create(host="registry.example")
    error_of(operator.post(f"{REGISTRIES}/{row.pk}/test"), 403, "permission_denied")
