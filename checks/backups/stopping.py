"""Stops containers for as long as their data is touched, and starts them again, come what may.

Which ones is in the job's summary before they are stopped, so that whoever takes the job over from
a lost worker starts them. Importing this loads the Docker SDK.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.utils.translation import gettext as _

from checks.discovery.places import Place
from checks.models import JobLog
from checks.updating.containers import Container
from checks.updating.engines import Engine, engine_at
from checks.updating.failing import UpdateFailed
from checks.updating.steps import Steps, TakenAway

PATIENCE = 900  # seconds for one call: to stop what takes its time, or to unpack


def stop(engine: Engine, containers: Sequence[Container], steps: Steps) -> None:
    """Stop what runs of these, in the time that each is given for it. Raises UpdateFailed."""
    running = [each for each in containers if each.is_serving]
    known = steps.summary.get("stopped", [])
    ids = [each.id for each in running if each.id not in known]
    steps.summary["stopped"] = [*known, *ids]
    steps.write()
    for each in running:
        with engine.api() as api:
            api.stop(each.id)
        steps.log(_("Stopped %(name)s.") % {"name": each.name})


@contextmanager
def started_after(engine: Engine, steps: Steps) -> Iterator[None]:
    """What is stopped within is started again after it, unless the job is another worker's now."""
    try:
        yield
    except TakenAway:
        raise
    except BaseException:
        start_again(engine, steps)
        raise
    start_again(engine, steps)


def start_stopped(place: Place, steps: Steps) -> None:
    """Start what a worker stopped that was lost since. Raises UpdateFailed."""
    if steps.summary.get("stopped"):
        with engine_at(place, timeout=PATIENCE) as engine:
            start_again(engine, steps)


def start_again(engine: Engine, steps: Steps) -> None:
    """Start what a job stopped. Raises UpdateFailed where one of them does not start."""
    failed: list[str] = []
    for container_id in steps.summary.get("stopped", []):
        found = engine.container(container_id)
        if found is None:
            continue  # made anew since
        try:
            with engine.api() as api:
                api.start(container_id)
        except UpdateFailed as error:
            failed.append(f"{found.name}: {error}")
        else:
            steps.log(_("Started %(name)s again.") % {"name": found.name})
    if failed:
        text = _("What was stopped could not be started again. %(why)s")
        words = text % {"why": " ".join(failed)}
        steps.log(words, level=JobLog.Level.ERROR)
        raise UpdateFailed(words)
    if steps.summary.pop("stopped", []):
        steps.write()
