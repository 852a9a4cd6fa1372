"""Hosts over a socket, TLS and ssh: found, told apart where they fail, and updated."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks import host_trying, queue
from checks.discovery.job import place_of
from checks.models import Host, HostKey, Stack
from checks.tasks import run_job
from checks.updating import orders
from checks.updating.choosing import NotPossible
from checks.updating.orders import Order
from tests.certificates import Authority
from tests.engine.updating import Shop, log_of, outcomes, start
from tests.real import ssh
from tests.real.engine import Engine
from tests.real.fixtures import short_directory
from tests.real.images import ImageMaker
from tests.real.processes import free_port
from tests.real.registry import Registry
from tests.real.requirements import require
from tests.real.ssh import SshServer

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ssh_server(engine: Engine) -> Iterator[SshServer]:
    require("ssh")
    directory = short_directory()
    server = SshServer(directory, engine)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def added(url: str, *, key: str = "", **more: object) -> Host:
    """Instead of the local one, so that nothing is found twice."""
    Host.objects.filter(name="local").update(enabled=False)
    host = Host.objects.create(name="nas", docker_host=url, **more)
    if key:
        HostKey.objects.create(host=host, key=key)
    return host


def tried(host: Host) -> dict[str, str]:
    steps = host_trying.try_out(place_of(host)).steps
    assert all(each.outcome != "failed" for each in steps), steps
    return {each.step: each.outcome for each in steps}


def trouble(host: Host) -> str:
    [step] = host_trying.try_out(place_of(host)).steps
    assert step.outcome == "failed"
    return step.detail


def discover() -> None:
    run_job(queue.enqueue(queue.Request(kind="discovery", reason="ui")).job_id)


def updates_a_service(shop: Shop, host: Host) -> None:
    """While its files are not said to be here, it is refused; then it is done."""
    start(shop)
    stack = Stack.objects.get(host=host)
    new = shop.push("1", note="second")
    change = shop.change()
    if host.is_remote:
        with pytest.raises(NotPossible) as refused:
            orders.plan(Order(stack=Stack.objects.select_related("host").get(pk=stack.pk)))
        assert refused.value.reason == "files_unreachable"
        Host.objects.filter(pk=host.pk).update(files_here=True)
    job = shop.update(change)
    assert (job.status, outcomes(job)) == ("success", {"api": "updated"}), log_of(job)
    assert shop.runs() == {new}


def test_a_service_is_updated_over_another_socket(shop_2: Shop, tmp_path: Path) -> None:
    place = Path(shop_2.engine.host.removeprefix("unix://"))
    other = place.with_name("other.sock")
    other.symlink_to(place)
    host = added(f"unix://{other}")
    assert set(tried(host).values()) == {"ok"}
    updates_a_service(shop_2, host)
    other.unlink()
    assert "the socket is not there" in trouble(host)


def test_a_service_is_updated_over_ssh(shop_2: Shop, ssh_server: SshServer) -> None:
    host = added(ssh_server.url, key=ssh_server.key, known_hosts=ssh_server.known_hosts)
    assert tried(host) == {"reach": "ok", "read": "ok", "change": "ok", "files": "skipped"}
    updates_a_service(shop_2, host)
    host.refresh_from_db()
    assert (host.error, host.read_only, host.containers) == ("", False, 1)
    assert host.version


def test_it_says_what_ssh_lacks(ssh_server: SshServer) -> None:
    host = added(ssh_server.url, key=ssh_server.key)
    assert "The host key of" in trouble(host)
    host.known_hosts = ssh_server.known_hosts
    HostKey.objects.filter(host=host).update(key=ssh_server.strangers_key)
    assert "refuses the key" in trouble(host)
    ssh_server.stop()
    assert "No ssh server answers" in trouble(host)


def test_ssh_never_asks_and_takes_no_option_from_a_name(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh.stand_in(tmp_path, engine)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    host = added("ssh://deploy@nas.example:2222", key_file="/keys/nas")
    assert tried(host)["change"] == "ok"
    called = json.loads((tmp_path / "called").read_text())
    assert called[called.index("--") :] == ["--", "nas.example", "docker", "system", "dial-stdio"]
    assert {"-ldeploy", "-p2222", "-oBatchMode=yes", "-oStrictHostKeyChecking=yes"} <= set(called)
    assert '-oIdentityFile="/keys/nas"' in called


@pytest.fixture
def guarded(registry: Registry, tmp_path: Path) -> Iterator[tuple[Engine, str, Authority]]:
    """An engine that speaks TLS, and with nobody whom its CA does not know."""
    authority, port, directory = Authority(), free_port(), short_directory()
    certificate, key = authority.sign_for("127.0.0.1", directory)
    ca = directory / "ca.pem"
    ca.write_text(authority.pem)
    options = (
        *("--host", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", str(ca)),
        *("--tlscert", str(certificate), "--tlskey", str(key)),
    )
    real = Engine(directory, registry.address, options)
    try:
        real.start()
        yield real, f"tcp://127.0.0.1:{port}", authority
    finally:
        real.remove()


def test_a_service_is_updated_over_tls(
    shop_2: Shop, guarded: tuple[Engine, str, Authority], tmp_path: Path, registry: Registry
) -> None:
    engine, url, authority = guarded
    certificate, key = authority.sign_for("127.0.0.1", tmp_path)
    host = added(url)
    assert "not signed by a CA that is trusted" in trouble(host)
    host.authorities = authority.pem
    assert "refuses our certificate" in trouble(host)
    host.certificate = certificate.read_text()
    host.save()
    HostKey.objects.create(host=host, key=key.read_text())
    assert tried(host) == {"reach": "ok", "read": "ok", "change": "ok", "files": "skipped"}
    there = Shop(
        shop_2.folder,
        type(shop_2.compose)(shop_2.compose.program, shop_2.compose.major, engine),
        engine,
        registry,
        ImageMaker(engine, registry),
    )
    updates_a_service(there, host)


def test_a_dead_host_holds_no_other(shop_2: Shop) -> None:
    start(shop_2)
    Host.objects.create(name="dead", docker_host="unix:///nowhere/docker.sock")
    discover()
    dead, local = Host.objects.get(name="dead"), Host.objects.get(name="local")
    assert "the socket is not there" in dead.error
    assert (local.error, local.containers) == ("", 1)
