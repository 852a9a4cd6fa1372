"""Accounts that keep hooks at registries, as a program sees them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from checks.models import Job
from checks.tasks import run_job
from dockrev.fields import MASK
from integrations.models import HookAccount, HookTarget
from tests.certificates import Authority
from tests.fake_harbor.server import FakeHarbor
from tests.people import Program
from tests.servers import Reply, Starts

ACCOUNTS = "/api/hook-accounts"
CALLBACK = "https://dockrev.example.com/api/webhooks/harbor"
ROBOT, TOKEN = "robot$dockrev", "s3cret-of-the-robot"


@pytest.fixture
def harbor(harbor: FakeHarbor) -> FakeHarbor:
    harbor.add_person(ROBOT, TOKEN, is_robot=True)
    for name in ("library", "apps"):
        harbor.add_project(name, public=name == "library")
    return harbor


@pytest.fixture
def made(admin: Program, harbor: FakeHarbor) -> dict[str, Any]:
    return make(admin, harbor)


def make(admin: Program, harbor: FakeHarbor, **given: Any) -> dict[str, Any]:
    new = {
        "provider": "harbor",
        "name": "At home",
        "enabled": True,
        "apiUrl": harbor.url,
        "username": ROBOT,
        "token": TOKEN,
        "callbackUrl": CALLBACK,
    }
    response = admin.post(ACCOUNTS, {**new, **given})
    assert response.status_code == 201, response.content
    result: dict[str, Any] = response.json()
    return result


def path(account: dict[str, Any], rest: str = "") -> str:
    return f"{ACCOUNTS}/{account['id']}{rest}"


def fault(response: Any) -> dict[str, Any]:
    result: dict[str, Any] = response.json()["error"]
    return result


def finished(response: Any) -> dict[str, Any]:
    assert response.status_code == 202, response.content
    job_id = response.json()["jobId"]
    run_job(job_id)
    return dict(Job.objects.get(pk=job_id).summary)


class TestAnAccount:
    def test_it_is_made_and_its_token_hidden(self, made: dict[str, Any]) -> None:
        row = HookAccount.objects.get(provider="harbor")
        assert made["tokenSetAt"] is not None
        assert {**made, "tokenSetAt": None} == {
            "id": row.pk,
            "provider": "harbor",
            "name": "At home",
            "receiverId": row.receiver_id,
            "enabled": True,
            "apiUrl": row.api_url,
            "username": ROBOT,
            "tokenMasked": MASK,
            "tokenSetAt": None,
            "credential": {"state": "ok", "login": ROBOT, "kind": "robot", "message": None},
            "authorities": [],
            "callbackUrl": CALLBACK,
            "verifyTls": True,
            "lastAcceptedAt": None,
            "targets": {
                "total": 0,
                "selected": 0,
                "states": dict.fromkeys(
                    ("unknown", "ok", "missing", "conflict", "drift", "error"), 0
                ),
            },
        }
        assert row.receiver.enabled and len(row.receiver.secret) >= 40
        assert row.receiver.secret not in str(made)

    def test_githubs_is_among_them(self, viewer: Program, made: dict[str, Any]) -> None:
        listed = viewer.get(ACCOUNTS).json()
        assert [each["provider"] for each in listed["hookAccounts"]] == ["github", "harbor"]
        assert listed["total"] == 2
        assert viewer.get(path(made)).json() == made

    def test_a_list_costs_the_same_however_long(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        with CaptureQueriesContext(
            connection,
        ) as few:
            admin.get(ACCOUNTS)
        for number in range(5):
            account = make(admin, harbor, name=f"No {number}")
            admin.post(path(account, "/targets"), {"name": "library"})
        with CaptureQueriesContext(connection) as many:
            admin.get(ACCOUNTS)
        assert len(few) == len(many)

    def test_a_token_that_is_refused_is_kept_and_said(
        self, admin: Program, harbor: FakeHarbor
    ) -> None:
        account = make(admin, harbor, token="wrong-one")
        assert account["credential"]["state"] == "invalid"
        harbor.people[ROBOT].secret = "wrong-one"
        assert admin.post(path(account, "/test")).json()["state"] == "ok"
        assert admin.get(path(account)).json()["credential"]["state"] == "ok"

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"provider": "github"}, "provider"),
            ({"provider": "nobody"}, "provider"),
            ({"apiUrl": ""}, "apiUrl"),
            ({"apiUrl": "harbor.example"}, "apiUrl"),
            ({"apiUrl": "https://ada:pw@harbor.example"}, "apiUrl"),
            ({"apiUrl": "file:///etc/passwd"}, "apiUrl"),
            ({"username": "a:b"}, "username"),
            ({"username": ""}, "username"),
            ({"token": "a\nb"}, "token"),
            ({"authorities": "-----BEGIN PRIVATE KEY-----"}, "authorities"),
            ({"callbackUrl": "https://x.example/?a=b"}, "callbackUrl"),
            ({"receiver": "rcv_nothing"}, "receiver"),
            ({"verifyTls": "yes"}, "verifyTls"),
        ],
    )
    def test_it_takes_nothing_that_makes_no_sense(
        self, admin: Program, harbor: FakeHarbor, given: dict[str, Any], field: str
    ) -> None:
        new = {"provider": "harbor", "apiUrl": harbor.url, "username": ROBOT, "token": TOKEN}
        response = admin.post(ACCOUNTS, {**new, **given})
        assert response.status_code == 400
        assert fault(response)["details"]["field"] == field
        assert TOKEN not in response.content.decode()
        assert not HookAccount.objects.filter(provider="harbor").exists()

    def test_the_token_goes_to_no_other_server(
        self, admin: Program, made: dict[str, Any], serve: Starts
    ) -> None:
        other = serve(lambda asked: Reply(200, b"{}"))
        for url in (f"http://{other.address}", f"https://{other.address}"):
            refused = admin.patch(path(made), {"apiUrl": url})
            assert refused.status_code == 400
            assert fault(refused)["details"]["field"] == "token"
        assert admin.patch(path(made), {"apiUrl": f"{made['apiUrl']}/api/v2.0"}).status_code == 200
        assert other.asked == []
        again = {"apiUrl": f"http://{other.address}", "token": "meant-for-it"}
        assert admin.patch(path(made), again).status_code == 200
        assert TOKEN not in str(other.asked)

    def test_a_masked_or_absent_token_stays(self, admin: Program, made: dict[str, Any]) -> None:
        for given in ({"token": MASK}, {"token": ""}, {"name": "Ours"}):
            assert admin.patch(path(made), given).status_code == 200
        row = HookAccount.objects.get(pk=made["id"])
        assert (row.credential, row.name) == (TOKEN, "Ours")
        admin.patch(path(made), {"clearToken": True})
        row.refresh_from_db()
        assert row.credential == ""
        refused = admin.post(path(made, "/audit"))
        assert (refused.status_code, fault(refused)["code"]) == (422, "credential_rejected")

    def test_it_tells_whose_certificates_it_trusts(
        self, admin: Program, made: dict[str, Any]
    ) -> None:
        changed = admin.patch(path(made), {"authorities": Authority().pem}).json()
        assert [each["name"] for each in changed["authorities"]] == ["Acme CA"]
        assert "BEGIN" not in str(changed)

    def test_it_is_forgotten_once_nothing_is_left_there(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        admin.post(path(made, "/targets"), {"name": "library"})
        finished(admin.post(path(made, "/sync"), {}))
        kept = admin.call("DELETE", path(made))
        assert (kept.status_code, fault(kept)["details"]["reason"]) == (409, "hooks_left")
        admin.patch(path(made, "/targets"), {"name": "library", "selected": False})
        finished(admin.post(path(made, "/sync"), {}))
        assert admin.call("DELETE", path(made)).status_code == 204
        assert admin.get(path(made)).status_code == 404
        assert not harbor.policies

    def test_its_hooks_may_be_left_and_githubs_stays(
        self, admin: Program, made: dict[str, Any]
    ) -> None:
        HookTarget.objects.create(account_id=made["id"], full_name="library", hook_id="1.abc")
        assert admin.call("DELETE", path(made, "?leaveHooks=true")).status_code == 204
        github = {"id": HookAccount.objects.get(provider="github").pk}
        assert admin.call("DELETE", path(github)).status_code == 409


class TestTargets:
    def test_they_are_picked_from_a_list(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        admin.post(path(made, "/targets"), {"name": "library"})
        found = admin.get(path(made, "/targets/possible")).json()
        assert found["targets"] == [
            {
                "name": "library",
                "visibility": "public",
                "archived": False,
                "tracked": True,
                "selected": True,
            },
            {
                "name": "apps",
                "visibility": "private",
                "archived": False,
                "tracked": False,
                "selected": False,
            },
        ]
        assert (found["cut"], found["warnings"]) == (False, [])
        searched = admin.get(path(made, "/targets/possible?q=APP")).json()
        assert [each["name"] for each in searched["targets"]] == ["apps"]

    def test_a_long_list_is_cut(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        for number in range(300):
            harbor.add_project(f"p{number}")
        found = admin.get(path(made, "/targets/possible")).json()
        assert (len(found["targets"]), found["cut"]) == (200, True)

    @pytest.mark.parametrize(
        ("status", "answered", "code"),
        [
            (401, 422, "credential_rejected"),
            (403, 422, "credential_rejected"),
            (500, 502, "upstream_unavailable"),
            (429, 502, "upstream_unavailable"),
        ],
    )
    def test_it_says_why_none_can_be_listed(
        self,
        admin: Program,
        harbor: FakeHarbor,
        made: dict[str, Any],
        status: int,
        answered: int,
        code: str,
    ) -> None:
        harbor.fail("GET", "/projects", status, times=5)
        refused = admin.get(path(made, "/targets/possible"))
        assert (refused.status_code, fault(refused)["code"]) == (answered, code)

    def test_they_are_added_selected_and_removed(
        self, admin: Program, made: dict[str, Any]
    ) -> None:
        added = admin.post(path(made, "/targets"), {"name": " Library/ "})
        assert added.status_code == 201
        assert (added.json()["name"], added.json()["selected"]) == ("library", True)
        changed = admin.patch(path(made, "/targets"), {"name": "LIBRARY", "selected": False})
        assert changed.json()["selected"] is False
        assert admin.get(path(made, "/targets?selected=selected")).json()["total"] == 0
        assert admin.get(path(made, "/targets?q=lib")).json()["total"] == 1
        assert admin.call("DELETE", path(made, "/targets?name=library")).status_code == 204
        assert admin.get(path(made, "/targets")).json()["targets"] == []
        assert admin.call("DELETE", path(made, "/targets?name=library")).status_code == 404

    @pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 400, 7, None])
    def test_they_are_named_as_the_provider_does(
        self, admin: Program, made: dict[str, Any], name: Any
    ) -> None:
        refused = admin.post(path(made, "/targets"), {"name": name})
        assert refused.status_code == 400
        assert fault(refused)["details"]["field"] == "name"


class TestJobs:
    def test_a_sync_makes_hooks_and_tells_of_each(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        for name in ("library", "apps"):
            admin.post(path(made, "/targets"), {"name": name})
        foretold = finished(admin.post(path(made, "/sync"), {"dryRun": True}))
        assert foretold["counts"] == {"created": 2} and not harbor.policies
        one = finished(admin.post(path(made, "/sync"), {"targets": ["library"]}))
        assert [each["action"] for each in one["results"]] == ["created"]
        finished(admin.post(path(made, "/sync"), {}))
        listed = admin.get(path(made, "/targets")).json()["targets"]
        assert [(each["name"], each["hookState"]) for each in listed] == [
            ("apps", "ok"),
            ("library", "ok"),
        ]
        assert all(isinstance(each["hookId"], str) for each in listed)
        assert admin.get(path(made)).json()["targets"]["states"]["ok"] == 2

    def test_an_audit_finds_and_a_repair_mends(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        admin.post(path(made, "/targets"), {"name": "library"})
        finished(admin.post(path(made, "/sync"), {}))
        assert admin.post(path(made, "/repair")).status_code == 409
        harbor.policies.clear()
        finished(admin.post(path(made, "/audit")))
        assert admin.get(path(made, "/targets?state=missing")).json()["total"] == 1
        finished(admin.post(path(made, "/repair")))
        assert len(harbor.policies) == 1

    def test_a_conflict_is_resolved(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        admin.post(path(made, "/targets"), {"name": "library"})
        for _number in range(2):
            harbor.add_policy("library", CALLBACK)
        finished(admin.post(path(made, "/sync"), {}))
        [row] = admin.get(path(made, "/targets")).json()["targets"]
        first, second = (hook["id"] for hook in row["conflictHooks"])
        choice = {"target": "library", "keepHookId": first, "deleteHookIds": [second]}
        result = finished(admin.post(path(made, "/sync"), {"resolveConflicts": [choice]}))
        assert [each["action"] for each in result["results"]] == ["updated"]
        assert len(harbor.policies) == 1

    def test_nothing_is_done_while_it_is_off(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        admin.post(path(made, "/targets"), {"name": "library"})
        finished(admin.post(path(made, "/sync"), {}))
        assert admin.post(path(made, "/remove-hooks")).status_code == 409
        admin.patch(path(made), {"enabled": False})
        for rest in ("/sync", "/audit"):
            refused = admin.post(path(made, rest), {})
            assert (refused.status_code, fault(refused)["details"]["reason"]) == (
                409,
                "disabled",
            )
        finished(admin.post(path(made, "/remove-hooks")))
        assert not harbor.policies

    def test_nothing_is_queued_that_could_not_be_done(
        self, admin: Program, harbor: FakeHarbor, made: dict[str, Any]
    ) -> None:
        harbor.people.clear()
        refused = admin.post(path(made, "/sync"), {})
        assert fault(refused)["details"]["reason"] == "pat_invalid"
        refused = admin.post(path(made, "/sync"), {"targets": ["nothing"]})
        assert (refused.status_code, fault(refused)["details"]["field"]) == (400, "targets")
        assert not Job.objects.exists()
