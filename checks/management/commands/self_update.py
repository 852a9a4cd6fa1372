"""`dockrev self-update JOB`: what the helper runs that makes Dockrev's container anew."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.updating.itself import outside, papers


class Command(BaseCommand):
    help = str(
        gettext_lazy(
            "Make Dockrev's own container anew, from a container beside it. Dockrev starts this "
            "by itself; the update is asked for in its pages."
        )
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", help=str(gettext_lazy("the job that asked for it")))

    def handle(self, *args: Any, **options: Any) -> None:
        job_id = str(options["job"])
        if not job_id.replace("_", "").isalnum() or not papers.is_handed_over(job_id):
            raise CommandError(_("There is no such update to do."))
        if not outside.update(job_id):
            sys.exit(1)
