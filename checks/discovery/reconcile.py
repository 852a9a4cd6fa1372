"""What was found, into the rows of one host. Nothing is ever deleted, and ids stay.

Read first, compared in memory, and written in one short transaction, if there is anything to
write. It writes what runs; what is newer is the checks' to write.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from checks import outages
from checks.candidates import keep_abouts
from checks.discovery.projects import FoundHost, FoundProject, FoundService
from checks.models import Host, Service, Stack
from checks.registry.reference import BadReference, parse
from checks.settle import close_what_no_longer_applies

SEEN_EVERY = timedelta(minutes=5)  # how old "last seen" may be while nothing changes
BATCH = 100
HOST_FIELDS = ("platform", "version", "containers", "read_only", "error", "seen_at")
STACK_FIELDS = (
    "status",
    "source",
    "error",
    "config_files",
    "environment_files",
    "working_dir",
    "seen_at",
)
SERVICE_FIELDS = (
    "image_ref",
    "registry",
    "repository",
    "tag",
    "pinned_digest",
    "platform",
    "state",
    "replicas",
    "running_digests",
    "running_image_id",
    "labels",
    "image",
    "version_tag",
    "missing_since",
)
GONE = {
    "state": Service.State.ABSENT,
    "replicas": 0,
    "running_digests": [],
    "version_tag": "",
}


@dataclass(frozen=True)
class Action:
    """What became of one project: created, updated, failed, missing, or back."""

    project: str
    action: str
    stack_id: str
    reason: str = ""


@dataclass
class Changes:
    """Ids of services, by what happened to them. `running_changed` are those that run another
    image, or are written with another reference, than before; `rewritten` are the latter alone, and
    `relabelled` those whose labels say something else of their policy."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)
    running_changed: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    relabelled: list[str] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    host: bool = False

    def __bool__(self) -> bool:
        services = (self.created, self.changed, self.missing, self.back)
        return self.host or bool(self.actions) or any(services)


def reconcile(
    host: Host, found: FoundHost, now: datetime, *, leave: Collection[str] = ()
) -> Changes:
    """Bring the host's rows in line with what was found, but for the services to `leave`, by id:
    a job is changing them, or they are not what was looked for."""
    comparison = _Comparison(host, found, now, frozenset(leave))
    comparison.compare()
    comparison.write()
    return comparison.changes


