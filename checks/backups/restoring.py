"""Brings a volume or bind mount back to what a backup has of it.

The archive is unpacked beside the data, within the volume: only where all of it is there does it
take the place of what was. Each phase leaves a mark in the volume, so that whoever takes the job
over from a lost worker goes on where that one was. Importing this loads the Docker SDK.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from django.utils.translation import gettext as _

from checks import holds
from checks.backups import storing
from checks.backups.helper import OWNER, ROOT, CommandFailed, Helper, helper
from checks.backups.making import Making, Occasion
from checks.backups.stopping import PATIENCE, started_after, stop
from checks.backups.targets import are_shared
from checks.discovery.job import place_of
from checks.discovery.labels import Label
from checks.kinds import Outcome
from checks.models import Backup, Job, JobLog, Service
from checks.run import Cancelled, Run
from checks.tasks import JobFailed
from checks.updating import ourselves
from checks.updating.containers import Answer, Container
from checks.updating.demands import demands_of
from checks.updating.engines import Engine, engine_at
from checks.updating.failing import Unhealthy, UpdateFailed
from checks.updating.health import Before, Waiting, state_of
from checks.updating.plan import Data
from checks.updating.running import mounts_of
from checks.updating.site import runs_now, wait_for_engine
from checks.updating.steps import Steps
from checks.updating.telling import tell
from checks.versions.policies import STOP
from dockrev.fields import UnreadableSecret

AT = f"{ROOT}/0"
OURS = ".dockrev-restore-"  # begins all names that this makes within data
LOOK_EVERY = 1.0  # seconds
LONGEST_WAIT = 600.0  # seconds for other jobs to be done with what uses the data


class HalfWay(UpdateFailed):
    """The data is neither what it was nor what the backup has; the text says where both are."""


def restore(run: Run) -> Outcome:
    rows = Backup.objects.select_related("service__stack__host")
    backup = rows.filter(pk=run.job.params["backup"]).first()
    if backup is None or backup.service is None:
        raise JobFailed(_("The backup or its service is not there any more."))
    steps = Steps(run, 1)
    error, outcome, runs = "", "restored", ""
    try:
        place = place_of(backup.service.stack.host)
        if run.job.losses:
            wait_for_engine(place, steps.look)
        with engine_at(place, timeout=PATIENCE) as engine:
            restoring = _Restoring(engine, backup, steps, run.job)
            try:
                restoring.all()
            finally:
                runs = restoring.runs()
    except (UpdateFailed, UnreadableSecret, storing.Damaged) as failure:
        error = str(failure)
        changed = steps.summary.get("swapped") or isinstance(failure, HalfWay)
        outcome = "failed" if changed else "untouched"
        steps.log(error, level=JobLog.Level.ERROR)
        if isinstance(failure, Unhealthy) and failure.trouble:
            steps.trouble(backup.service.name, failure.trouble)
    service = backup.service
    facts = {"error": error, "runs": runs, "from": "", "to": ""}
    steps.became(service.pk, service.name, outcome, **facts)
    status = Job.Status.FAILED if error else Job.Status.SUCCESS
    return Outcome({**steps.summary, "error": error}, status=status, write=tell)


class _Restoring:
    def __init__(self, engine: Engine, backup: Backup, steps: Steps, job: Job) -> None:
        assert backup.service is not None  # noqa: S101 - it was looked at before
        self._engine, self._backup, self._steps, self._job = engine, backup, steps, job
        self._service = backup.service
        self._data = Data(
            backup.service_name, backup.kind, backup.name, backup.destination, backup.how
        )

    def all(self) -> None:
        """Raises UpdateFailed, Damaged, Cancelled."""
        name = self._service.name
        storing.check(self._backup, self._steps.look)
        before = self._before()
        self._hold_users()
        with (
            helper(self._engine, [self._data], owner=self._job.pk, writes=True) as beside,
            started_after(self._engine, self._steps),
        ):
            with self._steps.step("stop", name):
                stop(self._engine, self._users(), self._steps)
            self._save(beside)
            self._put(beside)
        with self._steps.step("wait", name):
            self._wait(before)

    def runs(self) -> str:
        try:
            return runs_now(self._containers())
        except UpdateFailed as error:
            return _("nobody knows: %(why)s") % {"why": str(error)}

    def _containers(self) -> list[Container]:
        return self._engine.containers(self._service.stack.name, self._service.name)

    def _users(self) -> list[Container]:
        """Whatever runs with this data: nothing may write into it now. Raises UpdateFailed where
        that is Dockrev itself. Our own helper alone knows the job: an image may have the label."""
        ids = [each["Id"] for each in self._listed_users(stopped=False)]
        found = [each for each in map(self._engine.container, ids) if each]
        ourselves.refuse(self._engine, found)
        return found

    def _listed_users(self, *, stopped: bool) -> list[Answer]:
        with self._engine.api() as api:
            listed = api.containers(all=stopped)
        return [
            each
            for each in listed
            if any(are_shared(self._data, mount) for mount in mounts_of(each))
            and (each.get("Labels") or {}).get(OWNER) != self._job.pk
        ]

    def _hold_users(self) -> None:
        """Nobody may start one of them meanwhile to update it. Raises UpdateFailed, Cancelled."""
        labels = [each.get("Labels") or {} for each in self._listed_users(stopped=True)]
        named = {(each.get(Label.PROJECT), each.get(Label.SERVICE)) for each in labels}
        known = Service.objects.filter(stack__host=self._service.stack.host)
        columns = known.values_list("pk", "stack__name", "name")
        ids = [pk for pk, *name in columns if tuple(name) in named]
        ends = time.monotonic() + LONGEST_WAIT
        while not holds.take(self._job, ids):
            self._steps.look_for_cancel()
            if time.monotonic() > ends:
                text = _("Another job goes on changing what uses %(name)s.")
                raise UpdateFailed(text % {"name": self._data.name})
            time.sleep(LOOK_EVERY)

    def _before(self) -> dict[str, object]:
        """How the service was, also where a worker was lost since."""
        if "before" not in self._steps.summary:
            found = self._containers()
            count = sum(each.is_serving for each in found)
            self._steps.summary["before"] = {"count": count, "was": str(state_of(found))}
            self._steps.write()
        known: dict[str, object] = self._steps.summary["before"]
        return known

    def _wait(self, before: dict[str, object]) -> None:
        """Raises Unhealthy."""
        if count := int(str(before["count"])):
            services = {self._service.name: Before(count, str(before["was"]))}
            stack = self._service.stack
            demands = demands_of(stack, services)
            # Nobody asked its probes before: it may not have answered them then, either.
            bare = {name: each.without_probes for name, each in demands.items()}
            Waiting(self._engine, stack.name, services, bare, self._steps.look).wait()

    def _save(self, beside: Helper) -> None:
        """What is there, unless nobody wants that, or a worker did it that was lost since: by now
        it may be gone. Raises UpdateFailed, Cancelled."""
        if not self._job.params.get("savesFirst", True) or self._steps.summary.get("saved"):
            return
        service = self._service
        occasion = Occasion(
            service, service.stack.name, self._job.pk, service.image_ref, is_restore=True
        )
        making = Making(self._engine, self._steps, occasion)
        data = replace(self._data, how=STOP)
        with self._steps.step("backup", service.name):
            try:
                if making.is_possible(beside, 0, data):
                    making.make(beside, 0, data)
            except UpdateFailed as error:
                text = _(
                    "What is there could not be backed up, so nothing was replaced: %(why)s It can "
                    "be restored without that backup, too."
                )
                raise UpdateFailed(text % {"why": error}) from error
            self._steps.summary["saved"] = True

    def _put(self, beside: Helper) -> None:
        root = self._root()
        if root.isdir():
            self._into_folder(beside, root)
        else:
            self._into_file(beside)

    # A folder ------------------------------------------------------------------------------------

    def _path(self, what: str) -> str:
        return f"{AT}/{OURS}{self._job.pk}-{what}"

    def _into_folder(self, beside: Helper, root: tarfile.TarInfo) -> None:
        name, new, old = self._service.name, self._path("new"), self._path("old")
        is_moved = beside.is_true("test", "-d", old)
        if not is_moved and not beside.is_true("test", "-d", self._path("moving")):
            with self._steps.step("unpack", name):
                self._unpack(beside, new)
        with self._steps.step("swap", name):
            if not is_moved:
                self._move_away(beside)
            self._move_in(beside, root)
            self._steps.summary["swapped"] = True
            beside.run("rm", "-rf", "--", old, new)

    def _unpack(self, beside: Helper, new: str) -> None:
        """Beside what is there. Where that fails, nothing has changed."""
        try:
            beside.run("rm", "-rf", "--", new)
            beside.run("mkdir", "--", new)
            self._unpacked(beside, new)
        except (UpdateFailed, storing.Damaged, Cancelled):
            beside.run("rm", "-rf", "--", new)
            raise

    def _move_away(self, beside: Helper) -> None:
        """Everything that is there. Where that fails, it is moved back."""
        moving = self._path("moving")
        try:
            beside.run("mkdir", "-p", "--", moving)
            _move(beside, AT, moving)
            beside.run("mv", "--", moving, self._path("old"))
        except UpdateFailed as error:
            try:
                _move(beside, moving, AT)
                beside.run("rmdir", "--", moving)
                beside.run("rm", "-rf", "--", self._path("new"))
            except UpdateFailed as another:
                raise self._half_way(moving, f"{error} {another}") from another
            raise

    def _move_in(self, beside: Helper, root: tarfile.TarInfo) -> None:
        try:
            if beside.is_true("test", "-d", f"{self._path('new')}/0"):
                _move(beside, f"{self._path('new')}/0", AT)
            beside.run("chown", f"{root.uid}:{root.gid}", AT)
            beside.run("chmod", f"{root.mode & 0o7777:o}", AT)
        except UpdateFailed as error:
            raise self._half_way(self._path("old"), str(error)) from error

    def _half_way(self, old: str, why: str) -> HalfWay:
        text = _(
            "It stopped half-way: %(why)s What was there is within %(name)s in the folder %(old)s, "
            "and what the backup has in %(new)s."
        )
        within = {
            "old": old.removeprefix(f"{AT}/"),
            "new": self._path("new").removeprefix(f"{AT}/"),
        }
        return HalfWay(text % {"why": why, "name": self._data.name, **within})

    # One file ------------------------------------------------------------------------------------

    def _into_file(self, beside: Helper) -> None:
        """A file that is mounted by itself can only be written anew in its place."""
        name = self._service.name
        with self._steps.step("unpack", name):
            beside.run("mkdir", "-p", "/dockrev-new")
            self._unpacked(beside, "/dockrev-new")
            beside.run("cp", AT, "/dockrev-old")
        with self._steps.step("swap", name):
            self._steps.summary["swapped"] = True
            try:
                beside.run("cp", "/dockrev-new/0", AT)
            except UpdateFailed:
                beside.run("cp", "/dockrev-old", AT)
                self._steps.summary["swapped"] = False
                raise

    # The archive ---------------------------------------------------------------------------------

    def _root(self) -> tarfile.TarInfo:
        """What the archive says of the folder or file itself: it comes first. Raises Damaged."""
        try:
            with tarfile.open(fileobj=_Reading(storing.read(self._backup)), mode="r|") as archive:
                first = archive.next()
        except (tarfile.TarError, OSError) as error:
            raise storing.Damaged(str(error)) from error
        if first is None or first.name != "0" or not (first.isdir() or first.isreg()):
            raise storing.Damaged(_("The archive does not begin as one of Dockrev's."))
        return first

    def _unpacked(self, beside: Helper, folder: str) -> None:
        """Raises UpdateFailed, Damaged, Cancelled."""
        beside.take(self._looking(storing.read(self._backup)), self._backup.size)
        for _told in self._looking(beside.unpack(folder)):
            pass

    def _looking(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Raises Cancelled where it is to stop."""
        looked = time.monotonic()
        for piece in pieces:
            yield piece
            if time.monotonic() - looked > LOOK_EVERY:
                self._steps.look_for_cancel()
                looked = time.monotonic()


class _Reading(io.RawIOBase):
    """Pieces as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _move(beside: Helper, source: str, target: str) -> None:
    """All that is in a folder, but for what a restore made there. Raises UpdateFailed."""
    found = ("find", source, "-mindepth", "1", "-maxdepth", "1", "!", "-name", f"{OURS}*")
    beside.run(*found, "-exec", "mv", "--", "{}", f"{target}/", ";")
    if left := beside.run(*found).split("\n", 1)[0]:
        raise CommandFailed("mv", 1, left)
