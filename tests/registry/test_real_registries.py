"""Against Distribution's own registry: who is let in, what is read, and what stands in the way."""

from __future__ import annotations

import json
import resource
from pathlib import Path

import pytest
from pytest_django import Settings

from benchmarks.slow import slow
from checks import queue, trying
from checks.models import Registry as Row
from checks.models import Service
from checks.registry.auth import Grants
from checks.registry.client import (
    Access,
    NotFound,
    RegistryClient,
    Resting,
    Unauthorized,
    Unavailable,
)
from checks.registry.reference import parse
from checks.tasks import run_job
from tests import rows
from tests.real.guarded import PASSWORD, USER, Front, Guarded
from tests.real.registry import DOCKER_LIST, OCI_INDEX, Registry
from tests.servers import CUT, Asked, Reply, as_json

AMD, ARM = "linux/amd64", "linux/arm64"


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, settings: Settings) -> Path:
    settings.DOCKER_CONFIG = str(tmp_path)
    settings.DOCKER_CERTS = tmp_path / "certs.d"
    return tmp_path / "config.json"


def client_of(
    address: str, username: str = "", password: str = "", pem: str = ""
) -> RegistryClient:
    access = Access(address, username=username, password=password, authorities=pem)
    return RegistryClient(access, Grants())


def head(client: RegistryClient, image: str) -> str:
    return client.head(parse(f"{client.access.host}/{image}"))


class TestPrivate:
    """htpasswd, over TLS by a private CA."""

    def test_it_reads_as_its_user(self, private_registry: Guarded) -> None:
        digest = private_registry.open.push_image("acme/private", "1.0")
        client = client_of(private_registry.address, USER, PASSWORD, private_registry.authority.pem)
        assert head(client, "acme/private:1.0") == digest
        assert list(client.tags("acme/private")) == ["1.0"]

    @pytest.mark.parametrize(
        ("user", "password", "why"),
        [
            ("ada", "babbage", "the password is wrong"),
            ("", "", "without signing in"),
            ("<token>", "x", "takes no identity token"),
        ],
    )
    def test_it_is_let_in_as_nobody_else(
        self, private_registry: Guarded, user: str, password: str, why: str
    ) -> None:
        client = client_of(private_registry.address, user, password, private_registry.authority.pem)
        with pytest.raises(Unauthorized, match=why):
            head(client, "acme/private:1.0")

    def test_it_trusts_no_other_ca(self, private_registry: Guarded) -> None:
        another = private_registry.tokens.signer.pem
        client = client_of(private_registry.address, USER, PASSWORD, another)
        with pytest.raises(Unavailable, match="is not trusted"):
            head(client, "acme/private:1.0")

    @pytest.mark.django_db(transaction=True)
    def test_a_check_finds_what_is_pushed_there(self, private_registry: Guarded) -> None:
        """From what is entered to what the page shows."""
        opened = private_registry.open
        digest = opened.push_image("acme/shop", "1.0.0", content="one")
        service = rows.service(f"{private_registry.address}/acme/shop:1.0.0", running=(digest,))
        row = Row.objects.create(
            host=private_registry.address, authorities=private_registry.authority.pem
        )
        assert "without signing in" in checked(service).error
        row.username, row.password = USER, PASSWORD
        row.save(update_fields=["username", "password"])
        assert checked(service).status == "up_to_date"
        opened.push_image("acme/shop", "1.0.0", content="two")
        opened.push_image("acme/shop", "1.1.0", content="three")
        assert checked(service).status == "update_available"
        steps = set(service.candidates.open().values_list("step", flat=True))
        assert steps == {"rebuilt", "minor"}

    @pytest.mark.django_db
    def test_its_user_is_taken_from_docker_login_and_its_ca_from_certs_d(
        self, private_registry: Guarded, docker_config: Path, settings: Settings
    ) -> None:
        address = private_registry.address
        login = {address: {"username": USER, "password": PASSWORD}}
        docker_config.write_text(json.dumps({"auths": login}))
        (settings.DOCKER_CERTS / address).mkdir(parents=True)
        (settings.DOCKER_CERTS / address / "ca.crt").write_text(private_registry.authority.pem)
        private_registry.open.push_image("acme/login", "1")
        rows.service(f"{address}/acme/login:1")
        tried = trying.try_out(address)
        assert [each.outcome for each in tried.steps] == ["ok", "ok", "ok"]
        assert tried.steps[1].detail == "Signed in as ada, by the password itself."

    @pytest.mark.django_db
    def test_a_test_says_what_is_to_be_mended(self, private_registry: Guarded) -> None:
        row = Row.objects.create(host=private_registry.address)
        assert "as a registry does (400)" in trying.try_out(row.host).steps[-1].detail
        row.authorities = private_registry.tokens.signer.pem
        row.save(update_fields=["authorities"])
        assert "add that CA's certificate" in trying.try_out(row.host).steps[-1].detail
        row.authorities = private_registry.authority.pem
        row.username, row.password = USER, "babbage"
        row.save(update_fields=["authorities", "username", "password"])
        outcomes = [each.outcome for each in trying.try_out(row.host).steps]
        assert outcomes == ["ok", "failed", "skipped"]


