"""Mirrors that are asked first, and what becomes of a check where they have nothing."""

from __future__ import annotations

import pytest
from django.utils import timezone

from checks import queue
from checks.models import Candidate, Job, Registry, Service
from checks.registry.reference import parse
from checks.remotes import remotes
from checks.tasks import run_job
from tests import rows
from tests.servers import CUT, Asked, Reply, Server, Starts, as_json

pytestmark = pytest.mark.django_db(transaction=True)

HERE, THERE = "sha256:" + "1" * 64, "sha256:" + "2" * 64


class Shelf:
    """A registry with one digest under every tag; `mood` is its answer instead."""

    def __init__(self, serve: Starts, digest: str, *tags: str) -> None:
        self.digest, self.tags = digest, tags
        self.mood: Reply | None = None
        self.server: Server = serve(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        if self.mood:
            return self.mood
        if "/tags/list" in asked.path:
            return as_json(tags=self.tags)
        return Reply(200, headers={"Docker-Content-Digest": self.digest})

    @property
    def asked_for(self) -> list[str]:
        return ["tags" if "/tags/" in each.path else each.method for each in self.server.asked]


@pytest.fixture
def origin(serve: Starts) -> Shelf:
    return Shelf(serve, THERE, "1.2", "1.3")


@pytest.fixture
def mirror(serve: Starts, origin: Shelf) -> Shelf:
    made = Shelf(serve, HERE, "1.2")
    Registry.objects.create(
        host=made.server.address, mirror_of=origin.server.address, asked_first=True
    )
    return made


def service(of: Shelf, tag: str = "latest", name: str = "api") -> Service:
    return rows.service(f"{of.server.address}/acme/{name}:{tag}", name=name, running=(HERE,))


def check(*services: Service) -> Job:
    queued = queue.enqueue(queue.Request(kind="check.all", reason="schedule"))
    run_job(queued.job_id)
    for each in services:
        each.refresh_from_db()
    return Job.objects.get(pk=queued.job_id)


def test_it_asks_the_mirror_alone_for_an_image_that_it_has(origin: Shelf, mirror: Shelf) -> None:
    row = service(origin)
    job = check(row)
    assert row.status == "up_to_date"
    assert (mirror.asked_for, origin.asked_for) == (["HEAD"], [])
    assert job.summary["requests"] == 1
    assert Registry.objects.get(host=mirror.server.address).last_ok_at is not None


@pytest.mark.parametrize("mood", [404, 401, 403, 429, 500, 503])
def test_it_asks_the_registry_where_the_mirror_has_nothing(
    origin: Shelf, mirror: Shelf, mood: int
) -> None:
    row = service(origin)
    mirror.mood = Reply(mood)
    origin.digest = HERE
    check(row)
    assert (row.status, row.error) == ("up_to_date", "")
    assert origin.asked_for == ["HEAD"]


def test_it_waits_once_for_a_mirror_that_is_away(origin: Shelf, mirror: Shelf) -> None:
    mirror.mood = CUT
    remote = remotes([origin.server.address])[origin.server.address]
    images = [parse(f"{origin.server.address}/acme/{name}:1") for name in ("api", "web", "db")]
    assert [remote.head(image) for image in images] == [THERE] * 3
    assert {each.path.split("/")[3] for each in mirror.server.asked} == {"api"}


def test_it_keeps_why_a_mirror_did_not_answer(origin: Shelf, mirror: Shelf) -> None:
    mirror.mood, origin.digest = CUT, HERE
    row = service(origin)
    check(row)
    assert row.error == ""
    assert "broke off" in Registry.objects.get(host=mirror.server.address).last_error


def test_it_leaves_a_mirror_alone_that_wants_a_rest(origin: Shelf, mirror: Shelf) -> None:
    row = service(origin)
    mirror.mood = Reply(429, headers={"Retry-After": "120"})
    check(row)
    assert Registry.objects.get(host=mirror.server.address).rests
    asked = len(mirror.server.asked)
    check(row)
    assert len(mirror.server.asked) == asked


def test_it_takes_the_list_of_tags_from_the_registry_itself(origin: Shelf, mirror: Shelf) -> None:
    """The mirror knows only what was pulled through it."""
    row = service(origin, "1.2")
    mirror.digest = HERE
    check(row)
    assert "tags" in origin.asked_for
    assert "tags" not in mirror.asked_for


def test_it_takes_the_mirror_s_list_where_the_registry_is_away(
    origin: Shelf, mirror: Shelf
) -> None:
    row = service(origin, "1.2")
    origin.mood = Reply(503)
    check(row)
    assert (row.status, row.error) == ("up_to_date", "")
    assert mirror.asked_for == ["HEAD", "tags"]


def test_nothing_is_gone_because_the_mirror_does_not_list_it(origin: Shelf, mirror: Shelf) -> None:
    row = service(origin, "1.2")
    known = Candidate.objects.create(
        service=row,
        step="minor",
        image_ref=row.image_ref,
        tag="1.3",
        digest=THERE,
        opened_at=timezone.now(),
    )
    mirror.tags = ("1.1",)
    origin.mood = Reply(503)
    check(row)
    known.refresh_from_db()
    assert (known.closed_as, row.status, row.tag_gone) == ("", "update_available", False)


def test_it_asks_no_mirror_that_is_not_to_be_asked_first(origin: Shelf, mirror: Shelf) -> None:
    Registry.objects.update(asked_first=False)
    row = service(origin)
    check(row)
    assert mirror.asked_for == []
    assert origin.asked_for[0] == "HEAD"


def test_it_asks_the_mirror_by_its_own_name_as_before(origin: Shelf, mirror: Shelf) -> None:
    row = service(mirror)
    check(row)
    assert row.status == "up_to_date"
    assert origin.asked_for == []
