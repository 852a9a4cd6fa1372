"""Plans of updates, from real projects on a real engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from checks.discovery.look import look_at
from checks.discovery.places import Place
from checks.discovery.reconcile import reconcile
from checks.models import Candidate, Host, Service, Stack
from checks.updating import orders
from checks.updating.choosing import NotPossible, Target
from checks.updating.orders import Order
from checks.updating.plan import Change, Plan
from dockrev.errors import UpstreamUnavailable
from tests.engine.conftest import Project
from tests.pages.rows import candidate
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.real.registry import Registry
from tests.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def image(make_image: ImageMaker, registry: Registry) -> str:
    make_image("acme/api:1.2", "first")
    return f"{registry.address}/acme/api:1.2"


@pytest.fixture
def discover(engine: Engine) -> Callable[[], Stack]:
    def look() -> Stack:
        host, _ = Host.objects.get_or_create(name="local")
        reconcile(host, look_at(Place(engine.host)), timezone.now())
        return Stack.objects.select_related("host").get(name="shop")

    return look


def named(stack: Stack, name: str) -> Service:
    return Service.objects.select_related("stack__host").get(stack=stack, name=name)


def newer(stack: Stack, name: str, *, step: str = "minor", tag: str = "1.3") -> Candidate:
    return candidate(named(stack, name), step=step, tag=tag)


def plan_of(order: Order) -> Plan:
    [plan] = orders.plan(order).plans.values()
    return plan


def change_of(stack: Stack, name: str) -> Change:
    [change] = plan_of(Order(service=named(stack, name))).changes
    return change


def test_it_plans_a_version(
    project: Project, image: str, registry: Registry, discover: Callable[[], Stack]
) -> None:
    project.write(f"api: {{image: '{image}'}}  # ours")
    project("up", "-d")
    stack = discover()
    found = newer(stack, "api")
    plan = plan_of(Order(service=named(stack, "api")))
    path = str(project.folder / "docker-compose.yml")
    assert (plan.stack_id, plan.host_id) == (stack.pk, stack.host_id)
    assert (plan.project.name, plan.project.config_files) == ("shop", (path,))
    assert plan.project.working_dir == str(project.folder)
    [change] = plan.changes
    assert (change.service_name, change.step, change.candidate_id) == ("api", "minor", found.pk)
    assert (change.image, change.digest) == (image, registry.digest("acme/api", "1.2"))
    assert change.image_id == named(stack, "api").running_image_id
    assert change.target_image == image.replace(":1.2", ":1.3")
    assert change.target_digest == found.digest
    [edit] = change.edits
    assert (edit.path, edit.line, edit.old, edit.new) == (path, 3, "1.2", "1.3")
    assert change.warnings == ("It has no healthcheck: that it stays up is all that can be seen.",)
    assert Plan.from_json(plan.as_json()) == plan
    assert plan_of(Order(service=named(stack, "api"))).fingerprint == plan.fingerprint


def test_it_plans_a_rebuilt_image_without_an_edit(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    project_2.write(f"api: {{image: '{image}'}}", f"worker: {{image: '{image}'}}")
    project_2("up", "-d")
    stack = discover()
    newer(stack, "api", step="rebuilt", tag="1.2")
    change = change_of(stack, "api")
    assert (change.edits, change.target_image) == ((), image)
    assert any("worker, which gets the new image" in each for each in change.warnings)


def test_it_moves_the_digest_that_is_pinned(
    project_2: Project, image: str, registry: Registry, discover: Callable[[], Stack]
) -> None:
    old = registry.digest("acme/api", "1.2")
    project_2.write(f"api: {{image: '{image}@{old}'}}")
    project_2("up", "-d")
    stack = discover()
    found = newer(stack, "api", step="rebuilt", tag="1.2")
    [edit] = change_of(stack, "api").edits
    assert (edit.old, edit.new) == (old, found.digest)


def test_it_edits_an_environment_file_and_names_who_shares_it(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    name = image.removesuffix(":1.2")
    project_2.write(f"api: {{image: '{name}:$TAG'}}", f"worker: {{image: '{name}:$TAG'}}")
    (project_2.folder / ".env").write_text("# ours\nTAG=1.2\n")
    project_2("up", "-d")
    stack = discover()
    newer(stack, "api")
    newer(stack, "worker")
    plan = plan_of(Order(stack=stack))
    [change] = plan.changes
    [edit] = change.edits
    assert (edit.path, edit.line, edit.names) == (str(project_2.folder / ".env"), 2, "TAG")
    assert (change.service_name, change.with_it, change.pulls) == ("api", ("worker",), ("worker",))
    assert plan.warnings == ("worker is updated together with api.",)


def test_it_edits_the_last_file_that_says_the_image(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    project_2.write(f"api: {{image: '{image}'}}")
    project_2.write(f"api: {{image: '{image}'}}", file="docker-compose.override.yml")
    project_2("up", "-d")
    stack = discover()
    newer(stack, "api")
    plan = plan_of(Order(service=named(stack, "api")))
    override = str(project_2.folder / "docker-compose.override.yml")
    assert plan.project.config_files[1] == override
    assert [edit.path for edit in plan.edits] == [override]


def test_it_makes_those_in_one_network_anew_together(
    project: Project, image: str, discover: Callable[[], Stack]
) -> None:
    project.write(
        f"vpn: {{image: '{image}'}}",
        f"web: {{image: '{image}', network_mode: 'service:vpn'}}",
        f"other: {{image: '{image}'}}",
    )
    project("up", "-d")
    stack = discover()
    for name in ("vpn", "web", "other"):
        newer(stack, name)
    assert change_of(stack, "vpn").with_it == ("web",)
    assert change_of(stack, "web").with_it == ()
    plan = plan_of(Order(stack=stack))
    names = [change.service_name for change in plan.changes]
    assert names == ["other", "vpn", "web"]
    assert plan.changes[2].needs == ("vpn",)
    project("stop", "web")
    assert change_of(stack, "vpn").with_it == ()


def test_it_updates_first_what_others_depend_on(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    project_2.write(
        f"api: {{image: '{image}', depends_on: [cache, db]}}",
        f"cache: {{image: '{image}', depends_on: {{db: {{condition: service_started}}}}}}",
        f"db: {{image: '{image}'}}",
    )
    project_2("up", "-d")
    stack = discover()
    for name in ("api", "cache", "db"):
        newer(stack, name)
    plan = plan_of(Order(stack=stack))
    assert [change.service_name for change in plan.changes] == ["db", "cache", "api"]
    assert [change.needs for change in plan.changes] == [(), ("db",), ("cache", "db")]


def _all_unhealthy(engine: Engine) -> bool:
    listed = engine.client.api.containers()
    return bool(listed) and all("(unhealthy)" in each["Status"] for each in listed)


def test_it_warns_of_what_is_unhealthy_scaled_or_a_large_step(
    project_2: Project,
    engine: Engine,
    make_image: ImageMaker,
    registry: Registry,
    discover: Callable[[], Stack],
) -> None:
    make_image("acme/postgres:16", "first")
    image = f"{registry.address}/acme/postgres:16"
    check = "{test: [CMD, /bin/busybox, 'false'], interval: 1s, retries: 1, start_period: 0s}"
    project_2.write(f"db: {{image: '{image}', healthcheck: {check}}}")
    project_2("up", "-d", "--scale", "db=2")
    stack = discover()
    row = newer(stack, "db", step="major", tag="17")
    Candidate.objects.filter(pk=row.pk).update(arch="unknown")
    until(lambda: _all_unhealthy(engine), what="the service is unhealthy")
    assert change_of(stack, "db").warnings == (
        "It is not known which platforms it is built for.",
        "A major step: its release notes may ask for work by hand.",
        "A database: the older version may not read its data afterwards. Back it up first.",
        "It is unhealthy now, before any update.",
        "All its 2 containers are made anew.",
    )


def refusal(order: Order) -> NotPossible:
    with pytest.raises(NotPossible) as caught:
        orders.plan(order)
    return caught.value


def test_it_says_which_mount_is_missing(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    project_2.write(f"api: {{image: '{image}'}}")
    project_2("up", "-d")
    stack = discover()
    newer(stack, "api")
    (project_2.folder / "docker-compose.yml").unlink()
    error = refusal(Order(service=named(stack, "api")))
    assert error.reason == "files_unreachable"
    assert f"at the same path: {project_2.folder}:{project_2.folder}" in str(error)
    assert not str(error).endswith(":ro")


def test_it_refuses_where_the_files_say_something_else_than_what_runs(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    name = image.removesuffix(":1.2")
    project_2.write(f"api: {{image: '{name}:${{TAG:-1.0}}'}}")
    project_2("up", "-d", TAG="1.2")
    stack = discover()
    newer(stack, "api")
    error = refusal(Order(service=named(stack, "api")))
    assert error.reason == "files_differ"
    assert f"say {name}:1.0 for api, and it was started as {image}" in str(error)


def test_it_leaves_out_what_cannot_be_updated_and_says_so(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    project_2.write(f"api: {{image: '{image}'}}", f"odd: {{image: '{image}'}}")
    project_2("up", "-d")
    stack = discover()
    newer(stack, "api")
    newer(stack, "odd")
    escaped = image.replace(":1.2", ":1\\x2e2")
    project_2.write(f"api: {{image: '{image}'}}", f'odd: {{image: "{escaped}"}}')
    plan = plan_of(Order(stack=stack))
    assert [change.service_name for change in plan.changes] == ["api"]
    [warning] = plan.warnings
    assert warning.startswith("odd is left out: ")
    assert refusal(Order(service=named(stack, "odd"))).reason == "not_editable"


@pytest.mark.parametrize("policy", ["never", "build"])
def test_it_refuses_a_service_whose_image_compose_would_not_pull(
    project_2: Project, image: str, discover: Callable[[], Stack], policy: str
) -> None:
    project_2.write(f"api: {{image: '{image}'}}")
    project_2("up", "-d")
    stack = discover()
    newer(stack, "api")
    project_2.write(f"api: {{image: '{image}', pull_policy: {policy}}}")
    error = refusal(Order(service=named(stack, "api")))
    assert error.reason == "not_pulled"
    assert f"pull_policy: {policy}" in str(error)


def test_it_refuses_a_service_that_was_never_started(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    project_2.write(f"api: {{image: '{image}'}}", f"later: {{image: '{image}'}}")
    project_2("up", "-d", "api")
    stack = discover()
    newer(stack, "later")
    assert refusal(Order(service=named(stack, "later"))).reason == "not_running"
    project_2("down")
    assert refusal(Order(service=named(stack, "later"))).reason == "not_running"


def test_it_takes_no_target_that_is_not_the_latest(
    project_2: Project, image: str, discover: Callable[[], Stack]
) -> None:
    project_2.write(f"api: {{image: '{image}'}}")
    project_2("up", "-d")
    stack = discover()
    row = named(stack, "api")
    latest = newer(stack, "api")
    error = refusal(Order(service=row, targets=(Target(row.pk, tag="1.2.9"),)))
    assert error.details["latest"] == [f"1.3@{latest.digest}"]
    for target in (Target(row.pk, tag="1.3"), Target(row.pk, candidate_id=latest.pk)):
        [change] = plan_of(Order(service=row, targets=(target,))).changes
        assert change.candidate_id == latest.pk


def test_it_says_that_the_engine_does_not_answer(
    project_2: Project, image: str, discover: Callable[[], Stack], engine: Engine
) -> None:
    project_2.write(f"api: {{image: '{image}'}}")
    project_2("up", "-d")
    stack = discover()
    newer(stack, "api")
    engine.stop()
    with pytest.raises(UpstreamUnavailable, match="Docker Engine"):
        orders.plan(Order(service=named(stack, "api")))