class _Comparison:
    def __init__(self, host: Host, found: FoundHost, now: datetime, leave: frozenset[str]) -> None:
        self.host = host
        self.leave = leave
        self.found = found
        self.now = now
        self.changes = Changes()
        self.stacks = {stack.name: stack for stack in Stack.objects.filter(host=host)}
        self.services: dict[str, dict[str, Service]] = defaultdict(dict)
        for service in Service.objects.filter(stack__host=host):
            self.services[service.stack_id][service.name] = service
        self.new_stacks: list[Stack] = []
        self.new_services: list[Service] = []
        self.old_stacks: list[Stack] = []
        self.old_services: list[Service] = []

    def compare(self) -> None:
        self._compare_host()
        seen = set()
        for project in self.found.projects:
            name = _clean(project.name, 255)
            if name in seen:
                continue  # two may be one in what a database takes: the first counts
            seen.add(name)
            stack = self.stacks.get(name)
            if stack is None:
                self._create(name, project)
            elif self._may_speak(stack, project):
                self._update(stack, project)
        for name, stack in self.stacks.items():
            if name not in seen and stack.source in self.found.sources:
                self._miss(stack)

    def write(self) -> None:
        self._note_whether_reached()
        late = [stack.pk for stack in self._seen_stacks() if self._is_late(stack.seen_at)]
        if not (self.changes or late):
            return
        with transaction.atomic():
            self._write_host()
            self._write_images()
            Stack.objects.bulk_create(self.new_stacks, batch_size=BATCH)
            Stack.objects.bulk_update(self.old_stacks, STACK_FIELDS, batch_size=BATCH)
            Service.objects.bulk_create(self.new_services, batch_size=BATCH)
            Service.objects.bulk_update(self.old_services, SERVICE_FIELDS, batch_size=BATCH)
            Stack.objects.filter(pk__in=late).update(seen_at=self.now)
            close_what_no_longer_applies(self.changes.running_changed, self.now)

    def _note_whether_reached(self) -> None:
        rows = Host.objects.filter(pk=self.host.pk)
        if self.found.is_part:
            return
        if Stack.Source.ENGINE not in self.found.sources:
            outages.note_silence(rows.exclude(seen_at=None), self.now)
        elif self.host.is_unreachable:
            outages.note_answer(rows, self.now)

    def _compare_host(self) -> None:
        """What is only said where the engine answers stays while it does not."""
        error = _clean(self.found.error, 4000)
        values: dict[str, Any] = {"error": error}
        if Stack.Source.ENGINE in self.found.sources:
            values["containers"] = self.found.containers
            values["platform"] = _clean(self.found.platform, 60) or self.host.platform
            values["version"] = _clean(self.found.version, 60)
            if self.found.is_read_only is not None:
                values["read_only"] = self.found.is_read_only
        self.changes.host = _assign(self.host, values)

    def _may_speak(self, stack: Stack, project: FoundProject) -> bool:
        """Files say nothing of a stack that an engine runs, while that engine cannot be asked."""
        if project.source == Stack.Source.ENGINE or project.source == stack.source:
            return True
        return stack.source in self.found.sources

    def _create(self, name: str, project: FoundProject) -> None:
        stack = Stack(host=self.host, name=name, **_stack_values(project), seen_at=self.now)
        self.new_stacks.append(stack)
        for service in _by_name(project).values():
            self._create_service(stack, service)
        action = "failed" if stack.status == Stack.Status.INVALID else "created"
        self._act(stack, action, stack.error)

    def _update(self, stack: Stack, project: FoundProject) -> None:
        was = stack.status
        is_changed = _assign(stack, _stack_values(project))
        named = _by_name(project)
        touched = [self._compare_service(stack, service) for service in named.values()]
        for name, row in self.services[stack.pk].items():
            # While its files cannot be read, nobody knows whether it is still in them.
            unknown = bool(project.error) and row.state == Service.State.ABSENT
            if name not in named and not unknown:
                touched.append(self._miss_service(row))
        if is_changed:
            stack.seen_at = self.now
            self.old_stacks.append(stack)
        if is_changed or any(touched):
            self._act(stack, _action(was, stack.status), stack.error)

    def _miss(self, stack: Stack) -> None:
        if stack.status == Stack.Status.MISSING:
            return
        _assign(stack, {"status": Stack.Status.MISSING, "error": ""})
        self.old_stacks.append(stack)
        for service in self.services[stack.pk].values():
            self._miss_service(service)
        self._act(stack, "missing")

    def _compare_service(self, stack: Stack, service: FoundService) -> bool:
        row = self.services[stack.pk].get(_clean(service.name, 255))
        if row is None:
            self._create_service(stack, service)
            return True
        if row.pk in self.leave:
            return False
        was_missing, was_run = row.missing_since, (row.image_ref, row.running_digests)
        was_labelled = row.labels
        if not _assign(row, {**_service_values(service), "missing_since": None}):
            return False
        self.old_services.append(row)
        self.changes.changed.append(row.pk)
        if was_missing:
            self.changes.back.append(row.pk)
        is_other = row.image_ref != was_run[0] or row.running_digests not in ([], was_run[1])
        if is_other:
            self.changes.running_changed.append(row.pk)
        if row.image_ref != was_run[0]:
            self.changes.rewritten.append(row.pk)
        if row.labels != was_labelled:
            self.changes.relabelled.append(row.pk)
        return True

    def _create_service(self, stack: Stack, service: FoundService) -> None:
        row = Service(stack=stack, name=_clean(service.name, 255), **_service_values(service))
        self.new_services.append(row)
        self.changes.created.append(row.pk)

    def _miss_service(self, row: Service) -> bool:
        if row.missing_since or row.pk in self.leave:
            return False
        _assign(row, {**GONE, "missing_since": self.now})
        self.old_services.append(row)
        self.changes.missing.append(row.pk)
        return True

    def _seen_stacks(self) -> Iterable[Stack]:
        gone = Stack.Status.MISSING
        return [
            s for s in self.stacks.values() if s.source in self.found.sources and s.status != gone
        ]

    def _is_late(self, seen_at: datetime | None) -> bool:
        return seen_at is None or seen_at < self.now - SEEN_EVERY

    def _write_host(self) -> None:
        if Stack.Source.ENGINE in self.found.sources:
            self.host.seen_at = self.now
        self.host.save(update_fields=HOST_FIELDS)

    def _write_images(self) -> None:
        """Those that services refer to now, before them. What is written of one stays."""
        wanted = {row.image_id for row in (*self.new_services, *self.old_services)} - {None}
        services = [each for project in self.found.projects for each in project.services]
        said = {digest: each.about for each in services if (digest := _image_digest(each))}
        keep_abouts({key: each for key, each in said.items() if each and key in wanted}, self.now)

    def _act(self, stack: Stack, action: str, reason: str = "") -> None:
        self.changes.actions.append(Action(stack.name, action, stack.pk, reason))


