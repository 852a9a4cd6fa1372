"""Repositories of GitHub Packages and their hooks, as a program has them synced and audited."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from checks.models import Job
from checks.tasks import run_job
from dockrev import preferences
from integrations.models import HookAccount, HookTarget, Receiver
from tests.fake_github.server import FakeGitHub
from tests.people import Program, error_of
from tests.rows import service, tracked

BASE = "/api/github-packages"
SETTINGS = f"{BASE}/settings"
REPOS = f"{BASE}/repos"
PAT = "ghp_" + "a1B2" * 9
CALLBACK = "https://dockrev.example/api/webhooks/github-packages"
JOBS = ("sync", "audit", "repair")


@pytest.fixture
def ready(admin: Program, github: FakeGitHub) -> Program:
    """An admin, after it was switched on with a token that GitHub knows."""
    github.delivers = False
    github.add_token(PAT, scopes=["repo", "admin:repo_hook"])
    given = {"enabled": True, "pat": PAT, "callbackUrl": CALLBACK}
    assert admin.put(SETTINGS, given).status_code == 200
    return admin


def summary(answer: Any) -> dict[str, Any]:
    """What the job that was queued says, once a worker had it."""
    assert answer.status_code == 202, answer.content
    run_job(answer.json()["jobId"])
    job = Job.objects.get(pk=answer.json()["jobId"])
    assert job.status == "success", job.summary
    return dict(job.summary)


def actions(found: dict[str, Any], word: str = "action") -> dict[str, str]:
    return {result["repo"]: result[word] for result in found["results"]}


@pytest.mark.parametrize(
    "path", [f"{SETTINGS}/rotate-secret", "/api/receivers/github-packages/rotate"]
)
def test_it_says_who_rotated_what_a_sync_hands_out(ready: Program, path: str) -> None:
    tracked("acme/api", selected=True)
    assert ready.post(path).status_code == 200
    job = Job.objects.get(kind="hooks.sync")
    assert (job.created_by, job.reason) == ("admin", "api")


def test_it_resolves_without_changing_anything(ready: Program, github: FakeGitHub) -> None:
    github.add_repository("acme/api", private=True)
    github.add_repository("acme/web", archived=True)
    tracked("acme/api", selected=True)
    service(image="ghcr.io/acme/api:1")
    answer = ready.post(f"{BASE}/resolve", {"input": "https://github.com/orgs/acme"})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["kind"], shown["owner"], shown["warnings"]) == ("owner", "acme", [])
    assert shown["repos"] == [
        {
            "fullName": "acme/api",
            "visibility": "private",
            "archived": False,
            "disabled": False,
            "selected": True,
            "tracked": True,
            "deployed": True,
        },
        {
            "fullName": "acme/web",
            "visibility": "public",
            "archived": True,
            "disabled": False,
            "selected": False,
            "tracked": False,
            "deployed": False,
        },
    ]
    assert HookTarget.objects.count() == 1
    one = ready.post(f"{BASE}/resolve", {"input": "git@github.com:acme/new.git"}).json()
    assert [repo["selected"] for repo in one["repos"]] == [True]


def test_it_says_why_an_owner_has_nothing(ready: Program, github: FakeGitHub) -> None:
    github.add_owner("empty")
    shown = ready.post(f"{BASE}/resolve", {"input": "empty"}).json()
    assert shown["repos"] == []
    assert shown["warnings"]


def test_it_adds_an_owner_s_repositories_unselected(ready: Program, github: FakeGitHub) -> None:
    for number in range(3):
        github.add_repository(f"acme/r{number}")
    added = ready.post(f"{BASE}/targets/add", {"input": "acme"})
    assert added.status_code == 201
    assert added.json() == {"kind": "owner", "owner": "acme", "reposAdded": 3, "reposTotal": 3}
    shown = ready.get(SETTINGS).json()
    assert (shown["reposTotal"], shown["reposSelectedTotal"]) == (3, 0)
    owner = {"input": "acme", "kind": "owner", "owner": "acme", "warnings": []}
    assert shown["targets"] == [owner]


def test_it_syncs_and_says_what_became_of_each(ready: Program, github: FakeGitHub) -> None:
    for name in ("acme/api", "acme/web"):
        github.add_repository(name)
        tracked(name)
    found = summary(ready.post(f"{BASE}/sync", {"dryRun": True}))
    assert actions(found) == {"acme/api": "created", "acme/web": "created"}
    assert github.hooks("acme/api") == []
    assert actions(summary(ready.post(f"{BASE}/sync"))) == actions(found)
    [hook] = github.hooks("acme/api")
    assert (hook.url, hook.events) == (CALLBACK, ["package", "registry_package"])
    again = summary(ready.post(f"{BASE}/sync", {"repos": ["ACME/api"]}))
    assert actions(again) == {"acme/api": "noop"}
    assert again["ok"] is True
    row = ready.get(f"{REPOS}?q=api").json()["repos"][0]
    moment = row.pop("lastSyncAt")
    assert moment.endswith("Z")
    assert row == {
        "fullName": "acme/api",
        "visibility": None,
        "archived": False,
        "disabled": False,
        "selected": True,
        "hookId": hook.id,
        "hookState": "ok",
        "conflictHooks": [],
        "lastOp": "noop",
        "lastAuditAt": None,
        "verifiedAt": None,
        "lastError": None,
        "lastDeliveryAt": None,
        "lastFailureAt": None,
        "lastFailure": None,
    }


def test_it_audits_and_repairs(ready: Program, github: FakeGitHub) -> None:
    github.add_repository("acme/api")
    tracked("acme/api")
    found = summary(ready.post(f"{BASE}/audit"))
    assert actions(found, "state") == {"acme/api": "missing"}
    assert github.hooks("acme/api") == []
    [row] = ready.get(f"{REPOS}?state=missing").json()["repos"]
    assert row["lastAuditAt"] is not None
    assert actions(summary(ready.post(f"{BASE}/repair"))) == {"acme/api": "created"}
    error = error_of(ready.post(f"{BASE}/repair"), 409, "conflict")
    assert error["details"]["reason"] == "nothing_to_repair"


@pytest.mark.parametrize("as_text", [True, False])
def test_it_ends_a_conflict(ready: Program, github: FakeGitHub, as_text: bool) -> None:
    github.add_repository("acme/api")
    tracked("acme/api")
    keep, drop = (github.add_hook("acme/api", url=CALLBACK).id for _number in range(2))
    found = summary(ready.post(f"{BASE}/sync"))
    [result] = found["results"]
    assert (result["action"], found["ok"]) == ("conflict", False)
    assert [int(hook["id"]) for hook in result["conflictHooks"]] == [keep, drop]
    [row] = ready.get(f"{REPOS}?state=conflict").json()["repos"]
    [first, _second] = row["conflictHooks"]
    assert first == {
        "id": keep,
        "url": CALLBACK,
        "events": ["package"],
        "active": True,
        "lastFailure": None,
    }
    ids: list[Any] = [str(keep), [str(drop)]] if as_text else [keep, [drop]]
    choice = {"repo": "acme/api", "keepHookId": ids[0], "deleteHookIds": ids[1]}
    ended = summary(ready.post(f"{BASE}/sync", {"resolveConflicts": [choice]}))
    assert actions(ended) == {"acme/api": "updated"}
    assert [hook.id for hook in github.hooks("acme/api")] == [keep]


def test_it_deletes_the_hook_of_what_is_deselected_or_deleted(
    ready: Program, github: FakeGitHub
) -> None:
    for name in ("acme/api", "acme/web"):
        github.add_repository(name)
        tracked(name)
    summary(ready.post(f"{BASE}/sync"))
    ready.post(f"{REPOS}/selected", {"fullName": "acme/api", "selected": False})
    ready.post(f"{REPOS}/delete", {"fullName": "acme/web"})
    listed = ready.get(REPOS).json()
    assert [row["fullName"] for row in listed["repos"]] == ["acme/api"]
    assert (listed["total"], listed["selectedTotal"]) == (1, 0)
    assert ready.get(SETTINGS).json()["reposTotal"] == 1
    error_of(ready.post(f"{REPOS}/delete", {"fullName": "acme/web"}), 404, "not_found")
    error_of(ready.post(f"{REPOS}/ping", {"fullName": "acme/web"}), 404, "not_found")
    found = summary(ready.post(f"{BASE}/sync"))
    assert actions(found) == {"acme/api": "deleted", "acme/web": "deleted"}
    assert github.hooks("acme/api") == github.hooks("acme/web") == []


def test_it_removes_all_hooks_only_while_off(ready: Program, github: FakeGitHub) -> None:
    github.add_repository("acme/api")
    tracked("acme/api")
    summary(ready.post(f"{BASE}/sync"))
    error = error_of(ready.post(f"{BASE}/remove-hooks"), 409, "conflict")
    assert error["details"] == {"reason": "enabled"}
    ready.put(SETTINGS, {"enabled": False})
    assert actions(summary(ready.post(f"{BASE}/remove-hooks"))) == {"acme/api": "deleted"}
    assert github.hooks("acme/api") == []


def test_it_reuses_a_sync_that_is_under_way(ready: Program, github: FakeGitHub) -> None:
    tracked("acme/api")
    first = ready.post(f"{BASE}/sync").json()
    assert ready.post(f"{BASE}/sync").json() == {**first, "reused": True}
    assert "reused" not in ready.post(f"{BASE}/sync", {"repos": ["acme/api"]}).json()


def test_it_has_a_ping_sent(ready: Program, github: FakeGitHub) -> None:
    github.add_repository("acme/api")
    row = tracked("acme/api")
    error = error_of(ready.post(f"{REPOS}/ping", {"fullName": "acme/api"}), 409, "conflict")
    assert error["details"] == {"reason": "no_hook"}
    hook = github.add_hook("acme/api", url=CALLBACK)
    HookTarget.objects.filter(pk=row.pk).update(hook_id=str(hook.id))
    answer = ready.post(f"{REPOS}/ping", {"fullName": "Acme/API"})
    assert (answer.status_code, answer.json()["hookId"]) == (202, hook.id)
    assert github.requests[-1].path == f"/repos/acme/api/hooks/{hook.id}/pings"
    github.remove_repository("acme/api")
    error_of(ready.post(f"{REPOS}/ping", {"fullName": "acme/api"}), 404, "not_found")


def test_it_tests_the_callback(ready: Program) -> None:
    ready.put(SETTINGS, {"callbackUrl": "http://127.0.0.1:9/api/webhooks/github-packages"})
    answer = ready.post(f"{BASE}/callback-test")
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["ok"], shown["outcome"]) == (False, "refused")
    assert shown["message"] and shown["hints"]


def test_it_gives_the_callback_that_follows_from_the_public_address(viewer: Program) -> None:
    preferences.set("public_base_url", "https://dockrev.example/")
    assert viewer.get(SETTINGS).json()["callbackUrl"] == CALLBACK


@pytest.mark.parametrize("work", JOBS)
def test_it_does_nothing_while_off(ready: Program, work: str) -> None:
    ready.put(SETTINGS, {"enabled": False})
    error = error_of(ready.post(f"{BASE}/{work}"), 409, "conflict")
    assert error["details"]["reason"] == "disabled"
    tracked("acme/api")
    error = error_of(ready.post(f"{REPOS}/ping", {"fullName": "acme/api"}), 409, "conflict")
    assert error["details"]["reason"] == "disabled"
    assert not Job.objects.exists()


@pytest.mark.parametrize("work", ["sync", "audit"])
def test_it_queues_nothing_without_a_token_that_works(
    ready: Program, github: FakeGitHub, work: str
) -> None:
    github.revoke(PAT)
    error = error_of(ready.post(f"{BASE}/{work}"), 422, "credential_rejected")
    assert error["details"] == {"reason": "pat_invalid"}
    assert PAT not in str(error)
    ready.put(SETTINGS, {"clearPat": True})
    error = error_of(ready.post(f"{BASE}/{work}"), 422, "credential_rejected")
    assert error["details"] == {"reason": "pat_missing"}
    error = error_of(ready.post(f"{BASE}/resolve", {"input": "acme"}), 422, "credential_rejected")
    assert error["details"] == {"reason": "pat_missing"}
    assert not Job.objects.exists()


@pytest.mark.parametrize("fault", [500, 502, "html", "truncated"])
def test_it_says_that_github_does_not_answer(
    ready: Program, github: FakeGitHub, fault: Any
) -> None:
    github.add_repository("acme/api")
    github.fail("GET", "*", fault, times=20)
    error_of(ready.post(f"{BASE}/sync"), 502, "upstream_unavailable")
    error_of(ready.post(f"{BASE}/resolve", {"input": "acme"}), 502, "upstream_unavailable")
    error_of(ready.post(f"{BASE}/targets/add", {"input": "acme"}), 502, "upstream_unavailable")
    assert not Job.objects.exists()


def test_it_says_where_a_token_is_authorised(ready: Program, github: FakeGitHub) -> None:
    github.add_repository("acme/api")
    github.add_token("ghp_" + "s" * 36, scopes=["repo"], unauthorized=["acme"])
    ready.put(SETTINGS, {"pat": "ghp_" + "s" * 36})
    answer = ready.post(f"{BASE}/resolve", {"input": "acme"})
    if answer.status_code == 422:
        details = error_of(answer, 422, "credential_rejected")["details"]
        assert details["reason"] == "sso_required"
    else:  # GitHub leaves out what is not authorised, and says so in a header
        assert answer.json()["warnings"]


def test_it_selects_ten_thousand_at_once(ready: Program) -> None:
    account = HookAccount.objects.get()
    names = [f"acme/repository-{number:05}" for number in range(10_000)]
    HookTarget.objects.bulk_create(
        HookTarget(account=account, full_name=name, name_key=name, owner_key="acme", selected=False)
        for name in names
    )
    every = ready.post(f"{REPOS}/bulk-selected", {"selected": True}).json()
    assert every == {"changed": 10_000, "selectedTotal": 10_000}
    some = ready.post(f"{REPOS}/bulk-selected", {"q": "Y-0001", "selected": False}).json()
    assert some == {"changed": 10, "selectedTotal": 9_990}
    assert ready.post(f"{BASE}/sync", {"repos": names}).status_code == 202
    listed = ready.get(f"{REPOS}?selected=unselected&perPage=5&page=2").json()
    assert (listed["filteredTotal"], listed["total"], listed["page"]) == (10, 10_000, 2)
    assert len(listed["repos"]) == 5


@pytest.mark.parametrize(
    "name", ["acme/nowhere", "a b / c", "ünï/cödé", "💥", "a/b/c/d", "../../x"]
)
@pytest.mark.parametrize(
    "path", ["repos/selected", "repos/delete", "repos/ping", "sync", "sync-resolve"]
)
def test_it_knows_no_other_repository(ready: Program, path: str, name: str) -> None:
    choice = {"repo": name, "keepHookId": 1, "deleteHookIds": [2]}
    bodies: dict[str, Any] = {
        "repos/selected": {"fullName": name, "selected": True},
        "sync": {"repos": [name]},
        "sync-resolve": {"resolveConflicts": [choice]},
    }
    answer = ready.post(
        f"{BASE}/{path.removesuffix('-resolve')}", bodies.get(path, {"fullName": name})
    )
    if path.startswith("sync"):
        error = error_of(answer, 400, "invalid_argument")
        assert error["details"]["field"] in {"repos", "resolveConflicts"}
    else:
        assert error_of(answer, 404, "not_found")["details"] == {"field": "fullName"}


CHOICE = {"repo": "acme/api", "keepHookId": 1, "deleteHookIds": [2]}


@pytest.mark.parametrize(
    ("path", "given", "field"),
    [
        ("sync", {"repos": "acme/api"}, "repos"),
        ("sync", {"repos": []}, "repos"),
        ("sync", {"repos": ["x"] * 10_001}, "repos"),
        ("sync", {"repos": [7]}, "repos"),
        ("sync", {"repos": ["x" * 301]}, "repos"),
        ("sync", {"dryRun": "yes"}, "dryRun"),
        ("sync", {"resolveConflicts": {}}, "resolveConflicts"),
        ("sync", {"resolveConflicts": [CHOICE] * 501}, "resolveConflicts"),
        ("sync", {"resolveConflicts": [CHOICE, CHOICE]}, "resolveConflicts"),
        ("sync", {"resolveConflicts": [{**CHOICE, "keepHookId": True}]}, "resolveConflicts"),
        ("sync", {"resolveConflicts": [{**CHOICE, "keepHookId": "1x"}]}, "resolveConflicts"),
        ("sync", {"resolveConflicts": [{**CHOICE, "keepHookId": None}]}, "resolveConflicts"),
        ("sync", {"resolveConflicts": [{**CHOICE, "deleteHookIds": []}]}, "resolveConflicts"),
        ("sync", {"resolveConflicts": [{**CHOICE, "deleteHookIds": [1]}]}, "resolveConflicts"),
        ("sync", {"resolveConflicts": [{"repo": "acme/api"}]}, "resolveConflicts"),
        ("repos/selected", {"fullName": "acme/api", "selected": 1}, "selected"),
        ("repos/selected", {"fullName": ["acme/api"], "selected": True}, "fullName"),
        ("repos/selected", {"selected": True}, "fullName"),
        ("repos/bulk-selected", {"q": 5, "selected": True}, "q"),
        ("repos/bulk-selected", {"q": "x" * 201, "selected": True}, "q"),
        ("repos/bulk-selected", {}, "selected"),
        ("repos/delete", {"fullName": ""}, "fullName"),
        ("repos/ping", {"fullName": "x" * 301}, "fullName"),
        ("resolve", {"input": "x" * 501}, "input"),
        ("resolve", {}, "input"),
    ],
)
def test_it_names_the_field_that_is_wrong(
    ready: Program, path: str, given: dict[str, Any], field: str
) -> None:
    tracked("acme/api")
    error = error_of(ready.post(f"{BASE}/{path}", given), 400, "invalid_argument")
    assert error["details"]["field"].partition(".")[0] == field
    assert not Job.objects.exists()


@pytest.mark.parametrize("query", ["page=0", "perPage=201", "selected=some", "state=fine", "q=%00"])
def test_it_refuses_a_list_that_cannot_be(viewer: Program, query: str) -> None:
    error_of(viewer.get(f"{REPOS}?{query}"), 400, "invalid_argument")


def test_it_tells_nobody_a_secret(ready: Program, github: FakeGitHub) -> None:
    github.add_repository("acme/api")
    tracked("acme/api")
    job_id = ready.post(f"{BASE}/sync").json()["jobId"]
    run_job(job_id)
    receiver = Receiver.objects.get(kind="github-packages")
    pages = (SETTINGS, REPOS, f"/api/jobs/{job_id}", f"/api/jobs/{job_id}/logs", "/api/receivers")
    for path in pages:
        said = ready.get(path).content.decode()
        assert receiver.secret not in said
        assert PAT not in said


def test_it_lists_what_has_every_word(ready: Program) -> None:
    tracked("acme/api-server")
    tracked("acme/web", selected=False)
    assert ready.get(f"{REPOS}?q=server+acme").json()["filteredTotal"] == 1
    assert ready.get(f"{REPOS}?q=ACME").json()["filteredTotal"] == 2
    now = timezone.now()
    HookTarget.objects.filter(full_name="acme/web").update(verified_at=now, hook_id="not a number")
    [row] = ready.get(f"{REPOS}?selected=unselected").json()["repos"]
    assert (row["hookId"], row["verifiedAt"] is not None) == (None, True)
