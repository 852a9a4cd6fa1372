"""Docker hosts, as a program enters, tries and removes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Candidate, Host, HostKey, Job, Service, Stack
from dockrev.fields import MASK
from tests.certificates import Authority
from tests.fake_engine import FakeEngine
from tests.pages.rows import job
from tests.people import Program, error_of
from tests.rows import service

pytestmark = pytest.mark.django_db
HOSTS = "/api/hosts"
KNOWN = "nas.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPpxYw"


def ssh_key() -> str:
    return _written(serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())


def locked_key() -> str:
    locked = serialization.BestAvailableEncryption(b"open sesame")
    return _written(serialization.PrivateFormat.PKCS8, locked)


def _written(
    form: serialization.PrivateFormat, locked: serialization.KeySerializationEncryption
) -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(serialization.Encoding.PEM, form, locked).decode()


def made(admin: Program, **given: Any) -> dict[str, Any]:
    response = admin.post(HOSTS, {"name": "nas", **given})
    assert response.status_code == 201, response.content
    result: dict[str, Any] = response.json()
    return result


def refused(admin: Program, **given: Any) -> tuple[str, str]:
    response = admin.post(HOSTS, {"name": "nas", **given})
    assert response.status_code == 400, response.content
    error = response.json()["error"]
    return error["details"]["field"], error["message"]


def test_it_enters_one_and_hides_its_key(admin: Program, viewer: Program) -> None:
    key = ssh_key()
    entry = made(admin, dockerHost="ssh://deploy@nas.example", key=key, knownHosts=KNOWN)
    assert (entry["dockerHost"], entry["keyMasked"]) == ("ssh://deploy@nas.example", MASK)
    assert (entry["state"], entry["filesHere"], entry["services"]) == ("unknown", False, 0)
    assert "is another machine" in entry["updatesRefused"]
    assert HostKey.objects.get().key == key
    assert Job.objects.get().kind == "discovery"
    body = viewer.get(HOSTS).content.decode()
    assert "PRIVATE KEY" not in body
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM checks_hostkey")
        assert "PRIVATE" not in cursor.fetchone()[0]


def test_a_key_stays_until_another_is_given_or_it_has_no_use(admin: Program) -> None:
    entry = made(admin, dockerHost="ssh://nas.example", key=ssh_key(), knownHosts=KNOWN)
    place, was = f"{HOSTS}/{entry['id']}", HostKey.objects.get().key
    for given in ({"name": "attic"}, {"key": ""}, {"key": MASK}):
        assert admin.patch(place, given).status_code == 200
        assert HostKey.objects.get().key == was
    changed = admin.patch(place, {"dockerHost": "tcp://nas.example", "plain": True}).json()
    assert (changed["keyMasked"], changed["knownHosts"]) == (None, None)
    assert changed["dockerHost"] == "tcp://nas.example:2375"
    assert not HostKey.objects.exists()


@pytest.mark.parametrize(
    "address",
    [
        "nas.example",
        "http://nas.example",
        "unix://docker.sock",
        "unix:///run/../etc/docker.sock",
        "tcp://",
        "tcp://ada@nas.example:2376",
        "tcp://nas.example:99999",
        "tcp://nas.example/x",
        "ssh://-oProxyCommand=touch%20owned",
        "ssh://-oProxyCommand=x/",
        "ssh://ada:lovelace@nas.example",
        "ssh://-lroot@nas.example",
        "ssh://nas.example/run/docker.sock",
        "ssh://nas example",
        "ssh://nas.example\n-oX",
        "ssh://nas.example?x=1",
    ],
)
def test_it_takes_no_address_that_is_none(admin: Program, address: str) -> None:
    assert refused(admin, dockerHost=address)[0] == "dockerHost"
    assert not Host.objects.filter(name="nas").exists()


def test_a_key_has_to_fit_what_it_is_for(admin: Program, tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.sign_for("127.0.0.1", tmp_path)
    tls = {"dockerHost": "tcp://nas.example", "certificate": certificate.read_text()}
    ssh = {"dockerHost": "ssh://nas.example"}
    assert refused(admin, **tls)[0] == "key"
    assert "does not belong" in refused(admin, **tls, key=Authority().private_key)[1]
    assert "passphrase" in refused(admin, **ssh, key=locked_key())[1]
    assert refused(admin, **ssh, key="no key")[0] == "key"
    assert refused(admin, **ssh, key=ssh_key(), keyFile="/keys/nas")[0] == "keyFile"
    assert refused(admin, **ssh, keyFile="nas")[0] == "keyFile"
    assert refused(admin, **ssh, knownHosts="nas.example")[0] == "knownHosts"
    entry = made(admin, **tls, key=key.read_text(), authorities=authority.pem)
    assert (entry["dockerHost"], entry["keyMasked"]) == ("tcp://nas.example:2376", MASK)


def test_the_local_one_keeps_its_name_and_stays(admin: Program) -> None:
    local = Host.objects.get_or_create(name="local")[0]
    place = f"{HOSTS}/{local.pk}"
    assert error_of(admin.patch(place, {"name": "here"}), 400, "invalid_argument")
    assert error_of(admin.delete(place), 409, "conflict")
    assert admin.patch(place, {"enabled": False}).json()["state"] == "off"


def test_a_removed_one_leaves_its_services_archived_and_comes_back(admin: Program) -> None:
    entry = made(admin, dockerHost="ssh://nas.example", key=ssh_key())
    row = service()
    Stack.objects.filter(pk=row.stack_id).update(host_id=entry["id"])
    assert admin.delete(f"{HOSTS}/{entry['id']}").status_code == 204
    stack = Stack.objects.get(pk=row.stack_id)
    assert stack.archived_at
    assert (stack.host.docker_host, stack.host.is_asked) == ("", False)
    assert not HostKey.objects.exists()
    assert "nas" not in [each["name"] for each in admin.get(HOSTS).json()["hosts"]]
    assert error_of(admin.patch(f"{HOSTS}/{entry['id']}", {"name": "x"}), 404, "not_found")
    again = made(admin, dockerHost="ssh://nas.example")
    assert (again["id"], again["stacks"], again["services"]) == (entry["id"], 1, 1)
    assert not Stack.objects.get(pk=row.stack_id).archived_at


def test_its_services_can_be_deleted_with_it(admin: Program) -> None:
    entry = made(admin, dockerHost="ssh://nas.example")
    row = service()
    Stack.objects.filter(pk=row.stack_id).update(host_id=entry["id"])
    assert admin.delete(f"{HOSTS}/{entry['id']}?services=delete").status_code == 204
    assert not Service.objects.exists()
    assert not Host.objects.filter(pk=entry["id"]).exists()


def test_nothing_is_removed_while_it_is_being_changed(admin: Program) -> None:
    entry = made(admin, dockerHost="ssh://nas.example")
    row = service()
    Stack.objects.filter(pk=row.stack_id).update(host_id=entry["id"])
    job("update", "running", stack_id=row.stack_id)
    place = f"{HOSTS}/{entry['id']}"
    assert error_of(admin.delete(place), 409, "conflict")
    assert error_of(admin.patch(place, {"dockerHost": "ssh://other.example"}), 409, "conflict")


def test_it_is_tried_before_it_is_kept(admin: Program) -> None:
    given = {"name": "nas", "dockerHost": "unix:///nowhere/docker.sock"}
    tried = admin.post(f"{HOSTS}/test", given).json()
    assert tried["ok"] is False
    assert "the socket is not there" in tried["steps"][0]["detail"]
    assert not Host.objects.filter(name="nas").exists()


def test_a_key_that_cannot_be_read_is_asked_for_again(admin: Program) -> None:
    entry = made(admin, dockerHost="ssh://nas.example", key=ssh_key())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE checks_hostkey SET key = 'gAAAA'")
    tried = admin.post(f"{HOSTS}/{entry['id']}/test").json()
    assert "has to be entered again" in tried["steps"][0]["detail"]
    assert admin.get(HOSTS).status_code == 200


def test_where_nothing_may_be_changed_no_update_is_planned(
    operator: Program, fake_engine: FakeEngine
) -> None:
    row = fake_engine.deploy()
    Candidate.objects.create(
        service=row,
        step="rebuilt",
        image_ref=row.image_ref,
        tag=row.tag,
        digest="sha256:" + "2" * 64,
        opened_at=timezone.now(),
    )
    order = {"scope": "service", "serviceId": row.pk, "mode": "apply"}
    for name, value, reason in (("read_only", True, "read_only"), ("enabled", False, "host_off")):
        Host.objects.filter(name="local").update(**{name: value})
        error = error_of(operator.post("/api/updates", order), 409, "conflict")
        assert error["details"]["reason"] == reason


def test_they_are_listed_in_a_fixed_number_of_queries(viewer: Program) -> None:
    def add(number: int) -> None:
        host = Host.objects.create(name=f"nas-{number}", docker_host=f"tcp://nas-{number}:2376")
        HostKey.objects.create(host=host, key="secret")

    add(0)
    viewer.get("/api/hosts")  # the first call of a program notes that its token is used
    with CaptureQueriesContext(connection) as few:
        viewer.get("/api/hosts")
    for number in range(1, 9):
        add(number)
    with CaptureQueriesContext(connection) as many:
        assert viewer.get("/api/hosts").json()["total"] == 10
    assert len(few) == len(many) <= 3
