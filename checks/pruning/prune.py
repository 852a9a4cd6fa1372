"""Does what the job `prune` is for. Importing this loads the Docker SDK: only workers do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from checks.discovery.job import place_of
from checks.kinds import Outcome
from checks.models import Host, Job, JobLog
from checks.pruning import judging
from checks.pruning.job import DRY_RUN
from checks.pruning.judging import Judged
from checks.run import Run
from checks.updating.engines import Engine, engine_at
from checks.updating.failing import UpdateFailed

MOST = 500  # images that a summary lists
GOES, GONE, STAYS = "goes", "gone", "stays"


def prune(run: Run) -> Outcome:
    pruning = _Pruning(run, dry_run=run.job.params["mode"] == DRY_RUN)
    for host in Host.objects.asked().filter(stacks__services__replaced__isnull=False).distinct():
        run.stop_if_cancelled()
        try:
            with engine_at(place_of(host)) as engine:
                pruning.host(host, engine)
        except UpdateFailed as error:
            pruning.errors.append(f"{host.name}: {error}")
            run.log(pruning.errors[-1], level=JobLog.Level.ERROR)
    summary = pruning.summary
    if pruning.errors:
        return Outcome({**summary, "error": "\n".join(pruning.errors)}, status=Job.Status.FAILED)
    return Outcome(summary, quiet=not summary["bytes"])


@dataclass
class _Pruning:
    run: Run
    dry_run: bool
    told: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, Any]:
        going = [each for each in self.told if each["outcome"] != STAYS]
        return {
            "mode": self.run.job.params["mode"],
            "images": self.told[:MOST],
            "bytes": sum(each["bytes"] for each in going),
            "removed": 0 if self.dry_run else len(going),
        }

    def host(self, host: Host, engine: Engine) -> None:
        """Raises UpdateFailed where the engine does not answer."""
        images, in_use = engine.images(), engine.images_in_use()
        for each in judging.judge(judging.known_of(host), images, in_use):
            self.run.stop_if_cancelled()
            outcome, why = self._image(engine, each)
            self._tell(host, each, outcome, why)

    def _image(self, engine: Engine, judged: Judged) -> tuple[str, str]:
        if judged.why:
            return STAYS, judged.why
        if self.dry_run:
            return GOES, ""
        try:
            engine.remove(judged.image.id)
        except UpdateFailed as error:
            return STAYS, str(error)
        return GONE, ""

    def _tell(self, host: Host, judged: Judged, outcome: str, why: str) -> None:
        image = judged.image
        told = {"host": host.name, "name": judged.name, "id": image.id, "bytes": image.size}
        self.told.append({**told, "outcome": outcome, "why": why})
        self.run.partial(self.summary)
        words = {GOES: _("would go"), GONE: _("is gone"), STAYS: _("stays: %(why)s")}[outcome]
        self.run.log(f"{judged.name} {image.id[:19]}: {words % {'why': why}}")
