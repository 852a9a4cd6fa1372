"""Every route is walked by strangers and by every role, with every method."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from integrations.receivers import CALLERS, RECEIVERS
from tests.people import person
from tests.receivers.stand_in import Signing, StandIn
from tests.roles.doors import BACK_ROOM, DOORS, Needs

SIGN_IN = r"/sign-in\?next=|/admin/login/\?next="
STRANGER = "a stranger"
ROLES = {STRANGER: -1, "": 0, "viewer": 1, "operator": 2, "admin": 3}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
VALUES = {"id": "svc_" + "0" * 26, "slug": "github-packages", "path": "1", "int": "1", "": "1"}


def routes(patterns: Any, before: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = f"{before}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


ROUTES = list(routes(get_resolver().url_patterns))
BACK = [route for route in ROUTES if route.startswith(BACK_ROOM)]


def path_of(route: str) -> str:
    """A path that the route matches; what it names need not be there."""
    if route.startswith("^v1/webhook"):
        return "/v1/webhook"
    if route.startswith("^api/webhooks/"):
        kind = "stand-in/token" if "<token>" in route else "github-packages"
        return "/api/webhooks/" + ("trigger" if "/trigger" in route else kind)
    route = re.sub(r"\^?\(\?P<app_label>([a-z_]+)\|[^)]*\)/\$", r"\1/", route)
    route = route.replace("(?P<url>.*)$", "nothing")
    filled = re.sub(r"<(?:(\w+):)?\w+>", lambda match: VALUES[match[1] or ""], route)
    assert not set("^$()?<>") & set(filled), filled
    return f"/{filled}"


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every way to prove a call there is a kind."""
    for kind in (StandIn(), Signing()):
        monkeypatch.setitem(RECEIVERS, kind.kind, kind)
        monkeypatch.setitem(CALLERS, kind.kind, kind)


@pytest.fixture
def clients(db: None) -> dict[str, Client]:
    found = {STRANGER: Client()}
    for role in ("", "viewer", "operator", "admin"):
        found[role] = Client()
        found[role].force_login(person(role))
    return found


def refusal(response: Any) -> str:
    """`who` where the caller has to say who they are, `role` where it is not enough."""
    if response.status_code == 302 and re.match(SIGN_IN, response["Location"]):
        return "who"
    if response.status_code == 401 and response.json()["error"]["code"] == "auth_required":
        return "who"
    return "role" if response.status_code == 403 else ""


def expected(needs: Needs, role: str) -> str:
    if needs < Needs.SIGN_IN or ROLES[role] >= needs:
        return ""
    return "who" if role == STRANGER else "role"


def test_it_knows_every_route() -> None:
    known = set(DOORS) | set(BACK)
    assert sorted(set(ROUTES) - known) == []
    assert sorted(set(DOORS) - set(ROUTES)) == []


@pytest.mark.parametrize("route", sorted(DOORS))
def test_it_opens_a_door_to_those_it_is_for(clients: dict[str, Client], route: str) -> None:
    path = path_of(route)
    for method, needs in DOORS[route].items():
        for role, client in clients.items():
            response = client.generic(method, path, b"{}", content_type="application/json")
            assert refusal(response) == expected(needs, role), (method, role, response.status_code)
            assert response.status_code not in (405, 500, 502), (method, role)
            if needs == Needs.PROOF:
                assert response.json()["error"]["code"] == "invalid_signature"
            if role == "admin" and route == "sign-out":
                client.force_login(person("admin", "another"))


def test_it_has_no_door_beside(clients: dict[str, Client]) -> None:
    found = []
    for route, doors in DOORS.items():
        caller = STRANGER if min(doors.values()) < Needs.SIGN_IN else "admin"
        for method in set(METHODS) - set(doors):
            if clients[caller].generic(method, path_of(route)).status_code != 405:
                found.append((method, route))
    assert found == []


def test_it_lets_only_admins_into_the_back_room(clients: dict[str, Client]) -> None:
    """What an admin may not do there either, such as adding a log line, is 403 for them too."""
    open_doors, broken = [], []
    for route in BACK:
        for role, client in clients.items():
            response = client.get(path_of(route))
            broken += [(role, route)] if response.status_code >= 500 else []
            if role != "admin" and not refusal(response):
                open_doors.append((role, route))
    assert open_doors == []
    assert broken == []


def test_it_asks_for_admins_on_the_page_where_all_sign_in(clients: dict[str, Client]) -> None:
    first = clients[STRANGER].get("/admin/checks/job/", follow=True)
    assert first.redirect_chain[-1] == ("/sign-in?next=/admin/checks/job/", 302)
    assert clients["admin"].get("/admin/").status_code == 200
