"""Messages that no worker can read: they are thrown away, and what comes after them is done."""

from __future__ import annotations

from multiprocessing.sharedctypes import RawValue
from typing import Any

import pytest
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from dockrev import clusters
from dockrev.clusters import Messages
from dockrev.dispatch import dispatch

pytestmark = pytest.mark.django_db


class OfAnotherVersion:
    """Pickled as what is not there any more."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("seven",)


@pytest.mark.parametrize("payload", ["unsigned", "", SignedPackage.dumps(OfAnotherVersion())])
def test_it_is_thrown_away(payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "TROUBLE_PAUSE", 0)
    monkeypatch.setattr("django_q.brokers.orm.sleep", lambda _seconds: None)
    OrmQ.objects.create(key="quick", payload=payload, lock=timezone.now())
    dispatch("some.task", "job_1", cluster="quick", now=timezone.now())
    message = Messages(ORM("quick"), RawValue("b", 0)).get()
    assert isinstance(message, dict) and message["args"] == ("job_1",)
    assert [left.pk for left in OrmQ.objects.all()] == [message["ack_id"]]
