"""People hear of a digest of a service once, until a newer one takes its place."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from checks.models import Announcement, Candidate, Job, Service
from checks.settle import announce
from notifications.models import Channel, Notification
from tests import rows
from tests.github import digest
from tests.waiting import PATIENCE

NOW = timezone.now()
NEW, NEWER = digest("new"), digest("newer")


@pytest.fixture
def channel(db: None) -> Channel:
    return Channel.objects.create(
        kind="webhook", name="sink", events=["new_version_discovered"], config="{}"
    )


@pytest.fixture
def service(db: None) -> Service:
    return rows.service("ghcr.io/acme/api:latest")


def candidate(of: Service, of_digest: str, step: str = "rebuilt", tag: str = "latest") -> Candidate:
    return Candidate.objects.create(
        service=of, step=step, tag=tag, digest=of_digest, image_ref=of.image_ref, opened_at=NOW
    )


def check(*services: Service, **given: Any) -> None:
    job = Job(pk="job_1", reason="schedule", scope="all", notify=True, **given)
    with transaction.atomic():
        announce(job, [each.pk for each in services], timezone.now())


def close(row: Candidate, how: str) -> None:
    Candidate.objects.filter(pk=row.pk).update(closed_at=NOW, closed_as=how)


def told() -> list[str]:
    """The digests of all that was written, one for each time that a service is named."""
    contents = Notification.objects.order_by("pk").values_list("content", flat=True)
    return [new["candidate_digest"] for content in contents for new in content["found"]]


class TestOnce:
    def test_two_candidates_with_one_digest_are_one(
        self, service: Service, channel: Channel
    ) -> None:
        version = candidate(service, NEW, "minor", "1.2")
        tag = candidate(service, NEW)
        check(service)
        assert told() == [NEW]
        [content] = Notification.objects.values_list("content", flat=True)
        assert content["found"][0]["candidate_tag"] == "latest"
        for row in (version, tag):
            row.refresh_from_db()
            assert (row.announced_to, row.announced_at is not None) == (1, True)

    def test_a_second_one_that_comes_later_is_no_news(
        self, service: Service, channel: Channel
    ) -> None:
        candidate(service, NEW)
        check(service)
        later = candidate(service, NEW, "minor", "1.2")
        check(service)
        later.refresh_from_db()
        assert told() == [NEW]
        assert later.announced_at == Announcement.objects.get().at

    @pytest.mark.parametrize("how", ["gone", "applied"])
    def test_what_is_found_again_is_no_news(
        self, service: Service, channel: Channel, how: str
    ) -> None:
        first = candidate(service, NEW)
        check(service)
        close(first, how)
        candidate(service, NEW)
        check(service)
        assert told() == [NEW]

    def test_what_was_replaced_may_come_again(self, service: Service, channel: Channel) -> None:
        for each in (NEW, NEWER, NEW):
            Candidate.objects.update(closed_at=NOW, closed_as="superseded")
            candidate(service, each)
            check(service)
            Notification.objects.update(group_key=None)  # as after its first try
        assert sorted(told()) == sorted([NEW, NEWER, NEW])

    def test_a_newer_step_leaves_an_open_one_told(self, service: Service, channel: Channel) -> None:
        candidate(service, NEW)
        check(service)
        candidate(service, NEWER, "minor", "1.2")
        check(service)
        Candidate.objects.update(announced_at=None)
        check(service)
        assert sorted(told()) == sorted([NEW, NEWER])

    def test_each_service_is_told_of(self, channel: Channel) -> None:
        first, second = (rows.service(f"ghcr.io/acme/{n}:1", name=n) for n in "ab")
        for each in (first, second):
            candidate(each, NEW)
        check(first, second)
        assert told() == [NEW, NEW]

    def test_what_no_channel_wanted_is_told_later(self, service: Service) -> None:
        row = candidate(service, NEW)
        check(service)
        row.refresh_from_db()
        assert (row.announced_at, Announcement.objects.count()) == (None, 0)
        Channel.objects.create(
            kind="webhook", name="x", events=["new_version_discovered"], config="{}"
        )
        check(service)
        assert told() == [NEW]


@pytest.mark.django_db(transaction=True)
def test_two_checks_at_the_same_moment_tell_once() -> None:
    """Each has read that nobody was told before either of them writes."""
    Channel.objects.create(kind="webhook", name="x", events=["new_version_discovered"], config="{}")
    service = rows.service("ghcr.io/acme/api:latest")
    candidate(service, NEW)
    both_began = threading.Barrier(2, timeout=PATIENCE)
    wrong: list[Exception] = []

    def run() -> None:
        try:
            if connection.vendor == "postgresql":
                with transaction.atomic():
                    assert Candidate.objects.filter(announced_at=None).exists()
                    both_began.wait()
                    check(service)
            else:  # one writer at a time, from the beginning of its transaction
                both_began.wait()
                check(service)
        except Exception as error:
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert told() == [NEW]
    # A second one would have joined the message, and been counted.
    assert Notification.objects.get().content["check"]["services_checked"] == 1
    assert Announcement.objects.get().at > NOW - timedelta(minutes=1)