def _by_name(project: FoundProject) -> dict[str, FoundService]:
    """Its services by what a database takes of their names: of two that are one there, the first
    counts."""
    named: dict[str, FoundService] = {}
    for service in project.services:
        named.setdefault(_clean(service.name, 255), service)
    return named


def _action(was: str, status: str) -> str:
    if status == Stack.Status.INVALID:
        return "failed"
    return "back" if was == Stack.Status.MISSING else "updated"


def _assign(row: Host | Stack | Service, values: dict[str, Any]) -> bool:
    """Set what is different; say whether anything was."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def _stack_values(project: FoundProject) -> dict[str, Any]:
    usable = any(service.state == Service.State.RUNNING for service in project.services)
    if project.source == Stack.Source.FILES:
        usable = bool(project.services)
    invalid = bool(project.error) and not usable
    return {
        "status": Stack.Status.INVALID if invalid else Stack.Status.ACTIVE,
        "source": project.source,
        "error": _clean(project.error, 4000),
        "config_files": [_clean(str(path), 4096) for path in project.config_files],
        "environment_files": [_clean(str(path), 4096) for path in project.environment_files],
        "working_dir": _clean(str(project.working_dir or ""), 4096),
    }


def _service_values(service: FoundService) -> dict[str, Any]:
    # Without containers what a check has found out stays.
    image = {"image_id": _image_digest(service)} if service.running_image_id else {}
    return {
        **image,
        "image_ref": _clean(service.image_ref, 1024),
        **_reference_values(service.image_ref),
        "platform": _clean(service.platform, 60),
        "state": service.state,
        "replicas": service.replicas,
        "running_digests": list(service.running_digests),
        "running_image_id": _clean(service.running_image_id, 160),
        "labels": dict(service.labels),
        "version_tag": service.version_tag,
    }


def _image_digest(service: FoundService) -> str | None:
    """By which digest what the running image says of itself is kept."""
    return service.running_digests[0] if service.running_digests and service.about else None


def _reference_values(image_ref: str) -> dict[str, str]:
    """What the reference says, normalised; nothing where it is none, or where no image is named."""
    try:
        parsed = parse(image_ref)
    except BadReference:
        return {"registry": "", "repository": "", "tag": "", "pinned_digest": ""}
    return {
        "registry": parsed.registry,
        "repository": parsed.repository,
        "tag": parsed.tag,
        "pinned_digest": parsed.digest,
    }


def _clean(text: str, limit: int) -> str:
    """Anybody may label a container, write a file or name a folder: keep what a database takes."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:limit]
