"""When a cluster counts as frozen, and when it is only busy."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from dockrev.worker import LATE_AFTER, LATE_LOOKS, Watched

pytestmark = pytest.mark.django_db


@pytest.fixture
def cluster() -> Watched:
    long_ago = timezone.now() - LATE_AFTER - timedelta(seconds=1)
    for _ in range(LATE_LOOKS * 3):
        OrmQ.objects.create(key="quick", payload="", lock=long_ago)
    return Watched("quick", always=True)


def looks(cluster: Watched, count: int = LATE_LOOKS) -> list[bool]:
    return [cluster.is_stuck(timezone.now()) for _ in range(count)]


def test_it_is_stuck_when_late_messages_stay(cluster: Watched) -> None:
    assert looks(cluster) == [False] * (LATE_LOOKS - 1) + [True]


def test_it_is_stuck_though_new_messages_come(cluster: Watched) -> None:
    seen = []
    for _ in range(LATE_LOOKS):
        seen += looks(cluster, 1)
        OrmQ.objects.create(key="quick", payload="", lock=timezone.now())
    assert seen[-1]


def test_it_is_not_stuck_while_messages_are_dealt_with(cluster: Watched) -> None:
    for _ in range(LATE_LOOKS * 2):
        assert looks(cluster, 1) == [False]
        OrmQ.objects.earliest("pk").delete()


def test_it_is_not_stuck_where_nothing_is_late(cluster: Watched) -> None:
    OrmQ.objects.update(lock=timezone.now())
    assert looks(cluster) == [False] * LATE_LOOKS
