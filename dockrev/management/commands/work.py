from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext_lazy as _

from dockrev import process
from dockrev.worker import Worker


class Command(BaseCommand):
    help = str(_("Do the queued work: start the workers, watch them, hand out what becomes due."))
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        process.become("worker")
        sys.exit(Worker().run())
