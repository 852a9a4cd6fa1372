"""The envelope of Distribution's notifications, in both content types."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from checks.models import Job
from tests import rows
from tests.senders import SECRET, outcome, post, proven, receiver, send

pytestmark = pytest.mark.django_db

KIND = "distribution"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DIGEST = f"sha256:{'d1' * 32}"
TYPE = "application/vnd.docker.distribution.events.{}+json"


def event(action: str = "push", **target: Any) -> dict[str, Any]:
    held = {
        "mediaType": MANIFEST,
        "digest": DIGEST,
        "repository": "acme/api",
        "url": f"https://registry.example:5000/v2/acme/api/manifests/{DIGEST}",
        "tag": "1.2.0",
        **target,
    }
    return {
        "id": str(uuid4()),
        "action": action,
        "target": {name: value for name, value in held.items() if value is not None},
        "request": {"host": "registry.internal", "method": "PUT"},
    }


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_it_leads_to_the_service_that_runs_what_was_pushed(client: Client, version: str) -> None:
    receiver(KIND)
    service = rows.service("registry.example:5000/acme/api:1.2.0")
    answer = send(client, KIND, {"events": [event()]}, content_type=TYPE.format(version))
    assert answer.status_code == 202, answer.content
    assert answer.json()["matchedServiceIds"] == [service.pk]
    assert answer.json()["images"] == [f"registry.example:5000/acme/api:1.2.0@{DIGEST}"]


@pytest.mark.parametrize("spelling", [SECRET, f"Bearer {SECRET}", f"bearer {SECRET}"])
@pytest.mark.parametrize("kept", [SECRET, f"Bearer {SECRET}"])
def test_it_takes_the_secret_with_bearer_before_it_and_without(
    client: Client, spelling: str, kept: str
) -> None:
    row = receiver(KIND)
    row.secret = kept
    row.save()
    incoming = proven(KIND, {"events": [event("pull")]})
    incoming = type(incoming)({**incoming.headers, "authorization": spelling}, incoming.body)
    assert post(client, KIND, incoming).status_code == 200


@pytest.mark.parametrize(
    "spelling", ["", "Bearer", "Bearer ", f"Basic {SECRET}", f"Bearer {SECRET}x", "Bearer Ä"]
)
def test_it_takes_nothing_else_for_it(client: Client, spelling: str) -> None:
    receiver(KIND)
    incoming = proven(KIND, {"events": [event()]})
    incoming = type(incoming)({**incoming.headers, "authorization": spelling}, incoming.body)
    assert post(client, KIND, incoming).status_code == 401
    assert not Job.objects.exists()


def test_it_takes_no_secret_that_is_a_scheme_alone(client: Client) -> None:
    row = receiver(KIND)
    row.secret = "Bearer "
    row.save()
    incoming = proven(KIND, {"events": [event()]}, secret="Bearer ")
    assert post(client, KIND, incoming).status_code == 401


IGNORED = {
    "a pull": event("pull"),
    "a deletion": event("delete", tag=None, mediaType=None, url=None),
    "a mount": event("mount"),
    "a layer": event(mediaType=LAYER, tag=None, url="https://registry.example/v2/acme/api/blobs/x"),
    "a part of an index": event(tag=None),
    "a signature": event(tag=f"{DIGEST.replace(':', '-')}.sig"),
}


@pytest.mark.parametrize("what", IGNORED)
def test_it_ignores(client: Client, what: str) -> None:
    receiver(KIND)
    answer = send(client, KIND, {"events": [IGNORED[what]]})
    assert (answer.status_code, outcome(answer)[:2]) == (200, ("ignored", "event_not_relevant"))


TAKEN = {
    "an index": (event(mediaType=INDEX), "registry.example:5000/acme/api:1.2.0"),
    "no type": (event(mediaType=None), "registry.example:5000/acme/api:1.2.0"),
    "of 2015": (
        event(mediaType="application/octet-stream", tag=None),
        "registry.example:5000/acme/api",
    ),
    "no address": (event(url=None), "registry.internal/acme/api:1.2.0"),
    "a bare name": (event(repository="api"), "registry.example:5000/api:1.2.0"),
}


@pytest.mark.parametrize("what", TAKEN)
def test_it_takes(client: Client, what: str) -> None:
    receiver(KIND)
    pushed, image = TAKEN[what]
    answer = outcome(send(client, KIND, {"events": [pushed]}))
    assert (answer.decision, answer.images) == ("processed", [f"{image}@{DIGEST}"])


def test_it_believes_the_host_that_it_is_bound_to(client: Client) -> None:
    receiver(KIND, "images.example.com")
    answer = outcome(send(client, KIND, {"events": [event()]}))
    assert answer.images == [f"images.example.com/acme/api:1.2.0@{DIGEST}"]


def test_it_takes_each_event_of_a_call_on_its_own(client: Client) -> None:
    receiver(KIND, "images.example.com")
    events = [
        event("pull"),
        event(repository="acme/../api"),
        {"id": "broken"},
        "nonsense",
        None,
        event(repository="acme/web", digest=None),
        event(),
    ]
    answer = outcome(send(client, KIND, {"events": events}))
    assert answer == (
        "processed",
        None,
        ["images.example.com/acme/web:1.2.0", f"images.example.com/acme/api:1.2.0@{DIGEST}"],
    )


def test_it_makes_one_check_of_a_push_of_twenty_events(client: Client) -> None:
    receiver(KIND)
    rows.service("registry.example:5000/acme/api:1.2.0")
    layers = [event(mediaType=LAYER, tag=None, url=f"/blobs/{n}") for n in range(18)]
    for each in [*layers, event(tag=None), event()]:
        assert send(client, KIND, {"events": [each]}).status_code in {200, 202}
    assert [job.kind for job in Job.objects.all()] == ["check.service"]


UNREADABLE: dict[str, Any] = {
    "no events": {},
    "events that are none": {"events": {"id": "x"}},
    "too many": {"events": [{}] * 501},
    "a path upwards": {"events": [event(repository="acme/../api")]},
    "a blank": {"events": [event(repository="acme/my api")]},
    "a great letter": {"events": [event(repository="Acme/api")]},
    "a long name": {"events": [event(repository="a" * 300)]},
    "a tag with a blank": {"events": [event(tag="1 2")]},
    "a long tag": {"events": [event(tag="a" * 300)]},
    "a tag that is a number": {"events": [event(tag=5)]},
    "a tag of two lines": {"events": [event(tag="a\nb")]},
    "credentials": {"events": [event(url="https://ada:pw@registry.example/v2/a/manifests/b")]},
    "half a surrogate pair": {"events": [event(repository="\ud800")]},
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_it_records_what_names_no_image_and_answers_well(client: Client, what: str) -> None:
    """Whatever else it answered, the registry would repeat it for ever."""
    receiver(KIND)
    answer = send(client, KIND, UNREADABLE[what])
    assert (answer.status_code, outcome(answer)) == (200, ("rejected", "invalid_payload", []))
    assert not Job.objects.exists()


def test_it_knows_an_event_again_in_whatever_call_it_comes(client: Client) -> None:
    """A registry that got no answer in time sends again what was taken, perhaps with more."""
    receiver(KIND)
    service = rows.service("registry.example:5000/acme/web:1.2.0")
    first, second = event(), event(repository="acme/web")
    assert send(client, KIND, {"events": [first]}).status_code == 202
    more = send(client, KIND, {"events": [first, second]})
    assert more.json()["matchedServiceIds"] == [service.pk]
    again = send(client, KIND, {"events": [second, first]})
    assert (again.status_code, outcome(again).reason) == (200, "duplicate_delivery")
    assert Job.objects.filter(kind="check.service").count() == 1
