"""`ask 3 --seconds 0.5 --gate FILE`: queue three jobs, and print their ids.

Each takes its seconds, and then waits until there is the file.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from checks import queue
from checks.models import Job


class Command(BaseCommand):
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("count", type=int)
        parser.add_argument("--seconds", default="0")
        parser.add_argument("--gate", default="")
        parser.add_argument("--kind", default="test.quick")

    def handle(
        self, *args: Any, count: int, seconds: str, gate: str, kind: str, **options: Any
    ) -> None:
        for _ in range(count):
            params = {"seconds": seconds, "gate": gate, "number": secrets.token_hex(8)}
            queued = queue.enqueue(queue.Request(kind, Job.Reason.API, params=params))
            self.stdout.write(queued.job_id)
