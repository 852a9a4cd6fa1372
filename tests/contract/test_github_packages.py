"""GitHub Packages' settings and repositories, as a program sets them."""

from __future__ import annotations

from typing import Any

import pytest

from integrations.github import client
from integrations.models import HookAccount, HookTarget, Receiver
from tests.people import Program, error_of

SETTINGS = "/api/github-packages/settings"
ADD = "/api/github-packages/targets/add"
REPOS = "/api/github-packages/repos"
SECRET = "made by hand, long enough"
PAT = "ghp_" + "a1B2" * 9


def _receiver() -> Receiver:
    return Receiver.objects.get(kind="github-packages")


@pytest.fixture
def github_com(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own address, which the suite hides; nothing may be asked there."""
    monkeypatch.setattr(client, "API_URL", "https://api.github.com")


def test_it_is_off_at_first(viewer: Program, github_com: None) -> None:
    assert viewer.get(SETTINGS).json() == {
        "enabled": False,
        "callbackUrl": None,
        "apiUrl": "https://api.github.com",
        "patMasked": None,
        "secretMasked": None,
        "secretCreatedAt": None,
        "reposTotal": 0,
        "reposSelectedTotal": 0,
        "targets": [],
    }


def test_it_takes_a_secret_that_was_made_by_hand(admin: Program) -> None:
    response = admin.put(SETTINGS, {"enabled": True, "webhookSecret": SECRET})
    assert response.status_code == 200, response.content
    assert response.json()["enabled"] is True
    assert SECRET not in response.content.decode()
    assert (_receiver().enabled, _receiver().secret) == (True, SECRET)
    assert admin.get("/api/receivers/github-packages").json()["enabled"] is True


def test_it_makes_a_secret_where_a_token_can_tell_it(admin: Program) -> None:
    body = admin.put(SETTINGS, {"enabled": True, "pat": PAT}).json()
    assert body["patMasked"] == "ghp_..."
    assert len(_receiver().secret) >= 43
    account = HookAccount.objects.get()
    assert account.credential == PAT


def test_it_is_not_switched_on_without_token_or_secret(admin: Program, github_com: None) -> None:
    response = admin.put(SETTINGS, {"enabled": True, "apiUrl": "https://ghe.example/api/v3"})
    error = error_of(response, 422, "credential_rejected")
    assert error["details"] == {"reason": "pat_missing"}
    assert admin.get(SETTINGS).json()["apiUrl"] == "https://api.github.com"
    assert _receiver().enabled is False


@pytest.mark.parametrize("kept", ["", "ghp_...", "••••••••", None])
def test_it_keeps_a_token_that_comes_back_empty_or_masked(admin: Program, kept: str) -> None:
    admin.put(SETTINGS, {"pat": PAT})
    assert admin.put(SETTINGS, {"pat": kept}).json()["patMasked"] == "ghp_..."
    assert HookAccount.objects.get().credential == PAT


def test_it_forgets_a_token_when_told_to(admin: Program) -> None:
    admin.put(SETTINGS, {"pat": "github_pat_" + "a" * 20})
    assert admin.get(SETTINGS).json()["patMasked"] == "github_pat_..."
    assert admin.put(SETTINGS, {"clearPat": True}).json()["patMasked"] is None
    assert HookAccount.objects.get().credential == ""


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"callbackUrl": "http://dockrev.example/hook"}, "callbackUrl"),
        ({"callbackUrl": "/hook"}, "callbackUrl"),
        ({"callbackUrl": "https://"}, "callbackUrl"),
        ({"callbackUrl": "https://ada:pw@dockrev.example"}, "callbackUrl"),
        ({"callbackUrl": "https://dockrev.example/#part"}, "callbackUrl"),
        ({"callbackUrl": "https://" + "a" * 500}, "callbackUrl"),
        ({"callbackUrl": 3}, "callbackUrl"),
        ({"apiUrl": "http://ghe.example/api/v3"}, "apiUrl"),
        ({"apiUrl": "http://ghe.example\\.localhost/api/v3"}, "apiUrl"),
        ({"apiUrl": "https://[::1"}, "apiUrl"),
        ({"pat": "with a space"}, "pat"),
        ({"pat": "ghp_\x00"}, "pat"),
        ({"pat": "ghp_é"}, "pat"),
        ({"webhookSecret": "short"}, "webhookSecret"),
        ({"enabled": 1}, "enabled"),
    ],
)
def test_it_saves_nothing_where_a_field_is_wrong(
    admin: Program, given: dict[str, Any], field: str
) -> None:
    whole = {"pat": PAT, "webhookSecret": SECRET, "callbackUrl": "https://a.example", **given}
    error = error_of(admin.put(SETTINGS, whole), 400, "invalid_argument")
    assert error["details"]["field"] == field
    assert _receiver().secret == ""
    account = HookAccount.objects.get()
    assert (account.credential, account.callback_url) == ("", "")


def test_it_takes_plain_http_for_loopback(admin: Program, github_com: None) -> None:
    given = {"callbackUrl": "http://127.0.0.1:50883/hook", "apiUrl": "http://localhost:8080/api/"}
    body = admin.put(SETTINGS, given).json()
    assert body["callbackUrl"] == "http://127.0.0.1:50883/hook"
    assert body["apiUrl"] == "http://localhost:8080/api"
    assert admin.put(SETTINGS, {"apiUrl": ""}).json()["apiUrl"] == "https://api.github.com"


def test_it_rotates_its_secret(admin: Program) -> None:
    admin.put(SETTINGS, {"webhookSecret": SECRET})
    shown = admin.post(f"{SETTINGS}/rotate-secret").json()
    row = _receiver()
    assert (row.secret, row.previous_secret) == (shown["secret"], SECRET)
    assert row.previous_until is not None


def test_it_tracks_a_repository_however_it_is_written(admin: Program) -> None:
    first = admin.post(ADD, {"input": "Acme/API"})
    assert first.status_code == 201
    assert first.json() == {"kind": "repo", "owner": "Acme", "reposAdded": 1, "reposTotal": 1}
    again = admin.post(ADD, {"input": "https://github.com/acme/api.git"}).json()
    assert (again["reposAdded"], again["reposTotal"]) == (0, 1)
    assert HookTarget.objects.get().selected is True
    shown = admin.get(SETTINGS).json()
    assert shown["targets"] == [
        {"input": "Acme/API", "kind": "repo", "owner": "Acme", "warnings": []}
    ]
    assert (shown["reposTotal"], shown["reposSelectedTotal"]) == (1, 1)


def test_it_tracks_without_selecting(admin: Program) -> None:
    admin.post(ADD, {"input": "acme/api", "selected": False})
    assert HookTarget.objects.get().selected is False


def test_it_needs_a_token_to_list_an_owner(admin: Program) -> None:
    error = error_of(admin.post(ADD, {"input": "acme"}), 422, "credential_rejected")
    assert error["details"] == {"reason": "pat_missing"}
    admin.put(SETTINGS, {"pat": PAT})
    error_of(admin.post(ADD, {"input": "acme"}), 502, "upstream_unavailable")
    assert admin.get(SETTINGS).json()["targets"] == []


@pytest.mark.parametrize("wrong", ["", "  ", "a b", "acme/api/x", "https://gitlab.com/a/b", 5, "é"])
def test_it_refuses_what_names_nothing(admin: Program, wrong: object) -> None:
    error = error_of(admin.post(ADD, {"input": wrong}), 400, "invalid_argument")
    assert error["details"]["field"] == "input"


def test_it_forgets_what_was_typed(admin: Program) -> None:
    for typed in ("acme/api", "acme/web", "other/one"):
        admin.post(ADD, {"input": typed})
    account = HookAccount.objects.get()
    HookTarget.objects.create(account=account, full_name="acme/listed")
    owner = {"input": "acme", "kind": "owner", "owner": "acme", "name": "acme", "warnings": []}
    HookAccount.objects.update(inputs=[*account.inputs, owner])
    remove = "/api/github-packages/targets/remove"
    gone = admin.post(remove, {"input": "acme"}).json()
    assert gone == {"kind": "owner", "owner": "acme", "reposRemoved": 1, "reposTotal": 3}
    assert admin.post(remove, {"input": "ACME/web"}).json()["reposTotal"] == 2
    error_of(admin.post(remove, {"input": "acme/web"}), 404, "not_found")


def test_it_lists_selects_and_deletes_repositories(admin: Program) -> None:
    for name in ("acme/api", "acme/web", "other/one"):
        admin.post(ADD, {"input": name})
    chosen = admin.post(f"{REPOS}/selected", {"fullName": "ACME/web", "selected": False}).json()
    assert (chosen["fullName"], chosen["selected"]) == ("acme/web", False)
    listed = admin.get(f"{REPOS}?q=acme&selected=selected").json()
    assert [row["fullName"] for row in listed["repos"]] == ["acme/api"]
    assert listed["repos"][0]["hookState"] == "unknown"
    assert (listed["total"], listed["filteredTotal"], listed["selectedTotal"]) == (3, 1, 2)
    assert admin.get(f"{REPOS}?state=ok").json()["filteredTotal"] == 0
    bulk = admin.post(f"{REPOS}/bulk-selected", {"q": "acme", "selected": True}).json()
    assert bulk == {"changed": 1, "selectedTotal": 3}
    assert admin.post(f"{REPOS}/delete", {"fullName": "other/one"}).status_code == 204
    error = error_of(admin.post(f"{REPOS}/delete", {"fullName": "other/one"}), 404, "not_found")
    assert error["details"]["field"] == "fullName"
