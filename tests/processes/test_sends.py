"""Messages leave in real processes, which are killed, told to end and kept waiting meanwhile."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.instance import Instance
from tests.sink import Sink, sink
from tests.waiting import PATIENCE, until

# Messages that are due, as if something had been found.
QUEUE = """
import json
from django.utils import timezone
from notifications.announce import SILENCE
from notifications.models import Channel, Notification
now = timezone.now()
config = json.dumps({{"url": {url!r}}})
moment = now.isoformat()
said = {{"receiver_id": "rcv_1", "kind": "harbor", "name": "Harbor", "heard_at": moment,
        "found_at": moment, "usual_gap": 60}}
for n in range({channels}):
    channel = Channel.objects.create(kind="webhook", name=f"sink {{n}}", config=config)
    for _ in range({count}):
        Notification.objects.create(channel=channel, kind=SILENCE, content=said, created_at=now,
                                    next_attempt_at=now)
"""


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


@pytest.fixture
def slow() -> Iterator[Sink]:
    with sink() as place:
        place.answering.clear()
        yield place


def queue(instance: Instance, url: str, count: int = 1, *, channels: int = 1) -> None:
    code = QUEUE.format(url=url, count=count, channels=channels)
    done = instance.command("shell", "--no-imports", "--command", code)
    assert done.returncode == 0, done.stderr


def ids(place: Sink) -> list[str]:
    return [received.headers["X-Dockrev-Delivery"] for received in place.received]


def sent(instance: Instance, count: int) -> bool:
    rows = instance.rows("SELECT count(*) FROM notifications_notification WHERE status = 'sent'")
    return rows == [(count,)]


def tries(instance: Instance) -> Counter[str]:
    return Counter(o for (o,) in instance.rows("SELECT outcome FROM notifications_attempt"))


def kill_workers(instance: Instance) -> None:
    for pid in instance.workers():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def working(instance: Instance) -> Instance:
    instance.migrate()
    instance.work()
    return instance


def test_a_kill_between_send_and_record_repeats_that_one_alone(
    working: Instance, place: Sink
) -> None:
    place.answering.clear()
    queue(working, place.url, 3)
    place.wait_for(1)  # it is there, and its answer is not
    kill_workers(working)
    place.answering.set()
    until(lambda: sent(working, 3))
    came = Counter(ids(place))
    assert len(came) == 3
    assert sorted(came.values()) == [1, 1, 2]
    assert came[ids(place)[0]] == 2
    assert tries(working) == {"sent": 3, "lost": 1}


def test_what_is_in_hand_comes_to_its_end_when_all_is_told_to_end(
    instance: Instance, place: Sink
) -> None:
    instance.migrate()
    process = instance.work()
    place.answering.clear()
    queue(instance, place.url, 3)
    place.wait_for(1)
    process.terminate()
    until(lambda: "worker stopping" in instance.complained())
    place.answering.set()
    assert process.wait(PATIENCE) == 0
    assert (len(place.received), tries(instance)) == (1, {"sent": 1})
    instance.work()
    until(lambda: sent(instance, 3))
    assert len(set(ids(place))) == len(ids(place)) == 3


def test_slow_channels_hold_up_neither_others_nor_jobs(
    working: Instance, place: Sink, slow: Sink
) -> None:
    queue(working, slow.url, 5, channels=3)
    slow.wait_for(3)
    queue(working, place.url, 20)
    asked = working.ask(4)
    until(lambda: working.did(asked))
    place.wait_for(20)
    until(lambda: sent(working, 20))
    slow.answering.set()
    until(lambda: sent(working, 35))


def test_two_hosts_send_each_message_once_and_in_order(working: Instance, place: Sink) -> None:
    working.work()
    place.delay = 0.02
    queue(working, place.url, 60)
    until(lambda: sent(working, 60))
    assert len(ids(place)) == 60
    assert ids(place) == sorted(ids(place))


def test_a_job_that_is_cut_off_takes_no_message_with_it(
    instance: Instance, place: Sink, tmp_path: Path
) -> None:
    """A worker that ran over its time leaves, and what it sends comes to its end."""
    settings = tmp_path / "brief_settings.py"
    settings.write_text(
        "from tests.processes.settings import *\n"
        "from tests.processes.settings import Q_CLUSTER\n"
        "Q_CLUSTER = {**Q_CLUSTER, 'timeout': 2}\n"
    )
    instance.environment |= {
        "DJANGO_SETTINGS_MODULE": "brief_settings",
        "PYTHONPATH": str(tmp_path),
    }
    instance.migrate()
    instance.work()
    place.answering.clear()
    queue(instance, place.url, channels=4)
    place.wait_for(4)
    cut = instance.ask_held(2)
    until(lambda: {s for s, _ in instance.jobs(cut)} == {"failed"})
    place.answering.set()
    until(lambda: sent(instance, 4))
    assert tries(instance) == {"sent": 4}
    assert sorted(Counter(ids(place)).values()) == [1, 1, 1, 1]
