"""Lists of tags that are kept from one check to the next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from checks import queue, tag_lists
from checks.maintenance import enqueue_scheduled
from checks.models import Job, Service, TagList
from checks.registry.tags import PAGE, Tags
from checks.tasks import run_job
from tests import rows
from tests.servers import Asked, Reply, Starts, as_json

pytestmark = pytest.mark.django_db(transaction=True)

DIGEST = "sha256:" + "1" * 64


class Lists:
    """A registry of one image under every tag, which lists tags and names its lists, or not."""

    def __init__(self, serve: Starts) -> None:
        self.tags = ["1.0.0", "1.0.1"]
        self.etag = ""
        self.server = serve(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        if "/tags/list" not in asked.path:
            return Reply(200, headers={"Docker-Content-Digest": DIGEST})
        if self.etag and asked.headers.get("if-none-match") == self.etag:
            return Reply(304)
        start = int(asked.query.get("from", ["0"])[0])
        reply = as_json(tags=self.tags[start : start + PAGE])
        named = {"ETag": self.etag} if self.etag else {}
        rest = f"{asked.path.partition('?')[0]}?from={start + PAGE}"
        more = {"Link": f'<{rest}>; rel="next"'} if len(self.tags) > start + PAGE else {}
        return Reply(200, reply.body, {**named, **more})

    @property
    def asked(self) -> list[Asked]:
        return [each for each in self.server.asked if "/tags/list" in each.path]

    def service(self, repository: str = "acme/api") -> Service:
        image = f"{self.server.address}/{repository}:1.0.0"
        return rows.service(image, name=repository, running=(DIGEST,))


@pytest.fixture
def lists(serve: Starts) -> Lists:
    return Lists(serve)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now().replace(microsecond=0), tick=False) as clock:
        yield clock


def check(reason: str = "ui", **asked: Any) -> Job:
    queued = queue.enqueue(queue.Request(reason=reason, **{"kind": "check.all", **asked}))
    run_job(queued.job_id)
    return Job.objects.get(pk=queued.job_id)


class TestHowOldAListMayBe:
    def test_a_schedule_does_with_a_list_of_a_few_hours(
        self, lists: Lists, clock: time_machine.Traveller
    ) -> None:
        service = lists.service()
        check()
        clock.shift(tag_lists.TRUSTED)
        check("schedule")
        assert len(lists.asked) == 1
        service.refresh_from_db()
        assert (service.error, service.tags_left) == ("", {})
        clock.shift(1)
        check("schedule")
        assert len(lists.asked) == 2

    @pytest.mark.parametrize("reason", ["ui", "api", "webhook", "policy"])
    def test_whoever_asks_for_a_check_gets_a_new_one(self, lists: Lists, reason: str) -> None:
        lists.service()
        check()
        check(reason)
        assert len(lists.asked) == 2

    def test_so_does_who_joins_a_scheduled_check(self, lists: Lists) -> None:
        lists.service()
        check()
        queue.enqueue(queue.Request(kind="check.all", reason="schedule"))
        check("ui")
        assert len(lists.asked) == 2

    def test_the_check_of_one_service_keeps_it_too(self, lists: Lists) -> None:
        service = lists.service()
        check(kind="check.service", scope="service", service_id=service.pk)
        check("schedule")
        assert len(lists.asked) == 1


class TestNamedLists:
    """Where the registry names its lists (`ETag`), it need not send one that is known."""

    @pytest.fixture(autouse=True)
    def named(self, lists: Lists) -> None:
        lists.etag = '"one"'

    def test_it_is_not_sent_again(self, lists: Lists, clock: time_machine.Traveller) -> None:
        lists.service()
        check()
        clock.shift(3600)
        check()
        assert [each.headers.get("if-none-match") for each in lists.asked] == [None, '"one"']
        row = TagList.objects.get()
        assert list(Tags.unpack(row.packed)) == lists.tags
        assert row.fetched_at == timezone.now()

    def test_a_change_is_seen(self, lists: Lists) -> None:
        lists.service()
        check()
        lists.tags, lists.etag = [*lists.tags, "1.0.2"], '"two"'
        check()
        row = TagList.objects.get()
        assert (list(Tags.unpack(row.packed)), row.etag) == (lists.tags, '"two"')

    def test_the_name_of_a_first_page_says_nothing_of_the_others(self, lists: Lists) -> None:
        lists.tags = [f"1.0.{n}" for n in range(PAGE + 1)]
        lists.service()
        check()
        check()
        assert [each.headers.get("if-none-match") for each in lists.asked] == [None] * 4

    @pytest.mark.parametrize("etag", ["one", '"a b"', f'"{"x" * 300}"', '"é"'])
    def test_a_name_that_is_none_is_not_kept(self, lists: Lists, etag: str) -> None:
        lists.etag = etag
        lists.service()
        check()
        assert TagList.objects.get().etag == ""

    def test_not_modified_is_no_answer_to_who_did_not_ask_so(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(304 if "/tags/" in asked.path else 200, headers={
            "Docker-Content-Digest": DIGEST}))  # fmt: skip
        service = rows.service(f"{server.address}/acme/api:1.0.0", running=(DIGEST,))
        check()
        service.refresh_from_db()
        assert "did not answer as a registry does (304)" in service.error
        assert not TagList.objects.exists()


class TestWhatIsKept:
    @pytest.mark.parametrize(
        "packed", [b"", b"\0" * 20, Tags(["1.0.0", "9.9.9"]).packed[:-1]], ids=str
    )
    def test_a_list_that_cannot_be_read_counts_as_none(self, lists: Lists, packed: bytes) -> None:
        service = lists.service()
        check()
        TagList.objects.update(packed=packed)
        check("schedule")
        assert len(lists.asked) == 2
        service.refresh_from_db()
        assert (service.status, service.error) == ("up_to_date", "")

    def test_a_list_that_would_fill_the_memory_counts_as_none(
        self, lists: Lists, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lists.service()
        check()
        monkeypatch.setattr("checks.registry.tags.MOST_BYTES", 5)
        check("schedule")
        assert len(lists.asked) == 2

    def test_trouble_keeps_what_is_there(self, lists: Lists) -> None:
        lists.service()
        check()
        before = TagList.objects.values().get()
        lists.server.answer = lambda asked: Reply(500)
        check()
        assert TagList.objects.values().get() == before

    @pytest.mark.parametrize("limit", ["MOST_ROWS", "MOST_BYTES"])
    def test_the_longest_unasked_go_beyond_a_limit(
        self, lists: Lists, monkeypatch: pytest.MonkeyPatch, limit: str
    ) -> None:
        of_two = {"MOST_ROWS": 2, "MOST_BYTES": 2 * len(Tags(lists.tags).packed)}
        monkeypatch.setattr(tag_lists, limit, of_two[limit])
        for name in ("a", "b", "c"):
            service = lists.service(name)
            check(kind="check.service", scope="service", service_id=service.pk)
        assert list(TagList.objects.values_list("repository", flat=True)) == ["b", "c"]

    def test_they_go_after_the_time_that_the_settings_say(self, lists: Lists) -> None:
        lists.service()
        with time_machine.travel(timezone.now() - timedelta(days=100)):
            check()
        run_job(enqueue_scheduled().job_id)
        assert not TagList.objects.exists()


def test_tags_need_little_memory() -> None:
    tags = [f"{n // 2500}.{n // 50 % 50}.{n % 50}" for n in range(50_000)]
    assert len(Tags(tags).packed) < len(json.dumps(tags)) / 3
    assert list(Tags.unpack(Tags(tags).packed)) == tags
