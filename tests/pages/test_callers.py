"""A trigger's callers: their list, the page of each, and their calls among the deliveries."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from checks.models import Job
from integrations import callers as limits
from integrations.models import Delivery, Receiver, TriggerCaller
from tests.callers import ALL, OWN_SECRET, body_of, call, trigger
from tests.pages.test_overview import text_of
from tests.rows import service

__all__ = ["trigger"]
SECRET = re.compile(r'data-copy="(drt_[^"]+)"')


def place(trigger: Receiver, row: TriggerCaller | None = None) -> str:
    end = f"/callers/{row.pk if row else 'add'}"
    return f"/settings/receivers/{trigger.pk}{end}"


def typed(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "deploy",
        "enabled": "on",
        "actions": ["check"],
        "stacks": "all",
        "calls_per_minute": "30",
        "act": "save",
    }
    return {name: value for name, value in {**given, **changes}.items() if value is not None}


def add(admin: Client, trigger: Receiver, **changes: Any) -> str:
    """The secret of a caller that is made."""
    response = admin.post(place(trigger), typed(**changes))
    assert response.status_code == 200, response.content
    found = SECRET.search(response.content.decode())
    assert found
    return found[1]


def said(client: Client, path: str) -> str:
    return text_of(body_of(client, path).encode())


class TestTheList:
    def test_it_says_what_callers_are_for(self, admin: Client, trigger: Receiver) -> None:
        told = said(admin, f"/settings/receivers/{trigger.pk}")
        assert "Callers Add a caller None yet. A caller has a secret of its own" in told

    def test_it_says_what_each_may(self, admin: Client, trigger: Receiver) -> None:
        ids = [service(stack=name).stack_id for name in ("blog", "shop", "wiki", "mail")]
        add(admin, trigger, name="all", actions=["check", "update"])
        add(admin, trigger, name="few", stacks="some", stack=ids[:2])
        add(admin, trigger, name="many", stacks="some", stack=ids)
        add(admin, trigger, name="off", enabled=None)
        gone = add(admin, trigger, name="zero", stacks="some", stack=[service(stack="x").stack_id])
        TriggerCaller.objects.get(name="zero").stacks.get().delete()
        call(ALL, gone)
        told = said(admin, f"/settings/receivers/{trigger.pk}")
        assert "all have something checked, have something updated in every stack" in told
        assert "few have something checked in blog, shop not used yet" in told
        assert "many have something checked in blog, mail, shop and 1 more" in told
        assert "zero may do nothing: no stack is left that it is limited to" in told
        assert "rejected: This caller is limited to stacks, and may not ask for all." in told

    def test_it_is_for_admins(
        self, viewer: Client, operator: Client, admin: Client, trigger: Receiver
    ) -> None:
        add(admin, trigger)
        for client in (viewer, operator):
            assert "Add a caller" not in said(client, f"/settings/receivers/{trigger.pk}")

    def test_it_asks_the_database_as_often_for_thirty_as_for_three(
        self, admin: Client, trigger: Receiver
    ) -> None:
        ids = [service(stack=f"stack-{number}").stack_id for number in range(6)]

        def queries(number: int) -> int:
            for index in range(number):
                secret = add(admin, trigger, name=f"{number} {index}", stacks="some", stack=ids)
                call({"action": "check", "scope": "stack", "stackId": "stack-1"}, secret)
            admin.get(f"/settings/receivers/{trigger.pk}")
            with CaptureQueriesContext(connection) as captured:
                admin.get(f"/settings/receivers/{trigger.pk}")
            return len(captured)

        queries(5)
        assert queries(3) == queries(30)

    def test_other_receivers_have_none(self, admin: Client, trigger: Receiver) -> None:
        other = Receiver.objects.get(kind="harbor")
        assert "Callers" not in said(admin, f"/settings/receivers/{other.pk}")
        assert admin.get(place(other)).status_code == 404


class TestThePage:
    def test_it_shows_the_secret_once(self, admin: Client, trigger: Receiver) -> None:
        secret = add(admin, trigger)
        row = TriggerCaller.objects.get()
        assert call(ALL, secret).status_code == 202
        later = body_of(admin, place(trigger, row))
        assert secret not in later
        assert "Only its hash is kept, so it cannot be shown again." in later

    def test_it_begins_with_the_least(self, admin: Client, trigger: Receiver) -> None:
        service()
        source = body_of(admin, place(trigger))
        assert re.search(r'value="check"[^>]*checked', source)
        assert not re.search(r'value="(update|dry-run)"[^>]*checked', source)
        assert re.search(r'id="stacks-some"[^>]*checked', source)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"name": ""}, "This field is required."),
            ({"name": "a\u202eb"}, "A name has no control characters."),
            ({"actions": []}, "Choose what it may do; or switch it off."),
            ({"stacks": "some"}, "Choose a stack, or all of them."),
            ({"stacks": None}, "Choose a stack, or all of them."),
            ({"stacks": "some", "stack": ["stk_nothing\0"]}, "Select a valid choice."),
            ({"calls_per_minute": "0"}, "From 1 to 1000 calls in a minute."),
            ({"calls_per_minute": "9" * 5000}, "whole number"),
            ({"name": "FIRST"}, "Another caller of this trigger is called so."),
        ],
    )
    def test_it_says_what_is_wrong_and_keeps_what_was_typed(
        self, admin: Client, trigger: Receiver, change: dict[str, Any], words: str
    ) -> None:
        add(admin, trigger, name="first")
        response = admin.post(place(trigger), typed(**change))
        assert response.status_code == 422
        told = text_of(response.content)
        assert "Nothing was saved." in told
        assert words in told
        assert TriggerCaller.objects.count() == 1

    def test_it_says_that_there_are_too_many(
        self, admin: Client, trigger: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_CALLERS", 1)
        add(admin, trigger, name="first")
        response = admin.post(place(trigger), typed())
        assert response.status_code == 409
        assert "A trigger has at most 1 callers." in text_of(response.content)

    def test_it_changes_its_limits(self, admin: Client, trigger: Receiver) -> None:
        shop, blog = service().stack_id, service(stack="blog").stack_id
        secret = add(admin, trigger, stacks="some", stack=[shop])
        row = TriggerCaller.objects.get()
        page = place(trigger, row)
        assert re.search(rf'id="stack-{shop}"[^>]*checked', body_of(admin, page))
        order = {"action": "check", "scope": "stack", "stackId": "blog"}
        assert call(order, secret).status_code == 403
        changed = admin.post(page, typed(stacks="some", stack=[blog], actions=["check"]))
        assert changed.status_code == 302
        assert call(order, secret).status_code == 202
        admin.post(page, typed(enabled=None))
        assert call(order, secret).status_code == 403

    def test_it_gives_it_another_secret(self, admin: Client, trigger: Receiver) -> None:
        first = add(admin, trigger)
        page = place(trigger, TriggerCaller.objects.get())
        second = SECRET.findall(admin.post(page, {"act": "rotate"}).content.decode())[0]
        assert "The one before still counts." in said(admin, page)
        assert [call(ALL, each).status_code for each in (first, second)] == [202, 202]
        third = SECRET.findall(admin.post(page, {"act": "replace"}).content.decode())[0]
        assert [call(ALL, each).status_code for each in (second, third)] == [401, 202]
        assert "The one before still counts." not in said(admin, page)

    def test_it_is_revoked(self, admin: Client, trigger: Receiver) -> None:
        secret = add(admin, trigger)
        page = place(trigger, TriggerCaller.objects.get())
        response = admin.post(page, {"act": "revoke"}, follow=True)
        assert "deploy is revoked." in text_of(response.content)
        assert call(ALL, secret).status_code == 401
        assert admin.get(page).status_code == 404

    def test_it_says_that_its_trigger_is_off(self, admin: Client, trigger: Receiver) -> None:
        add(admin, trigger)
        Receiver.objects.filter(pk=trigger.pk).update(enabled=False)
        told = said(admin, place(trigger, TriggerCaller.objects.get()))
        assert "CI is off, and so is every caller of it." in told

    def test_it_shows_names_as_text(self, admin: Client, trigger: Receiver) -> None:
        add(admin, trigger, name="<script>x</script>")
        row = TriggerCaller.objects.get()
        for path in (place(trigger, row), f"/settings/receivers/{trigger.pk}"):
            assert "<script>x" not in body_of(admin, path)


class TestDeliveries:
    def test_they_say_who_asked_for_what(
        self, admin: Client, viewer: Client, trigger: Receiver
    ) -> None:
        service()
        secret = add(admin, trigger, stacks="some", stack=[service(stack="blog").stack_id])
        call({"action": "check", "scope": "stack", "stackId": "blog"}, secret)
        call({"action": "check", "scope": "stack", "stackId": "shop"}, secret)
        told = said(viewer, "/deliveries")
        assert "check blog processed, 1 job CI deploy" in told
        why = "rejected: Nothing that this caller may ask for is called that."
        assert f"check shop {why} CI deploy" in told
        refused = Delivery.objects.get(repository="shop")
        told = said(viewer, f"/deliveries/{refused.pk}")
        assert "Caller deploy Asked for check stack shop" in told
        assert "Nothing was queued." in told
        TriggerCaller.objects.all().delete()
        assert "Caller deploy revoked since" in said(viewer, f"/deliveries/{refused.pk}")

    def test_they_are_replayed_where_that_makes_sense(
        self, operator: Client, trigger: Receiver
    ) -> None:
        call(ALL, OWN_SECRET)
        row = Delivery.objects.get()
        Job.objects.all().delete()
        source = body_of(operator, f"/deliveries/{row.pk}")
        assert "Explain this delivery" not in source
        response = operator.post(f"/deliveries/{row.pk}/replay", follow=True)
        assert "Replayed: it was asked for again." in text_of(response.content)
        assert Job.objects.count() == 1
        assert operator.get(f"/settings/receivers/explain?delivery={row.pk}").status_code == 404

    def test_they_say_why_they_are_not_replayed(self, operator: Client, trigger: Receiver) -> None:
        call({"action": "update", "scope": "all"}, OWN_SECRET)
        row = Delivery.objects.get()
        source = body_of(operator, f"/deliveries/{row.pk}")
        assert "An update is not replayed" in source
        assert f"/deliveries/{row.pk}/replay" not in source
        response = operator.post(f"/deliveries/{row.pk}/replay", follow=True)
        assert "An update is not replayed" in text_of(response.content)

    def test_they_say_that_a_replay_was_refused(self, operator: Client, trigger: Receiver) -> None:
        call({"action": "check", "scope": "stack", "stackId": "nothing"}, OWN_SECRET)
        row = Delivery.objects.get()
        response = operator.post(f"/deliveries/{row.pk}/replay", follow=True)
        assert "Replayed, and refused." in text_of(response.content)
