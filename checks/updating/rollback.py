"""Back to what ran before: files, image and containers, and a proof that it is so."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from checks import hosts, ignoring
from checks.backups.stopping import start_stopped
from checks.discovery.files import environment_of_projects
from checks.discovery.job import place_of
from checks.models import Candidate, JobLog, Replaced, Service
from checks.registry.reference import BadReference, parse
from checks.run import Cancelled
from checks.updating import edits
from checks.updating.docker_login import known
from checks.updating.failing import Forbidden, Unhealthy, UpdateFailed
from checks.updating.health import WELL, Was
from checks.updating.images import Files, NotEditable
from checks.updating.plan import Change, Edit
from checks.updating.site import Site, runs_now, wait_for_engine

logger = logging.getLogger(__name__)


def put_back(
    site: Site, row: Replaced, among: Sequence[Edit], *, leaves_stopped: bool = False
) -> str:
    """Put a service back, and say why it is not proven that all is as before: nothing where it is.

    With `leaves_stopped` one that was stopped before is not started. It may be done again after it
    was cut off; Cancelled goes through.
    """
    try:
        _put_back(site, row, among, leaves=_stopped(row) if leaves_stopped else "")
    except Cancelled:
        raise
    except Exception as error:
        words = str(error)
        if isinstance(error, Unhealthy) and error.trouble:
            site.steps.trouble(row.planned.service_name, error.trouble)
        elif not isinstance(error, UpdateFailed):
            logger.exception("a rollback failed", extra={"service": row.service_id})
            words = _("An error inside Dockrev; its log has it.")
        unclear = {"state": Replaced.State.UNCLEAR, "ended_at": timezone.now()}
        Replaced.objects.filter(pk=row.pk).update(**unclear)
        return words
    return ""


def _stopped(row: Replaced) -> str:
    """The service, where it was stopped before. Not where others share its network, which could not
    be made anew without it."""
    change = row.planned
    before = row.before[change.service_name]
    # What was stopped and ended with 0, without a restart policy, looks as if it were done.
    ended = before["was"] in (Was.STOPPED, Was.DONE)
    was_stopped = ended and before.get("serving") == []
    return change.service_name if was_stopped and {*change.with_it} <= {*change.pulls} else ""


def _put_back(site: Site, row: Replaced, among: Sequence[Edit], *, leaves: str) -> None:
    change, steps = row.planned, site.steps
    wait_for_engine(place_of(site.stack.host), steps.look)
    start_stopped(place_of(site.stack.host), steps)
    Replaced.objects.filter(pk=row.pk).update(state=Replaced.State.UNDOING)
    if row.edits_made:
        with steps.step("undo", change.service_name):
            _undo(site, change, among)
    with steps.step("bring_back", change.service_name):
        _bring_back(site, row, change)
    # Nobody can stop and start what he runs in: that is done, or undone, from outside.
    if not change.itself and not site.is_as_before(row):
        site.up(row, leaves=leaves)
        _wait(site, row, leaves=leaves)
    with steps.step("prove", change.service_name):
        _prove(site, row)
        site.note_what_runs(row.before)
        _end(row, change)
    if row.kept:
        let_go(site, row)


def what_runs(site: Site, row: Replaced) -> str:
    """In words; where the engine does not say, that."""
    try:
        return runs_now(site.containers(row.planned.service_name))
    except UpdateFailed as error:
        return _("nobody knows: %(why)s") % {"why": str(error)}


def keep(site: Site, row: Replaced) -> None:
    """Give the old image a name of ours, so that no pruning takes it."""
    try:
        site.engine.tag(row.image_id, row.kept)
    except UpdateFailed as error:
        row.kept = ""
        row.save(update_fields=["kept"])
        if isinstance(error, Forbidden):
            hosts.note_read_only(site.stack.host)
        if not row.planned.digest or isinstance(error, Forbidden):
            raise
        text = _("The old image cannot be kept, but it can be pulled again: %(why)s")
        site.steps.log(text % {"why": str(error)}, level=JobLog.Level.WARN)


def let_go(site: Site, row: Replaced) -> None:
    """Take our name off an image that nothing goes back to any more."""
    try:
        site.engine.untag(row.kept)
    except UpdateFailed as error:
        site.steps.log(str(error), level=JobLog.Level.WARN)
        return
    Replaced.objects.filter(pk=row.pk).update(kept="")


def _undo(site: Site, change: Change, among: Sequence[Edit]) -> None:
    """Byte for byte; where something else in the file was changed since, by the value alone."""
    try:
        edits.undo(change.edits, among=among)
    except edits.NotWritten as error:
        raise UpdateFailed(f"{error} {_by_hand(change)}") from error
    except edits.Conflict as error:
        try:
            _undo_value(site, change)
        except (edits.Conflict, edits.NotWritten, NotEditable) as another:
            raise UpdateFailed(f"{error} {another} {_by_hand(change)}") from another


def _undo_value(site: Site, change: Change) -> None:
    """Raises Conflict, NotWritten, NotEditable."""
    project, old = site.project, parse(change.image)
    files = Files(
        [Path(path) for path in project.config_files],
        working_dir=Path(project.working_dir),
        environment_files=[Path(path) for path in project.environment_files],
        environment=environment_of_projects(),
    )
    image = files.image_of(change.service_name)
    if image == change.image:
        return
    if image != change.target_image:
        text = _("The files say %(image)s now.")
        raise edits.Conflict(text % {"image": image})
    found = files.edit(change.service_name, tag=old.tag, digest=old.digest)
    if others := set(found.also) - set(change.with_it):
        text = _("%(names)s would get another image by it, too.")
        raise edits.Conflict(text % {"names": ", ".join(sorted(others))})
    edits.apply(found.edits)


def _by_hand(change: Change) -> str:
    words = _("Put this back by hand: line %(line)d of %(path)s was %(old)s.")
    told = ({"line": e.line, "path": e.path, "old": e.old} for e in change.edits)
    return " ".join(words % each for each in told)


def _bring_back(site: Site, row: Replaced, change: Change) -> None:
    """Have the old reference mean the old image: else Compose would run the new one again."""
    engine = site.engine
    if not engine.image_id(row.image_id):
        _pull_again(site, change)
        if not engine.image_id(row.image_id):
            text = _("The old image %(image)s is not here any more and cannot be pulled again.")
            raise UpdateFailed(text % {"image": row.image_id})
    engine.tag(row.image_id, change.image)
    gone = [name for name in change.pulls if not all(map(engine.image_id, _images(row, name)))]
    if gone:
        site.compose.pull(gone, site.steps.look)


def _images(row: Replaced, service: str) -> list[str]:
    found: list[str] = row.before[service]["images"]
    return found


def _pull_again(site: Site, change: Change) -> None:
    if not change.digest:
        return
    try:
        named = parse(change.image)
    except BadReference as error:
        raise UpdateFailed(str(error)) from error
    [access] = known([named.registry])
    login = {"username": access.username, "password": access.password} if access.basic else None
    name = f"{named.registry}/{named.repository}"
    site.engine.pull(name, change.digest, login, site.steps.look)


def _wait(site: Site, row: Replaced, *, leaves: str) -> None:
    """What did not run well before needs not do so after."""
    try:
        site.wait(row, is_back=True, leaves=leaves)
    except Unhealthy as error:
        if error.trouble:
            site.steps.trouble(row.planned.service_name, error.trouble)
        if all(each["was"] in WELL for each in row.before.values()):
            raise
        text = _("It is as it was before: %(why)s")
        site.steps.log(text % {"why": str(error)}, level=JobLog.Level.WARN)


def _prove(site: Site, row: Replaced) -> None:
    """The files are proven by their hashes, as they are put back."""
    for name, before in row.before.items():
        runs = {each.image_id for each in site.containers(name)}
        if not runs or not runs <= set(before["images"]):
            text = _("%(name)s was put back, but does not run what it ran before.")
            raise UpdateFailed(text % {"name": name})


def _end(row: Replaced, change: Change) -> None:
    now = timezone.now()
    with transaction.atomic():
        Replaced.objects.filter(pk=row.pk).update(state=Replaced.State.UNDONE, ended_at=now)
        _open_again(row.service, change)


def _open_again(service: Service, change: Change) -> None:
    """What was taken as applied is newer again; people have heard of it."""
    closed = Candidate.objects.filter(
        pk=change.candidate_id, service=service, closed_as=Candidate.Closed.APPLIED
    )
    taken = Candidate.objects.unclosed().filter(service=service, step=change.step).exists()
    if not taken:
        closed.update(closed_at=None, closed_as="")
    ignoring.follow(service)
