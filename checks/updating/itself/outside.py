"""What the helper does, beside Dockrev's container: forward, or all back.

Nothing here asks the database for rows: it may be another version's by then.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils import translation
from django.utils.translation import gettext as _

from checks.discovery.places import Place
from checks.discovery.unreachable import DEFAULT_PLACE
from checks.updating import compose_cli, edits
from checks.updating.compose_cli import Compose
from checks.updating.containers import Container
from checks.updating.docker_login import private_config
from checks.updating.engines import Engine, engine_at
from checks.updating.failing import Unhealthy, UpdateFailed
from checks.updating.health import WELL, Before, Waiting
from checks.updating.itself import answering
from checks.updating.itself.database import Database
from checks.updating.itself.papers import Journal, Task, path_of
from checks.updating.site import runs_now
from checks.updating.telling import FAILED, ROLLED_BACK, UPDATED

logger = logging.getLogger(__name__)


def update(job_id: str) -> bool:
    """Do a task, and write in its journal what came of it: whether it went forward."""
    task, journal = Task.read(job_id), Journal(job_id)
    with translation.override(task.language):
        try:
            with _at_hand(task, journal) as (engine, compose):
                return _Outside(task, journal, engine, compose).update()
        except UpdateFailed as error:
            journal.end(FAILED, str(error))
            return False


@contextmanager
def _at_hand(task: Task, journal: Journal) -> Iterator[tuple[Engine, Compose]]:
    """Raises UpdateFailed."""
    program = compose_cli.find()
    docker_host = task.place or os.environ.get("DOCKER_HOST", "") or DEFAULT_PLACE
    # All images are here, so no registry is asked.
    with private_config(()) as config, engine_at(Place(task.place)) as engine:
        yield engine, Compose(program, task.project, docker_host, config, journal.log_lines)


class _Outside:
    def __init__(self, task: Task, journal: Journal, engine: Engine, compose: Compose) -> None:
        self._task, self._journal = task, journal
        self._engine, self._compose = engine, compose
        self._name = task.change.service_name
        self._database = Database(path_of(task.job_id, "sqlite3"))

    def update(self) -> bool:
        try:
            self._forward()
        except UpdateFailed as error:
            self._failed(error)
        except Exception:
            logger.exception("an update of Dockrev failed")
            self._failed(UpdateFailed(_("An error inside Dockrev's helper; its log has it.")))
        else:
            self._journal.end(UPDATED)
            return True
        return False

    def _forward(self) -> None:
        with self._journal.step("save"):
            self._database.note()
            self._stop()
            self._database.save()
        self._up()
        self._wait()

    def _failed(self, why: UpdateFailed) -> None:
        if isinstance(why, Unhealthy) and why.trouble:
            self._journal.trouble(why.trouble)
        text = _("%(name)s is put back. %(why)s")
        self._journal.log(text % {"name": self._name, "why": why}, "error")
        try:
            self._back()
        except Exception as error:
            if not isinstance(error, UpdateFailed | edits.Conflict | edits.NotWritten):
                logger.exception("Dockrev could not be put back")
            both = _("%(why)s It could not be put back: %(failure)s")
            self._journal.end(FAILED, both % {"why": why, "failure": error})
        else:
            self._journal.end(ROLLED_BACK, str(why))

    def _back(self) -> None:
        """Raises UpdateFailed, Conflict, NotWritten."""
        task = self._task
        changed = self._database.is_changed()
        if changed and not self._database.is_a_file:
            raise UpdateFailed(
                _(
                    "The new version has changed the tables on the PostgreSQL server, which the "
                    "old one cannot use. Mend what keeps the new one from running, or restore the "
                    "dump of before and start the old one by hand."
                )
            )
        with self._journal.step("undo"):
            edits.undo(task.change.edits, among=task.change.edits)
        with self._journal.step("bring_back"):
            self._engine.tag(task.image_id, task.change.image)
            if changed:
                self._stop()
                self._database.put_back()
        self._up()
        self._wait_as_before()
        with self._journal.step("prove"):
            self._prove()

    def _containers(self) -> list[Container]:
        return self._engine.containers(self._task.project.name, self._name)

    def _stop(self) -> None:
        for each in self._containers():
            self._engine.stop(each.id, self._task.stop_seconds)

    def _up(self) -> None:
        with self._journal.step("up"):
            self._compose.up((self._name,), _go_on, scale={})

    def _wait(self) -> None:
        before = self._task.before[self._name]
        named = {self._name: Before(1, before["was"], frozenset(before["ids"]))}
        with self._journal.step("wait"):
            demands, project = {self._name: self._task.demands}, self._task.project.name
            Waiting(self._engine, project, named, demands, _go_on).wait()
            [container] = self._containers()
            version = answering.wait(container, self._task.network)
        if version:
            self._journal.log(_("Dockrev %(version)s answers.") % {"version": version})
        else:
            self._journal.log(_("It is healthy; nobody can ask it over the network from here."))

    def _wait_as_before(self) -> None:
        """What did not run well before needs not do so after."""
        try:
            self._wait()
        except Unhealthy as error:
            if self._task.before[self._name]["was"] in WELL:
                raise
            text = _("It is as it was before: %(why)s")
            self._journal.log(text % {"why": error}, "warn")

    def _prove(self) -> None:
        containers = self._containers()
        if {each.image_id for each in containers} != {self._task.image_id}:
            text = _("It does not run what it ran before: %(runs)s.")
            raise UpdateFailed(text % {"runs": runs_now(containers)})


def _go_on() -> None:
    """Nobody cancels the helper."""