class TestTokens:
    """A token server in front, whose tokens the registry verifies."""

    def test_it_reads_as_its_user(self, guarded_registry: Guarded) -> None:
        digest = guarded_registry.open.push_image("acme/api", "1")
        client = client_of(guarded_registry.address, USER, PASSWORD)
        for _again in range(2):
            assert head(client, "acme/api:1") == digest
        (asked,) = guarded_registry.tokens.given
        assert asked.query["scope"] == ["repository:acme/api:pull"]

    def test_it_reads_with_an_identity_token(self, guarded_registry: Guarded) -> None:
        digest = guarded_registry.open.push_image("acme/api", "1")
        client = client_of(guarded_registry.address, "<token>", "of-ada")
        assert head(client, "acme/api:1") == digest
        assert [asked.method for asked in guarded_registry.tokens.given] == ["POST"]
        with pytest.raises(Unauthorized, match="the token has ended"):
            head(client_of(guarded_registry.address, "<token>", "of-eve"), "acme/api:1")

    def test_it_gets_another_token_once_where_one_has_ended(
        self, guarded_registry: Guarded
    ) -> None:
        digest = guarded_registry.open.push_image("acme/api", "1")
        guarded_registry.tokens.ends_in = [-300, 300]
        client = client_of(guarded_registry.address, USER, PASSWORD)
        with pytest.raises(Unauthorized):
            head(client, "acme/api:1")
        assert head(client, "acme/api:1") == digest
        assert len(guarded_registry.tokens.given) == 2

    def test_it_asks_no_third_time(self, guarded_registry: Guarded) -> None:
        guarded_registry.open.push_image("acme/api", "1")
        guarded_registry.tokens.ends_in = [300, -300, -300, -300]
        client = client_of(guarded_registry.address, USER, PASSWORD)
        head(client, "acme/api:1")
        guarded_registry.tokens.server.asked.clear()
        client.grants = Grants()
        with pytest.raises(Unauthorized, match="the password is wrong"):
            head(client, "acme/api:1")
        assert len(guarded_registry.tokens.given) == 1

    def test_a_stranger_reads_what_is_public_alone(self, guarded_registry: Guarded) -> None:
        digest = guarded_registry.open.push_image("public/api", "1")
        guarded_registry.open.push_image("acme/api", "1")
        client = client_of(guarded_registry.address)
        assert head(client, "public/api:1") == digest
        with pytest.raises(Unauthorized, match="without signing in"):
            head(client, "acme/api:1")

    def test_it_says_that_the_password_is_wrong(self, guarded_registry: Guarded) -> None:
        client = client_of(guarded_registry.address, USER, "babbage")
        with pytest.raises(Unauthorized, match="the password is wrong") as refused:
            head(client, "acme/api:1")
        assert "babbage" not in str(refused.value)


class TestContent:
    @pytest.mark.parametrize("kind", [OCI_INDEX, DOCKER_LIST])
    def test_it_reads_an_index_without_its_attestations(
        self, registry: Registry, kind: str
    ) -> None:
        images = {AMD: "a", ARM: "b", "unknown/unknown": "attestation"}
        digest, children = registry.push_multi("acme/multi", "1", images, media_type=kind)
        client = client_of(registry.address)
        reference = parse(f"{registry.address}/acme/multi:1")
        assert client.head(reference) == digest
        found = client.children(reference, digest) or ()
        assert {each.platform: each.digest for each in found} == {
            AMD: children[AMD],
            ARM: children[ARM],
        }

    def test_it_says_that_there_is_no_such_image(self, registry: Registry) -> None:
        with pytest.raises(NotFound, match="does not have acme/none:1"):
            head(client_of(registry.address), "acme/none:1")
        with pytest.raises(NotFound, match="does not list the tags"):
            list(client_of(registry.address).tags("acme/none"))


