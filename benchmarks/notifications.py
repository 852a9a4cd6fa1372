"""From the discovery of a candidate to its message at each channel; and what a bad channel costs.

    python -m benchmarks.notifications

Default settings: server, worker, SQLite. `docker-registry` must be on the path. Three parts, each
on a Dockrev of its own: one discovery after the other, at every channel; a thousand messages for
one channel, with and without a dead one beside it; messages and checks, with and without channels
beside them that take half a minute for an answer.
"""

from __future__ import annotations

import json
import shutil
import socket
import socketserver
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests

from benchmarks.facts import machine
from benchmarks.instance import Instance, free_port, python, running
from notifications import push_keys
from tests import github
from tests.certificates import Authority
from tests.fake_telegram.server import TOKEN, FakeTelegram
from tests.mail_server import listening
from tests.push.service import PushService
from tests.real.registry import Registry
from tests.sink import Sink, sink

SECRET = "of the channel"
VENDOR = "fcm.googleapis.com"
FOUND = 50  # candidates, one after the other
MANY = 1000  # messages that wait for one channel
FEW = 50  # messages and checks beside slow channels
SLOW_SECONDS = 30.0
SETTLE_SECONDS, LIMIT_SECONDS = 3, 300


@dataclass
class Place:
    """Where one channel leads: its kind, its configuration, and how many messages are there."""

    name: str
    kind: str
    config: dict[str, Any]
    count: Callable[[], int]
    prepare: str = ""  # Python, run after the channel was made
    environment: dict[str, str] = field(default_factory=dict)

    def wait_for(self, count: int) -> float:
        """When so many were there, within two milliseconds."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while self.count() < count:
            assert time.monotonic() < deadline, f"{self.name}: {self.count()} of {count} came"
            time.sleep(0.002)
        return time.time()


# --- a channel is one entry here ----------------------------------------------------------------


@contextmanager
def webhook() -> Iterator[Place]:
    with sink() as place:
        config = {"url": place.url, "secret": SECRET}
        yield Place("webhook", "webhook", config, partial(_received, place))


@contextmanager
def telegram() -> Iterator[Place]:
    fake = FakeTelegram()
    fake.chat(42)
    with fake.server.running():
        config = {"botToken": TOKEN, "chatId": "42", "apiUrl": fake.url}
        yield Place("telegram", "telegram", config, lambda: len(fake.sent))


@contextmanager
def email() -> Iterator[Place]:
    with listening() as kept:
        config = {"smtpUrl": kept.url("?to=bob@example.org&from=dockrev@example.org")}
        yield Place("email", "email", config, lambda: len(kept.kept))


@contextmanager
def apprise() -> Iterator[Place]:
    with sink() as place:
        config = {"url": place.url.replace("http://", "json://")}
        yield Place("apprise, its JSON", "apprise", config, partial(_received, place))


@contextmanager
def doco_cd() -> Iterator[Place]:
    with sink() as place:
        yield Place(
            "doco-cd", "doco-cd", {"url": place.url, "secret": SECRET}, partial(_received, place)
        )


@contextmanager
def web_push() -> Iterator[Place]:
    """One browser at a push service of its own, by a proxy: its vendor's name leads there."""
    pair = push_keys.generated()
    config = {
        "vapidPublicKey": pair.public,
        "vapidPrivateKey": pair.private,
        "subject": "mailto:ada@example.org",
    }
    service, authority = PushService(), Authority()
    browser = service.browser(pair.public, VENDOR)
    with tempfile.TemporaryDirectory() as name, tunnel_to(service.server.port) as proxy:
        folder = Path(name)
        bundle = folder / "authority.pem"
        bundle.write_text(authority.pem)
        service.server.speak_tls(*authority.sign_for("127.0.0.1", folder, VENDOR))
        with service.server.running():
            yield Place(
                "web push",
                "webpush",
                config,
                lambda: len(browser.shown),
                prepare=SUBSCRIPTION.format(given=browser.subscription),
                environment={"HTTPS_PROXY": proxy, "REQUESTS_CA_BUNDLE": str(bundle)},
            )


