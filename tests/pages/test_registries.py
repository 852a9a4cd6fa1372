"""Settings, Registries: what the pages say, and what their buttons do."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from checks.models import Registry, Service
from tests.certificates import NEVER, Authority
from tests.pages.test_overview import text_of
from tests.rows import service
from tests.servers import Reply, Starts, TokenRegistry

pytestmark = pytest.mark.django_db
PAGE = "/settings/registries"


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, settings: Settings) -> Path:
    settings.DOCKER_CONFIG = str(tmp_path)
    settings.DOCKER_CERTS = tmp_path / "certs.d"
    return tmp_path / "config.json"


def page(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def entered(host: str = "registry.example:5000", **more: object) -> Registry:
    known = {"username": "ada", "password": "lovelace", **more}
    return Registry.objects.create(host=host, **known)


def save(client: Client, row: Registry, **changes: str) -> int:
    given = {"host": row.host, "username": row.username, "act": "save", **changes}
    return client.post(f"{PAGE}/{row.pk}", given).status_code


class TestList:
    def test_it_says_what_to_do_where_there_is_none(self, admin: Client, viewer: Client) -> None:
        assert "No registry is known yet." in page(admin)
        assert "can be added now" in page(admin)
        assert "can be added now" not in page(viewer)

    def test_it_does_not_say_that_one_answers_that_nobody_asked(self, viewer: Client) -> None:
        pinned = f"sha256:{'a' * 64}"
        service("mine/local:1.0", name="built here")
        service(f"mine/pinned@{pinned}", name="pinned", running=(pinned,))
        Service.objects.update(checked_at=timezone.now())
        Service.objects.filter(name="pinned").update(status="up_to_date")
        assert "docker.io https as nobody 2 services not asked yet" in page(viewer)

    def test_it_lists_those_that_services_use_and_those_that_were_entered(
        self, viewer: Client, docker_config: Path
    ) -> None:
        login = {"quay.io": {"username": "grace", "password": "hopper"}}
        helpers = {"gcr.io": "gcloud"}
        docker_config.write_text(json.dumps({"auths": login, "credHelpers": helpers}))
        for image in ("nginx:1", "quay.io/a/b:1", "quay.io/a/c:1", "gcr.io/a/b:1"):
            service(image, name=image)
        Service.objects.update(checked_at=timezone.now(), status="up_to_date")
        entered(authorities=Authority().pem)
        said = page(viewer)
        assert "docker.io https as nobody 1 service just now" in said
        assert "quay.io https as grace, by docker login 2 services" in said
        assert "gcr.io https as docker-credential-gcloud says 1 service" in said
        assert "registry.example:5000 https, trusting Acme CA as ada 0 services" in said
        assert "State all answer Registries 4 Services 4 With a user of yours 1" in said

    def test_it_shows_what_is_wrong_and_what_rests(self, viewer: Client) -> None:
        now = timezone.now()
        limit = {"limit_most": 100, "limit_remaining": 7, "limit_seen_at": now}
        service("nginx:1", name="nginx")
        service("quay.io/a/b:1", name="b")
        entered("docker.io", cooldown_until=now + timedelta(minutes=5, seconds=40), **limit)
        entered("quay.io", last_error="quay.io refused the connection.")
        said = page(viewer)
        assert "rests docker.io rests, and is asked again in 5 minutes as ada" in said
        assert "7 of 100 left" in said
        assert "State 1 registry needs you" in said
        assert "quay.io does not answer as it should. quay.io refused the connection." in said

    def test_it_counts_services_that_could_not_be_checked(self, viewer: Client) -> None:
        service("quay.io/a/b:1", name="b")
        Service.objects.update(error="not without signing in")
        said = page(viewer)
        assert "1 service could not be checked" in said
        assert "State 1 registry needs you" in page(viewer, "/settings")

    def test_it_leads_only_admins_further(self, admin: Client, viewer: Client) -> None:
        row = entered()
        service("quay.io/a/b:1", name="b")
        links = (f'href="{PAGE}/{row.pk}"', f'href="{PAGE}/add?host=quay.io"')
        for link in links:
            assert link in admin.get(PAGE).content.decode()
            assert link not in viewer.get(PAGE).content.decode()

    def test_it_asks_as_many_queries_for_many(self, viewer: Client) -> None:
        counts = []
        for number in range(2):
            for each in range(1 + 40 * number):
                entered(f"registry{number}-{each}.example")
                service(f"host{number}-{each}.example/a:1", name=f"s{number}-{each}")
            with CaptureQueriesContext(
                connection,
            ) as queries:
                page(viewer)
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_it_shows_a_password_to_nobody(self, admin: Client) -> None:
        row = entered(password="the secret of ada")
        for path in (PAGE, f"{PAGE}/{row.pk}", "/settings"):
            assert "the secret of ada" not in admin.get(path).content.decode()

    def test_it_is_there_where_a_password_cannot_be_read(self, admin: Client) -> None:
        row = entered()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE checks_registry SET password = 'gAAAAB-no-key-of-ours'")
        assert "registry.example:5000" in page(admin)
        path = f"{PAGE}/{row.pk}"
        assert "leave empty to keep" in admin.get(path).content.decode()
        assert save(admin, row) == 422
        assert "cannot be read" in text_of(admin.post(path, {"act": "test"}, follow=True).content)
        assert save(admin, row, password="lovelace") == 302
        row.refresh_from_db()
        assert row.password == "lovelace"


class TestEntry:
    def test_it_makes_one(self, admin: Client) -> None:
        given = {
            "host": " https://Registry.Example:5000/ ",
            "username": "ada",
            "password": "lovelace",
            "authorities": f"ours:\r\n{Authority().pem}",
            "act": "save",
        }
        response = admin.post(f"{PAGE}/add", given, follow=True)
        row = Registry.objects.get()
        assert (row.host, row.username, row.password) == (
            "registry.example:5000", "ada", "lovelace",
        )  # fmt: skip
        assert row.authorities.startswith("-----BEGIN CERTIFICATE-----")
        said = text_of(response.content)
        assert "registry.example:5000 is saved. Test it." in said
        assert "Acme CA, ends in" in said

    def test_it_shows_a_ca_that_never_ends_in_every_zone(
        self, admin: Client, settings: Settings
    ) -> None:
        settings.TIME_ZONE = "Asia/Tokyo"
        row = entered(authorities=Authority(ends=NEVER).pem)
        assert "Acme CA, ends in" in page(admin, f"{PAGE}/{row.pk}")

    def test_it_comes_to_the_entry_that_is_there(self, admin: Client) -> None:
        row = entered("docker.io")
        response = admin.get(f"{PAGE}/add?host=index.docker.io")
        assert response["Location"] == f"{PAGE}/{row.pk}"

    def test_it_says_what_to_enter_at_that_host(self, admin: Client) -> None:
        said = page(admin, f"{PAGE}/add?host=europe-docker.pkg.dev")
        assert "Google Artifact Registry, GCR User name: _json_key." in said

    def test_it_keeps_a_password_that_is_not_typed_again(self, admin: Client) -> None:
        row = entered(last_error="as it was")
        assert save(admin, row, mirror_of="docker.io", asked_first="on") == 302
        row.refresh_from_db()
        assert (row.password, row.mirror_of, row.asked_first) == ("lovelace", "docker.io", True)
        assert row.last_error == ""

    @pytest.mark.parametrize(
        "elsewhere",
        [{"host": "other.example"}, {"insecure": "on"}, {"token_host": "auth.other.example"}],
    )
    def test_it_asks_for_the_password_again_where_it_would_go_elsewhere(
        self, admin: Client, elsewhere: dict[str, str]
    ) -> None:
        row = entered(last_ok_at=timezone.now())
        assert save(admin, row, **elsewhere) == 422
        row.refresh_from_db()
        assert (row.host, row.insecure, row.token_host) == ("registry.example:5000", False, "")
        assert save(admin, row, password="another", **elsewhere) == 302
        row.refresh_from_db()
        assert row.password == "another"
        assert bool(row.last_ok_at) is ("host" not in elsewhere)

    def test_it_forgets_the_password_of_nobody(self, admin: Client) -> None:
        row = entered()
        assert save(admin, row, username="") == 302
        row.refresh_from_db()
        assert row.password == ""

    @pytest.mark.parametrize(
        ("wrong", "why"),
        [
            ({"host": "not a host"}, "Name the host"),
            ({"host": "registry.example:99999"}, "Name the host"),
            ({"host": "user:pw@registry.example"}, "Name the host"),
            ({"host": "registry.example/path"}, "Name the host"),
            ({"host": ""}, "required"),
            ({"username": "a:b"}, "no colon"),
            ({"username": "a\x7fb"}, "control characters"),
            ({"username": ""}, "Whose password"),
            ({"password": ""}, "Enter the password"),
            ({"password": "x" * 20_001}, "at most 20000 characters"),
            ({"authorities": "nonsense"}, "as PEM"),
            ({"authorities": "x" * 65_537}, "at most 65536 characters"),
            ({"authorities": Authority().pem, "insecure": "on"}, "there are no certificates"),
            ({"token_host": "https://auth.example:8443"}, "without a port"),
            ({"mirror_of": "no host"}, "not the name of"),
            ({"mirror_of": "registry.example"}, "no mirror of itself"),
            ({"asked_first": "on"}, "Name the registry"),
        ],
    )
    def test_it_makes_none_that_is_wrong(
        self, admin: Client, wrong: dict[str, str], why: str
    ) -> None:
        good = {"host": "registry.example", "username": "ada", "password": "secret-1"}
        response = admin.post(f"{PAGE}/add", {**good, "act": "save", **wrong})
        assert response.status_code == 422
        assert why in text_of(response.content)
        assert "secret-1" not in response.content.decode()
        assert not Registry.objects.exists()

    def test_it_makes_no_second_one(self, admin: Client) -> None:
        entered("docker.io")
        given = {"host": "index.docker.io", "act": "save"}
        response = admin.post(f"{PAGE}/add", given)
        assert response.status_code == 422
        assert "There is an entry for this host already." in text_of(response.content)

    def test_it_removes_one(self, admin: Client) -> None:
        row = entered()
        assert admin.post(f"{PAGE}/{row.pk}", {"act": "remove"})["Location"] == PAGE
        assert not Registry.objects.exists()


class TestTest:
    def said(self, admin: Client, row: Registry) -> str:
        response = admin.post(f"{PAGE}/{row.pk}", {"act": "test"})
        assert response.status_code == 200
        return text_of(response.content)

    def test_it_says_that_all_is_well(self, admin: Client, token_registry: TokenRegistry) -> None:
        address = token_registry.server.address
        service(f"{address}/acme/api:1.2")
        said = self.said(admin, entered(address))
        assert "It works." in said
        assert f"{address} answers, over plain http." in said
        assert "Signed in as ada, by a token." in said
        assert f"{address}/acme/api:1.2 can be read." in said
        assert Registry.objects.get().last_ok_at is not None

    def test_it_says_that_the_password_is_wrong(
        self, admin: Client, token_registry: TokenRegistry
    ) -> None:
        said = self.said(admin, entered(token_registry.server.address, password="babbage"))
        assert "It does not work yet." in said
        assert "does not let ada in: the user name or the password is wrong." in said
        assert "babbage" not in said

    def test_it_trusts_no_token_that_it_has_from_before(
        self, admin: Client, token_registry: TokenRegistry
    ) -> None:
        row = entered(token_registry.server.address)
        assert "It works." in self.said(admin, row)
        token_registry.password = "changed"
        assert "It does not work yet." in self.said(admin, row)

    def test_it_tries_one_that_nothing_was_entered_for(
        self, admin: Client, token_registry: TokenRegistry
    ) -> None:
        token_registry.user = ""
        address = token_registry.server.address
        service(f"{address}/acme/api:1.2")
        path = f"{PAGE}/add?host={address}"
        said = text_of(admin.post(path, {"act": "test"}).content)
        assert "Nobody is named, so that only what is public can be read." in said
        assert "can be read. " in said
        assert not Registry.objects.exists()

    def test_it_tries_nothing_that_nobody_uses(self, admin: Client, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200))
        path = f"{PAGE}/add?host={server.address}"
        assert admin.post(path, {"act": "test"}).status_code == 404
        assert not server.asked

    @pytest.mark.parametrize(
        ("reply", "why"),
        [
            (Reply(404), "does not answer as a registry does (404)"),
            (Reply(503), "rests until"),
            (Reply(307, headers={"Location": "http://localhost:1/"}), "refused the connection"),
            (Reply(401, headers={"WWW-Authenticate": "Negotiate"}), "does not know"),
            (Reply(401, headers={"WWW-Authenticate": "Basic realm=x"}), "does not let ada in"),
        ],
    )
    def test_it_says_what_is_wrong(
        self, admin: Client, serve: Starts, reply: Reply, why: str
    ) -> None:
        said = self.said(admin, entered(serve(lambda asked: reply).address))
        assert "It does not work yet." in said
        assert why in said

    def test_it_says_where_it_is_redirected_to(self, admin: Client, serve: Starts) -> None:
        other = serve(lambda asked: Reply(200))
        away = {"Location": f"http://{other.other_name}/v2/"}
        said = self.said(admin, entered(serve(lambda asked: Reply(301, headers=away)).address))
        assert "only redirects to localhost" in said

    def test_it_does_not_wait_for_ever(
        self, admin: Client, serve: Starts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("checks.trying.LIMIT", 0.2)
        server = serve(lambda asked: None)
        said = self.said(admin, entered(server.address))
        assert "did not answer within 0 s." in said

    def test_it_leaves_one_alone_that_rests(self, admin: Client, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200))
        until = timezone.now() + timedelta(minutes=5)
        assert "rests until" in self.said(admin, entered(server.address, cooldown_until=until))
        assert not server.asked
