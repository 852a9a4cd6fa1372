"""The step `backup` of an update: what a service keeps is saved before anything is touched.

Importing this loads the Docker SDK.
"""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from checks.backups.helper import Helper, helper
from checks.backups.making import Making, Occasion
from checks.backups.stopping import PATIENCE, started_after, stop
from checks.discovery.job import place_of
from checks.models import Backup, JobLog, Replaced
from checks.updating.engines import Engine, engine_at
from checks.updating.failing import UpdateFailed
from checks.updating.plan import Change, Data
from checks.updating.site import Site
from checks.versions.policies import SKIP, STOP
from dockrev import preferences


def save(site: Site, row: Replaced, change: Change) -> None:
    """Raises UpdateFailed where a backup that is wanted was not made, and Cancelled."""
    wanted = [each for each in change.data if each.how != SKIP]
    if not wanted or not site.is_untouched(row):
        return
    with site.steps.step("backup", change.service_name):
        try:
            with engine_at(place_of(site.stack.host), timeout=PATIENCE) as engine:
                _Saving(site, row, engine).all(wanted)
        except UpdateFailed as error:
            if preferences.get("backup_required"):
                raise
            text = _("Going on without a backup: %(why)s")
            site.steps.log(text % {"why": str(error)}, level=JobLog.Level.WARN)


class _Saving:
    def __init__(self, site: Site, row: Replaced, engine: Engine) -> None:
        self._site, self._row, self._engine = site, row, engine
        occasion = Occasion(row.service, site.stack.name, row.job_id, row.planned.image)
        self._making = Making(engine, site.steps, occasion)

    def all(self, wanted: list[Data]) -> None:
        """What is saved while it runs comes first: the rest is down for as short as can be."""
        done = set(self._made().values_list("kind", "name"))
        left = [each for each in wanted if (each.kind, each.name) not in done]
        ordered = sorted(left, key=lambda each: each.how == STOP)
        with started_after(self._engine, self._site.steps):
            if ordered:
                with helper(self._engine, ordered, owner=self._row.job_id) as beside:
                    for number, each in enumerate(ordered):
                        self._one(beside, number, each)

    def _one(self, beside: Helper, number: int, data: Data) -> None:
        if self._making.is_possible(beside, number, data):
            if data.how == STOP:
                stop(self._engine, self._site.containers(data.service), self._site.steps)
            self._making.make(beside, number, data)

    def _made(self) -> QuerySet[Backup]:
        """Before a worker was lost."""
        made = Backup.objects.filter(job_id=self._row.job_id, service=self._row.service_id)
        return made.good()
