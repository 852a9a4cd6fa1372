"""Data of services on a real engine: saved before an update, lost, and brought back."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pytest_django import Settings

from checks import holds
from checks.backups import restoring, storing
from checks.backups.helper import helper
from checks.backups.job import ask_to_restore
from checks.backups.targets import FORCE, INHERIT
from checks.discovery.places import Place
from checks.models import Backup, Hold, Job, Service
from checks.tasks import run_job
from checks.updating import orders
from checks.updating.engines import engine_at
from checks.updating.orders import Order
from checks.updating.plan import Plan
from checks.versions.policies import SKIP
from dockrev import preferences
from tests import rows
from tests.engine.backups import (
    HELPER,
    die_at,
    in_volume,
    make_helper,
    run_until_killed,
    start_with_data,
)
from tests.engine.updating import CRASHES, Shop, log_of, outcomes, steps
from tests.pages.rows import job

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

API = "acme/backups"
# Names as they come, links within and to elsewhere, an owner, a mode, and a file without a name
# that a shell would take.
FILL = (
    "cd /data && echo precious > db && mkdir -p 'a b/$x' && echo deep > 'a b/$x/-n\nl' && "
    "ln -s db link && ln -s ../../outside out && ln -s /etc/passwd far && "
    "chown 70:71 db && chmod 640 db && chmod 1777 /data && echo dot > .hidden"
)
LOOK = (
    "cd /data && find . | sort && stat -c '%N' out far && "
    "stat -c '%n %u %g %a' . db link && cat db 'a b/$x/-n\nl'"
)


@pytest.fixture
def saving(shop_2: Shop, settings: Settings, tmp_path: Path) -> Shop:
    """A shop whose one service has data, with a newer image to go to."""
    settings.DATA_DIR = tmp_path / "own"
    settings.HELPER_IMAGE = make_helper(shop_2)
    for volume in shop_2.engine.client.volumes.list():
        volume.remove()
    start_with_data(shop_2, API)
    in_volume(shop_2, FILL)
    Service.objects.update(policy={"backup": "stop"})
    shop_2.push("1", note="second", name=API)
    return shop_2


def plan(shop: Shop, mode: str = INHERIT) -> Plan:
    service = shop.service()
    if not service.candidates.exists():
        digest = shop.registry.digest(API, "1")
        shop.candidate(digest=digest, tag="1", step="rebuilt")
    [planned] = orders.plan(Order(service=shop.service(), backup_mode=mode)).plans.values()
    return planned


def update(shop: Shop, mode: str = INHERIT) -> Job:
    plan(shop, mode)
    [queued] = orders.update(
        Order(service=shop.service(), backup_mode=mode), "ada", reason=Job.Reason.UI
    )
    run_job(queued.job_id)
    return Job.objects.get(pk=queued.job_id)


def restore(backup: Backup, *, saves_first: bool = True) -> Job:
    job_id = ask_to_restore(backup, "ada", saves_first=saves_first).job_id
    run_job(job_id)
    return Job.objects.get(pk=job_id)


def test_lost_data_comes_back_as_it_was(saving: Shop) -> None:
    before = in_volume(saving, LOOK)
    [data] = plan(saving).data
    assert (data.kind, data.name, data.destination) == ("volume", "shop_data", "/data")
    assert (data.how, data.is_saved) == ("stop", True)
    assert data.size
    job = update(saving)
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert steps(job)[:3] == ["note", "backup", "pull"]
    assert "Stopped shop-api-1." in log_of(job)
    assert "Started shop-api-1 again." in log_of(job)
    backup = Backup.objects.get()
    path = storing.path_of(backup)
    assert (backup.state, backup.how, backup.job_id) == ("good", "stop", job.pk)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == backup.sha256
    assert path.stat().st_size == backup.stored_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    in_volume(saving, "rm -rf /data/* /data/.hidden && chmod 700 /data && echo bad > /data/new")
    [container] = saving.containers()
    job = restore(backup)
    assert (job.kind, job.status) == ("backup.restore", "success"), log_of(job)
    assert outcomes(job) == {"api": "restored"}
    assert in_volume(saving, LOOK) == before
    [after] = saving.containers()
    assert (after.id, after.status) == (container.id, "running")
    assert after.attrs["State"]["StartedAt"] != container.attrs["State"]["StartedAt"]
    assert not saving.engine.client.containers.list(all=True, filters={"label": "dockrev.helper"})


def test_its_helper_is_no_container_of_a_service_whatever_its_image_says(
    saving: Shop, settings: Settings
) -> None:
    ours = {"com.docker.compose.project": "shop", "com.docker.compose.service": "api"}
    changes = [f'LABEL {name}="{value}"' for name, value in ours.items()]
    image = saving.engine.client.containers.create(settings.HELPER_IMAGE, ["true"])
    settings.HELPER_IMAGE = image.commit("acme/built", "by-compose", changes=changes).tags[0]
    image.remove()
    with (
        engine_at(Place(saving.engine.host)) as engine,
        helper(engine, plan(saving).data, owner="a test"),
    ):
        assert len(engine.containers("shop", "api")) == 1


def test_a_bind_mount_of_one_file_is_written_in_its_place(saving: Shop, tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_text("mine\n")
    start_with_data(saving, API, f'["{file}:/etc/x.conf"]')
    Service.objects.update(policy={"backup": "live"})
    saving.push("1", note="third", name=API)
    job = update(saving)
    assert job.status == "success", log_of(job)
    backup = Backup.objects.get()
    assert (backup.kind, backup.name, backup.how) == ("bind", str(file), "live")
    node = file.stat().st_ino
    file.write_text("lost")
    job = restore(backup)
    assert job.status == "success", log_of(job)
    assert (file.read_text(), file.stat().st_ino) == ("mine\n", node)


def test_an_update_says_what_is_backed_up(saving: Shop) -> None:
    Service.objects.update(policy={})
    assert [each.is_saved for each in plan(saving).data] == [False]
    [forced] = plan(saving, FORCE).data
    assert (forced.how, forced.most) == ("live", 0)
    Service.objects.update(policy={"backup": "live"})
    assert [each.how for each in plan(saving, SKIP).data] == ["skip"]
    assert plan(saving).fingerprint != plan(saving, SKIP).fingerprint
    first = plan(saving).fingerprint
    in_volume(saving, "dd if=/dev/urandom of=/data/much bs=1024 count=2048")
    assert plan(saving).fingerprint == first
    preferences.set("backup_limit_mb", 1)
    [large] = plan(saving).data
    assert (large.is_too_large, large.is_saved) == (True, False)
    assert [each.is_saved for each in plan(saving, FORCE).data] == [True]
    Service.objects.update(backup_targets={"volume:shop_data": "skip"})
    assert [each.how for each in plan(saving, FORCE).data] == ["skip"]
    Service.objects.update(backup_targets={})
    job = update(saving)
    assert job.status == "success"
    assert "larger than the limit of 1 MB" in log_of(job)
    assert not Backup.objects.exists()


def test_what_is_not_backed_up_is_said(saving: Shop, tmp_path: Path) -> None:
    """Nobody fetches Dockrev's own secrets, and a file with holes fills no disk."""
    start_with_data(saving, API, f'["data:/data", "{tmp_path}:/x"]')
    in_volume(saving, "dd if=/dev/zero of=/data/holes bs=1 count=1 seek=104857600")
    preferences.set("backup_limit_mb", 1)
    saving.push("1", note="third", name=API)
    job = update(saving)
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert f"{tmp_path} has data of Dockrev itself in it and is not backed up." in log_of(job)
    assert "shop_data is larger than the limit of 1 MB and is not backed up." in log_of(job)
    assert not Backup.objects.exists()
    assert [each.status for each in saving.containers()] == ["running"]


