"""Guessing passwords is slowed down, per name and per address."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from dockrev.throttle import PER_ADDRESS, PER_NAME
from tests.people import person

pytestmark = pytest.mark.django_db
WRONG = "a guess"
RIGHT = "a long pass phrase"


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def _try(name: str, password: str = WRONG, address: str = "192.0.2.1") -> Any:
    return Client().post("/sign-in", {"username": name, "password": password}, REMOTE_ADDR=address)


def test_it_pauses_for_a_name_wherever_the_guesses_come_from() -> None:
    person("viewer", "ada")
    for number in range(PER_NAME):
        assert _try("Ada" if number % 2 else "ada", address=f"192.0.2.{number}").status_code == 200
    response = _try("ada", RIGHT, address="198.51.100.1")
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= 15 * 60
    assert "sessionid" not in response.cookies


def test_it_pauses_for_an_address_whatever_names_it_guesses() -> None:
    person("viewer", "ada")
    for number in range(PER_ADDRESS):
        _try(f"name-{number}", address=f"2001:db8::{number + 1}")
    assert _try("ada", RIGHT, address="2001:db8::ffff").status_code == 429
    assert _try("ada", RIGHT, address="2001:db8:1::1").status_code == 302


def test_it_forgets_the_failures_of_a_name_that_signed_in() -> None:
    person("viewer", "ada")
    for number in range(PER_NAME - 1):
        _try("ada", address=f"192.0.2.{number}")
    assert _try("ada", RIGHT).status_code == 302
    assert _try("ada").status_code == 200
    assert _try("ada", RIGHT).status_code == 302
