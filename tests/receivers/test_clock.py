"""A clock that was ahead, and was set right: what was written then says nothing of now."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from checks import queue
from checks.kinds import Outcome
from checks.models import Job
from tests import rows
from tests.senders import outcome, receiver, send

pytestmark = pytest.mark.django_db

AHEAD = timedelta(days=2)
PUSH = {"docker_url": "quay.io/acme/api", "updated_tags": ["latest"]}


def test_the_next_push_is_no_repetition(client: Client) -> None:
    receiver("quay")
    rows.service("quay.io/acme/api:latest")
    with time_machine.travel(timezone.now() + AHEAD, tick=True):
        assert outcome(send(client, "quay", PUSH)).decision == "processed"
    assert outcome(send(client, "quay", PUSH)).decision == "processed"


def test_its_check_does_not_wait_for_the_clock_to_be_there_again(client: Client) -> None:
    receiver("quay")
    rows.service("quay.io/acme/api:latest")
    with time_machine.travel(timezone.now() + AHEAD, tick=True):
        [job_id] = send(client, "quay", PUSH).json()["jobIds"]
        job = queue.claim(job_id)
        assert job is not None
        assert queue.finish(job, Outcome())
    [job_id] = send(client, "quay", {**PUSH, "updated_tags": ["1.2"]}).json()["jobIds"]
    due = Job.objects.get(pk=job_id).not_before
    assert due is not None and due <= timezone.now() + queue.RERUN_AFTER
