"""How many requests a check costs. The table in docs/checks.md says the same."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from checks import queue
from checks.models import Host, Service
from checks.tasks import run_job
from tests import rows
from tests.real.registry import digest_of
from tests.servers import Asked, Reply, Starts, as_json

pytestmark = pytest.mark.django_db(transaction=True)

OLD = "sha256:" + "0" * 64


class Shelf:
    """A registry of one repository with an image for each tag."""

    def __init__(self, serve: Starts, *tags: str) -> None:
        self.images = {
            tag: json.dumps({"schemaVersion": 2, "config": {}, "of": tag}).encode() for tag in tags
        }
        self.digests = {tag: digest_of(image) for tag, image in self.images.items()}
        self.server = serve(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        name = asked.path.rpartition("/")[2]
        if name.startswith("list?"):
            return as_json(tags=[*self.images])
        by_digest = {self.digests[tag]: image for tag, image in self.images.items()}
        if name in by_digest:
            return Reply(200, by_digest[name])
        return Reply(200, headers={"Docker-Content-Digest": self.digests[name]})

    def put_index(self, tag: str, **children: str) -> str:
        """Have an index under a tag: a digest for each architecture. Return its own."""
        entries = [
            {"digest": digest, "platform": {"os": "linux", "architecture": architecture}}
            for architecture, digest in children.items()
        ]
        self.images[tag] = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
        self.digests[tag] = digest_of(self.images[tag])
        return self.digests[tag]

    def run_by(self, tag: str, *, digest: str = "", name: str = "api") -> Service:
        image = f"{self.server.address}/acme/api:{tag}"
        return rows.service(image, name=name, running=(digest or self.digests[tag],))

    def cost(self, reason: str = "schedule") -> dict[str, int]:
        """Check everything, and count what was asked."""
        del self.server.asked[:]
        run_job(queue.enqueue(queue.Request(kind="check.all", reason=reason)).job_id)
        kinds = ["LIST" if "/tags/" in each.path else each.method for each in self.server.asked]
        return dict(Counter(kinds))


@pytest.mark.parametrize(
    ("tag", "runs", "cold", "warm"),
    [
        ("latest", "", {"HEAD": 1}, {"HEAD": 1}),
        ("latest", OLD, {"HEAD": 1, "GET": 1}, {"HEAD": 1}),
        ("2.0", "", {"HEAD": 1, "LIST": 1}, {"HEAD": 1}),
        ("1.0", "", {"HEAD": 3, "LIST": 1, "GET": 2}, {"HEAD": 3}),
        ("1.0", OLD, {"HEAD": 3, "LIST": 1, "GET": 3}, {"HEAD": 3}),
    ],
    ids=["no news", "rebuilt", "highest version", "two steps", "two steps and rebuilt"],
)
def test_it_costs_what_the_table_says(
    serve: Starts, tag: str, runs: str, cold: dict[str, int], warm: dict[str, int]
) -> None:
    shelf = Shelf(serve, "1.0", "1.1", "2.0", "latest")
    shelf.run_by(tag, digest=runs)
    assert shelf.cost() == cold
    assert shelf.cost() == warm
    listed = {"LIST": cold["LIST"]} if "LIST" in cold else {}
    assert shelf.cost(reason="ui") == {**warm, **listed}


def test_it_costs_no_more_for_many_services_on_one_image(serve: Starts) -> None:
    shelf = Shelf(serve, "1.0", "1.1", "2.0")
    for number in range(10):
        shelf.run_by("1.0", name=f"s{number}")
    assert shelf.cost() == {"HEAD": 3, "LIST": 1, "GET": 2}


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
        assert shelf.cost() == {"HEAD": 1, "GET": 1}
        service.refresh_from_db()
        assert service.status == "update_available"

    def test_it_is_read_again_for_another_platform(self, shelf: Shelf) -> None:
        service = shelf.run_by("latest", digest=OLD)
        Service.objects.update(platform="")
        Host.objects.update(platform="linux/amd64")
        shelf.cost()
        Host.objects.update(platform="linux/arm64")
        assert shelf.cost() == {"HEAD": 1, "GET": 1}
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
