"""Policies of services, stacks and all, as a program says and reads them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from checks import policies
from checks.models import Job, Service, Stack
from dockrev.models import Setting
from tests.people import Program, error_of
from tests.rows import service

DEFAULTS = {
    "track": "auto",
    "include": "",
    "exclude": "",
    "transform": "",
    "largestStep": "major",
    "prereleases": False,
    "minimumAge": 0,
    "platform": "",
    "backup": "skip",
    "autoUpdate": "off",
    "autoUpdateAge": 0,
    "autoUpdateWindow": "",
    "autoUpdateHealthy": True,
    "rollback": True,
    "probeHttp": "",
    "probeTcp": 0,
    "probeLog": "",
    "settleTime": 0,
    "healthMargin": 10,
    "commit": False,
    "commitAuthor": "",
}
SILENT = dict.fromkeys(DEFAULTS)


def place_of(where: str, row: Service) -> str:
    """The path of a service's policy, its stack's, or the one for all."""
    paths = {"service": f"services/{row.pk}/", "stack": f"stacks/{row.stack_id}/", "all": ""}
    return f"/api/{paths[where]}policy"


def sources(answer: Any) -> dict[str, str]:
    """Who says something, by field."""
    found = answer.json()["sources"]
    return {name: source for name, source in found.items() if source != "default"}


def test_it_holds_the_default_where_nobody_says_anything(viewer: Program) -> None:
    row = service()
    shown = viewer.get(place_of("service", row)).json()
    assert shown == {
        **DEFAULTS,
        "sources": dict.fromkeys(DEFAULTS, "default"),
        "said": SILENT,
        "labelFaults": [],
    }
    assert viewer.get(f"/api/services/{row.pk}").json()["policy"] is None


def test_it_keeps_a_policy_and_checks_by_it(operator: Program) -> None:
    row = service()
    path = place_of("service", row)
    kept = operator.patch(path, {"largestStep": "minor", "exclude": "-rc"}).json()["policy"]
    assert kept == {
        **DEFAULTS,
        "exclude": "-rc",
        "largestStep": "minor",
        "sources": {
            **dict.fromkeys(DEFAULTS, "default"),
            "exclude": "service",
            "largestStep": "service",
        },
        "said": {**SILENT, "exclude": "-rc", "largestStep": "minor"},
        "labelFaults": [],
    }
    also = operator.patch(path, {"track": "version"}).json()["policy"]
    assert (also["track"], also["exclude"]) == ("version", "-rc")
    assert (
        also
        == operator.get(path).json()
        == operator.get(f"/api/services/{row.pk}").json()["policy"]
    )
    assert (Job.objects.get().service_id, Job.objects.get().reason) == (row.pk, "policy")
    back = {"track": None, "exclude": None, "largestStep": None}
    assert operator.patch(path, back).json()["policy"] is None


def test_it_lets_the_nearest_say_what_holds(admin: Program) -> None:
    row = service()
    admin.patch(place_of("all", row), {"include": "^1", "largestStep": "patch", "track": "digest"})
    admin.patch(place_of("stack", row), {"include": "^2", "exclude": "-rc", "prereleases": True})
    admin.patch(place_of("service", row), {"exclude": "", "track": "version"})
    Service.objects.update(labels={"dockrev.track": "nothing", "dockrev.platform": "linux/arm64"})
    held = admin.get(place_of("service", row))
    assert sources(held) == {
        "track": "label",
        "include": "stack",
        "exclude": "service",
        "largestStep": "all",
        "prereleases": "stack",
        "platform": "label",
    }
    assert held.json()["said"] == {**SILENT, "exclude": "", "track": "version"}
    values = {name: held.json()[name] for name in DEFAULTS}
    assert values == {
        **DEFAULTS,
        "track": "nothing",
        "include": "^2",
        "exclude": "",
        "transform": "",
        "largestStep": "patch",
        "prereleases": True,
        "minimumAge": 0,
        "platform": "linux/arm64",
        "backup": "skip",
        "commit": False,
        "commitAuthor": "",
    }
    assert sources(admin.get(place_of("stack", row))) == {
        "track": "all",
        "include": "stack",
        "exclude": "stack",
        "largestStep": "all",
        "prereleases": "stack",
    }
    admin.patch(place_of("stack", row), {"include": None})
    assert admin.get(place_of("service", row)).json()["include"] == "^1"


def test_it_says_which_labels_cannot_be_read(viewer: Program) -> None:
    row = service()
    Service.objects.update(labels={"dockrev.include": "1(", "dockrev.track": "digest"})
    policy = viewer.get(f"/api/services/{row.pk}").json()["policy"]
    assert (policy["track"], policy["include"]) == ("digest", "")
    (fault,) = policy["labelFaults"]
    assert (fault["name"], fault["text"]) == ("dockrev.include", "1(")
    assert "from character 2 on" in fault["message"]


@pytest.mark.parametrize(
    ("where", "kind"),
    [("stack", "check.stack"), ("all", "check.all"), ("service", "check.service")],
)
def test_it_queues_one_check_of_all_that_a_change_is_about(
    admin: Program, where: str, kind: str
) -> None:
    row = service()
    service(name="web")
    path = place_of(where, row)
    for track in ("digest", "digest", "version"):
        assert admin.patch(path, {"track": track}).status_code == 200
    job = Job.objects.get()
    assert (job.kind, job.reason, job.created_by, job.notify) == (kind, "policy", "admin", False)
    Job.objects.all().delete()
    admin.patch(path, {"track": "version", "include": None})
    assert not Job.objects.exists()


@pytest.mark.parametrize("where", ["stack", "all"])
def test_it_checks_nothing_where_there_is_nothing(admin: Program, where: str) -> None:
    row = service()
    Service.objects.all().delete()
    assert admin.patch(place_of(where, row), {"track": "digest"}).json()["services"] == 0
    assert not Job.objects.exists()


def test_it_says_how_many_services_it_reaches(admin: Program) -> None:
    rows = [service(name=name) for name in ("api", "db", "web")]
    other = service(stack="blog")
    Service.objects.filter(pk=rows[0].pk).update(labels={"dockrev.track": "digest"})
    Service.objects.filter(pk=rows[1].pk).update(policy={"include": "^1"})
    Service.objects.filter(pk=rows[2].pk).update(labels={"dockrev.track": "no word"})
    Stack.objects.filter(pk=rows[0].stack_id).update(policy={"exclude": "-rc"})
    stack = admin.get(place_of("stack", rows[0])).json()
    assert stack["services"] == 3
    assert (stack["reach"]["track"], stack["reach"]["include"]) == (2, 2)
    assert stack["reach"]["exclude"] == 3
    everything = admin.get(place_of("all", other)).json()
    assert everything["services"] == 4
    assert everything["reach"] == {
        **dict.fromkeys(DEFAULTS, 4),
        "track": 3,
        "include": 3,
        "exclude": 1,
    }


REFUSED: list[tuple[dict[str, Any], str, int | None]] = [
    ({"include": "1.2("}, "include", 3),
    ({"exclude": "a" * 257}, "exclude", None),
    ({"transform": "^v(.*)$ => \\2"}, "transform", 11),
    ({"transform": "^v.*"}, "transform", 4),
    ({"track": "all"}, "track", None),
    ({"track": ""}, "track", None),
    ({"largestStep": "other"}, "largestStep", None),
    ({"prereleases": "yes"}, "prereleases", None),
    ({"minimumAge": -1}, "minimumAge", None),
    ({"minimumAge": 366}, "minimumAge", None),
    ({"minimumAge": "7"}, "minimumAge", None),
    ({"minimumAge": True}, "minimumAge", None),
    ({"platform": "linux/amd46"}, "platform", 6),
    ({"platform": "\ud800"}, "platform", None),
    ({"include": 1}, "include", None),
    ({"autoUpdate": True}, "autoUpdate", None),
    ({"autoUpdate": "rebuilt"}, "autoUpdate", None),
    ({"autoUpdateAge": 366}, "autoUpdateAge", None),
    ({"autoUpdateWindow": "Sat 2:00-5:00"}, "autoUpdateWindow", 4),
    ({"autoUpdateWindow": "02:00-05:00 Europe/Atlantis"}, "autoUpdateWindow", 12),
    ({"autoUpdateWindow": ";" * 201}, "autoUpdateWindow", None),
    ({"autoUpdateHealthy": "yes"}, "autoUpdateHealthy", None),
    ({"rollback": "no"}, "rollback", None),
    ({"probeHttp": "http://169.254.169.254/latest"}, "probeHttp", 0),
    ({"probeHttp": ":8080/a\r\nHost: x"}, "probeHttp", 0),
    ({"probeTcp": 65536}, "probeTcp", None),
    ({"probeLog": "ready("}, "probeLog", 5),
    ({"settleTime": 1801}, "settleTime", None),
    ({"healthMargin": -1}, "healthMargin", None),
]


@pytest.mark.parametrize("where", ["service", "stack", "all"])
@pytest.mark.parametrize(("change", "field", "position"), REFUSED)
def test_it_refuses_what_is_no_policy(
    admin: Program, where: str, change: dict[str, Any], field: str, position: int | None
) -> None:
    row = service()
    answer = admin.patch(place_of(where, row), {"track": "digest", **change})
    details = error_of(answer, 400, "invalid_argument")["details"]
    assert (details["field"], details.get("position")) == (field, position)
    row.refresh_from_db()
    assert (row.policy, row.stack.policy) == ({}, {})
    assert not Setting.objects.filter(key="policy").exclude(value={}).exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize("junk", [[], "text", 3, {"track": {}, "include": ["^1"], "x": 1}])
def test_it_reads_whatever_a_row_holds(viewer: Program, junk: Any) -> None:
    row = service()
    Setting.objects.create(key="policy", value=junk)
    Service.objects.update(policy=junk, labels=[] if isinstance(junk, dict) else junk)
    Stack.objects.update(policy=junk)
    for where in ("service", "stack", "all"):
        assert sources(viewer.get(place_of(where, row))) == {}


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["service", "stack", "all"])
def test_it_lets_two_people_change_two_fields_at_once(where: str) -> None:
    row = service()

    def read() -> policies.Level:
        if where == "all":
            return policies.of_all()
        if where == "stack":
            return policies.of_stack(Stack.objects.get())
        return policies.of_service(Service.objects.with_policies().get())

    one, other = read(), read()
    policies.change(one, {"track": "digest"}, "ada")
    policies.change(other, {"include": "^1"}, "bob")
    assert read().said == {"track": "digest", "include": "^1"}
    assert Job.objects.get().stack_id == ("" if where == "all" else row.stack_id)


@pytest.mark.parametrize("where", ["stack", "all"])
def test_it_asks_the_database_as_often_for_many_services(viewer: Program, where: str) -> None:
    row = service()

    def queries() -> int:
        viewer.get(place_of(where, row))
        with CaptureQueriesContext(connection) as captured:
            viewer.get(place_of(where, row))
        return len(captured)

    few = queries()
    for number in range(20):
        service(name=f"svc-{number}")
    assert queries() == few <= 6
