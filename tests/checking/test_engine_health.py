from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from checks.models import Host

pytestmark = pytest.mark.django_db


def engine() -> str:
    return str(Client().get("/api/health").json()["checks"]["engine"])


def test_it_says_absent_before_anyone_looked() -> None:
    Host.objects.all().delete()
    assert engine() == "absent"


def test_it_says_ok_once_an_engine_answered() -> None:
    Host.objects.update_or_create(name="local", defaults={"seen_at": timezone.now(), "error": ""})
    assert engine() == "ok"


def test_it_says_absent_when_the_last_look_failed() -> None:
    Host.objects.update_or_create(
        name="local", defaults={"seen_at": timezone.now(), "error": "There is no Docker Engine."}
    )
    assert engine() == "absent"
