from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.pages.conftest import PASSWORD

pytestmark = pytest.mark.django_db
WRONG = "This user name and password do not belong together."


def sign_in(client: Client, password: str, **extra: str) -> str:
    body = {"username": "viewer", "password": password, **extra}
    response = client.post(reverse("login"), body)
    return response.headers.get("Location", "") or response.content.decode()


def test_it_sends_strangers_to_the_sign_in_page_and_back(client: Client) -> None:
    response = client.get("/queue?show=failed")
    assert response.status_code == 302
    assert response.headers["Location"] == "/sign-in?next=/queue%3Fshow%3Dfailed"


def test_it_leads_back_to_the_page_of_a_button_pressed_after_the_session_was_over(
    client: Client,
) -> None:
    for referer, place in {
        "http://testserver/settings/schedules/check": "/settings/schedules/check",
        "http://testserver/queue?show=failed": "/queue%3Fshow%3Dfailed",
        "https://evil.example/": "/",
        "": "/",
    }.items():
        headers = {"Referer": referer} if referer else {}
        response = client.post("/settings/schedules/check/run", headers=headers)
        assert response.headers["Location"] == f"/sign-in?next={place}"


def test_it_signs_in(client: Client, person: Callable[[str], User]) -> None:
    person("viewer")
    assert sign_in(client, PASSWORD) == "/"
    assert client.get("/").status_code == 200


def test_it_says_that_the_password_is_wrong(client: Client, person: Callable[[str], User]) -> None:
    person("viewer")
    page = sign_in(client, "wrong")
    assert WRONG in page
    assert 'value="viewer"' in page


def test_it_says_the_same_of_an_unknown_name(client: Client) -> None:
    assert WRONG in sign_in(client, "whatever")


def test_it_slows_down_who_guesses(client: Client, person: Callable[[str], User]) -> None:
    person("viewer")
    for _attempt in range(10):
        sign_in(client, "wrong")
    page = sign_in(client, PASSWORD)
    assert "Too many attempts. Try again in 15 minutes." in page
    assert "_auth_user_id" not in client.session


def test_it_never_leads_elsewhere(client: Client, person: Callable[[str], User]) -> None:
    person("viewer")
    assert sign_in(client, PASSWORD, next="https://evil.example/") == "/"


def test_it_signs_out_by_a_post_only(viewer: Client) -> None:
    assert viewer.get(reverse("logout")).status_code == 405
    assert viewer.post(reverse("logout")).headers["Location"] == reverse("login")
    assert viewer.get("/").status_code == 302


def test_it_reloads_the_page_when_a_part_of_it_asks_after_the_session(client: Client) -> None:
    response = client.get("/", headers={"HX-Request": "true"}, follow=True)
    assert response.headers["HX-Refresh"] == "true"
    assert response.content == b""


def test_it_changes_the_password(viewer: Client) -> None:
    new = "another good phrase"
    body = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    response = viewer.post(reverse("password"), body, follow=True)
    assert "Your password is changed." in response.content.decode()
    assert User.objects.get(username="viewer").check_password(new)


def test_it_says_what_is_wrong_with_a_new_password(viewer: Client) -> None:
    body = {"old_password": "wrong", "new_password1": "12", "new_password2": "34"}
    page = viewer.post(reverse("password"), body).content.decode()
    assert "Your old password was entered incorrectly" in page
    assert "two password fields" in page
