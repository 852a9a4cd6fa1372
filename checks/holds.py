"""Which services a job holds to change them: others leave these as they are meanwhile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Concat

from checks.models import Hold, Job

# Kinds that stop containers or make them anew.
CHANGING = ("update", "rollback", "lifecycle", "self_update", "backup.restore")

_SERVICE = "service:"
_FILE = "file:"


def resource(service_id: str) -> str:
    """What a job names to have a service for itself."""
    return f"{_SERVICE}{service_id}"


def files(paths: Iterable[str]) -> set[str]:
    """What a job names to edit files alone: two that read and then write one would lose an edit."""
    return {
        f"{_FILE}{hashlib.sha256(os.path.realpath(path).encode(errors='replace')).hexdigest()}"
        for path in paths
    }


def take(job: Job, services: Iterable[str]) -> bool:
    """Have a job that runs hold these, too. False, and nothing taken, where another holds one."""
    try:
        with transaction.atomic():
            for each in sorted(services):
                Hold.objects.get_or_create(resource=resource(each), job=job)
    except IntegrityError:
        return False
    return True


def held_services() -> set[str]:
    """Their ids."""
    held = Hold.objects.filter(resource__startswith=_SERVICE)
    return {name.removeprefix(_SERVICE) for name in held.values_list("resource", flat=True)}


def is_held() -> Exists:
    """Of a query for services: whether a job holds it."""
    named = Concat(Value(_SERVICE), OuterRef("pk"), output_field=CharField())
    return Exists(Hold.objects.filter(resource=named))


def changed_by(job: Job) -> list[str]:
    """The ids of the services that a job of such a kind is about."""
    if "plan" in job.params:
        return [each["service_id"] for each in job.params["plan"]["changes"]]
    if "turns" in job.params:
        return [each["service_id"] for each in job.params["turns"]]
    return [job.service_id]
