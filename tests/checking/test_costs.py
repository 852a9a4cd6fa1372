"""How many requests a check costs. The table in docs/checks.md says the same."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from checks import queue
from checks.models import Host, Service
from checks.tasks import run_job
from tests import rows
from tests.real.registry import digest_of
from tests.servers import Asked, Reply, Starts, as_json

pytestmark = pytest.mark.django_db(transaction=True)

OLD = "sha256:" + "0" * 64


class Shelf:
    """A registry of one repository with an image for each tag, for one platform or for several.

    What each says of itself is `about`, by its tag.
    """

    def __init__(
        self, serve: Starts, *tags: str, multi: bool = False, about: dict[str, Any] | None = None
    ) -> None:
        self.content: dict[str, bytes] = {}
        self.digests = {tag: self._push(tag, multi, (about or {}).get(tag, {})) for tag in tags}
        self.server = serve(self._answer)

    def _push(self, tag: str, multi: bool, about: dict[str, Any]) -> str:
        platform = {"os": "linux", "architecture": "amd64"}
        config = self._keep({"of": tag, **platform, **about})
        image = self._keep({"schemaVersion": 2, "config": {"digest": config}, "layers": []})
        listed = [{"digest": image, "platform": platform}]
        return self._keep({"schemaVersion": 2, "manifests": listed}) if multi else image

    def _keep(self, content: dict[str, Any]) -> str:
        data = json.dumps(content).encode()
        self.content[digest_of(data)] = data
        return digest_of(data)

    def _answer(self, asked: Asked) -> Reply:
        name = asked.path.rpartition("/")[2]
        if name.startswith("list?"):
            return as_json(tags=[*self.digests])
        if name in self.content:
            return Reply(200, self.content[name])
        if name not in self.digests:
            return Reply(404)
        return Reply(200, headers={"Docker-Content-Digest": self.digests[name]})

    def put_index(self, tag: str, **children: str) -> str:
        """Have an index under a tag: a digest for each architecture. Return its own."""
        entries = [
            {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}
            for architecture, digest in children.items()
        ]
        self.digests[tag] = self._keep({"schemaVersion": 2, "manifests": entries})
        return self.digests[tag]

    def run_by(self, tag: str, *, digest: str = "", name: str = "api") -> Service:
        image = f"{self.server.address}/acme/api:{tag}"
        return rows.service(image, name=name, running=(digest or self.digests[tag],))

    def cost(self, reason: str = "schedule") -> dict[str, int]:
        """Check everything, and count what was asked."""
        del self.server.asked[:]
        run_job(queue.enqueue(queue.Request(kind="check.all", reason=reason)).job_id)
        return dict(Counter(map(_kind, self.server.asked)))


def _kind(asked: Asked) -> str:
    if "/tags/" in asked.path:
        return "LIST"
    return "CONFIG" if "/blobs/" in asked.path else asked.method


SINGLE = [
    ("latest", "", {"HEAD": 1}, {"HEAD": 1}),
    ("latest", OLD, {"HEAD": 1, "GET": 1, "CONFIG": 1}, {"HEAD": 1}),
    ("2.0", "", {"HEAD": 1, "LIST": 1}, {"HEAD": 1}),
    ("1.0", "", {"HEAD": 3, "LIST": 1, "GET": 2, "CONFIG": 2}, {"HEAD": 3}),
    ("1.0", OLD, {"HEAD": 3, "LIST": 1, "GET": 3, "CONFIG": 3}, {"HEAD": 3}),
]
MULTI = [
    ("latest", "", {"HEAD": 1}, {"HEAD": 1}),
    ("latest", OLD, {"HEAD": 1, "GET": 2, "CONFIG": 1}, {"HEAD": 1}),
    ("2.0", "", {"HEAD": 1, "LIST": 1}, {"HEAD": 1}),
    ("1.0", "", {"HEAD": 3, "LIST": 1, "GET": 2}, {"HEAD": 3}),
    ("1.0", OLD, {"HEAD": 3, "LIST": 1, "GET": 3}, {"HEAD": 3}),
]
NAMES = ["no news", "rebuilt", "highest version", "two steps", "two steps and rebuilt"]


@pytest.mark.parametrize("multi", [False, True], ids=["one platform", "several platforms"])
@pytest.mark.parametrize("row", range(len(SINGLE)), ids=NAMES)
def test_it_costs_what_the_table_says(serve: Starts, row: int, multi: bool) -> None:
    tag, runs, cold, warm = (MULTI if multi else SINGLE)[row]
    shelf = Shelf(serve, "1.0", "1.1", "2.0", "latest", multi=multi)
    shelf.run_by(tag, digest=runs)
    assert shelf.cost() == cold
    assert shelf.cost() == warm
    listed = {"LIST": cold["LIST"]} if "LIST" in cold else {}
    assert shelf.cost(reason="ui") == {**warm, **listed}


def test_it_reads_once_what_stands_in_for_what_runs(serve: Starts) -> None:
    """Without an engine nothing else says which version `latest` is."""
    shelf = Shelf(serve, "latest", multi=True)
    shelf.run_by("latest")
    Service.objects.update(running_digests=[], state=Service.State.ABSENT)
    assert shelf.cost() == {"HEAD": 1, "GET": 2, "CONFIG": 1}
    assert shelf.cost() == {"HEAD": 1}


def test_it_asks_once_for_an_image_that_is_gone(serve: Starts) -> None:
    """What stood in for what runs need not be there any more."""
    shelf = Shelf(serve, "latest")
    shelf.run_by("latest")
    gone = {"baseline_digest": OLD, "baseline_ref": Service.objects.get().image_ref}
    Service.objects.update(running_digests=[], state=Service.State.ABSENT, **gone)
    assert shelf.cost() == {"HEAD": 1, "GET": 2, "CONFIG": 1}
    assert shelf.cost() == {"HEAD": 1}


def test_it_looks_at_few_versions_that_are_too_young(serve: Starts) -> None:
    tags = [f"1.{number}" for number in range(20)]
    now = {tag: {"created": timezone.now().isoformat()} for tag in tags}
    shelf = Shelf(serve, *tags, multi=True, about=now)
    shelf.run_by("1.0")
    Service.objects.update(policy={"minimumAge": 7})
    assert shelf.cost() == {"HEAD": 6, "LIST": 1, "GET": 10, "CONFIG": 5}
    assert shelf.cost() == {"HEAD": 6}


def test_it_costs_no_more_for_many_services_on_one_image(serve: Starts) -> None:
    shelf = Shelf(serve, "1.0", "1.1", "2.0")
    for number in range(10):
        shelf.run_by("1.0", name=f"s{number}")
    assert shelf.cost() == {"HEAD": 3, "LIST": 1, "GET": 2, "CONFIG": 2}


def test_it_costs_no_more_for_a_service_that_comes_later(serve: Starts) -> None:
    shelf = Shelf(serve, "1.0", "1.1", "2.0")
    shelf.run_by("1.0")
    shelf.cost()
    shelf.run_by("1.0", name="later")
    assert shelf.cost() == {"HEAD": 3, "GET": 2}


class TestAnIndexThatMovedForOthersAlone:
    """The service runs its platform's image still: what was read once is not read again."""

    @pytest.fixture
    def shelf(self, serve: Starts) -> Shelf:
        shelf = Shelf(serve, "latest", "other")
        shelf.put_index("latest", amd64=OLD, arm64=shelf.digests["other"])
        return shelf

    def test_it_is_read_once(self, shelf: Shelf) -> None:
        service = shelf.run_by("latest", digest=OLD)
        assert shelf.cost() == {"HEAD": 1, "GET": 1}
        assert shelf.cost() == {"HEAD": 1}
        service.refresh_from_db()
        assert service.status == "up_to_date"

    def test_it_is_read_once_where_the_platform_is_not_known(self, shelf: Shelf) -> None:
        shelf.run_by("latest", digest=OLD)
        Service.objects.update(platform="")
        assert shelf.cost() == {"HEAD": 1, "GET": 1}
        assert shelf.cost() == {"HEAD": 1}

    def test_the_next_index_is_read_again(self, shelf: Shelf) -> None:
        service = shelf.run_by("latest", digest=OLD)
        shelf.cost()
        shelf.put_index("latest", amd64=OLD, s390x=shelf.digests["other"])
        assert shelf.cost() == {"HEAD": 1, "GET": 1}
        service.refresh_from_db()
        assert list(service.equal_indexes["linux/amd64"]) == [shelf.digests["latest"]]

    def test_it_is_read_again_when_another_image_runs(self, shelf: Shelf) -> None:
        service = shelf.run_by("latest", digest=OLD)
        shelf.cost()
        Service.objects.update(running_digests=[shelf.digests["other"]])
        assert shelf.cost() == {"HEAD": 1, "GET": 2}
        service.refresh_from_db()
        assert service.status == "update_available"

    def test_it_is_read_again_for_another_platform(self, shelf: Shelf) -> None:
        service = shelf.run_by("latest", digest=OLD)
        Service.objects.update(platform="")
        Host.objects.update(platform="linux/amd64")
        shelf.cost()
        Host.objects.update(platform="linux/arm64")
        assert shelf.cost() == {"HEAD": 1, "GET": 2, "CONFIG": 1}
        service.refresh_from_db()
        assert service.status == "update_available"

    def test_it_is_forgotten_with_the_tag_that_had_it(self, shelf: Shelf) -> None:
        service = shelf.run_by("latest", digest=OLD)
        shelf.cost()
        image = f"{shelf.server.address}/acme/api:other"
        Service.objects.update(image_ref=image, tag="other")
        shelf.cost()
        service.refresh_from_db()
        assert service.equal_indexes == {}
