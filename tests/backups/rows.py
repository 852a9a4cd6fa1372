"""Backups as an update leaves them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from checks.backups import storing
from checks.models import Backup, Service


def begun(service: Service, **fields: Any) -> Backup:
    given = {
        "stack_name": service.stack.name,
        "service_name": service.name,
        "job_id": "job_" + "0" * 26,
        "image": service.image_ref,
        "kind": "volume",
        "name": "shop_data",
        "destination": "/data",
        "how": "live",
        "made_at": timezone.now(),
    }
    return Backup.objects.create(service=service, **{**given, **fields})


def made(service: Service, pieces: Iterable[bytes] = (b"data",), **fields: Any) -> Backup:
    backup = begun(service, **fields)
    written = storing.write(backup, pieces)
    Backup.objects.filter(pk=backup.pk).update(state="good", **written._asdict())
    backup.refresh_from_db()
    return backup
