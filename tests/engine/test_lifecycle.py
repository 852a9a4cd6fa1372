"""Starting, stopping, restarting and reading logs, on a real engine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from django.utils import timezone

from checks import queue
from checks.container_logs.lines import Since, logs_of
from checks.lifecycle import orders
from checks.lifecycle.course import Action
from checks.lifecycle.orders import Order
from checks.models import Job, Service
from checks.tasks import run_job
from checks.updating import ourselves
from checks.updating.compose_cli import Compose
from dockrev.leases import LEASE
from tests.engine.updating import SCRIPT, SERVES, Shop, log_of, outcomes
from tests.waiting import until

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

SPEAKS = "echo to all; printf '\\033[31min red\\033[0m\\n' >&2; exec /bin/busybox sleep 86400"


class Killed(BaseException):
    """As a worker that is gone: nothing after it is done."""


def do(shop: Shop, action: Action, name: str = "") -> Job:
    """Ask for it, and do it as a worker would."""
    stack = shop.service("db").stack
    order = Order(action, stack, shop.service(name) if name else None)
    job_id = orders.ask(order, "ada").job_id
    run_job(job_id)
    return Job.objects.get(pk=job_id)


def states(shop: Shop) -> dict[str, str]:
    """By the engine's word, which is also what Dockrev has noted. Its host answers all the time."""
    assert not shop.service("db").stack.host.is_unreachable
    found = {name: shop.containers(name)[0].status for name in ("db", "web")}
    noted = dict(Service.objects.values_list("name", "state"))
    assert noted == {
        name: "running" if status == "running" else "stopped" for name, status in found.items()
    }
    return found


def started(shop: Shop) -> dict[str, str]:
    return {name: shop.containers(name)[0].attrs["State"]["StartedAt"] for name in ("db", "web")}


def up(shop: Shop) -> Shop:
    """Its `web` depends on `db`, and restarts with it where Compose knows of that."""
    shop.push("1", SPEAKS, name="acme/lifecycle")
    common = f"image: '{shop.image('1', 'acme/lifecycle')}', command: {SCRIPT}"
    common += ", restart: always, stop_grace_period: 1s"
    needs = "{db: {condition: service_started, restart: true}}"
    if shop.compose.major == 1:
        needs = "[db]"
    shop.write(db=common, web=f"{common}, depends_on: {needs}")
    shop.up()
    shop.discover()
    return shop


def test_services_are_stopped_started_and_restarted_in_order(shop: Shop) -> None:
    up(shop)
    ids = {name: shop.containers(name)[0].id for name in ("db", "web")}
    job = do(shop, Action.STOP)
    assert (job.kind, job.status, job.subject) == ("lifecycle", "success", "Stop shop"), log_of(job)
    assert list(outcomes(job).items()) == [("web", "stopped"), ("db", "stopped")]
    assert "is exited" in job.summary["services"][0]["runs"]
    assert states(shop) == {"db": "exited", "web": "exited"}

    job = do(shop, Action.START, "web")
    assert job.status == "success", log_of(job)
    assert list(outcomes(job).items()) == [("db", "started"), ("web", "started")]
    assert states(shop) == {"db": "running", "web": "running"}

    before = started(shop)
    job = do(shop, Action.RESTART, "db")
    assert job.status == "success", log_of(job)
    along = shop.compose.major > 1
    assert outcomes(job) == {"db": "restarted", **({"web": "restarted"} if along else {})}
    calls = [each["service"] for each in job.summary["steps"] if each["step"] == "restart"]
    assert calls == ["db"]  # Compose itself restarted the other
    after = started(shop)
    assert after["db"] > before["db"]
    assert (after["web"] > before["web"]) is along
    assert {name: shop.containers(name)[0].id for name in ("db", "web")} == ids

    job = do(shop, Action.RESTART)
    assert list(outcomes(job).items()) == [("db", "restarted"), ("web", "restarted")]
    calls = [each["service"] for each in job.summary["steps"] if each["step"] == "restart"]
    assert calls == (["db"] if along else ["db", "web"])


