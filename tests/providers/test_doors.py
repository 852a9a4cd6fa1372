"""From an account that a person makes to a hook that calls us, over the API alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from checks.models import Job
from checks.tasks import run_job
from integrations.models import HookAccount, Receiver
from tests.people import Program, person
from tests.providers.cases import BASE, TOKEN, USER, Case

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program(person("admin"))


@pytest.fixture
def account(case: Case, program: Program) -> dict[str, Any]:
    """It was made and switched on, which makes a secret."""
    kind = case.provider.receiver
    Receiver.objects.get_or_create(kind=kind, defaults={"name": kind})
    given = {
        "provider": case.key,
        "name": "At home",
        "apiUrl": case.fake.url,
        "token": TOKEN,
        "callbackUrl": f"{BASE}/{kind}",
        "enabled": True,
    }
    if case.provider.has_user:
        given["username"] = USER
    answer = program.post("/api/hook-accounts", given)
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def place(account: dict[str, Any], *rest: str) -> str:
    return "/".join(("/api/hook-accounts", account["id"], *rest))


def job(program: Program, path: str, body: Any = None) -> dict[str, Any]:
    """What a job says, after a worker had it."""
    answer = program.post(path, body or {})
    assert answer.status_code == 202, answer.content
    run_job(answer.json()["jobId"])
    return dict(program.get(f"/api/jobs/{answer.json()['jobId']}").json()["summary"])


def test_it_says_whose_token_it_is_and_shows_it_never(
    program: Program, account: dict[str, Any]
) -> None:
    assert account["credential"]["state"] == "ok"
    assert account["credential"]["login"] == USER
    secret = HookAccount.objects.get(pk=account["id"]).receiver.secret
    shown = json.dumps([account, program.get(place(account)).json()])
    assert TOKEN not in shown
    assert secret not in shown


def test_a_target_is_picked_and_gets_its_hook(
    program: Program, account: dict[str, Any], case: Case
) -> None:
    [name] = case.names(1)
    case.add("elsewhere/other" if "/" in name else "elsewhere")
    q = "" if case.key != "quay" else "?q=acme/"
    possible = program.get(f"{place(account, 'targets', 'possible')}{q}").json()
    assert name in [each["name"] for each in possible["targets"]]
    assert program.post(place(account, "targets"), {"name": name}).status_code == 201

    planned = job(program, place(account, "sync"), {"dryRun": True})
    assert [each["action"] for each in planned["results"]] == ["created"]
    assert {each.method for each in case.fake.asked} == {"GET"}

    done = job(program, place(account, "sync"))
    assert done["ok"] is True
    secret = HookAccount.objects.get(pk=account["id"]).receiver.secret
    assert case.hooks(name) == [case.right(secret)]
    assert secret not in json.dumps(done)

    [target] = program.get(place(account, "targets")).json()["targets"]
    assert target["hookState"] == "ok"
    assert secret not in json.dumps(target)
    assert job(program, place(account, "audit"))["ok"] is True

    unwanted = program.patch(place(account, "targets"), {"name": name, "selected": False})
    assert unwanted.status_code == 200
    gone = job(program, place(account, "sync"))
    assert [each["action"] for each in gone["results"]] == ["deleted"]
    assert case.hooks(name) == []


def test_what_is_wrong_is_repaired(program: Program, account: dict[str, Any], case: Case) -> None:
    [name] = case.names(1)
    program.post(place(account, "targets"), {"name": name})
    job(program, place(account, "sync"))
    case.switch_off(name)
    found = job(program, place(account, "audit"))
    assert [each["state"] for each in found["results"]] == ["drift"]
    assert job(program, place(account, "repair"))["ok"] is True
    assert all(each.works for each in case.hooks(name))


def test_all_hooks_go_before_the_account(
    program: Program, account: dict[str, Any], case: Case
) -> None:
    [name] = case.names(1)
    program.post(place(account, "targets"), {"name": name})
    job(program, place(account, "sync"))
    assert program.call("DELETE", place(account)).status_code == 409
    program.patch(place(account), {"enabled": False})
    job(program, place(account, "remove-hooks"))
    assert case.hooks(name) == []
    assert program.call("DELETE", place(account)).status_code == 204


def test_a_person_ends_a_conflict(program: Program, account: dict[str, Any], case: Case) -> None:
    [name] = case.names(1)
    program.post(place(account, "targets"), {"name": name})
    job(program, place(account, "sync"))
    secret = HookAccount.objects.get(pk=account["id"]).receiver.secret
    case.add_hook(name, case.url(secret))
    found = job(program, place(account, "sync"))
    assert secret not in json.dumps(found)
    kept, other = [each["id"] for each in found["results"][0]["conflictHooks"]]
    choice = {"target": name, "keepHookId": kept, "deleteHookIds": [other]}
    assert job(program, place(account, "sync"), {"resolveConflicts": [choice]})["ok"] is True
    assert case.hooks(name) == [case.right(secret)]


def test_the_page_misses_no_ping_where_none_is_sent(
    program: Program, account: dict[str, Any], case: Case, admin_client: Client
) -> None:
    """Their tests look like pushes, and none is sent unless somebody asks."""
    [name] = case.names(1)
    program.post(place(account, "targets"), {"name": name})
    job(program, place(account, "sync"))
    page = admin_client.get(f"/settings/hook-accounts/{account['id']}").content.decode()
    assert name in page
    assert "no ping came" not in page
    secret = HookAccount.objects.get(pk=account["id"]).receiver.secret
    assert secret not in page
    assert TOKEN not in page


@pytest.mark.parametrize("name", ["", "..", "a b", "https://elsewhere.example.com/acme/api"])
def test_what_names_no_target_is_refused(
    program: Program, account: dict[str, Any], name: str
) -> None:
    answer = program.post(place(account, "targets"), {"name": name})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["field"] == "name"


def test_a_credential_that_is_refused_is_kept_and_said(
    program: Program, account: dict[str, Any], case: Case
) -> None:
    case.revoke()
    answer = program.post(place(account, "test"))
    assert answer.json()["state"] == "invalid"
    [name] = case.names(1)
    program.post(place(account, "targets"), {"name": name})
    answer = program.post(place(account, "sync"), {})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["reason"] == "pat_invalid"
    assert not Job.objects.exists()


def test_a_server_that_is_away_is_said(
    program: Program, account: dict[str, Any], case: Case
) -> None:
    case.fake.fail("GET", "*", 503, times=99)
    for answer in (
        program.get(place(account, "targets", "possible")),
        program.post(place(account, "sync"), {}),
    ):
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_unavailable"
