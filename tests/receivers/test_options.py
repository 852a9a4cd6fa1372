"""What a kind of receiver can be set to, beyond what all can."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from integrations.models import Receiver
from tests.people import Program, error_of, person
from tests.receivers.stand_in import OTHER, receiver

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stand_in")]


@pytest.fixture
def path() -> str:
    return f"/api/receivers/{receiver().pk}"


@pytest.mark.parametrize(
    "options",
    [{}, {"strict": True}, {"strict": False, "words": ""}, {"words": "ünï " * 125}],
)
def test_it_keeps_those_of_its_kind(admin: Program, path: str, options: dict[str, Any]) -> None:
    answer = admin.patch(path, {"options": options})
    assert (answer.status_code, answer.json()["options"]) == (200, options)
    assert admin.patch(path, {"name": "Renamed"}).json()["options"] == options


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"strikt": True}, "strikt"),
        ({"strict": "true"}, "strict"),
        ({"strict": 1}, "strict"),
        ({"strict": None}, "strict"),
        ({"words": True}, "words"),
        ({"words": ["a"]}, "words"),
        ({"words": "a" * 501}, "words"),
        ({"words": "two\nlines"}, "words"),
        ({"strict": True, "": 1}, ""),
        ({"strict": {}}, "strict"),
    ],
)
def test_it_says_which_is_wrong(
    admin: Program, path: str, options: dict[str, Any], named: str
) -> None:
    error = error_of(admin.patch(path, {"options": options}), 400, "invalid_argument")
    assert error["details"]["field"] == "options"
    assert f"“{named}”" in str(error["message"])
    assert Receiver.objects.get(kind="stand-in").options == {}


def test_one_that_its_kind_has_no_longer_stands_in_nobodys_way(admin: Program, path: str) -> None:
    Receiver.objects.filter(kind="stand-in").update(options={"former": 1, "strict": True})
    answer = admin.patch(path, {"name": "Renamed"})
    assert (answer.status_code, answer.json()["options"]) == (200, {"strict": True})


def test_it_makes_a_token_for_you_and_shows_it_once(admin: Program) -> None:
    row = receiver(token="")
    shown = admin.post(f"/api/receivers/{row.pk}/rotate").json()
    assert shown["url"].endswith(f"/stand-in/{shown['secret']}")
    assert shown["previousValidUntil"] is None
    assert admin.patch(f"/api/receivers/{row.pk}", {"enabled": True}).status_code == 200


def test_the_back_room_makes_one_of_a_chosen_kind(client: Client) -> None:
    client.force_login(person("admin"))
    form = {"kind": "github-packages", "name": "By hand", "options": '{"strict": true}'}
    page = client.post("/admin/integrations/receiver/add/", form)
    assert page.status_code == 200
    assert "There is no option" in page.content.decode()
    form |= {"options": "{}", "enabled": "on", "secret": OTHER}
    assert client.post("/admin/integrations/receiver/add/", form).status_code == 302
    made = Receiver.objects.get(name="By hand")
    assert (made.enabled, made.secret, made.enabled_at is not None) == (True, OTHER, True)