@pytest.mark.parametrize("is_required", [True, False])
def test_without_a_helper_image_nothing_is_touched(
    saving: Shop, settings: Settings, is_required: bool
) -> None:
    settings.HELPER_IMAGE = saving.image("none", "acme/absent")
    preferences.set("backup_required", is_required)
    [warning] = plan(saving).warnings
    assert settings.HELPER_IMAGE in warning
    old = saving.runs()
    [container] = saving.containers()
    job = update(saving)
    assert "neither on the Docker host nor can it be pulled" in log_of(job)
    assert not Backup.objects.exists()
    if is_required:
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"})
        assert [each.id for each in saving.containers()] == [container.id]
    else:
        assert job.status == "success"
        assert saving.runs() != old


def test_a_full_disk_stops_the_update(saving: Shop, settings: Settings, small_disk: Path) -> None:
    settings.DATA_DIR = small_disk
    in_volume(saving, "dd if=/dev/urandom of=/data/much bs=1024 count=4096")
    [container] = saving.containers()
    started = container.attrs["State"]["StartedAt"]
    job = update(saving)
    assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
    assert "No space is left for the backup" in job.summary["error"]
    [after] = saving.containers()
    assert (after.id, after.status) == (container.id, "running")
    assert after.attrs["State"]["StartedAt"] != started
    assert [each.state for each in Backup.objects.all()] == ["failed"]
    assert list(storing.folder().iterdir()) == []


