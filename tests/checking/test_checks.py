"""What a check does to a service, against a real registry."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from checks import ignoring, queue
from checks.models import Candidate, IgnoreRule, Image, Job, Service, Stack
from checks.settle import close_what_no_longer_applies
from checks.tasks import run_job
from dockrev.models import Setting
from notifications.messages import message
from notifications.models import Channel, Notification
from tests import rows
from tests.real.registry import Registry
from tests.servers import Asked, Reply, Server, Starts, as_json

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel() -> Channel:
    return Channel.objects.create(
        kind="webhook",
        name="sink",
        events=["new_version_discovered"],
        config='{"url": "http://127.0.0.1:9/"}',
    )


def check(service: Service, *, notify: bool = True, **asked: Any) -> Job:
    """What a delivery asks for, done by a worker."""
    request = {"kind": "check.service", "scope": "service", "service_id": service.pk, **asked}
    queued = queue.enqueue(queue.Request(reason="webhook", notify=notify, **request))
    run_job(queued.job_id)
    service.refresh_from_db()
    return Job.objects.get(pk=queued.job_id)


def counts(job: Job) -> tuple[int, int, int]:
    return job.summary["services"], job.summary["updates"], job.summary["errors"]


def running(registry: Registry, name: str, content: str = "old") -> Service:
    """A service that runs what the registry has under its tag."""
    digest = registry.push_image(name, "1.0", content=content)
    return rows.service(f"{registry.address}/{name}:1.0", name=name, running=(digest,))


class TestOneService:
    def test_it_finds_nothing_where_nothing_moved(self, registry: Registry) -> None:
        service = running(registry, "calm")
        job = check(service)
        assert (job.status, counts(job)) == ("success", (1, 0, 0))
        assert (service.status, service.error) == ("up_to_date", "")
        assert service.checked_at is not None
        assert not Candidate.objects.exists()

    def test_it_opens_a_candidate_and_announces_it_once(
        self, registry: Registry, channel: Channel
    ) -> None:
        service = running(registry, "moved")
        new = registry.push_image("moved", "1.0", content="new")
        check(service)
        candidate = Candidate.objects.get()
        assert (service.status, candidate.digest) == ("update_available", new)
        assert candidate.announced_at is not None
        check(service)
        assert Notification.objects.count() == 1
        assert Candidate.objects.count() == 1

    def test_it_stays_silent_where_a_person_asked(
        self, registry: Registry, channel: Channel
    ) -> None:
        service = running(registry, "asked")
        registry.push_image("asked", "1.0", content="new")
        check(service, notify=False)
        assert not Notification.objects.exists()
        assert Candidate.objects.get().announced_at is None
        check(service)
        assert Notification.objects.count() == 1

    def test_it_tells_a_channel_made_later(self, registry: Registry) -> None:
        service = running(registry, "later")
        registry.push_image("later", "1.0", content="new")
        check(service)
        assert Candidate.objects.get().announced_at is None
        Channel.objects.create(
            kind="webhook", name="sink", events=["new_version_discovered"], config="{}"
        )
        check(service)
        assert Notification.objects.count() == 1

    def test_it_supersedes_a_candidate_by_a_newer_digest(
        self, registry: Registry, channel: Channel
    ) -> None:
        service = running(registry, "again")
        registry.push_image("again", "1.0", content="second")
        check(service)
        third = registry.push_image("again", "1.0", content="third")
        check(service)
        assert Candidate.objects.open().get().digest == third
        assert Candidate.objects.filter(closed_as="superseded").count() == 1
        assert Notification.objects.count() == 2

    def test_it_closes_a_candidate_that_runs_now(self, registry: Registry) -> None:
        service = running(registry, "applied")
        new = registry.push_image("applied", "1.0", content="new")
        check(service)
        Service.objects.filter(pk=service.pk).update(running_digests=[new])
        check(service)
        assert service.status == "up_to_date"
        assert Candidate.objects.get().closed_as == "applied"

    def test_it_closes_a_candidate_when_discovery_sees_it_run(self, registry: Registry) -> None:
        service = running(registry, "seen")
        new = registry.push_image("seen", "1.0", content="new")
        check(service)
        Service.objects.filter(pk=service.pk).update(running_digests=[new])
        close_what_no_longer_applies([service.pk], timezone.now())
        service.refresh_from_db()
        assert (service.status, Candidate.objects.get().closed_as) == ("up_to_date", "applied")

    def test_it_closes_a_candidate_for_another_reference(self, registry: Registry) -> None:
        service = running(registry, "edited")
        registry.push_image("edited", "1.0", content="new")
        check(service)
        Service.objects.filter(pk=service.pk).update(image_ref="nginx:1", running_digests=[])
        close_what_no_longer_applies([service.pk], timezone.now())
        service.refresh_from_db()
        assert (service.status, Candidate.objects.get().closed_as) == ("unknown", "gone")

    def test_it_keeps_what_was_known_while_the_registry_is_away(self, registry: Registry) -> None:
        service = running(registry, "away")
        registry.push_image("away", "1.0", content="new")
        check(service)
        registry.stop()
        try:
            job = check(service)
        finally:
            registry.start()
        assert job.summary["errors"] == 1
        assert (service.status, bool(service.error)) == ("update_available", True)
        assert Candidate.objects.open().count() == 1
        check(service)
        assert service.error == ""

    def test_it_says_error_where_nothing_was_known_before(self) -> None:
        service = rows.service("127.0.0.1:9/nobody/home:1", running=("sha256:" + "0" * 64,))
        check(service)
        assert (service.status, bool(service.error)) == ("error", True)

    def test_it_says_that_a_tag_is_gone(self, registry: Registry) -> None:
        digest = registry.push_image("gone", "1.0", content="old")
        service = rows.service(f"{registry.address}/gone:2.0", running=(digest,))
        check(service)
        assert service.status == "unknown"
        assert "does not have gone:2.0" in service.reason

    def test_it_compares_the_platforms_of_an_index(self, registry: Registry) -> None:
        amd, arm = (registry.push_image("multi", content=name) for name in ("amd", "arm"))
        registry.push_index("multi", "1.0", {"linux/amd64": amd, "linux/arm64": arm})
        service = rows.service(f"{registry.address}/multi:1.0", running=(amd,))
        check(service)
        assert service.status == "up_to_date"
        Service.objects.filter(pk=service.pk).update(platform="linux/arm64")
        check(service)
        assert Candidate.objects.get().platform_digest == arm

    def test_it_starts_from_the_digest_first_seen_where_no_engine_tells(
        self, registry: Registry
    ) -> None:
        first = registry.push_image("files", "1.0", content="old")
        service = rows.service(f"{registry.address}/files:1.0")
        Service.objects.update(state="absent")
        check(service)
        assert (service.status, service.baseline_digest) == ("up_to_date", first)
        registry.push_image("files", "1.0", content="new")
        check(service)
        assert service.status == "update_available"

    def test_it_fails_plainly_for_a_service_that_is_not_there(self) -> None:
        queued = queue.enqueue(
            queue.Request(kind="check.service", reason="ui", scope="service", service_id="svc_none")
        )
        run_job(queued.job_id)
        job = Job.objects.get()
        assert (job.status, job.summary["error"]) == (
            "failed",
            "The service is not there any more.",
        )


class TestVersions:
    @pytest.fixture
    def service(self, registry: Registry, request: pytest.FixtureRequest) -> Service:
        """It runs 1.0.0, which has two successors; a third one is of another variant."""
        name = request.node.name.replace("_", "-")
        for tag in ("1.0.0", "1.0.1", "2.0.0", "3.0.0-slim"):
            registry.push_image(name, tag, content=tag)
        image = f"{registry.address}/{name}:1.0.0"
        return rows.service(image, name=name, running=(registry.digest(name, "1.0.0"),))

    def test_it_opens_a_candidate_for_each_step(
        self, registry: Registry, service: Service, channel: Channel
    ) -> None:
        job = check(service)
        assert (service.status, job.summary["updates"]) == ("update_available", 1)
        opened = {row.step: row for row in Candidate.objects.open()}
        assert {step: row.tag for step, row in opened.items()} == {
            "major": "2.0.0",
            "patch": "1.0.1",
        }
        assert service.tags_left == {"other_variant": 1}
        assert opened["major"].digest == registry.digest(service.name, "2.0.0")
        told = Notification.objects.get()
        detail = message(told, timezone.now()).payload["human"]["detail"]
        assert f"shop / {service.name}: 1.0.0 to 2.0.0" in detail
        assert f"shop / {service.name}: 1.0.0 to 1.0.1" in detail

    def test_it_follows_a_tag_both_ways(self, registry: Registry, service: Service) -> None:
        rebuilt = registry.push_image(service.name, "1.0.0", content="rebuilt")
        check(service)
        assert Candidate.objects.open().get(step="rebuilt").digest == rebuilt
        assert Candidate.objects.open().count() == 3

    def test_it_announces_once_and_supersedes_by_the_next(
        self, registry: Registry, service: Service, channel: Channel
    ) -> None:
        check(service)
        check(service)
        assert Notification.objects.count() == 1
        registry.push_image(service.name, "1.0.2", content="1.0.2")
        check(service)
        closed = Candidate.objects.exclude(closed_at=None).get()
        assert (closed.tag, closed.closed_as) == ("1.0.1", "superseded")
        assert Candidate.objects.open().get(step="patch").tag == "1.0.2"
        assert Notification.objects.count() == 2

    def test_it_closes_what_the_registry_no_longer_has(
        self, registry: Registry, service: Service
    ) -> None:
        check(service)
        registry.delete(service.name, "2.0.0")
        check(service)
        assert Candidate.objects.get(tag="2.0.0").closed_as == "gone"
        assert Candidate.objects.open().get().tag == "1.0.1"

    def test_it_notices_an_update_by_hand(self, registry: Registry, service: Service) -> None:
        check(service)
        applied = registry.digest(service.name, "1.0.1")
        image = service.image_ref.replace("1.0.0", "1.0.1")
        changes = {"image_ref": image, "tag": "1.0.1", "running_digests": [applied]}
        Service.objects.filter(pk=service.pk).update(**changes)
        close_what_no_longer_applies([service.pk], timezone.now())
        closed = {row.tag: row.closed_as for row in Candidate.objects.all()}
        assert closed == {"1.0.1": "applied", "2.0.0": "gone"}
        check(service)
        assert Candidate.objects.open().get().tag == "2.0.0"

    def test_it_goes_to_the_next_lower_version_where_one_is_ignored(
        self, registry: Registry, service: Service, channel: Channel
    ) -> None:
        registry.push_image(service.name, "2.1.0", content="2.1.0")
        rule = IgnoreRule.objects.create(scope="all", kind="exact", value="2.1.0")
        check(service)
        assert service.status == "update_available"
        assert Candidate.objects.open().get(step="major").tag == "2.0.0"
        assert service.tags_left == {"other_variant": 1, "ignored": 1}
        assert service.tags_hidden == {rule.pk: [1, "2.1.0"]}

    def test_it_keeps_what_is_ignored_and_tells_nobody(
        self, registry: Registry, service: Service, channel: Channel
    ) -> None:
        rule = IgnoreRule.objects.create(
            scope="service", service=service, kind="semver", value=">1"
        )
        patch = IgnoreRule.objects.create(scope="all", kind="regex", value=r"^1\.0\.1$")
        job = check(service)
        assert (service.status, job.summary["updates"]) == ("ignored", 0)
        hidden = {row.tag: row.ignored_by for row in Candidate.objects.open()}
        assert hidden == {"2.0.0": rule, "1.0.1": patch}
        assert not Notification.objects.exists()
        ignoring.delete([patch], "somebody", timezone.now())
        check(service)
        assert service.status == "update_available"
        assert "1.0.1" in str(Notification.objects.get().content)

    def test_it_ignores_a_rebuilt_digest(self, registry: Registry, service: Service) -> None:
        rebuilt = registry.push_image(service.name, "1.0.0", content="rebuilt")
        for tag in ("1.0.1", "2.0.0"):
            registry.delete(service.name, tag)
        IgnoreRule.objects.create(scope="all", kind="digest", value=rebuilt)
        check(service)
        assert service.status == "ignored"

    @pytest.mark.parametrize(
        ("policy", "status", "tags"),
        [
            ({"largestStep": "patch"}, "update_available", ["1.0.1"]),
            ({"exclude": "^2"}, "update_available", ["1.0.1"]),
            ({"include": "^2"}, "update_available", ["2.0.0"]),
            ({"track": "version"}, "update_available", ["1.0.1", "2.0.0"]),
            ({"track": "digest"}, "up_to_date", []),
            ({"track": "nothing"}, "unknown", []),
        ],
    )
    def test_it_finds_what_the_policy_wants(
        self, registry: Registry, policy: dict[str, Any], status: str, tags: list[str]
    ) -> None:
        for tag in ("1.0.0", "1.0.1", "2.0.0"):
            registry.push_image("policy", tag, content=tag)
        image = f"{registry.address}/policy:1.0.0"
        service = rows.service(image, running=(registry.digest("policy", "1.0.0"),))
        Service.objects.update(policy=policy)
        check(service)
        assert service.status == status
        assert sorted(row.tag for row in Candidate.objects.open()) == tags

    def test_it_finds_what_the_first_who_says_something_wants(
        self, registry: Registry, service: Service
    ) -> None:
        def tags() -> list[str]:
            check(service)
            return sorted(row.tag for row in Candidate.objects.open())

        Setting.objects.create(key="policy", value={"largestStep": "patch"})
        assert tags() == ["1.0.1"]
        Stack.objects.update(policy={"largestStep": "major", "exclude": r"^1\."})
        assert tags() == ["2.0.0"]
        Service.objects.update(policy={"exclude": ""})
        assert tags() == ["1.0.1", "2.0.0"]
        Service.objects.update(labels={"dockrev.track": "nothing"})
        assert tags() == []
        assert service.reason == "Its policy is to track nothing."
        Service.objects.update(labels={"dockrev.track": "at times"})
        assert tags() == ["1.0.1", "2.0.0"]

    def test_it_compares_for_the_platform_that_is_wanted(
        self, registry: Registry, service: Service
    ) -> None:
        for tag in ("1.0.1", "2.0.0"):
            registry.delete(service.name, tag)
        registry.push_multi(service.name, "1.1.0", {"linux/amd64": "a", "linux/arm64": "b"})

        def found(**changes: Any) -> tuple[str, str, str]:
            Service.objects.update(**changes)
            check(service)
            candidate = Candidate.objects.open().get()
            return service.status, candidate.arch, candidate.platform

        assert found() == ("update_available", "match", "linux/amd64")
        ours = Candidate.objects.open().get().platform_digest
        wanted = {"platform": "linux/s390x"}
        assert found(policy=wanted) == ("arch_mismatch", "mismatch", "linux/s390x")
        label = {"dockrev.platform": "linux/arm64/v8"}
        assert found(labels=label) == ("update_available", "match", "linux/arm64/v8")
        theirs = Candidate.objects.open().get().platform_digest
        assert theirs not in ("", ours)
        assert found(labels={}, policy={})[1:] == ("match", "linux/amd64")
        assert Candidate.objects.get().platform_digest == ours

    def test_it_says_that_a_transform_does_not_fit_the_tag_that_runs(
        self, registry: Registry, service: Service
    ) -> None:
        registry.push_image(service.name, "build-2.0.0", content="2")
        Service.objects.update(policy={"transform": r"^build-(.+)$ => \1"})
        check(service)
        assert (service.status, service.tags_left) == ("up_to_date", {})
        assert service.reason == (
            "The transform does not match its tag, so no later versions are looked for."
        )
        Service.objects.update(policy={"transform": r"^1\.0\.0$ => one"})
        check(service)
        assert "makes “one” of its tag, which is no version" in service.reason
        Service.objects.update(policy={"transform": r"^(build-)?(\d.*)$ => \2"})
        check(service)
        assert service.reason == ""
        assert Candidate.objects.open().get(step="major").tag == "build-2.0.0"

    def test_it_follows_a_tag_that_is_gone(self, registry: Registry, service: Service) -> None:
        registry.delete(service.name, "1.0.0")
        check(service)
        assert service.status == "update_available"
        assert f"does not have {service.name}:1.0.0" in service.reason
        assert Candidate.objects.open().count() == 2


def answer_with(digests: dict[str, str], tags: list[str], asked: Asked) -> Reply:
    """As a registry of one repository that lists these tags, and may have others."""
    if "/tags/" in asked.path:
        return as_json(tags=tags)
    return Reply(200, headers={"Docker-Content-Digest": digests[asked.path.rpartition("/")[2]]})


class TestTagLists:
    DIGESTS = {"1.0": "sha256:" + "1" * 64, "1.1": "sha256:" + "2" * 64}
    listed = True

    @pytest.fixture
    def server(self, serve: Starts) -> Server:
        """A registry of one repository, whose list of tags may be away."""

        def answer(asked: Asked) -> Reply:
            if "/tags/" in asked.path:
                return as_json(tags=[*self.DIGESTS]) if self.listed else Reply(503)
            if asked.method == "GET":
                body = b'{"schemaVersion": 2, "config": {}}'
                return Reply(200, body)
            digest = self.DIGESTS[asked.path.rpartition("/")[2]]
            return Reply(200, headers={"Docker-Content-Digest": digest})

        return serve(answer)

    def test_it_changes_nothing_it_knows_while_the_list_is_away(self, server: Server) -> None:
        service = rows.service(f"{server.address}/acme/api:1.0", running=("sha256:" + "1" * 64,))
        Candidate.objects.create(
            service=service,
            step="minor",
            image_ref=service.image_ref,
            tag="1.1",
            digest=self.DIGESTS["1.1"],
            opened_at=timezone.now(),
        )
        check(service)
        assert (service.status, service.error) == ("update_available", "")
        self.listed = False
        check(service)
        assert (service.status, "503" in service.error) == ("update_available", True)
        assert Candidate.objects.open().get().tag == "1.1"

    def test_it_calls_nothing_up_to_date_without_the_list(self, server: Server) -> None:
        self.listed = False
        service = rows.service(f"{server.address}/acme/api:1.1", running=(self.DIGESTS["1.1"],))
        check(service)
        assert (service.status, "503" in service.error) == ("error", True)

    def test_it_says_that_a_tag_is_listed_no_more(self, server: Server) -> None:
        """Its manifest may answer for long after that."""
        service = rows.service(f"{server.address}/acme/api:1.1", running=(self.DIGESTS["1.1"],))
        server.answer = partial(answer_with, self.DIGESTS, ["1.0"])
        check(service)
        assert (service.tag_gone, service.status) == (True, "up_to_date")
        server.answer = partial(answer_with, self.DIGESTS, ["1.0", "1.1"])
        check(service)
        assert (service.tag_gone, service.status) == (False, "up_to_date")

    def test_it_says_that_a_tag_is_gone_which_is_no_version(self, serve: Starts) -> None:
        image = f"{serve(lambda _: Reply(404)).address}/acme/api:latest"
        service = rows.service(image, running=("sha256:" + "1" * 64,))
        check(service)
        assert (service.tag_gone, service.status) == (True, "unknown")

    def test_it_reads_no_image_twice(self, server: Server) -> None:
        """What is known by its digest costs a HEAD, which registries do not count."""
        service = rows.service(f"{server.address}/acme/api:1.0", running=(self.DIGESTS["1.0"],))
        known = {"image_ref": service.image_ref, "tag": "1.1", "digest": self.DIGESTS["1.1"]}
        now = timezone.now()
        image = Image.objects.create(digest=self.DIGESTS["1.1"], read_at=now)
        Candidate.objects.create(service=service, step="minor", opened_at=now, image=image, **known)
        check(service)
        assert Candidate.objects.open().get().tag == "1.1"
        assert [(asked.method, asked.path.rpartition("/")[2]) for asked in server.asked] == [
            ("HEAD", "1.0"),
            ("GET", "list?n=1000"),
            ("HEAD", "1.1"),
        ]


@pytest.mark.django_db(transaction=True)
def test_it_lists_the_tags_of_a_repository_once_for_all_its_services(serve: Starts) -> None:
    def answer(asked: Asked) -> Reply:
        if "/tags/" in asked.path:
            return as_json(tags=["1.0", "1.1", "1.2"])
        return Reply(200, headers={"Docker-Content-Digest": "sha256:" + "1" * 64})

    server = serve(answer)
    for number in range(12):
        image = f"{server.address}/acme/api:1.{number % 3}"
        rows.service(image, name=f"s{number}", running=("sha256:" + "1" * 64,))
    run_job(queue.enqueue(queue.Request(kind="check.all", reason="schedule")).job_id)
    job = Job.objects.get()
    assert counts(job) == (12, 0, 0)
    assert (job.summary["requests"], job.summary["countedPulls"]) == (4, 0)
    assert job.summary["slowestHost"]["host"] == server.address
    assert sorted(asked.path.rpartition("/")[2] for asked in server.asked) == [
        "1.0",
        "1.1",
        "1.2",
        "list?n=1000",
    ]


@pytest.mark.django_db(transaction=True)
def test_it_lets_no_slow_registry_hold_up_the_others(serve: Starts) -> None:
    digest = "sha256:" + "1" * 64
    quick, others = 12, Event()
    in_time: list[bool] = []

    def slow(asked: Asked) -> Reply:
        in_time.append(others.wait(8))  # less than is waited for an answer
        return Reply(200, headers={"Docker-Content-Digest": digest})

    def fast(asked: Asked) -> Reply:
        if len(fast_one.asked) >= quick:
            others.set()
        return Reply(200, headers={"Docker-Content-Digest": digest})

    slow_one, fast_one = serve(slow), serve(fast)
    for number in range(40):
        rows.service(
            f"{slow_one.address}/acme/s{number}:latest", name=f"s{number}", running=(digest,)
        )
    for number in range(quick):
        rows.service(
            f"{fast_one.address}/acme/f{number}:latest", name=f"f{number}", running=(digest,)
        )
    run_job(queue.enqueue(queue.Request(kind="check.all", reason="schedule")).job_id)
    assert counts(Job.objects.get()) == (52, 0, 0)
    assert all(in_time)


@pytest.mark.django_db(transaction=True)
class TestMany:
    @pytest.fixture
    def services(self, registry: Registry) -> list[Service]:
        services = [running(registry, f"many{n}") for n in range(30)]
        for n in range(0, 30, 3):
            registry.push_image(f"many{n}", "1.0", content="new")
        return services

    def test_it_checks_everything_and_sends_one_message(
        self, services: list[Service], channel: Channel
    ) -> None:
        rows.service("127.0.0.1:9/nobody/home:1", name="away", running=("sha256:" + "0" * 64,))
        queued = queue.enqueue(queue.Request(kind="check.all", reason="schedule", notify=True))
        run_job(queued.job_id)
        job = Job.objects.get()
        assert counts(job) == (31, 10, 1)
        assert (job.progress_done, job.progress_total) == (31, 31)
        assert len(Notification.objects.get().content["found"]) == 10

    def test_it_checks_the_others_where_one_brings_what_nobody_foresaw(
        self, services: list[Service], caplog: pytest.LogCaptureFixture
    ) -> None:
        Service.objects.filter(name="many1").update(equal_indexes=["no object"])
        run_job(queue.enqueue(queue.Request(kind="check.all", reason="schedule")).job_id)
        assert counts(Job.objects.get()) == (30, 10, 1)
        failed = Service.objects.get(name="many1")
        assert (failed.status, failed.error) == ("error", "Dockrev failed at it; its log says how.")
        assert any("a service cannot be checked" in each.message for each in caplog.records)

    def test_it_checks_one_stack(self, services: list[Service]) -> None:
        stack_id = services[0].stack_id
        rows.service("nginx:1", stack="elsewhere")
        queued = queue.enqueue(
            queue.Request(kind="check.stack", reason="ui", scope="stack", stack_id=stack_id)
        )
        run_job(queued.job_id)
        assert Job.objects.get().summary["services"] == 30


def test_it_joins_the_messages_of_services_on_one_image(
    registry: Registry, channel: Channel
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        old = registry.push_image("shared", "1.0", content="old")
        services = [
            rows.service(f"{registry.address}/shared:1.0", name=f"s{n}", running=(old,))
            for n in range(10)
        ]
        registry.push_image("shared", "1.0", content="new")
        for service in services:
            check(service)
            clock.shift(timedelta(milliseconds=10))
    message = Notification.objects.get()
    assert len(message.content["found"]) == 10
    assert message.content["check"]["services_checked"] == 10