@contextmanager
def tunnel_to(port: int) -> Iterator[str]:
    """A proxy that connects to one port of this machine, whoever is asked for; its URL."""

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            with socket.create_connection(("127.0.0.1", port)) as there:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pass_on, args=(there, self.connection), daemon=True)
                back.start()
                _pass_on(self.connection, there)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    with suppress(OSError):
        while part := here.recv(65536):
            there.sendall(part)
        there.shutdown(socket.SHUT_WR)


@contextmanager
def dead() -> Iterator[Place]:
    """Nobody listens there."""
    yield Place("dead", "webhook", {"url": f"http://127.0.0.1:{free_port()}/"}, lambda: 0)


@contextmanager
def slow() -> Iterator[Place]:
    with sink() as place:
        place.delay = SLOW_SECONDS
        yield Place("slow", "webhook", {"url": place.url}, partial(_received, place))


CHANNELS = (webhook, telegram, email, web_push, apprise, doco_cd)

# --- what is measured ---------------------------------------------------------------------------

CHANNEL = """
import json
from notifications.models import Channel
Channel.objects.create(kind={kind!r}, name={name!r}, events=["new_version_discovered"],
                       config=json.dumps({config!r}))
"""
SUBSCRIPTION = """
from notifications import push_subscribing
from notifications.push_endpoints import Given
from tests.people import person
given = {given!r}
[channel] = push_subscribing.channels()
push_subscribing.subscribe(
    person("viewer", "ada"), channel, Given(given["endpoint"], **given["keys"]), "a browser"
)
"""
SERVICES = """
from integrations.models import Receiver
from tests import rows
rows.github_receiver()
for n in range({count}):
    rows.tracked(f"acme/image{{n}}")
    rows.service(f"{address}/acme/image{{n}}:1", name=f"service{{n}}", running=({old!r},))
Receiver.objects.filter(kind="github-packages").update(registry_host={address!r})
"""
OPENED = """
from checks.models import Candidate
for row in Candidate.objects.select_related("service"):
    print(row.service.name.removeprefix("service"), row.opened_at.timestamp())
"""
QUEUE = """
from datetime import timedelta
from django.db import transaction
from django.utils import timezone
from notifications.models import Channel, Notification
now = timezone.now() + timedelta(seconds={after})
moment = now.isoformat()
said = {{"receiver_id": "rcv_1", "kind": "harbor", "name": "Harbor", "heard_at": moment,
        "found_at": moment, "usual_gap": 60}}
for channel in Channel.objects.filter(name__in={names!r}):
    rows = [Notification(channel=channel, kind="receiver_silent", content=said, created_at=now,
                         next_attempt_at=now) for _ in range({count})]
    Notification.objects.bulk_create(rows)
print(now.timestamp())
"""
ONE_BY_ONE = """
import random, time
from django.utils import timezone
from notifications.models import Channel, Notification
channel = Channel.objects.get(name="webhook")
for _ in range({count}):
    now = timezone.now()
    moment = now.isoformat()
    said = {{"receiver_id": "rcv_1", "kind": "harbor", "name": "Harbor", "heard_at": moment,
            "found_at": moment, "usual_gap": 60}}
    Notification.objects.create(channel=channel, kind="receiver_silent", content=said,
                                created_at=now, next_attempt_at=now)
    print(now.timestamp())
    time.sleep(random.uniform(0.2, 0.4))  # not in step with anything that looks
"""
CHECK = """
import time
from checks import queue
from checks.models import Job, Service
for service in Service.objects.all()[:{count}]:
    began = time.monotonic()
    asked = queue.Request(kind="check.service", reason="ui", scope="service", service_id=service.pk)
    job = queue.enqueue(asked).job_id
    while not Job.objects.filter(pk=job, finished_at__isnull=False).exists():
        time.sleep(0.005)
    print(time.monotonic() - began)
"""


def main() -> None:
    if shutil.which("docker-registry") is None:
        sys.exit("docker-registry is not installed")
    print(machine())
    with registry() as place:
        discovery(place)
        beside_a_dead_one(place)
        beside_slow_ones(place)