def test_a_worker_that_is_lost_while_it_saves_leaves_nothing_stopped(
    saving: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(saving)
    [queued] = orders.update(Order(service=saving.service()), "ada", reason=Job.Reason.UI)
    with monkeypatch.context() as patch:
        die_at(patch, "tar")
        run_until_killed(queued.job_id)
    assert [each.status for each in saving.containers()] == ["exited"]
    run_job(queued.job_id)
    job = Job.objects.get(pk=queued.job_id)
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert "Started shop-api-1 again." in log_of(job)
    assert [each.status for each in saving.containers()] == ["running"]
    assert Backup.objects.filter(state="good").count() == 1


def test_who_was_lost_twice_while_it_saved_goes_back_and_starts_what_was_stopped(
    saving: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(saving)
    [queued] = orders.update(Order(service=saving.service()), "ada", reason=Job.Reason.UI)
    old = saving.runs()
    for _time in range(2):
        with monkeypatch.context() as patch:
            die_at(patch, "tar")
            run_until_killed(queued.job_id)
    run_job(queued.job_id)
    job = Job.objects.get(pk=queued.job_id)
    assert outcomes(job) == {"api": "untouched"}, log_of(job)
    assert saving.runs() == old


def test_an_update_that_goes_back_leaves_its_backup(saving: Shop) -> None:
    saving.push("1", CRASHES, name=API)
    old = saving.runs()
    job = update(saving)
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert saving.runs() == old
    assert Backup.objects.get().state == "good"


class TestRestores:
    @pytest.fixture
    def backup(self, saving: Shop) -> Backup:
        job = update(saving)
        assert job.status == "success", log_of(job)
        in_volume(saving, "echo later > /data/db")
        return Backup.objects.get()

    def test_a_file_that_was_changed_is_not_used(self, saving: Shop, backup: Backup) -> None:
        storing.path_of(backup).write_bytes(zstandard.compress(b"something else"))
        before = in_volume(saving, LOOK)
        job = restore(backup)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"})
        assert "was changed since it was made" in job.summary["error"]
        assert in_volume(saving, LOOK) == before
        assert [each.status for each in saving.containers()] == ["running"]

    def test_what_it_replaces_is_a_backup_and_comes_back_in_the_same_way(
        self, saving: Shop, backup: Backup
    ) -> None:
        preferences.set("backups_keep", 1)
        in_volume(saving, "chmod 751 /data && rm '/data/link' && echo new > /data/since")
        before = in_volume(saving, LOOK.replace(" link", ""))
        job = restore(backup)
        assert job.status == "success", log_of(job)
        assert steps(job) == ["stop", "backup", "unpack", "swap", "wait"]
        kept, first = Backup.objects.good()
        assert (first.pk, first.before_restore) == (backup.pk, False)
        assert (kept.before_restore, kept.job_id, kept.how) == (True, job.pk, "stop")
        assert in_volume(saving, "cat /data/db") == "precious\n"
        job = restore(kept)
        assert job.status == "success", log_of(job)
        assert in_volume(saving, LOOK.replace(" link", "")) == before

    def test_nothing_is_saved_where_nobody_wants_it(self, saving: Shop, backup: Backup) -> None:
        job = restore(backup, saves_first=False)
        assert job.status == "success", log_of(job)
        assert [each.pk for each in Backup.objects.all()] == [backup.pk]

    def test_what_cannot_be_saved_is_not_replaced(
        self, saving: Shop, backup: Backup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = in_volume(saving, LOOK)
        with monkeypatch.context() as patch:
            patch.setattr(storing, "RESERVE", 1 << 62)
            job = restore(backup)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert "No space is left for the backup" in job.summary["error"]
        assert "It can be restored without that backup, too." in job.summary["error"]
        assert in_volume(saving, LOOK) == before
        assert [each.status for each in saving.containers()] == ["running"]

    def test_whatever_has_the_data_is_stopped_meanwhile(
        self, saving: Shop, backup: Backup, request: pytest.FixtureRequest
    ) -> None:
        """Also what says that it is a helper of ours: an image may say so."""
        other = saving.engine.client.containers.run(
            HELPER,
            ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"],
            detach=True,
            labels={"dockrev.helper": "of mine"},
            volumes={"shop_data": {"bind": "/data", "mode": "rw"}},
        )
        request.addfinalizer(lambda: other.remove(force=True))
        other.reload()
        started = other.attrs["State"]["StartedAt"]
        job = restore(backup)
        assert job.status == "success", log_of(job)
        other.reload()
        assert other.status == "running"
        assert other.attrs["State"]["StartedAt"] != started

    def test_what_another_job_changes_is_waited_for(
        self,
        saving: Shop,
        backup: Backup,
        request: pytest.FixtureRequest,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It may be started at any moment, and would write into what is brought back."""
        web = rows.service(name="web")
        other = saving.engine.client.containers.run(
            HELPER,
            ["sh", "-c", "trap exit TERM; while :; do sleep 1; done"],
            detach=True,
            labels={"com.docker.compose.project": "shop", "com.docker.compose.service": "web"},
            volumes={"shop_data": {"bind": "/data", "mode": "rw"}},
        )
        request.addfinalizer(lambda: other.remove(force=True))
        held = Hold.objects.create(resource=holds.resource(web.pk), job=job("update", "running"))
        before = in_volume(saving, LOOK)
        with monkeypatch.context() as patch:
            patch.setattr(restoring, "LONGEST_WAIT", 0.0)
            late = restore(backup)
        assert (late.status, outcomes(late)) == ("failed", {"api": "untouched"}), log_of(late)
        assert "goes on changing" in late.summary["error"]
        assert in_volume(saving, LOOK) == before
        held.delete()
        done = restore(backup)
        assert done.status == "success", log_of(done)
        assert not Hold.objects.exists()

    def test_what_may_start_meanwhile_is_held_until_its_end(
        self,
        saving: Shop,
        backup: Backup,
        request: pytest.FixtureRequest,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What is stopped, too, and also where the restore has to go on with another worker."""
        web = rows.service(name="web")
        other = saving.engine.client.containers.create(
            HELPER,
            ["true"],
            labels={"com.docker.compose.project": "shop", "com.docker.compose.service": "web"},
            volumes={"shop_data": {"bind": "/data", "mode": "rw"}},
        )
        request.addfinalizer(lambda: other.remove(force=True))
        job_id = ask_to_restore(backup, "ada").job_id
        with monkeypatch.context() as patch:
            die_at(patch, "tar")
            run_until_killed(job_id)
        held = Hold.objects.get(resource=holds.resource(web.pk))
        assert held.job_id == job_id
        run_job(job_id)
        done = Job.objects.get(pk=job_id)
        assert (done.status, done.losses) == ("success", 1), log_of(done)
        assert not Hold.objects.exists()

    def test_what_cannot_be_unpacked_leaves_the_data_as_it_is(
        self, saving: Shop, backup: Backup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = storing.read

        def breaks_off(row: Backup) -> Any:
            whole = b"".join(read(row))
            yield whole[:3000]
            raise storing.Damaged("it ends too early")

        monkeypatch.setattr(storing, "read", breaks_off)
        before = in_volume(saving, LOOK)
        job = restore(backup)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert in_volume(saving, LOOK) == before
        assert [each.status for each in saving.containers()] == ["running"]

    def test_workers_that_are_lost_at_every_phase_are_followed_by_one_that_ends_it(
        self, saving: Shop, backup: Backup, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job_id = ask_to_restore(backup, "ada").job_id
        # Unpacked; moved away; moved in; nothing but to clean up.
        for program, time in (("find", 1), ("mv", 1), ("chown", 1), ("rm", 1)):
            with monkeypatch.context() as patch:
                die_at(patch, program, time)
                run_until_killed(job_id)
            assert [each.status for each in saving.containers()] == ["exited"]
        run_job(job_id)
        job = Job.objects.get(pk=job_id)
        assert (job.status, outcomes(job)) == ("success", {"api": "restored"}), log_of(job)
        assert in_volume(saving, "cat /data/db; find /data -name '*dockrev*'") == "precious\n"
        assert [each.status for each in saving.containers()] == ["running"]
        assert Backup.objects.filter(before_restore=True).count() == 1