class TestTags:
    """This version of the registry sends all tags as one page, whatever is asked."""

    def pages(self, front: Front, *, absolute: bool) -> None:
        """Cut the registry's own list into pages, as others do."""

        def answer(asked: Asked) -> Reply | None:
            if "/tags/list" not in asked.path:
                return None
            tags = sorted(json.loads(front.pass_on(asked).body)["tags"])
            last = asked.query.get("last", [""])[0]
            rest = [tag for tag in tags if tag > last]
            size = int(asked.query["n"][0])
            page = as_json(name="acme/paged", tags=rest[:size])
            if len(rest) > size:
                path = f"/v2/acme/paged/tags/list?last={rest[size - 1]}&n={size}"
                place = f"http://{front.address}{path}" if absolute else path
                page.headers["Link"] = f'<{place}>; rel="next"'
            return page

        front.instead = answer

    @pytest.mark.parametrize("absolute", [False, True])
    def test_it_reads_every_page(
        self, front: Front, monkeypatch: pytest.MonkeyPatch, *, absolute: bool
    ) -> None:
        monkeypatch.setattr("checks.registry.tags.PAGE", 3)
        tags = [f"1.{number}" for number in range(8)]
        for tag in tags:
            front.registry.push_image("acme/paged", tag, content="same")
        self.pages(front, absolute=absolute)
        assert sorted(client_of(front.address).tags("acme/paged")) == tags
        assert len(front.asked) == 3

    def test_it_follows_no_link_to_another_server(self, front: Front, registry: Registry) -> None:
        registry.push_image("acme/paged", "1.0")
        place = f"http://localhost:{registry.port}/v2/acme/paged/tags/list?last=1.0"

        def answer(asked: Asked) -> Reply:
            reply = front.pass_on(asked)
            reply.headers["Link"] = f'<{place}>; rel="next"'
            return reply

        front.instead = answer
        with pytest.raises(Exception, match="another server for the rest"):
            list(client_of(front.address).tags("acme/paged"))

    def test_it_reads_fifty_thousand_in_bounded_memory(self, quick_registry: Registry) -> None:
        """Made where the registry keeps them: to push so many takes minutes."""
        quick_registry.push_image("acme/many", "0")
        place = quick_registry.store / "docker/registry/v2/repositories/acme/many/_manifests/tags"
        for number in range(1, 50_000):
            (place / f"1.0.{number}").mkdir()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tags = client_of(quick_registry.address).tags("acme/many")
        assert sum(1 for _tag in tags) == 50_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


class TestInBetween:
    """What happens on the way to a registry that is well."""

    def test_credentials_stay_behind_where_it_redirects(
        self, private_registry: Guarded, registry: Registry
    ) -> None:
        digest = registry.push_image("acme/moved", "1")
        behind, before = Front(registry), Front(registry)
        guarded = b'{"errors": []}'

        def redirect(asked: Asked) -> Reply:
            if not asked.authorization:
                return Reply(401, guarded, {"WWW-Authenticate": 'Basic realm="x"'})
            place = f"http://localhost:{behind.server.port}{asked.path}"
            return Reply(307, headers={"Location": place})

        before.instead = redirect
        with behind.server.running(), before.server.running():
            client = client_of(before.address, USER, PASSWORD)
            assert head(client, "acme/moved:1") == digest
        assert [asked.authorization for asked in behind.asked] == [""]
        assert before.asked[-1].authorization

    def test_it_waits_for_a_slow_one_and_not_for_ever(self, registry: Registry) -> None:
        digest = registry.push_image("acme/slow", "1")
        with slow(registry.port, 0.2) as way:
            assert head(client_of(way.address), "acme/slow:1") == digest
            hasty = RegistryClient(Access(way.address, timeout=(1.0, 0.05)), Grants())
            with pytest.raises(Unavailable, match="did not answer within"):
                head(hasty, "acme/slow:1")

    def test_it_rests_as_long_as_it_is_told(self, front: Front) -> None:
        digest = front.registry.push_image("acme/busy", "1")
        client = client_of(front.address)
        front.instead = lambda asked: Reply(429, headers={"Retry-After": "30"})
        for _again in range(2):
            with pytest.raises(Resting, match="rests until"):
                head(client, "acme/busy:1")
        assert len(front.asked) == 1
        front.instead = lambda asked: None
        assert head(client_of(front.address), "acme/busy:1") == digest

    def test_it_asks_again_where_a_connection_broke(self, front: Front) -> None:
        digest = front.registry.push_image("acme/broken", "1")
        cuts = [CUT]
        front.instead = lambda asked: cuts.pop() if cuts else None
        assert head(client_of(front.address), "acme/broken:1") == digest
        front.instead = lambda asked: CUT
        with pytest.raises(Unavailable, match="broke off"):
            head(client_of(front.address), "acme/broken:1")

    @pytest.mark.django_db(transaction=True)
    def test_what_was_known_stays_while_it_fails(self, front: Front) -> None:
        digest = front.registry.push_image("acme/fails", "1")
        service = rows.service(f"{front.address}/acme/fails:1", running=(digest,))
        front.instead = lambda asked: Reply(500)
        assert "cannot answer at the moment" in checked(service).error
        front.instead = lambda asked: None
        assert checked(service).error == ""


def checked(service: Service) -> Service:
    request = queue.Request(
        kind="check.service", reason="ui", scope="service", service_id=service.pk
    )
    run_job(queue.enqueue(request).job_id)
    service.refresh_from_db()
    return service
