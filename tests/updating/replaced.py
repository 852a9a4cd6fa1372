"""A service that Dockrev updated, as the update leaves its rows."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from checks.models import Replaced, Service
from checks.updating.plan import Change, Project


def updated(service: Service, **fields: Any) -> Replaced:
    """What ran before its update to what it runs now."""
    service.running_image_id = "sha256:new"
    service.save(update_fields=["running_image_id"])
    change = Change(
        service.pk,
        service.name,
        "minor",
        "ghcr.io/acme/api:1.1.0",
        "sha256:before",
        "sha256:old",
        service.image_ref,
        "sha256:after",
    )
    known = {
        "job_id": "job_1",
        "change": change.as_json(),
        "project": Project("shop", "/srv/shop", ("/srv/shop/compose.yaml",)).as_json(),
        "image_id": "sha256:old",
        "new_image_id": "sha256:new",
        "kept": "dockrev/kept:1",
        "before": {service.name: {"ids": ["1"], "images": ["sha256:old"], "count": 1, "was": "x"}},
        "state": Replaced.State.APPLIED,
        "noted_at": timezone.now(),
        "ended_at": timezone.now(),
    }
    return Replaced.objects.create(service=service, **{**known, **fields})