def discovery(registry: Registry) -> None:
    """Seconds from a candidate's row to its message, at each channel."""
    with ExitStack() as stack:
        places = [stack.enter_context(channel()) for channel in CHANNELS]
        asks = {name: value for place in places for name, value in place.environment.items()}
        dockrev = stack.enter_context(running(prepare=_prepared(registry, places), **asks))
        time.sleep(SETTLE_SECONDS)
        came: list[list[float]] = []
        for n in range(FOUND):
            _deliver(dockrev.url, n)
            came.append(_together(places, n + 1))
        said = python(dockrev.environment, OPENED)
    opened = {int(n): float(at) for n, at in (line.split() for line in said.splitlines())}
    for index, place in enumerate(places):
        report(f"found to {place.name}", [came[n][index] - opened[n] for n in range(FOUND)])


def beside_a_dead_one(registry: Registry) -> None:
    """Seconds until a channel has a thousand messages that were due together."""
    for names in (["webhook"], ["webhook", "dead"], ["webhook"], ["webhook", "dead"]):
        with webhook() as live, dead() as nobody, _instance(registry, [live, nobody]) as dockrev:
            due = float(python(dockrev.environment, QUEUE.format(names=names, count=MANY, after=5)))
            took = live.wait_for(MANY) - due
            print(f"{MANY} messages to {', '.join(names)}: {took:.1f} s until the live one has all")


def beside_slow_ones(registry: Registry) -> None:
    """Seconds of a message, and of a check, with and without channels that take half a minute."""
    for count in (0, 1, 4):
        with ExitStack() as stack:
            live = stack.enter_context(sink())
            place = Place("webhook", "webhook", {"url": live.url}, partial(_received, live))
            others = [stack.enter_context(slow()) for _ in range(count)]
            dockrev = stack.enter_context(_instance(registry, [place, *others]))
            python(dockrev.environment, QUEUE.format(names=["slow"], count=20, after=0))
            for each in others:
                each.wait_for(1)
            due = _lines(python(dockrev.environment, ONE_BY_ONE.format(count=FEW)))
            place.wait_for(FEW)
            came = [message.at for message in live.received]
            what = f"beside {count} slow"
            report(f"a message {what}", [a - b for a, b in zip(came, due, strict=True)])
            report(f"a check {what}", _lines(python(dockrev.environment, CHECK.format(count=FEW))))


def _received(place: Sink) -> int:
    return len(place.received)


def _lines(said: str) -> list[float]:
    return [float(line) for line in said.split()]


# --- the rest -----------------------------------------------------------------------------------


@contextmanager
def registry() -> Iterator[Registry]:
    with tempfile.TemporaryDirectory() as folder:
        made = Registry(Path(folder), free_port())
        made.start()
        try:
            for n in range(FOUND):
                made.push_image(f"acme/image{n}", "1", content="new")
            yield made
        finally:
            made.stop()


@contextmanager
def _instance(registry: Registry, places: list[Place]) -> Iterator[Instance]:
    with running(prepare=_prepared(registry, places)) as dockrev:
        time.sleep(SETTLE_SECONDS)
        yield dockrev


def _prepared(registry: Registry, places: list[Place]) -> str:
    facts = {"count": FOUND, "address": registry.address, "old": github.digest("old")}
    channels = (CHANNEL.format(**vars(place)) + place.prepare for place in places)
    return SERVICES.format(**facts) + "".join(channels)


def _deliver(url: str, n: int) -> None:
    body = json.dumps(github.published(f"acme/image{n}", "1", repository=f"acme/image{n}"))
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "package",
        "X-GitHub-Delivery": f"guid-{n}",
        "X-Hub-Signature-256": github.sign(body.encode()),
    }
    answer = requests.post(url + github.PATH, data=body, headers=headers, timeout=20)
    assert answer.status_code == 202, answer.text


def _together(places: list[Place], count: int) -> list[float]:
    """When each of the places had so many."""
    came = [0.0] * len(places)

    def wait(index: int, place: Place) -> None:
        came[index] = place.wait_for(count)

    threads = [
        threading.Thread(target=wait, args=(index, place)) for index, place in enumerate(places)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(came)
    return came


def report(what: str, times: list[float]) -> None:
    middle, most = statistics.median(times) * 1000, max(times) * 1000
    print(f"{what}: median {middle:.0f} ms, most {most:.0f} ms, of {len(times)}")


if __name__ == "__main__":
    main()
