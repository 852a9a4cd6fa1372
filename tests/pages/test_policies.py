"""The pages where people say what they want to hear of."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checks.models import Job, Service, Stack
from dockrev.models import Setting
from tests.pages.test_overview import text_of
from tests.rows import service

pytestmark = pytest.mark.django_db


def path_of(row: Service) -> str:
    return f"/services/{row.stack_id}/{row.pk}"


def shown(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def for_all() -> Any:
    return Setting.objects.get(key="policy").value


class TestService:
    def test_it_saves_a_policy(self, operator: Client) -> None:
        row = service()
        wanted = {"track": "version", "include": "^1", "exclude": "", "largestStep": "patch"}
        response = operator.post(f"{path_of(row)}/policy", wanted, follow=True)
        assert "The policy of api is saved." in text_of(response.content)
        row.refresh_from_db()
        assert row.policy == {"track": "version", "include": "^1", "largestStep": "patch"}
        again = operator.post(f"{path_of(row)}/policy", {**wanted, "include": "1("})
        body = again.content.decode()
        assert "cannot be read from character 2 on" in body
        assert 'value="1("' in body

    def test_it_shows_viewers_the_policy(self, viewer: Client) -> None:
        row = service()
        Service.objects.update(policy={"include": "^1"})
        page = shown(viewer, path_of(row))
        assert "Tracks Whatever its tag allows Only tags that match ^1 set here" in page
        assert "Save the policy" not in page

    def test_it_says_what_holds_and_whence(self, operator: Client) -> None:
        row = service()
        Setting.objects.create(key="policy", value={"largestStep": "minor", "exclude": "-rc"})
        Stack.objects.update(policy={"track": "version"})
        Service.objects.update(policy={"exclude": "-beta"})
        page = shown(operator, path_of(row))
        assert "Inherited from the stack ." in page
        assert "Set here. Otherwise: -rc, from the policy for all ." in page
        assert "Inherit (minor) patch minor major" in page
        assert "Empty: any tag, by default." in page
        body = operator.get(path_of(row)).content.decode()
        assert f'<a href="/stacks/{row.stack_id}/policy">from the stack</a>' in body
        assert '<a href="/settings/policy">from the policy for all</a>' in body

    def test_it_leaves_to_a_label_what_a_label_says(self, operator: Client) -> None:
        row = service()
        Service.objects.update(labels={"dockrev.track": "digest"}, policy={"track": "nothing"})
        page = shown(operator, path_of(row))
        assert "Tracks Rebuilt images of its tag alone The label dockrev.track says so" in page
        assert "What is set here (Nothing) waits until it is gone." in page
        assert b'name="track"' not in operator.get(path_of(row)).content
        operator.post(f"{path_of(row)}/policy", {"track": "version", "include": "^1"})
        row.refresh_from_db()
        assert row.policy == {"track": "nothing", "include": "^1"}

    def test_it_leaves_what_was_not_on_the_page(self, operator: Client) -> None:
        """A label said it when the page was shown, and does no longer."""
        row = service()
        Service.objects.update(policy={"track": "nothing", "include": "^1"})
        operator.post(f"{path_of(row)}/policy", {"include": ""})
        row.refresh_from_db()
        assert row.policy == {"track": "nothing"}

    def test_it_says_how_to_mend_a_label(self, viewer: Client) -> None:
        row = service()
        assert "cannot be read" not in shown(viewer, path_of(row))
        Service.objects.update(labels={"dockrev.track": "<always>"})
        page = shown(viewer, path_of(row))
        assert "The label dockrev.track cannot be read and does not count." in page
        assert "Mend it in the compose file, then start the service anew" in page
        assert "&lt;always&gt;” is none of: auto" in viewer.get(path_of(row)).content.decode()

    def test_it_says_away_what_is_inherited(self, operator: Client) -> None:
        row = service()
        path = f"{path_of(row)}/policy"
        assert b"exclude_bare" not in operator.get(path_of(row)).content
        Stack.objects.update(policy={"exclude": "-rc"})
        assert b"exclude_bare" in operator.get(path_of(row)).content
        operator.post(path, {"exclude": "", "exclude_bare": "on"})
        row.refresh_from_db()
        assert row.policy == {"exclude": ""}
        assert "Set here. Otherwise: -rc, from the stack ." in shown(operator, path_of(row))
        both = operator.post(path, {"exclude": "-b", "exclude_bare": "on"})
        assert "Empty this, or take the tick away" in text_of(both.content)
        operator.post(path, {"exclude": ""})
        row.refresh_from_db()
        assert row.policy == {}


class TestShared:
    def test_it_leads_from_a_stack_to_its_policy(self, viewer: Client) -> None:
        row = service()
        body = viewer.get("/").content.decode()
        assert f'href="/stacks/{row.stack_id}/policy"' in body
        assert 'href="/settings/policy"' in viewer.get("/settings").content.decode()

    def test_it_saves_the_policy_of_a_stack(self, operator: Client) -> None:
        row = service()
        service(name="web")
        path = f"/stacks/{row.stack_id}/policy"
        wanted = {"track": "", "prereleases": "true", "platform": "linux/arm64"}
        page = text_of(operator.post(path, wanted, follow=True).content)
        assert "The policy is saved." in page
        assert "Set here. Otherwise: no, by default. Holds for 2 of 2 services." in page
        assert Stack.objects.get().policy == {"prereleases": True, "platform": "linux/arm64"}
        assert [job.kind for job in Job.objects.all()] == ["check.stack"]

    def test_it_saves_the_policy_for_all(self, admin: Client) -> None:
        service()
        assert "Nothing is said for all services" in shown(admin, "/settings")
        page = text_of(admin.post("/settings/policy", {"track": "digest"}, follow=True).content)
        assert "The policy is saved." in page
        assert for_all() == {"track": "digest"}
        assert [job.kind for job in Job.objects.all()] == ["check.all"]
        assert "Tracks Rebuilt images of its tag alone" in shown(admin, "/settings")
        admin.post("/settings/policy", {"track": ""})
        assert for_all() == {}

    def test_it_says_how_many_it_reaches(self, operator: Client) -> None:
        rows = [service(name=name) for name in ("a", "b", "c")]
        Service.objects.filter(name="a").update(policy={"track": "digest"})
        Service.objects.update(labels={"dockrev.exclude": "x"})
        page = shown(operator, f"/stacks/{rows[0].stack_id}/policy")
        assert "What is wanted of 3 services on local" in page
        assert "Holds for 2 of 3 services; the others have their own." in page
        assert "Holds for 0 of 3 services; the others have their own." in page

    @pytest.mark.parametrize("where", ["stack", "all"])
    def test_it_changes_nothing_where_something_is_wrong(self, admin: Client, where: str) -> None:
        row = service()
        path = f"/stacks/{row.stack_id}/policy" if where == "stack" else "/settings/policy"
        wrong = {"track": "nothing", "include": "1(", "transform": "x", "platform": "<b>"}
        answer = admin.post(path, wrong)
        page = text_of(answer.content)
        assert "Nothing was saved." in page
        assert "cannot be read from character 2 on" in page
        assert "Write it as pattern =&gt; replacement" in answer.content.decode()
        assert 'value="&lt;b&gt;"' in answer.content.decode()
        assert not Job.objects.exists()
        assert not Setting.objects.filter(key="policy").exists()
        assert Stack.objects.get().policy == {}

    def test_it_lets_only_those_say_something_who_may(
        self, viewer: Client, operator: Client
    ) -> None:
        row = service()
        stack = f"/stacks/{row.stack_id}/policy"
        assert viewer.post(stack, {"track": "digest"}).status_code == 403
        assert operator.post("/settings/policy", {"track": "digest"}).status_code == 403
        assert "Only an operator can change this." in shown(viewer, stack)
        assert "Only an admin can change this." in shown(operator, "/settings/policy")
        for client, path in ((viewer, stack), (operator, "/settings/policy")):
            assert "Save the policy" not in shown(client, path)

    def test_it_asks_the_database_as_often_for_many_services(self, viewer: Client) -> None:
        row = service()
        paths = (f"/stacks/{row.stack_id}/policy", "/settings/policy")

        def queries() -> list[int]:
            counts = []
            for path in paths:
                with CaptureQueriesContext(connection) as captured:
                    viewer.get(path)
                counts.append(len(captured))
            return counts

        queries()
        few = queries()
        for number in range(20):
            service(name=f"svc-{number}")
        assert queries() == few
