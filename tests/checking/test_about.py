"""Which version is behind a tag that is none, and how old an image is, against a real registry."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks import queue
from checks.decide import Found, Verdict
from checks.models import Candidate, Image, Service
from checks.settle import Checked, settle
from checks.tasks import run_job
from notifications.messages import message
from notifications.models import Channel, Notification
from tests import rows
from tests.checking.test_faults import front
from tests.real.registry import Registry
from tests.servers import Asked, Reply, Starts

pytestmark = [pytest.mark.django_db, pytest.mark.engine]

VERSION = "org.opencontainers.image.version"
NOW = timezone.now()


def check(service: Service) -> None:
    request = queue.Request(
        kind="check.service",
        reason="schedule",
        scope="service",
        service_id=service.pk,
        notify=True,
    )
    run_job(queue.enqueue(request).job_id)
    service.refresh_from_db()


def push(registry: Registry, name: str, tag: str, *, version: str = "", days: float = 0) -> str:
    """Store an image that was built so many days ago."""
    built = (NOW - timedelta(days=days)).isoformat()
    labels = {VERSION: version} if version else {}
    return registry.push_image(name, tag, content=f"{tag} {version}", created=built, labels=labels)


def waiting(service: Service) -> QuerySet[Candidate]:
    return service.candidates.unclosed().exclude(waits_until=None)


class TestDisplayTag:
    def test_it_names_the_version_behind_latest(self, registry: Registry) -> None:
        old = push(registry, "about/label", "latest", version="1.27.3")
        image = Image.objects.create(digest=old, version="1.27.3", read_at=NOW)
        service = rows.service(f"{registry.address}/about/label:latest", running=(old,))
        Service.objects.update(image=image)
        push(registry, "about/label", "latest", version="1.27.4")
        check(service)
        assert service.display_tag == "1.27.3"
        (candidate,) = service.candidates.all()
        assert (candidate.tag, candidate.display_tag) == ("latest", "1.27.4")

    def test_it_prefers_a_version_that_another_service_has(self, registry: Registry) -> None:
        old = push(registry, "about/other", "latest", version="old")
        new = push(registry, "about/other", "1.28", version="of the base image")
        registry.push_manifest(
            "about/other", "latest", registry.manifest("about/other", "1.28").json()
        )
        assert registry.digest("about/other", "latest") == new
        rows.service(f"{registry.address}/about/other:1.28", name="fixed", running=(new,))
        service = rows.service(f"{registry.address}/about/other:latest", running=(old,))
        check(service)
        assert service.candidates.get().display_tag == "1.28"

    def test_it_looks_for_versions_with_as_many_queries_for_many(self) -> None:
        def selects(number: int) -> int:
            """What it takes to open so many candidates behind tags that are no versions."""
            found = (Found("rebuilt", "latest", f"sha256:{number}", "match"),)
            verdict = Verdict("update_available", found)
            services = [
                rows.service(f"ghcr.io/acme/{number}-{each}:latest", name=f"{number}-{each}")
                for each in range(number)
            ]
            with CaptureQueriesContext(connection) as captured:
                settle([Checked(each, verdict) for each in services], NOW)
            return sum(each["sql"].startswith("SELECT") for each in captured.captured_queries)

        assert selects(2) == selects(9)
        assert Candidate.objects.count() == 11

    def test_it_keeps_a_tag_that_is_a_version(self, registry: Registry) -> None:
        old = push(registry, "about/tag", "1.0", version="22.04")
        push(registry, "about/tag", "1.1", version="22.04")
        service = rows.service(f"{registry.address}/about/tag:1.0", running=(old,))
        check(service)
        assert service.candidates.get().display_tag == "1.1"

    def test_it_keeps_the_tag_where_nobody_knows_more(self, registry: Registry) -> None:
        old = push(registry, "about/none", "latest", version="")
        registry.push_image("about/none", "latest", content="new")
        service = rows.service(f"{registry.address}/about/none:latest", running=(old,))
        check(service)
        assert (service.display_tag, service.candidates.get().display_tag) == ("latest", "latest")

    def test_it_reads_it_of_what_stands_in_where_no_engine_tells(self, registry: Registry) -> None:
        push(registry, "about/files", "latest", version="1.27.3")
        service = rows.service(f"{registry.address}/about/files:latest")
        Service.objects.update(state=Service.State.ABSENT)
        check(service)
        assert service.display_tag == "1.27.3"
        push(registry, "about/files", "latest", version="1.27.4")
        check(service)
        assert service.candidates.get().display_tag == "1.27.4"

    def test_it_tells_channels(self, registry: Registry) -> None:
        events = ["new_version_discovered"]
        config = '{"url": "http://127.0.0.1:9/"}'
        Channel.objects.create(kind="webhook", name="sink", events=events, config=config)
        old = push(registry, "about/told", "latest", version="1.27.3")
        service = rows.service(f"{registry.address}/about/told:latest", running=(old,))
        image = Image.objects.create(digest=old, version="1.27.3", read_at=NOW)
        Service.objects.update(image=image)
        push(registry, "about/told", "latest", version="1.27.4")
        check(service)
        payload = message(Notification.objects.get(), NOW).payload
        (told,) = payload["links"]["serviceUrls"]
        assert (told["currentTag"], told["currentDisplayTag"]) == ("latest", "1.27.3")
        assert (told["candidateTag"], told["candidateDisplayTag"]) == ("latest", "1.27.4")
        assert "was rebuilt, 1.27.3 to 1.27.4" in payload["human"]["summary"]
        assert service.candidates.get().announced_to == 1


class TestWhoseWord:
    def test_a_registry_without_the_config_silences_no_other(
        self, registry: Registry, serve: Starts
    ) -> None:
        def lacking(asked: Asked) -> Reply:
            return Reply(404) if "/blobs/" in asked.path else front(registry)(asked)

        hosts = (serve(lacking).address, registry.address)
        old = push(registry, "about/copied", "latest", version="1.0")
        copied, own = [
            rows.service(f"{host}/about/copied:latest", name=host, running=(old,)) for host in hosts
        ]
        push(registry, "about/copied", "latest", version="1.1")
        check(copied)
        assert copied.candidates.get().display_tag == "latest"
        check(own)
        assert own.candidates.get().display_tag == "1.1"


class TestPlatform:
    def test_it_is_known_of_a_single_image_however_many_have_it(self, registry: Registry) -> None:
        """The second service is told what the first has read."""
        old = push(registry, "about/arm", "1.0")
        registry.push_image("about/arm", "1.1", platform="linux/s390x")
        for name in ("first", "second"):
            image = f"{registry.address}/about/arm:1.0"
            service = rows.service(image, name=name, running=(old,))
            check(service)
            assert service.status == Service.Status.ARCH_MISMATCH
            assert service.candidates.get().platforms == ["linux/s390x"]


class TestMinimumAge:
    @pytest.fixture
    def service(self, registry: Registry, request: pytest.FixtureRequest) -> Service:
        """It runs 1.0; there are 1.1, which is old, and 1.2, which is two days old."""
        name = f"about/{request.node.name.replace('test_it_', '')[:40]}"
        runs = push(registry, name, "1.0", days=90)
        push(registry, name, "1.1", days=30)
        push(registry, name, "1.2", days=2)
        service = rows.service(f"{registry.address}/{name}:1.0", running=(runs,))
        service.policy = {"minimumAge": 7}
        service.save(update_fields=["policy"])
        return service

    def test_it_offers_what_is_old_enough(self, service: Service) -> None:
        check(service)
        assert service.status == Service.Status.UPDATE_AVAILABLE
        assert service.candidates.open().get().tag == "1.1"
        waits = waiting(service).get()
        assert waits.tag == "1.2"
        assert waits.waits_until == NOW + timedelta(days=5)

    def test_it_opens_what_has_waited_long_enough(self, service: Service) -> None:
        check(service)
        with time_machine.travel(NOW + timedelta(days=4.9)):
            check(service)
            assert service.candidates.open().get().tag == "1.1"
        with time_machine.travel(NOW + timedelta(days=5.1)):
            check(service)
        opened = service.candidates.open().get()
        assert (opened.tag, opened.opened_at.date()) == ("1.2", NOW.date())
        assert opened.offered_at is not None
        assert opened.offered_at.date() == (NOW + timedelta(days=5.1)).date()
        before = service.candidates.get(tag="1.1")
        assert (before.closed_as, before.superseded_by) == ("superseded", opened)

    def test_it_announces_nothing_that_waits(self, service: Service) -> None:
        config = '{"url": "http://127.0.0.1:9/"}'
        events = ["new_version_discovered"]
        Channel.objects.create(kind="webhook", name="sink", events=events, config=config)
        check(service)
        (new,) = Notification.objects.get().content["found"]
        assert new["candidate_tag"] == "1.1"
        assert new["candidate_image"] == f"{new['image'].rpartition(':')[0]}:1.1"
        assert service.candidates.get(tag="1.2").announced_at is None

    def test_it_is_up_to_date_where_all_waits(self, service: Service) -> None:
        Service.objects.update(policy={"minimumAge": 60})
        service.refresh_from_db()
        check(service)
        assert service.status == Service.Status.UP_TO_DATE
        assert set(waiting(service).values_list("tag", flat=True)) == {"1.1", "1.2"}
        assert not Candidate.objects.open().exists()

    def test_it_has_what_was_open_wait_once_the_policy_says_so(self, service: Service) -> None:
        Service.objects.update(policy={})
        service.refresh_from_db()
        check(service)
        assert service.candidates.open().get().tag == "1.2"
        Service.objects.update(policy={"minimumAge": 7})
        service.refresh_from_db()
        check(service)
        assert service.candidates.open().get().tag == "1.1"
        assert waiting(service).get().tag == "1.2"

    def test_it_opens_at_once_where_the_policy_goes(self, service: Service) -> None:
        check(service)
        Service.objects.update(policy={})
        service.refresh_from_db()
        check(service)
        assert service.candidates.open().get().tag == "1.2"
        assert not waiting(service).exists()

    def test_it_closes_what_waits_when_that_runs(
        self, service: Service, registry: Registry
    ) -> None:
        check(service)
        waits = waiting(service).get()
        service.running_digests = [waits.digest]
        service.save(update_fields=["running_digests"])
        check(service)
        waits.refresh_from_db()
        assert waits.closed_as == Candidate.Closed.APPLIED
