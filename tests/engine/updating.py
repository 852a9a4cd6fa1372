"""A project that is updated on the suite's own engine, and the plan of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils import timezone
from docker.models.containers import Container

from checks import queue
from checks.models import Candidate, Job, Service
from checks.tasks import run_job
from checks.updating.plan import Change, Edit, Plan, Project
from tests.real.compose import Compose
from tests.real.engine import Engine
from tests.real.images import ImageMaker
from tests.real.registry import Registry

# What an image runs is a script that it brings along, so that a new one may behave otherwise.
SERVES = "exec /bin/busybox sleep 86400 # is well"
CRASHES = "echo about to fail; exit 3"
SICK = "exec /bin/busybox sleep 86400"
ENDS = "exit 0"
SCRIPT = '["/bin/busybox", "sh", "/content"]'
HEALTHCHECK = (
    'healthcheck: {test: ["CMD", "/bin/busybox", "grep", "-q", "is well", "/content"], '
    "interval: 1s, retries: 2}"
)


@dataclass
class Shop:
    """A folder with a compose file, and what Dockrev knows of what runs there."""

    folder: Path
    compose: Compose
    engine: Engine
    registry: Registry
    make_image: ImageMaker

    @property
    def file(self) -> Path:
        return self.folder / "compose.yaml"

    @property
    def name(self) -> str:
        return "shop"

    def image(self, tag: str, repository: str = "acme/api") -> str:
        return f"{self.registry.address}/{repository}:{tag}"

    def push(self, tag: str, script: str = SERVES, note: str = "", name: str = "acme/api") -> str:
        """Publish an image; return its digest."""
        return self.make_image(f"{name}:{tag}", f"{script}\n# {note}")

    def write(self, **services: str) -> None:
        """Each as what stands in its braces."""
        lines = "\n".join(f"  {name}: {{{body}}}" for name, body in services.items())
        self.file.write_text(f'version: "3.4"\nservices:\n{lines}\n')

    def up(self, *arguments: str) -> None:
        command = ["-p", self.name, "-f", str(self.file), "up", "-d", *arguments]
        self.compose(*command, folder=self.folder)

    def discover(self) -> None:
        run_job(queue.enqueue(queue.Request(kind="discovery", reason="ui")).job_id)

    def service(self, name: str = "api") -> Service:
        return Service.objects.select_related("stack__host").get(name=name)

    def candidate(self, name: str = "api", *, digest: str, tag: str, step: str) -> Candidate:
        """What a check would have found, and people heard of."""
        service = self.service(name)
        Service.objects.filter(pk=service.pk).update(status=Service.Status.UPDATE_AVAILABLE)
        now = timezone.now()
        return Candidate.objects.create(
            service=service,
            step=step,
            image_ref=service.image_ref,
            tag=tag,
            digest=digest,
            opened_at=now,
            announced_at=now,
        )

    def change(self, name: str = "api", tag: str = "1", **more: Any) -> Change:
        """From what runs to what the registry has under a tag now."""
        service = self.service(name)
        target = f"{service.registry}/{service.repository}:{tag}"
        digest = self.registry.digest(service.repository, tag)
        step = "rebuilt" if tag == service.tag else "minor"
        given = {
            "service_id": service.pk,
            "service_name": name,
            "step": step,
            "image": service.image_ref,
            "digest": service.running_digests[0],
            "image_id": service.running_image_id,
            "target_image": target,
            "target_digest": digest,
            "edits": self.edits(service.image_ref, target),
            "candidate_id": self.candidate(name, digest=digest, tag=tag, step=step).pk,
        }
        return Change(**{**given, **more})

    def edits(self, old: str, new: str) -> tuple[Edit, ...]:
        """None where the file says the new one already."""
        data = self.file.read_bytes()
        if old == new:
            return ()
        start = data.index(old.encode())
        line = data[:start].count(b"\n") + 1
        digest = hashlib.sha256(data).hexdigest()
        return (Edit(str(self.file), digest, start, line, old, new, "image"),)

    def plan(self, *changes: Change) -> Plan:
        stack = self.service(changes[0].service_name).stack
        project = Project(
            self.name,
            str(stack.working_dir),
            tuple(stack.config_files),
            tuple(stack.environment_files),
        )
        return Plan(stack.pk, stack.host_id, project, changes)

    def ask(self, *changes: Change) -> str:
        plan = self.plan(*changes)
        request = queue.Request(
            kind="self_update" if plan.itself else "update",
            reason="ui",
            scope="stack",
            stack_id=plan.stack_id,
            params={"plan": json.loads(json.dumps(plan.as_json()))},
            created_by="ada",
        )
        return queue.enqueue(request).job_id

    def update(self, *changes: Change) -> Job:
        """Ask for it, and do it as a worker would."""
        job_id = self.ask(*changes)
        run_job(job_id)
        return Job.objects.get(pk=job_id)

    def containers(self, name: str = "api") -> Sequence[Container]:
        label = f"com.docker.compose.service={name}"
        found: list[Container] = self.engine.client.containers.list(
            all=True, filters={"label": label}
        )
        return found

    def runs(self, name: str = "api") -> set[str]:
        """The digests that its containers run, whatever they are called."""
        return {
            text.partition("@")[2]
            for each in self.containers(name)
            if each.image is not None and each.status == "running"
            for text in each.image.attrs["RepoDigests"]
        }


def outcomes(job: Job) -> dict[str, str]:
    return {each["service"]: each["outcome"] for each in job.summary["services"]}


def steps(job: Job, service: str = "api") -> list[str]:
    """The steps that were done, in order."""
    return [each["step"] for each in job.summary["steps"] if each["service"] == service]


def log_of(job: Job) -> str:
    return "\n".join(job.log_lines.values_list("message", flat=True))


def api(shop: Shop, tag: str = "1", more: str = "restart: always") -> str:
    return f"image: '{shop.image(tag)}', command: {SCRIPT}, {more}"


def start(shop: Shop, more: str = "restart: always") -> str:
    """Have it run its first image; return the digest of that."""
    digest = shop.push("1", note="first")
    shop.write(api=api(shop, more=more))
    shop.up()
    shop.discover()
    return digest
