"""`dockrev sync-github-hooks`: bring the hooks at GitHub in line now, without a worker."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.inline import run_now
from checks.listing import plain
from checks.models import Job
from checks.queue import Request
from checks.titles import error_of
from dockrev.errors import ApiError
from dockrev.fields import UnreadableSecret
from integrations.github import packages
from integrations.hooks import asking
from integrations.hooks.results import ACTIONS

IN_LINE, NOT_ALL, NOT_STARTED = 0, 1, 2
LOOK_EVERY = 0.5  # seconds between two looks at how far it is


class Command(BaseCommand):
    help = str(
        gettext_lazy(
            "Make, mend and delete the webhooks of the selected repositories at GitHub. Exits "
            "with 0 where all are as they should be, with 1 where there were conflicts or errors, "
            "and with 2 where it could not start."
        )
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help=_("only say what would be done"))
        parser.add_argument(
            "--repo",
            action="append",
            metavar="OWNER/NAME",
            help=_("only this repository; may be given again"),
        )
        parser.add_argument("--json", action="store_true", help=_("print JSON instead of a table"))

    def handle(self, *args: Any, **options: Any) -> None:
        job = self._run(repos=options["repo"], dry_run=options["dry_run"])
        if error := error_of(job.summary):
            self.stderr.write(plain(error))
        if options["json"]:
            self.stdout.write(json.dumps(job.summary, indent=2))
        else:
            self._show(job.summary)
        sys.exit(IN_LINE if job.summary.get("ok") else NOT_ALL)

    def _run(self, **asked: Any) -> Job:
        try:
            request = asking.sync_request(packages.load().account, **asked)
            with self._progress(request):
                job = run_now(request)
        except ApiError as error:
            raise CommandError(plain(error.message), returncode=NOT_STARTED) from None
        except (DatabaseError, LookupError, UnreadableSecret) as error:
            why = plain(" ".join(str(error).split()))
            text = _("The database cannot be used: %(why)s") % {"why": why}
            raise CommandError(text, returncode=NOT_STARTED) from None
        if job is None:
            text = _("Another job works on these webhooks; wait for its end.")
            raise CommandError(text, returncode=NOT_STARTED)
        return job

    @contextmanager
    def _progress(self, request: Request) -> Iterator[None]:
        """Show on a terminal how far the job is, on one line that goes away."""
        if not self.stderr.isatty():
            yield
            return
        over = Event()
        thread = Thread(target=self._watch, args=(request, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.stderr.write("\r\x1b[K", ending="")

    def _watch(self, request: Request, over: Event) -> None:
        try:
            active = Job.objects.active().filter(dedupe_key=request.dedupe_key)
            while not over.wait(LOOK_EVERY):
                if job := active.first():
                    text = f"{job.progress_done}/{job.progress_total} {job.progress_message}"
                    self.stderr.write(f"\r\x1b[K{plain(text)[:79]}", ending="")
        finally:
            connections.close_all()

    def _show(self, summary: Mapping[str, Any]) -> None:
        results = sorted(summary.get("results", ()), key=lambda result: result["repo"].lower())
        rows = [
            (result["repo"], str(ACTIONS.get(result["action"], result["action"])))
            for result in results
        ]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
        for (repo, word), result in zip(rows, results, strict=True):
            line = f"{repo.ljust(widths[0])}  {word.ljust(widths[1])}  {result['message'] or ''}"
            self.stdout.write(plain(line.rstrip()))
        counts = summary.get("counts", {})
        total = ", ".join(f"{number} {ACTIONS.get(word, word)}" for word, number in counts.items())
        if summary.get("dryRun"):
            total = _("Nothing was done. It would be: %(total)s") % {"total": total}
        self.stdout.write(total or _("No repository is selected."))