def test_it_stops_between_services_and_before_dockrev_itself(
    shop_2: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = up(shop_2)
    ours = shop.containers("db")[0].id
    with monkeypatch.context() as patch:
        patch.setattr(ourselves, "own_container", lambda: ours)
        job = do(shop, Action.STOP)
    assert job.status == "failed"
    assert outcomes(job) == {"web": "stopped", "db": "untouched"}
    assert "db: This is Dockrev itself" in job.summary["error"]
    assert states(shop) == {"db": "running", "web": "exited"}

    do(shop, Action.START, "web")
    whole = Compose.stop

    def stop_and_cancel(self: Compose, service: str, look: Callable[[], None]) -> None:
        whole(self, service, look)
        queue.cancel(Job.objects.get(status="running").pk)

    monkeypatch.setattr(Compose, "stop", stop_and_cancel)
    job = do(shop, Action.STOP)
    assert (job.status, job.summary["error"]) == ("cancelled", "cancelled")
    assert outcomes(job) == {"web": "stopped", "db": "untouched"}
    assert states(shop) == {"db": "running", "web": "exited"}


def test_what_restarted_by_itself_meanwhile_is_restarted_all_the_same(
    shop_2: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that ends when its database goes away, and that the engine starts again."""
    shop = up(shop_2)
    wait = "while [ ! -e /end ]; do /bin/busybox sleep 0.1; done; echo > /again; exit 1"
    shop.push("1", f"if [ -e /again ]; then {SERVES}\nfi; {wait}", name="acme/web")
    common = f"command: {SCRIPT}, restart: always, stop_grace_period: 1s"
    shop.write(
        db=f"image: '{shop.image('1', 'acme/lifecycle')}', {common}",
        web=f"image: '{shop.image('1', 'acme/web')}', {common}, depends_on: [db]",
    )
    shop.up()
    shop.discover()
    whole = Compose.restart

    def restart_and_lose(self: Compose, service: str, look: Callable[[], None]) -> None:
        whole(self, service, look)
        if service == "db":
            shop.containers("web")[0].exec_run(["/bin/busybox", "sh", "-c", "echo > /end"])
            until(lambda: restarts(shop, "web") == [1], what="it has restarted once")

    monkeypatch.setattr(Compose, "restart", restart_and_lose)
    job = do(shop, Action.RESTART)
    assert list(outcomes(job).items()) == [("db", "restarted"), ("web", "restarted")], log_of(job)
    assert [each["service"] for each in job.summary["steps"] if each["step"] == "restart"] == [
        "db",
        "web",
    ]
    assert restarts(shop, "web") == [0]


def test_those_that_ran_already_may_have_restarted_before(shop_2: Shop) -> None:
    shop = up(shop_2)
    shop.push("1", f"if [ -e /again ]; then {SERVES}\nfi; echo > /again; exit 1", name="acme/db")
    shop.write(db=f"image: '{shop.image('1', 'acme/db')}', command: {SCRIPT}, restart: always")
    shop.up("--scale", "db=2")
    until(lambda: restarts(shop, "db") == [1, 1], what="they have restarted once")
    shop.containers("db")[0].stop(timeout=0)
    shop.discover()
    job = do(shop, Action.START, "db")
    assert (job.status, outcomes(job)) == ("success", {"db": "started"}), log_of(job)


def restarts(shop: Shop, name: str) -> list[int]:
    return [each.attrs["RestartCount"] for each in shop.containers(name)]


def test_a_log_is_read_and_followed(shop_2: Shop) -> None:
    shop = up(shop_2)
    logs = logs_of(shop.service("db"), tail=200, since=Since())
    assert [source.status for source in logs.sources] == ["running"]
    assert {(line.stream, line.text) for line in logs.lines} == {
        ("stdout", "to all"),
        ("stderr", "in red"),
    }
    assert logs_of(shop.service("db"), tail=200, since=Since.read(logs.since)).lines == ()
    do(shop, Action.RESTART, "db")
    since = Since.read(logs.since)
    assert len(logs_of(shop.service("db"), tail=200, since=since).lines) == 2
    assert len(logs_of(shop.service("db"), tail=1, since=Since()).lines) == 1
    assert len(logs_of(shop.service("db"), tail=200, since=Since()).lines) == 4


def test_another_worker_ends_what_one_began(shop_2: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It restarts what was not restarted, and nothing twice."""
    shop = up(shop_2)
    before = started(shop)
    job_id = orders.ask(Order(Action.RESTART, shop.service("db").stack), "ada").job_id
    whole = Compose.restart
    with monkeypatch.context() as patch, suppress(Killed):

        def restart_and_die(self: Compose, *arguments: object) -> None:
            whole(self, *arguments)  # type: ignore[arg-type] # as it was called
            raise Killed

        patch.setattr(Compose, "restart", restart_and_die)
        run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert job.status == "running"
    queue.take_from_dead(job, timezone.now() + LEASE * 2)
    Job.objects.filter(pk=job_id).update(not_before=timezone.now())
    of_first = started(shop)
    assert of_first["db"] > before["db"]
    run_job(job_id)
    job.refresh_from_db()
    assert job.status == "success", log_of(job)
    assert outcomes(job) == {"db": "restarted", "web": "restarted"}
    assert started(shop)["db"] == of_first["db"]
    assert started(shop)["web"] > before["web"]
