"""The page of ignore rules: who sees what, what is saved, and what a rule hides before it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Candidate, Host, IgnoreRule, Service, Stack
from tests.pages.rows import candidate
from tests.pages.test_overview import text_of
from tests.rows import service

pytestmark = pytest.mark.django_db
LIST, ADD = "/settings/ignores", "/settings/ignores/add"


def shown(client: Client, path: str = LIST) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def fields(**given: Any) -> dict[str, Any]:
    return {"scope": "all", "kind": "exact", "value": "1.3.0", "enabled": "on", **given}


def looked_at(client: Client, **given: Any) -> str:
    """What the page says of a rule that is filled in and not saved."""
    response = client.post(ADD, fields(**given))
    assert response.status_code == 200
    assert not IgnoreRule.objects.filter(created_by="operator").exists()
    return text_of(response.content)


def saved(client: Client, path: str = ADD, **given: Any) -> Any:
    return client.post(path, fields(act="save", **given), follow=True)


def made(of: Service | None = None, *, value: str = "1.3.0", **more: Any) -> IgnoreRule:
    scope: dict[str, Any] = {"scope": "service", "service": of} if of else {"scope": "all"}
    return IgnoreRule.objects.create(**{**scope, "kind": "exact", "value": value, **more})


def test_it_says_where_rules_come_from_while_there_are_none(
    operator: Client, viewer: Client
) -> None:
    page = shown(operator)
    assert "No rule hides anything." in page
    assert "“Skip this version” hides it for good, “Snooze a week” for seven days." in page
    assert "Add a rule" in page
    assert "Add a rule" not in shown(viewer)


def test_it_lists_rules_with_what_they_hide_now(viewer: Client, operator: Client) -> None:
    for name in ("a", "b", "c", "d"):
        candidate(service(name=name))
    saved(operator, note="breaks sign-in")
    page = shown(viewer)
    assert "1 rule, 1 hides something now" in page
    assert "This tag 1.3.0 breaks sign-in Hides 4 now: shop / a 1.3.0 , shop / b 1.3.0" in page
    assert "shop / c 1.3.0 and 1 more Everything no end operator, just now" in page
    assert "Switch off" not in page


def test_it_counts_what_gave_way_to_a_lower_version(viewer: Client) -> None:
    """A service has one candidate of each step: what a check then finds stands in its place."""
    row, other, gone = service(), service(name="web"), service(name="gone")
    rule, off = made(value="1.3.0"), made(value="9", enabled=False)
    first = candidate(other, tag="1.3.0")
    first.ignored_by = rule
    first.save(update_fields=["ignored_by"])
    kept = {rule.pk: [2, "1.3.0"], off.pk: [1, "9"], "ign_gone": [1, "7"]}
    Service.objects.exclude(pk=gone.pk).update(tags_hidden=kept)
    Service.objects.filter(pk=gone.pk).update(tags_hidden=kept, archived_at=timezone.now())
    page = shown(viewer)
    assert "2 rules, 1 hides something now" in page
    assert "Hiding now 1 Nothing to hide 0" in page
    assert "Hides 4 now: shop / web 1.3.0 , shop / api 1.3.0 and 2 more" in page
    assert page.count("Hides") == 1
    assert "Hides 4 now: shop / web 1.3.0" in shown(viewer, f"{LIST}/{rule.pk}")
    assert "Hides 1 now" not in shown(viewer, f"{LIST}/{off.pk}")
    assert "Hides now: 1.3.0 . Made" in shown(viewer, f"/services/{row.stack_id}/{row.pk}")


def test_it_leads_to_the_service_and_the_stack_of_a_rule(viewer: Client) -> None:
    row = service()
    made(row)
    IgnoreRule.objects.create(scope="stack", stack=row.stack, kind="prefix", value="2.")
    body = viewer.get(LIST).content.decode()
    assert f'<a href="/services/{row.stack_id}/{row.pk}">shop / api</a>' in body
    assert '<a href="/?q=shop">Stack shop</a>' in body


def test_it_filters_and_searches(viewer: Client) -> None:
    row = service()
    now = timezone.now()
    made(row, value="1.9.9", expires_at=now + timedelta(days=3))
    made(value="2.0.0", enabled=False)
    made(value="3.0.0", expires_at=now - timedelta(days=3))
    made(value="4.0.0", note="too early")
    assert "All 4 Hiding now 0 Nothing to hide 2 With an end 1 Off 2" in shown(viewer)
    ending = shown(viewer, f"{LIST}?show=ending")
    assert "1.9.9" in ending
    assert "4.0.0" not in ending
    off = shown(viewer, f"{LIST}?show=off")
    assert "2.0.0" in off
    assert "ended 3 days ago" in off
    assert "4.0.0" in shown(viewer, f"{LIST}?q=early")
    assert "1.9.9" in shown(viewer, f"{LIST}?q=shop+api")
    assert "No rule matches “none”." in shown(viewer, f"{LIST}?q=none")
    assert "4.0.0" in shown(viewer, f"{LIST}?q=%00&show=nonsense")


def test_it_asks_the_database_as_often_for_many_rules_and_services(viewer: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            shown(viewer)
        return len(captured)

    new = candidate(service())
    new.ignored_by = made()
    new.save(update_fields=["ignored_by"])
    few = queries()
    for number in range(120):
        row = service(name=f"svc-{number}", stack=f"stack-{number % 3}")
        rule = made(row)
        new = candidate(row)
        new.ignored_by = rule
        new.save(update_fields=["ignored_by"])
    assert queries() == few <= 11
    assert "1 to 50 of 121" in shown(viewer)


def test_it_asks_the_database_as_often_to_preview_many(operator: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            looked_at(operator, kind="prefix", value="1.")
        return len(captured)

    candidate(service())
    made(value="0.1")
    few = queries()
    for number in range(120):
        made(value=f"0.{number}")
        candidate(service(name=f"svc-{number}", stack=f"stack-{number % 3}"))
    assert queries() == few <= 12


def test_it_shows_what_a_rule_would_hide_and_what_is_left(operator: Client) -> None:
    row, other = service(), service(name="web")
    candidate(row, step="minor", tag="1.3.0")
    candidate(row, step="patch", tag="1.2.9")
    candidate(other, step="major", tag="2.0.0")
    page = looked_at(operator, kind="semver", value=">=1.3")
    assert "2 updates , of 2 of 2 services in its scope." in page
    assert "shop / api 1.3.0 minor leaves 1.2.9 (patch)" in page
    assert "shop / web 2.0.0 major leaves nothing" in page
    page = looked_at(operator, value="9.9.9")
    assert "Nothing of what the 2 services in its scope are offered." in page
    assert not Candidate.objects.exclude(ignored_by=None).exists()


def test_it_leaves_nothing_that_another_rule_hides(operator: Client) -> None:
    row = service()
    candidate(row, step="minor", tag="1.3.0")
    candidate(row, step="patch", tag="1.2.9")
    made(row, value="1.2.9")
    assert "shop / api 1.3.0 minor leaves nothing" in looked_at(operator, value="1.3.0")


def test_it_says_what_another_rule_hides_already(operator: Client) -> None:
    row = service()
    candidate(row)
    made(row)
    page = looked_at(operator, kind="prefix", value="1.")
    assert "1 of them is hidden by another rule, too." in page
    assert "shop / api 1.3.0 minor hidden already" in page


def test_it_counts_a_rule_that_is_edited_only_once(operator: Client) -> None:
    row = service()
    candidate(row)
    rule = made(row)
    page = shown(operator, f"{LIST}/{rule.pk}")
    assert "shop / api 1.3.0 minor leaves nothing" in page
    given = fields(scope="service", which="shop/api", kind="prefix", value="1.")
    page = text_of(operator.post(f"{LIST}/{rule.pk}", given).content)
    assert "shop / api 1.3.0 minor leaves nothing" in page
    rule.refresh_from_db()
    assert rule.kind == "exact"


def test_it_tries_a_tag(operator: Client) -> None:
    tried = {"kind": "regex", "value": "-rc", "tried": "1.3.0-rc.1"}
    assert "1.3.0-rc.1 : hidden" in looked_at(operator, **tried)
    assert "1.3.0 : not hidden" in looked_at(operator, **{**tried, "tried": "1.3.0"})
    assert "hidden Nothing" not in looked_at(operator, kind="digest", value="x", tried="1.3.0")


def test_it_marks_the_character_where_a_value_goes_wrong(operator: Client) -> None:
    for act in ("", "save"):
        response = operator.post(ADD, fields(kind="regex", value="1.2(<a", act=act))
        body = response.content.decode()
        assert "<code>1.2<mark>(</mark>&lt;a</code>" in body
        assert "character 4" in text_of(response.content)
    assert response.status_code == 422
    assert 'value="1.2(&lt;a"' in body
    assert not IgnoreRule.objects.exists()


def test_it_saves_a_rule_that_takes_effect_at_once(operator: Client) -> None:
    row = service()
    candidate(row)
    given = {"scope": "service", "which": "shop/api", "note": "why", "tried": "1"}
    page = text_of(saved(operator, expires_at="2999-01-02T03:04", **given).content)
    assert "The rule is saved." in page
    rule = IgnoreRule.objects.get()
    assert (rule.service, rule.note, rule.created_by) == (row, "why", "operator")
    assert str(rule.expires_at) == "2999-01-02 03:04:00+00:00"
    row.refresh_from_db()
    assert row.status == "ignored"
    response = operator.get(f"{LIST}/{rule.pk}").content.decode()
    assert 'value="2999-01-02T03:04"' in response
    saved(operator, f"{LIST}/{rule.pk}", scope="stack", which="shop", value="9")
    rule.refresh_from_db()
    assert (rule.stack, rule.service, rule.value, rule.expires_at) == (row.stack, None, "9", None)
    row.refresh_from_db()
    assert row.status == "update_available"
    saved(operator, f"{LIST}/{rule.pk}", which="whatever was there")
    rule.refresh_from_db()
    assert (rule.scope, rule.stack, rule.created_by) == ("all", None, "operator")


def test_it_begins_with_the_service_that_somebody_comes_from(operator: Client) -> None:
    row = service()
    assert 'value="shop/api"' in operator.get(f"{ADD}?service={row.pk}").content.decode()
    assert "Everything" not in shown(operator, f"{ADD}?service=%00")


def test_it_lists_what_somebody_may_have_meant(operator: Client) -> None:
    service()
    service(name="api-worker")
    service(name="web")
    page = looked_at(operator, scope="service", which="sho/ap")
    assert "Nothing here is called that. Did you mean: shop/api shop/api-worker" in page
    assert "Say first which one it is for." in page
    page = looked_at(operator, scope="stack", which="sh")
    assert "Did you mean: shop" in page
    assert "Name it." in looked_at(operator, scope="service", which="")
    assert "in its scope" in looked_at(operator, scope="service", which="local:shop/web")


def test_it_tells_stacks_of_several_hosts_apart(operator: Client) -> None:
    service()
    far = Stack.objects.create(
        host=Host.objects.create(name="far"), name="shop", source=Stack.Source.FILES
    )
    assert '<option value="far:shop">' in operator.get(ADD).content.decode()
    page = looked_at(operator, scope="stack", which="shop")
    assert (
        "Several have this name: far:shop, local:shop. Use an id. Did you mean: far:shop local:shop"
        in page
    )
    saved(operator, scope="stack", which="far:shop")
    assert IgnoreRule.objects.get().stack == far


def test_it_edits_a_rule_of_what_is_archived(operator: Client) -> None:
    row = service()
    rule = made(row)
    Stack.objects.update(archived_at=timezone.now())
    path = f"{LIST}/{rule.pk}"
    given = {"scope": "service", "which": "shop/api"}
    saved(operator, path, note="kept", **given)
    rule.refresh_from_db()
    assert (rule.note, rule.service) == ("kept", row)
    assert "It is archived; restore it first." in looked_at(operator, **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scope": "host"}, "Select a valid choice"),
        ({"kind": "glob"}, "Select a valid choice"),
        ({"value": ""}, "This field is required."),
        ({"value": "1\0"}, "Null characters are not allowed."),
        ({"value": "1" * 257}, "at most 256 characters"),
        ({"kind": "digest", "value": "sha256:abc"}, "A digest is sha256:"),
        ({"note": "x" * 501}, "at most 500 characters"),
        ({"tried": "x" * 129}, "at most 128 characters"),
        ({"expires_at": "2020-01-01T00:00"}, "This time is over."),
        ({"expires_at": "0001-01-01T00:00"}, "Its year may be 2000 to 8999."),
        ({"expires_at": "9999-12-31T23:59"}, "Its year may be 2000 to 8999."),
        ({"expires_at": "soon"}, "Enter a valid date/time."),
        ({"scope": "service", "which": "x" * 700}, "at most 612 characters"),
        ({"scope": "service", "which": "\0"}, "Null characters are not allowed."),
    ],
)
def test_it_keeps_what_was_typed_and_saves_nothing(
    operator: Client, given: dict[str, Any], words: str
) -> None:
    response = saved(operator, **{"note": "as it was", **given})
    assert response.status_code == 422
    page = text_of(response.content)
    assert "Nothing was saved." in page
    assert words in page
    assert given.get("note", "as it was") in response.content.decode()
    assert not IgnoreRule.objects.exists()


def change(client: Client, **given: Any) -> str:
    return text_of(client.post(f"{LIST}/change", given, follow=True).content)


def test_it_switches_and_deletes_those_that_are_ticked(operator: Client) -> None:
    row, other = service(), service(name="web")
    candidate(row)
    candidate(other)
    saved(operator, scope="service", which="shop/api")
    saved(operator, scope="service", which="shop/web")
    ids = list(IgnoreRule.objects.values_list("pk", flat=True))
    assert "2 rules are off." in change(operator, act="off", rule=ids)
    assert {each.status for each in Service.objects.all()} == {"update_available"}
    assert "2 rules are on." in change(operator, act="on", rule=ids)
    assert {each.status for each in Service.objects.all()} == {"ignored"}
    assert "2 rules are deleted." in change(operator, act="delete", rule=ids)
    assert {each.status for each in Service.objects.all()} == {"update_available"}
    assert not IgnoreRule.objects.exists()


def test_it_changes_one_by_its_own_button(operator: Client) -> None:
    one, other = made(value="1"), made(value="2")
    assert "1 rule is off." in change(operator, off=one.pk, rule=[other.pk])
    assert list(IgnoreRule.objects.filter(enabled=True)) == [other]
    assert "1 rule is on." in change(operator, on=one.pk)
    assert "1 rule is deleted." in change(operator, delete=one.pk)
    assert list(IgnoreRule.objects.all()) == [other]


def test_it_does_nothing_where_nothing_is_ticked(operator: Client) -> None:
    made()
    for given in ({"act": "delete"}, {"act": "burn", "rule": "ign_none"}, {"delete": "\0"}):
        assert "Tick the rules first." in change(operator, **given)
    assert IgnoreRule.objects.count() == 1


def test_it_switches_nothing_on_whose_time_is_over(operator: Client) -> None:
    rule = made(enabled=False, expires_at=timezone.now() - timedelta(days=1))
    page = change(operator, on=rule.pk)
    assert "The time of 1 rule is over: give it another end." in page
    rule.refresh_from_db()
    assert rule.enabled is False


def test_it_lets_viewers_look_and_nothing_else(viewer: Client) -> None:
    candidate(service())
    rule = made(note="why")
    page = shown(viewer, f"{LIST}/{rule.pk}")
    assert "For Everything Hides This tag 1.3.0 Note why Ends no end On yes" in page
    assert "1 update , of 1 of 1 services in its scope." in page
    assert "Save" not in page
    assert viewer.post(f"{LIST}/{rule.pk}", fields(act="save")).status_code == 403
    assert viewer.get(ADD).status_code == 403


def test_it_is_found_in_the_settings(viewer: Client) -> None:
    assert "There is no rule. Look at ignore rules" in shown(viewer, "/settings")
    made()
    assert "1 rule, 0 of them hide something now." in shown(viewer, "/settings")
