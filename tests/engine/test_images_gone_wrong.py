"""Images that do not arrive whole, are for another machine, or go while they are needed."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import Any

import pytest

from checks.models import Job, Replaced
from checks.tasks import run_job
from checks.updating import job as going
from checks.updating.compose_cli import Compose as ComposeCli
from tests.engine.cutting import way_to
from tests.engine.updating import CRASHES, SCRIPT, SERVES, Shop, api, log_of, outcomes, start, steps
from tests.real.registry import CONFIG_AND_LAYER, DOCKER_MANIFEST, Registry, digest_of
from tests.real.requirements import STATIC_BUSYBOX

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]

AARCH64 = b"\xb7\x00"  # of an ELF file, at the 18th byte


def test_nothing_changes_where_a_transfer_breaks_off(shop: Shop, registry: Registry) -> None:
    old = shop.push("1", note="first", name="acme/cut")
    with way_to(registry) as way:
        shop.write(api=f"image: '{way.address}/acme/cut:1', command: {SCRIPT}, restart: always")
        shop.up()
        shop.discover()
        new = push_unseen(registry, "acme/cut", "2", script=f"{SERVES}\n# {shop.compose.major}")
        manifest: dict[str, Any] = registry.manifest("acme/cut", "2").json()
        way.cut = {manifest["layers"][-1]["digest"]}
        change, before = shop.change(tag="2"), shop.file.read_bytes()
        [container] = shop.containers()
        job = shop.update(change)
        assert (job.status, outcomes(job)) == ("failed", {"api": "untouched"}), log_of(job)
        assert way.broken, log_of(job)
        assert "docker compose pull failed" in job.summary["error"]
        assert [each.id for each in shop.containers()] == [container.id]
        assert (shop.runs(), shop.file.read_bytes()) == ({old}, before)
        assert "up" not in steps(job)
        # What arrived before the break is no obstacle to the next.
        way.cut = set()
        job = shop.update(change)
        assert (job.status, shop.runs()) == ("success", {new}), log_of(job)


def test_an_image_for_another_machine_is_undone(shop: Shop) -> None:
    old = start(shop)
    new = push_unseen(shop.registry, "acme/api", "2", machine=AARCH64)
    change, before = shop.change(tag="2"), shop.file.read_bytes()
    assert change.target_digest == new
    job = shop.update(change)
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert "exec format error" in log_of(job)
    assert (shop.runs(), shop.file.read_bytes()) == ({old}, before)


def push_unseen(
    registry: Registry, repository: str, tag: str, *, script: str = SERVES, machine: bytes = b""
) -> str:
    """Publish an image that was not built here, so that the engine has none of its layers. With a
    `machine`, its program is for that one, and this one's kernel does not take it."""
    program = STATIC_BUSYBOX.read_bytes()
    program = program[:18] + (machine or program[18:20]) + program[20:]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in {"bin/busybox": program, "content": script.encode()}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            archive.addfile(member, io.BytesIO(data))
    layer = packed.getvalue()
    config = {
        "os": "linux",
        "architecture": "arm64" if machine else "amd64",
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        "config": {"StopSignal": "SIGKILL"},
    }
    parts = [
        {"mediaType": kind, "digest": registry.push_blob(repository, data), "size": len(data)}
        for kind, data in zip(
            CONFIG_AND_LAYER[DOCKER_MANIFEST],
            (json.dumps(config).encode(), gzip.compress(layer, mtime=0)),
            strict=True,
        )
    ]
    manifest = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST}
    return registry.push_manifest(
        repository, tag, {**manifest, "config": parts[0], "layers": parts[1:]}
    )


@pytest.fixture
def prune_after_up(shop_2: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody runs `docker image prune --all` while the new container is waited for."""
    up = ComposeCli.up

    def up_and_prune(self: ComposeCli, *services: Any, **options: Any) -> None:
        monkeypatch.setattr(ComposeCli, "up", up)
        up(self, *services, **options)
        [row] = Replaced.objects.all()
        shop_2.engine.client.images.prune(filters={"dangling": False})
        names = {tag for each in shop_2.engine.client.images.list() for tag in each.tags}
        assert row.kept not in names

    monkeypatch.setattr(ComposeCli, "up", up_and_prune)


def test_an_old_image_that_is_pruned_meanwhile_is_pulled_again(
    shop_2: Shop, prune_after_up: None
) -> None:
    old = start(shop_2)
    shop_2.push("2", CRASHES)
    change, before = shop_2.change(tag="2"), shop_2.file.read_bytes()
    job = shop_2.update(change)
    assert (job.status, outcomes(job)) == ("rolled_back", {"api": "rolled_back"}), log_of(job)
    assert (shop_2.runs(), shop_2.file.read_bytes()) == ({old}, before)


def test_one_that_cannot_be_pulled_again_is_said(
    shop_2: Shop, prune_after_up: None, registry: Registry
) -> None:
    start(shop_2)
    shop_2.push("2", CRASHES)
    change, before = shop_2.change(tag="2"), shop_2.file.read_bytes()
    registry.delete_image("acme/api", "1")
    job = shop_2.update(change)
    assert (job.status, outcomes(job)) == ("failed", {"api": "failed"}), log_of(job)
    error = job.summary["error"]
    assert "It could not be put back" in error
    assert f"{change.digest} cannot be pulled" in error or f"{change.digest} not found" in error
    assert "manifest unknown" in error or "unknown blob" in error
    assert "with the image id sha256:" in job.summary["services"][0]["runs"]
    assert shop_2.file.read_bytes() == before  # as the next `up` by hand is to be


def test_a_rollback_by_hand_tells_what_a_registry_says(shop_2: Shop, registry: Registry) -> None:
    start(shop_2)
    shop_2.push("1", note="second")
    assert shop_2.update(shop_2.change()).status == "success"
    row = Replaced.objects.get()
    shop_2.engine.client.images.remove(row.image_id, force=True)
    registry.stop()
    try:
        job_id = going.ask_to_go_back(shop_2.service(), "ada").job_id
        run_job(job_id)
    finally:
        registry.start()
    job = Job.objects.get(pk=job_id)
    assert job.status == "failed", log_of(job)
    assert "connection refused" in job.summary["error"]
    assert api(shop_2) in shop_2.file.read_text()
