"""What was found, into rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from checks.discovery.projects import FoundHost, FoundProject, FoundService
from checks.discovery.reconcile import SEEN_EVERY, Changes, reconcile
from checks.models import Candidate, Host, Service, Stack

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
BOTH = frozenset({"engine", "files"})
WEB = FoundService(
    "web",
    "ghcr.io/acme/web:1",
    state="running",
    replicas=1,
    platform="linux/amd64",
    running_digests=(OLD,),
    running_image_id="sha256:a",
)
DB = FoundService("db", "postgres:15")
SHOP = FoundProject(
    "shop", "engine", Path("/srv/shop"), (Path("/srv/shop/compose.yaml"),), services=(WEB, DB)
)

Found = Callable[..., Changes]


@pytest.fixture
def host() -> Host:
    return Host.objects.get(name="local")


@pytest.fixture
def found(host: Host) -> Found:
    """Reconcile with these projects, as the whole of what is there."""

    def reconciled(
        *projects: FoundProject,
        sources: frozenset[str] = BOTH,
        error: str = "",
        at: datetime = NOW,
    ) -> Changes:
        platform = "linux/amd64" if "engine" in sources else ""
        return reconcile(host, FoundHost(platform, projects, sources, error), at)

    return reconciled


def row(name: str) -> Service:
    return Service.objects.select_related("stack").get(name=name)


def test_it_creates_rows(found: Found) -> None:
    changes = found(SHOP)
    web, db = row("web"), row("db")
    assert set(changes.created) == {web.pk, db.pk}
    assert (web.registry, web.repository, web.tag) == ("ghcr.io", "acme/web", "1")
    assert (db.registry, db.repository, db.state) == ("docker.io", "library/postgres", "absent")
    assert web.running_digests == [OLD]
    assert web.stack.config_files == ["/srv/shop/compose.yaml"]
    assert web.stack.seen_at == NOW


def test_it_writes_nothing_where_nothing_changed(found: Found) -> None:
    found(SHOP)
    with CaptureQueriesContext(connection) as queries:
        changes = found(SHOP, at=NOW + timedelta(minutes=1))
    assert not changes
    assert len(queries) == 2
    assert Stack.objects.get().seen_at == NOW


def test_it_notes_now_and_then_that_it_saw_a_stack(found: Found) -> None:
    found(SHOP)
    later = NOW + SEEN_EVERY + timedelta(seconds=1)
    assert not found(SHOP, at=later)
    assert Stack.objects.get().seen_at == later
    assert Host.objects.get().seen_at == later


def test_it_asks_as_little_for_many_as_for_one(found: Found) -> None:
    many = tuple(replace(WEB, name=f"web{number}") for number in range(60))
    with CaptureQueriesContext(connection) as creating:
        found(replace(SHOP, services=many))
    moved = tuple(replace(service, running_digests=(NEW,)) for service in many)
    with CaptureQueriesContext(connection) as changing:
        found(replace(SHOP, services=moved))
    assert len(creating) < 12
    assert len(changing) < 12


def test_it_changes_what_is_different_and_keeps_the_id(found: Found) -> None:
    found(SHOP)
    before = row("web")
    changes = found(replace(SHOP, services=(replace(WEB, replicas=3), DB)))
    assert row("web").pk == before.pk
    assert row("web").replicas == 3
    assert (changes.changed, changes.running_changed) == ([before.pk], [])


def test_it_adds_a_service_to_a_stack_that_it_knows(found: Found) -> None:
    found(replace(SHOP, services=(WEB,)))
    changes = found(SHOP)
    assert changes.created == [row("db").pk]
    assert row("db").stack_id == row("web").stack_id
    assert [each.action for each in changes.actions] == ["updated"]


def test_it_leaves_what_checks_wrote(found: Found) -> None:
    found(SHOP)
    Service.objects.update(status="up_to_date", checked_at=NOW, baseline_digest=OLD)
    found(replace(SHOP, services=(replace(WEB, replicas=3), DB)))
    web = row("web")
    assert (web.status, web.checked_at, web.baseline_digest) == ("up_to_date", NOW, OLD)


def test_it_keeps_labels_and_says_where_they_changed(found: Found) -> None:
    labelled = replace(WEB, labels={"dockrev.track": "digest"})
    found(SHOP)
    changes = found(replace(SHOP, services=(labelled, DB)))
    assert (changes.relabelled, changes.running_changed) == ([row("web").pk], [])
    assert row("web").labels == {"dockrev.track": "digest"}
    with CaptureQueriesContext(connection) as queries:
        again = found(replace(SHOP, services=(labelled, DB)))
    assert (bool(again), again.relabelled, len(queries)) == (False, [], 2)
    more = found(replace(SHOP, services=(replace(labelled, replicas=2), DB)))
    assert (more.changed, more.relabelled) == ([row("web").pk], [])
    assert found(SHOP).relabelled == [row("web").pk]
    assert row("web").labels == {}


def test_it_says_which_services_run_another_image(found: Found) -> None:
    found(SHOP)
    changes = found(replace(SHOP, services=(replace(WEB, running_digests=(NEW,)), DB)))
    assert changes.running_changed == [row("web").pk]
    other = replace(DB, image_ref="postgres:16")
    changes = found(replace(SHOP, services=(WEB, other)))
    assert set(changes.running_changed) == {row("web").pk, row("db").pk}
    changes = found(replace(SHOP, services=(replace(WEB, running_digests=()), other)))
    assert changes.running_changed == []


def test_it_closes_a_candidate_that_runs_now(found: Found) -> None:
    found(SHOP)
    candidate = Candidate.objects.create(
        service=row("web"),
        step="rebuilt",
        image_ref=WEB.image_ref,
        tag="1",
        digest=NEW,
        opened_at=NOW,
    )
    found(replace(SHOP, services=(replace(WEB, running_digests=(NEW,)), DB)))
    candidate.refresh_from_db()
    assert candidate.closed_as == "applied"


def test_it_marks_a_service_missing_and_takes_it_back(found: Found) -> None:
    found(SHOP)
    web = row("web")
    changes = found(replace(SHOP, services=(DB,)))
    assert changes.missing == [web.pk]
    assert row("web").missing_since == NOW
    assert (row("web").state, row("web").replicas) == ("absent", 0)
    assert not found(replace(SHOP, services=(DB,)))
    changes = found(SHOP)
    assert changes.back == [web.pk]
    assert row("web").missing_since is None


def test_it_marks_a_stack_missing_and_takes_it_back(found: Found) -> None:
    found(SHOP)
    stack = Stack.objects.get()
    changes = found()
    assert [(each.action, each.stack_id) for each in changes.actions] == [("missing", stack.pk)]
    assert Stack.objects.get().status == "missing"
    assert row("web").missing_since == NOW
    assert not found()
    changes = found(SHOP)
    assert [each.action for each in changes.actions] == ["back"]
    assert Stack.objects.get().status == "active"
    assert (row("web").missing_since, row("web").stack_id) == (None, stack.pk)


def test_it_changes_nothing_but_the_host_while_the_engine_is_away(found: Found) -> None:
    found(SHOP)
    files = FoundProject("shop", "files", services=(replace(DB, image_ref="other"),))
    changes = found(files, sources=frozenset({"files"}), error="no engine")
    assert (changes.host, changes.actions) == (True, [])
    assert Host.objects.get().error == "no engine"
    assert Host.objects.get().platform == "linux/amd64"
    assert (row("db").image_ref, Stack.objects.get().status) == ("postgres:15", "active")
    assert not found(files, sources=frozenset({"files"}), error="no engine")


def test_it_keeps_what_a_folder_held_that_cannot_be_read(found: Found) -> None:
    found(FoundProject("a", "files", services=(DB,)), FoundProject("b", "files", services=(DB,)))
    found(
        FoundProject("a", "files", services=(replace(DB, image_ref="postgres:16"),)),
        sources=frozenset({"engine"}),
        error="a folder",
    )
    assert set(Stack.objects.values_list("status", flat=True)) == {"active"}
    assert Service.objects.get(stack__name="a").image_ref == "postgres:16"


def test_a_stack_goes_from_files_to_engine_and_back(found: Found) -> None:
    files = FoundProject("shop", "files", services=(replace(DB, name="web"), DB))
    found(files)
    pk = row("web").pk
    found(SHOP)
    assert (row("web").pk, row("web").stack.source, row("web").state) == (pk, "engine", "running")
    found(files)
    assert (row("web").pk, row("web").stack.source, row("web").state) == (pk, "files", "absent")


def test_it_calls_a_stack_invalid_whose_files_cannot_be_used(found: Found) -> None:
    stopped = replace(WEB, state="stopped")
    found(replace(SHOP, services=(stopped,), error="not there"))
    assert (Stack.objects.get().status, Stack.objects.get().error) == ("invalid", "not there")
    found(replace(SHOP, services=(WEB,), error="not there"))
    assert (Stack.objects.get().status, Stack.objects.get().error) == ("active", "not there")


def test_it_keeps_services_of_files_that_cannot_be_read_any_more(found: Found) -> None:
    found(SHOP)
    found(replace(SHOP, services=(), error="not there"))
    assert row("db").missing_since is None
    assert row("web").missing_since == NOW


def test_it_takes_whatever_anybody_labels(found: Found) -> None:
    strange = FoundService("w\0" * 300, "x" * 2000)
    found(FoundProject("p\0" * 300, "engine", services=(strange,), error="\0"))
    service = Service.objects.get()
    assert (service.repository, len(service.name), len(service.image_ref)) == ("", 255, 1024)


def test_two_hosts_may_have_the_same_project(found: Found) -> None:
    found(SHOP)
    other = Host.objects.create(name="other", docker_host="tcp://other:2375")
    reconcile(other, FoundHost("linux/arm64", (SHOP,), BOTH), NOW)
    assert Stack.objects.filter(name="shop").count() == 2
    reconcile(other, FoundHost("linux/arm64", (), BOTH), NOW)
    assert set(Stack.objects.values_list("host__name", "status")) == {
        ("local", "active"),
        ("other", "missing"),
    }


def test_what_was_applied_once_says_nothing_of_another_reference(found: Found) -> None:
    found(SHOP)
    facts = {"service": row("web"), "step": "patch", "image_ref": WEB.image_ref, "opened_at": NOW}
    Candidate.objects.create(**facts, tag="1.1", digest=OLD, closed_at=NOW, closed_as="applied")
    Candidate.objects.create(**facts, tag="1.2", digest=NEW)
    Service.objects.update(status="update_available")
    other = replace(WEB, image_ref="ghcr.io/acme/web:0.1", running_digests=(f"sha256:{'9' * 64}",))
    changes = found(replace(SHOP, services=(other, DB)))
    assert row("web").status == "unknown"
    assert changes.rewritten == [row("web").pk]


def test_what_is_applied_beside_others_is_up_to_date(found: Found) -> None:
    found(SHOP)
    facts = {"service": row("web"), "image_ref": WEB.image_ref, "opened_at": NOW}
    Candidate.objects.create(**facts, step="patch", tag="1.1", digest=NEW)
    Candidate.objects.create(**facts, step="major", tag="2", digest=f"sha256:{'3' * 64}")
    other = replace(WEB, image_ref="ghcr.io/acme/web:1.1", running_digests=(NEW,))
    found(replace(SHOP, services=(other, DB)))
    assert row("web").status == "up_to_date"
