"""Settings, Registries, webhooks there: what the pages say, and what their buttons do."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checks.models import Job
from checks.tasks import run_job
from dockrev import preferences
from integrations.models import HookAccount, HookTarget, Receiver
from tests.fake_harbor.server import FakeHarbor
from tests.pages.test_overview import text_of

pytestmark = pytest.mark.django_db
LIST = "/settings/hook-accounts"
ADD = f"{LIST}/add/harbor"
CALLBACK = "https://dockrev.example.com/api/webhooks/harbor"
ROBOT, TOKEN = "robot$dockrev", "s3cret-of-the-robot"


@pytest.fixture
def harbor(harbor: FakeHarbor) -> FakeHarbor:
    harbor.add_person(ROBOT, TOKEN, is_robot=True)
    for name in ("apps", "library"):
        harbor.add_project(name, public=name == "library")
    return harbor


def filled(harbor: FakeHarbor, **changed: str) -> dict[str, str]:
    known = {
        "act": "save",
        "enabled": "on",
        "name": "At home",
        "apiUrl": harbor.url,
        "username": ROBOT,
        "token": TOKEN,
        "callbackUrl": CALLBACK,
        "verifyTls": "on",
    }
    return {**known, **changed}


def test_it_says_that_an_empty_callback_is_no_address(admin: Client) -> None:
    """The one that is shown would not be used."""
    assert "Dockrev was not told its public address" in page(admin, ADD)
    preferences.set("public_base_url", "https://dockrev.example.com")
    assert "Empty: the address that is shown" in page(admin, ADD)


@pytest.fixture
def account(admin: Client, harbor: FakeHarbor) -> HookAccount:
    response = admin.post(ADD, filled(harbor))
    assert response.status_code == 302, text_of(response.content)
    return HookAccount.objects.get(provider="harbor")


def test_it_does_not_go_on_with_a_token_that_is_refused(admin: Client, harbor: FakeHarbor) -> None:
    response = admin.post(ADD, filled(harbor, token="another"), follow=True)
    said = text_of(response.content)
    assert "At home is saved, and its token is refused: replace it below." in said
    assert "Pick what it is to keep webhooks of" not in said


def test_it_asks_for_no_address_that_was_said(admin: Client, account: HookAccount) -> None:
    assert "Dockrev was not told its public address" not in page(admin, at(account))


def test_its_receiver_says_who_hands_the_secret_out(admin: Client, account: HookAccount) -> None:
    said = page(admin, f"/settings/receivers/{account.receiver_id}")
    assert "Dockrev makes its webhooks and gives them the secret, with the account: At home" in said
    assert "The old one counts until every webhook has the new one." in said


def at(account: HookAccount, rest: str = "") -> str:
    return f"{LIST}/{account.pk}{rest}"


def page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def work_done() -> Job:
    job = Job.objects.get(finished_at=None)
    run_job(job.pk)
    return Job.objects.get(pk=job.pk)


class TestTheList:
    def test_it_is_linked_from_registries_and_says_what_to_do(
        self, admin: Client, viewer: Client
    ) -> None:
        for path in ("/settings", "/settings/registries"):
            assert f'href="{LIST}"' in viewer.get(path).content.decode()
        said = page(admin, LIST)
        assert "No account is entered yet." in said and "Harbor" in said
        assert "An admin adds them here." in page(viewer, LIST)
        assert ADD not in viewer.get(LIST).content.decode()

    def test_it_says_how_each_is(self, viewer: Client, account: HookAccount) -> None:
        assert "At home" in page(viewer, LIST)
        assert "nothing is selected" in page(viewer, LIST)

    def test_it_costs_the_same_however_many(self, viewer: Client, account: HookAccount) -> None:
        viewer.get(LIST)
        with CaptureQueriesContext(connection) as few:
            viewer.get(LIST)
        for number in range(5):
            HookAccount.objects.create(
                provider="harbor",
                name=f"No {number}",
                receiver=account.receiver,
                api_url="https://harbor.example",
                credential="x",
            )
        with CaptureQueriesContext(connection) as many:
            viewer.get(LIST)
        assert len(few) == len(many)


class TestTheConnection:
    def test_a_new_one_is_tried_at_once(self, admin: Client, account: HookAccount) -> None:
        response = admin.get(at(account))
        said = text_of(response.content)
        assert ROBOT in said and "robot token" in said
        for secret in (TOKEN, Receiver.objects.get(kind="harbor").secret):
            assert secret not in response.content.decode()

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"apiUrl": ""}, "Say where it is."),
            ({"apiUrl": "harbor"}, "This must be an absolute URL"),
            ({"username": ""}, "Whose token is it?"),
            ({"authorities": "nothing"}, "Paste certificates as PEM"),
            ({"name": ""}, "This field is required."),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field_and_on_top(
        self, admin: Client, harbor: FakeHarbor, changed: dict[str, str], words: str
    ) -> None:
        response = admin.post(ADD, filled(harbor, **changed))
        assert response.status_code == 422
        said = text_of(response.content)
        assert "Nothing was saved." in said and said.count(words) >= 2
        assert TOKEN not in response.content.decode()
        assert not HookAccount.objects.filter(provider="harbor").exists()

    def test_it_is_saved_and_the_token_stays(
        self, admin: Client, harbor: FakeHarbor, account: HookAccount
    ) -> None:
        sent = filled(harbor, token="", name="Ours", verifyTls="")
        assert admin.post(at(account), sent).status_code == 302
        account.refresh_from_db()
        assert (account.name, account.credential, account.verify_tls) == ("Ours", TOKEN, False)

    def test_the_token_goes_to_no_other_server(
        self, admin: Client, harbor: FakeHarbor, account: HookAccount
    ) -> None:
        sent = filled(harbor, token="", apiUrl="https://elsewhere.example")
        response = admin.post(at(account), sent)
        assert response.status_code == 422
        assert "Enter the token again" in text_of(response.content)

    def test_it_is_tested_and_removed(
        self, admin: Client, harbor: FakeHarbor, account: HookAccount
    ) -> None:
        harbor.people.clear()
        assert "does not accept" in text_of(admin.post(at(account), {"act": "try"}).content)
        admin.post(at(account), {"act": "forget"})
        assert "State without a token" in page(admin, at(account))
        admin.post(at(account), {"act": "delete"})
        assert not HookAccount.objects.filter(provider="harbor").exists()

    def test_a_viewer_sees_how_it_is(self, viewer: Client, account: HookAccount) -> None:
        said = page(viewer, at(account))
        assert CALLBACK in said and "Only an admin can change this." in said
        assert "Save connection" not in said
        assert viewer.post(at(account), {"act": "rotate"}).status_code == 403
        assert viewer.get(ADD).status_code == 403

    def test_githubs_is_not_shown_here(self, admin: Client, account: HookAccount) -> None:
        github = HookAccount.objects.get(provider="github")
        assert admin.get(at(github)).status_code == 404
        assert admin.get(f"{LIST}/add/github").status_code == 404


class TestTargets:
    def test_they_are_picked_from_a_list(self, admin: Client, account: HookAccount) -> None:
        assert "Pick from a list" in page(admin, at(account))
        said = page(admin, at(account, "?pick="))
        assert "What At home has" in said and "library public" in said
        assert "library" not in page(admin, at(account, "?pick=app"))
        admin.post(at(account, "/add"), {"pick": ["apps", "library"]})
        assert set(HookTarget.objects.values_list("full_name", flat=True)) == {"apps", "library"}

    def test_one_may_be_typed(self, admin: Client, account: HookAccount) -> None:
        admin.post(at(account, "/add"), {"name": "Library"})
        assert HookTarget.objects.get().full_name == "library"
        response = admin.post(at(account, "/add"), {"name": "a b"}, follow=True)
        assert "not the name of a project" in text_of(response.content)

    def test_why_none_can_be_listed_is_said_there(
        self, admin: Client, harbor: FakeHarbor, account: HookAccount
    ) -> None:
        harbor.fail("GET", "/projects", 403)
        assert "may not do this at Harbor" in page(admin, at(account, "?pick="))

    def test_a_viewer_asks_nobody(
        self, viewer: Client, harbor: FakeHarbor, account: HookAccount
    ) -> None:
        harbor.requests.clear()
        viewer.get(at(account, "?pick="))
        assert harbor.requests == []

    def test_the_buttons_do_what_they_say(
        self, admin: Client, harbor: FakeHarbor, account: HookAccount
    ) -> None:
        admin.post(at(account, "/add"), {"name": "library"})
        assert "1 change waits for a sync." in page(admin, at(account))
        admin.post(at(account, "/sync"), {"dryRun": "on"})
        assert work_done().summary["counts"] == {"created": 1} and not harbor.policies
        admin.post(at(account, "/sync"))
        work_done()
        assert len(harbor.policies) == 1
        said = page(admin, at(account))
        assert "Hooks 1 of 1 ok" in said and "1 created" in said
        harbor.policies.clear()
        admin.post(at(account, "/audit"))
        work_done()
        assert "1 missing" in page(admin, at(account))
        admin.post(at(account, "/repair"))
        work_done()
        assert len(harbor.policies) == 1
        admin.post(at(account, "/select"), {"only": "library"})
        assert not HookTarget.objects.get().selected
        admin.post(at(account, "/remove"), {"repo": "library"})
        assert HookTarget.objects.get().removed

    def test_a_conflict_is_ended(
        self, admin: Client, harbor: FakeHarbor, account: HookAccount
    ) -> None:
        admin.post(at(account, "/add"), {"name": "library"})
        for _number in range(2):
            harbor.add_policy("library", CALLBACK)
        admin.post(at(account, "/sync"))
        work_done()
        row = HookTarget.objects.get()
        assert "Several hooks call the same address." in page(admin, at(account))
        kept: Any = row.conflict_hooks[1]["id"]
        admin.post(at(account, "/keep"), {"repo": "library", f"keep-{row.pk}": kept})
        work_done()
        assert len(harbor.policies) == 1

    def test_there_is_no_button_for_what_cannot_be_done(
        self, admin: Client, account: HookAccount
    ) -> None:
        assert admin.post(at(account, "/nothing")).status_code == 404
        HookTarget.objects.create(account=account, full_name="library", hook_id="1.a")
        assert "Send ping" not in page(admin, at(account))

    def test_it_costs_the_same_however_many_targets(
        self, admin: Client, account: HookAccount
    ) -> None:
        admin.get(at(account))
        with CaptureQueriesContext(connection) as few:
            admin.get(at(account))
        for number in range(20):
            HookTarget.objects.create(account=account, full_name=f"p{number}")
        with CaptureQueriesContext(connection) as many:
            admin.get(at(account))
        assert len(many) <= len(few) + 1  # where the last job is asked for its results

    def test_a_secret_is_rotated(self, admin: Client, account: HookAccount) -> None:
        before = Receiver.objects.get(kind="harbor").secret
        admin.post(at(account), {"act": "rotate"})
        after = Receiver.objects.get(kind="harbor")
        assert after.secret != before and after.previous_secret == before
