"""What goes wrong around an update on a real engine: what is left then, and what is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection
from docker.api.client import APIClient
from docker.errors import APIError
from requests import Response

from checks import queue
from checks.models import Hold, Job, Replaced
from checks.tasks import run_job
from checks.updating import health, rollback, site
from checks.updating import job as going
from checks.updating.compose_cli import Compose as ComposeCli
from checks.updating.engines import Engine as OnEngine
from tests.engine.updating import (
    CRASHES,
    SCRIPT,
    SERVES,
    Shop,
    api,
    log_of,
    outcomes,
    start,
    steps,
)
from tests.real.engine import Engine
from tests.real.registry import Registry
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]


class TestFaults:
    def test_nothing_changes_while_the_registry_is_away(
        self, shop_2: Shop, registry: Registry
    ) -> None:
        old = start(shop_2)
        shop_2.push("2")
        change, before = shop_2.change(tag="2"), shop_2.file.read_bytes()
        [container] = shop_2.containers()
        registry.stop()
        try:
            job = shop_2.update(change)
        finally:
            registry.start()
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert [each.id for each in shop_2.containers()] == [container.id]
        assert shop_2.runs() == {old}
        assert shop_2.file.read_bytes() == before
        assert steps(job) == ["note", "edit", "pull", "undo", "bring_back", "prove"]
        assert "docker compose pull failed" in job.summary["error"]

    def test_nothing_changes_where_the_tag_moved_on(self, shop: Shop) -> None:
        old = start(shop)
        shop.push("1", note="second")
        change = shop.change()
        shop.push("1", note="third")
        job = shop.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert "another image now" in job.summary["error"]
        assert shop.runs() == {old}
        shop.up()  # the old image has its name back, so Compose sees no reason to do anything
        assert shop.runs() == {old}

    def test_nothing_changes_where_the_file_was_changed_by_hand(self, shop_2: Shop) -> None:
        old = start(shop_2)
        shop_2.push("2")
        change = shop_2.change(tag="2")
        shop_2.file.write_text(shop_2.file.read_text() + "# a note\n")
        before = shop_2.file.read_bytes()
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert "was changed since" in job.summary["error"]
        assert (shop_2.runs(), shop_2.file.read_bytes()) == ({old}, before)

    def test_nothing_changes_where_something_else_runs(self, shop_2: Shop) -> None:
        start(shop_2)
        new = shop_2.push("1", note="second")
        change = shop_2.change()
        shop_2.compose("-f", str(shop_2.file), "pull", folder=shop_2.folder)
        shop_2.up()
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert shop_2.runs() == {new}
        assert not Replaced.objects.exists()

    def test_a_service_that_went_is_left_alone(self, shop_2: Shop) -> None:
        start(shop_2)
        shop_2.push("1", note="second")
        change = shop_2.change()
        shop_2.compose("-f", str(shop_2.file), "-p", "shop", "down", folder=shop_2.folder)
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert "No container of it" in job.summary["error"]

    def test_an_engine_that_is_away_leaves_all_as_it_is(self, shop_2: Shop, engine: Engine) -> None:
        start(shop_2)
        shop_2.push("1", note="second")
        change = shop_2.change()
        engine.stop()
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert "There is no Docker Engine" in job.summary["error"]

    def test_nothing_changes_where_a_proxy_lets_us_only_look(
        self, shop_2: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = start(shop_2)
        shop_2.push("2")
        change, before = shop_2.change(tag="2"), shop_2.file.read_bytes()
        answer = Response()
        answer.status_code = 403

        def forbidden(*_given: Any, **_options: Any) -> None:
            raise APIError("<h1>403 Forbidden</h1>", answer)

        monkeypatch.setattr(APIClient, "tag", forbidden)
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"})
        assert "let that pass POST" in job.summary["error"]
        assert "edit" not in steps(job)
        assert (shop_2.runs(), shop_2.file.read_bytes()) == ({old}, before)

    def test_an_engine_that_goes_away_in_the_middle_is_waited_for(
        self, shop_2: Shop, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = start(shop_2)
        shop_2.push("2")
        change, before = shop_2.change(tag="2"), shop_2.file.read_bytes()
        up, wait = ComposeCli.up, site.wait_for_engine

        def up_without_engine(self: ComposeCli, *services: Any, **options: Any) -> None:
            monkeypatch.setattr(ComposeCli, "up", up)
            engine.stop()
            up(self, *services, **options)

        def come_back(*given: Any) -> None:
            engine.start()
            wait(*given)

        monkeypatch.setattr(ComposeCli, "up", up_without_engine)
        monkeypatch.setattr(rollback, "wait_for_engine", come_back)
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
        assert (shop_2.runs(), shop_2.file.read_bytes()) == ({old}, before)

    def test_an_engine_that_is_restarted_while_containers_are_made_leaves_no_half(
        self, shop: Shop, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = start(shop)
        shop.push("2", note="second")
        change, before = shop.change(tag="2"), shop.file.read_bytes()
        stops, wait = stopped_at_the_next_container(engine), site.wait_for_engine

        def come_back(*given: Any) -> None:
            stops.join(PATIENCE)
            engine.start()
            wait(*given)

        monkeypatch.setattr(rollback, "wait_for_engine", come_back)
        job = shop.update(change)
        assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
        assert (shop.runs(), shop.file.read_bytes()) == ({old}, before)
        [container] = shop.containers()
        # Compose v1 leaves the name that it gave the old one while it made the new one.
        assert str(container.name).endswith(("shop-api-1", "shop_api_1"))

    def test_a_container_that_is_removed_while_it_is_waited_for_is_made_anew(
        self, shop_2: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = start(shop_2)
        shop_2.push("1", note="second")
        change = shop_2.change()
        monkeypatch.setattr(health, "TO_START", 1.0)
        monkeypatch.setattr(health, "SHORTEST", 1.0)
        up = ComposeCli.up

        def up_and_remove(self: ComposeCli, *services: Any, **options: Any) -> None:
            monkeypatch.setattr(ComposeCli, "up", up)
            up(self, *services, **options)
            [container] = shop_2.containers()
            container.remove(force=True)

        monkeypatch.setattr(ComposeCli, "up", up_and_remove)
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
        assert shop_2.runs() == {old}

    def test_a_service_that_was_taken_out_of_the_file_is_left_alone(self, shop_2: Shop) -> None:
        old = start(shop_2)
        shop_2.push("1", note="second")
        change = shop_2.change()
        shop_2.write(other=api(shop_2))
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert "no such service: api" in job.summary["error"]
        assert shop_2.runs() == {old}

    def test_other_containers_than_the_plan_says_are_left_alone(self, shop_2: Shop) -> None:
        old = start(shop_2)
        shop_2.push("2")
        change = shop_2.change(tag="2", replicas=(1,))
        shop_2.up("--scale", "api=2")
        job = shop_2.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert "another number of containers" in job.summary["error"]
        assert (len(shop_2.containers()), shop_2.runs()) == (2, {old})

    def test_an_old_image_that_was_pruned_is_pulled_again(self, shop_2: Shop) -> None:
        old = start(shop_2)
        shop_2.push("1", note="second")
        job = shop_2.update(shop_2.change())
        assert job.status == "success", log_of(job)
        row = Replaced.objects.get()
        images = shop_2.engine.client.images
        images.remove(row.image_id, force=True)
        job_id = going.ask_to_go_back(shop_2.service(), "ada").job_id
        run_job(job_id)
        back = Job.objects.get(pk=job_id)
        assert back.status == "success", log_of(back)
        assert shop_2.runs() == {old}

    def test_one_failure_stops_only_what_needs_it(self, shop_2: Shop) -> None:
        shop_2.push("1", note="first")
        shop_2.push("1", note="first", name="acme/web")
        shop_2.push("1", note="first", name="acme/log")
        names = {"api": "acme/api", "web": "acme/web", "log": "acme/log"}
        shop_2.write(
            **{
                name: f"image: '{shop_2.image('1', repository)}', command: {SCRIPT}"
                for name, repository in names.items()
            }
        )
        shop_2.up()
        shop_2.discover()
        shop_2.push("1", CRASHES, note="second")
        for repository in ("acme/web", "acme/log"):
            shop_2.push("1", note="second", name=repository)
        job = shop_2.update(
            shop_2.change("api"), shop_2.change("web", needs=("api",)), shop_2.change("log")
        )
        assert job.status == "rolled_back", log_of(job)
        assert outcomes(job) == {"api": "rolled_back", "web": "untouched", "log": "updated"}

    def test_replicas_stay_as_many_as_they_were(self, shop: Shop) -> None:
        shop.push("1", note="first")
        shop.write(api=api(shop))
        shop.up("--scale", "api=3")
        shop.discover()
        new = shop.push("1", note="second")
        job = shop.update(shop.change())
        assert job.status == "success", log_of(job)
        assert (len(shop.containers()), shop.runs()) == (3, {new})

    def test_what_was_scaled_down_stays_so(self, shop_2: Shop) -> None:
        shop_2.push("1", note="first")
        shop_2.write(api=api(shop_2) + ", deploy: {replicas: 3}")
        shop_2.up("--scale", "api=1")
        shop_2.discover()
        new = shop_2.push("1", note="second")
        job = shop_2.update(shop_2.change())
        assert job.status == "success", log_of(job)
        assert (len(shop_2.containers()), shop_2.runs()) == (1, {new})
        [now] = shop_2.containers()
        # Compose, too, has nothing to do: the number is no part of what a container is made of.
        shop_2.up("--scale", "api=1")
        assert [each.id for each in shop_2.containers()] == [now.id]

    def test_what_shares_its_network_is_made_anew_with_it(self, shop: Shop) -> None:
        shop.push("1", note="first")
        beside = f"image: '{shop.image('1')}', command: {SCRIPT}, network_mode: 'service:api'"
        shop.write(api=api(shop), side=beside)
        shop.up()
        shop.discover()
        shop.push("2", note="second")
        before = shop.containers("side")[0].id
        data = shop.file.read_text()
        job = shop.update(shop.change(tag="2", with_it=("side",)))
        assert job.status == "success", log_of(job)
        [main], [side] = shop.containers(), shop.containers("side")
        assert side.id != before
        assert side.attrs["HostConfig"]["NetworkMode"] == f"container:{main.id}"
        assert shop.file.read_text() == data.replace(shop.image("1"), shop.image("2"), 1)

    def test_dockrev_itself_is_refused(self, shop_2: Shop) -> None:
        shop_2.make_image("acme/api:1", SERVES, org_opencontainers_image_title="Dockrev")
        shop_2.write(api=api(shop_2))
        shop_2.up()
        shop_2.discover()
        shop_2.push("1", note="second")
        job = shop_2.update(shop_2.change())
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"})
        assert "This is Dockrev itself" in job.summary["error"]

    def test_what_would_make_dockrev_anew_with_it_is_refused(self, shop_2: Shop) -> None:
        old = shop_2.push("1", note="first")
        shop_2.make_image("acme/dockrev:1", SERVES, org_opencontainers_image_title="Dockrev")
        ours = f"image: '{shop_2.image('1', 'acme/dockrev')}', command: {SCRIPT}"
        shop_2.write(api=api(shop_2), dockrev=f"{ours}, network_mode: 'service:api'")
        shop_2.up()
        shop_2.discover()
        shop_2.push("1", note="second")
        job = shop_2.update(shop_2.change(with_it=("dockrev",)))
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"})
        assert "This is Dockrev itself" in job.summary["error"]
        assert shop_2.runs() == {old}

    @pytest.mark.parametrize("through", ["database", "engine"])
    def test_what_dockrev_could_not_go_on_without_is_refused(
        self, shop_2: Shop, monkeypatch: pytest.MonkeyPatch, through: str
    ) -> None:
        old = start(shop_2)
        [container] = shop_2.containers()
        [network] = container.attrs["NetworkSettings"]["Networks"].values()
        if through == "database":
            monkeypatch.setitem(connection.settings_dict, "HOST", network["IPAddress"])
        else:
            place = property(lambda _self: f"tcp://{network['IPAddress']}:2375")
            monkeypatch.setattr(OnEngine, "place", place)
        shop_2.push("1", note="second")
        job = shop_2.update(shop_2.change())
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"})
        assert "without losing it on the way" in job.summary["error"]
        assert shop_2.runs() == {old}


def stopped_at_the_next_container(engine: Engine) -> threading.Thread:
    """An engine that goes as soon as Compose has it make a container."""
    events = engine.client.events(decode=True, filters={"event": "create", "type": "container"})

    def stop() -> None:
        next(events)
        engine.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    return thread


def test_cancelling_a_pull_puts_everything_back(
    shop_2: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = start(shop_2)
    shop_2.push("2")
    change, before = shop_2.change(tag="2"), shop_2.file.read_bytes()
    job_id = shop_2.ask(change)
    pull = ComposeCli.pull

    def pull_late(self: ComposeCli, services: Sequence[str], look: Callable[[], None]) -> None:
        assert shop_2.file.read_bytes() != before
        assert queue.cancel(job_id)
        pull(self, services, look)

    monkeypatch.setattr(ComposeCli, "pull", pull_late)
    run_job(job_id)
    job = Job.objects.get(pk=job_id)
    assert (job.status, outcomes(job)) == ("cancelled", {"api": "untouched"}), log_of(job)
    assert (shop_2.runs(), shop_2.file.read_bytes()) == ({old}, before)


def test_two_updates_of_one_stack_write_its_file_one_after_the_other(shop_2: Shop) -> None:
    """Both were planned for the file as it was: the second is refused, and says why."""
    for name in ("acme/api", "acme/web"):
        shop_2.push("1", note="first", name=name)
    web = f"image: '{shop_2.image('1', 'acme/web')}', command: {SCRIPT}"
    shop_2.write(api=api(shop_2), web=web)
    shop_2.up()
    shop_2.discover()
    old = shop_2.runs("web")
    for name in ("acme/api", "acme/web"):
        shop_2.push("2", note="second", name=name)
    first, second = (shop_2.ask(shop_2.change(name, tag="2")) for name in ("api", "web"))
    claimed = queue.claim(first)
    assert claimed is not None
    run_job(second)
    assert Job.objects.get(pk=second).status == "queued"
    Job.objects.filter(pk=first).update(status="queued")
    Hold.objects.all().delete()
    for job_id in (first, second):
        run_job(job_id)
    done = Job.objects.get(pk=second)
    assert Job.objects.get(pk=first).status == "success"
    assert (done.status, outcomes(done)) == ("failed", {"web": "untouched"}), log_of(done)
    assert "was changed since the plan was made" in done.summary["error"]
    text = shop_2.file.read_text()
    assert shop_2.image("2") in text
    assert shop_2.image("1", "acme/web") in text
    assert shop_2.runs("web") == old


def test_a_second_update_of_a_service_waits_for_the_first(
    shop_2: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(shop_2)
    shop_2.push("1", note="second")
    first = shop_2.ask(shop_2.change())
    shop_2.push("2")
    second = shop_2.ask(shop_2.change(tag="2"))
    assert queue.claim(first) is not None
    run_job(second)
    assert Job.objects.get(pk=second).status == "queued"
