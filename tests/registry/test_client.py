from __future__ import annotations

import json

import pytest

from checks.registry.auth import Grants
from checks.registry.client import (
    Access,
    BadAnswer,
    NotFound,
    RegistryClient,
    Unauthorized,
    Unavailable,
)
from checks.registry.reference import Reference, parse
from tests.real.registry import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Registry
from tests.servers import Asked, Reply, Server, Starts

SOME_DIGEST = "sha256:" + "a" * 64
BRIEF = (1.0, 0.3)


def client_of(server: Server) -> RegistryClient:
    return RegistryClient(Access(server.address, timeout=BRIEF), Grants())


def image_of(server: Server | Registry, image: str = "acme/api:1.2") -> Reference:
    return parse(f"{server.address}/{image}")


@pytest.mark.engine
class TestARealRegistry:
    @pytest.fixture
    def client(self, registry: Registry) -> RegistryClient:
        return RegistryClient(Access(registry.address))

    @pytest.mark.parametrize("kind", [DOCKER_MANIFEST, OCI_MANIFEST])
    def test_it_reads_a_single_image(
        self, registry: Registry, client: RegistryClient, kind: str
    ) -> None:
        pushed = registry.push_image("client/single", "1", content=kind, media_type=kind)
        reference = image_of(registry, "client/single:1")
        assert client.head(reference) == pushed
        assert client.children(reference, pushed) is None

    @pytest.mark.parametrize("kind", [DOCKER_LIST, OCI_INDEX])
    def test_it_reads_the_platforms_of_an_index(
        self, registry: Registry, client: RegistryClient, kind: str
    ) -> None:
        contents = {"linux/amd64": kind, "linux/arm/v7": f"{kind} 7", "linux/arm64/v8": f"{kind} 8"}
        pushed, children = registry.push_multi("client/multi", "1", contents, media_type=kind)
        reference = image_of(registry, "client/multi:1")
        assert client.head(reference) == pushed
        found = client.children(reference, pushed) or ()
        assert {child.platform: child.digest for child in found} == children

    def test_it_leaves_attestations_out(self, registry: Registry, client: RegistryClient) -> None:
        image = registry.push_image("client/attested", content="image")
        attestation = registry.push_image("client/attested", content="attestation")
        listed = {"linux/amd64": image, "unknown/unknown": attestation}
        pushed = registry.push_index("client/attested", "1", listed)
        found = client.children(image_of(registry, "client/attested:1"), pushed) or ()
        assert [child.platform for child in found] == ["linux/amd64"]

    def test_it_says_that_a_tag_is_gone(self, registry: Registry, client: RegistryClient) -> None:
        registry.push_image("client/gone", "1", content="gone")
        registry.delete("client/gone", "1")
        with pytest.raises(NotFound, match=r"does not have client/gone:1"):
            client.head(image_of(registry, "client/gone:1"))


class TestTheDigest:
    def test_it_computes_what_the_registry_does_not_name(self, serve: Starts) -> None:
        body = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
        server = serve(lambda asked: Reply(200, body, {"Content-Type": "text/html"}))
        digest = client_of(server).head(image_of(server))
        assert client_of(server).children(image_of(server), digest) is None
        assert [asked.method for asked in server.asked] == ["HEAD", "GET", "GET"]

    def test_it_asks_with_get_where_head_is_not_known(self, serve: Starts) -> None:
        body = b'{"schemaVersion": 2, "config": {}}'

        def answer(asked: Asked) -> Reply:
            return Reply(405) if asked.method == "HEAD" else Reply(200, body)

        server = serve(answer)
        assert client_of(server).head(image_of(server)).startswith("sha256:")

    def test_it_refuses_bytes_that_are_not_what_the_digest_names(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b'{"schemaVersion": 2, "config": {}}'))
        with pytest.raises(BadAnswer, match="not the one that its digest names"):
            client_of(server).children(image_of(server), SOME_DIGEST)

    def test_it_takes_only_the_manifest_types_and_no_packing(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, headers={"Docker-Content-Digest": SOME_DIGEST}))
        client_of(server).head(image_of(server))
        headers = server.asked[0].headers
        for kind in (DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX):
            assert kind in headers["accept"]
        assert headers["accept-encoding"] == "identity"


class TestTrouble:
    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_it_knows_an_outage(self, serve: Starts, status: int) -> None:
        server = serve(lambda asked: Reply(status))
        client = client_of(server)
        for _again in range(2):
            with pytest.raises(Unavailable, match=str(status)):
                client.head(image_of(server))
        assert len(server.asked) == 2

    def test_it_gives_up_on_a_registry_that_hangs(self, serve: Starts) -> None:
        server = serve(lambda asked: None)
        with pytest.raises(Unavailable, match=r"did not answer within 0.3 s"):
            client_of(server).head(image_of(server))

    def test_it_gives_up_where_nobody_listens(self, serve: Starts) -> None:
        with pytest.raises(Unavailable, match="refused the connection"):
            RegistryClient(Access("127.0.0.1:1")).head(parse("127.0.0.1:1/acme/api"))

    @pytest.mark.parametrize("status", [400, 406, 418])
    def test_it_says_which_odd_answer_it_got(self, serve: Starts, status: int) -> None:
        server = serve(lambda asked: Reply(status))
        with pytest.raises(BadAnswer, match=str(status)):
            client_of(server).head(image_of(server))

    def test_it_notices_a_body_that_breaks_off(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b'{"schemaVersion"', length=500))
        with pytest.raises(Unavailable, match="broke off"):
            client_of(server).children(image_of(server), SOME_DIGEST)

    def test_it_stops_reading_what_has_no_end(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b" " * 65_536, length=None))
        with pytest.raises(BadAnswer, match="more than 4 MiB"):
            client_of(server).children(image_of(server), SOME_DIGEST)

    def test_it_does_not_take_a_page_for_a_manifest(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(200, b"<html>Sign in</html>"))
        with pytest.raises(BadAnswer, match="manifest that can be read"):
            client_of(server).head(image_of(server))

    def test_it_says_that_private_and_missing_look_alike(self, serve: Starts) -> None:
        header = {"WWW-Authenticate": "Basic realm=x"}
        server = serve(lambda asked: Reply(401, headers=header))
        with pytest.raises(Unauthorized, match="private, or it does not exist"):
            client_of(server).head(image_of(server))


class TestRedirects:
    def test_it_follows_them(self, serve: Starts) -> None:
        def answer(asked: Asked) -> Reply:
            if asked.path.startswith("/v2/"):
                return Reply(307, b"x" * 100, {"Location": "/elsewhere?a=b"})
            return Reply(200, headers={"Docker-Content-Digest": SOME_DIGEST})

        server = serve(answer)
        assert client_of(server).head(image_of(server)) == SOME_DIGEST
        assert [asked.path for asked in server.asked][1] == "/elsewhere?a=b"

    def test_it_gives_up_on_a_circle(self, serve: Starts) -> None:
        server = serve(lambda asked: Reply(302, headers={"Location": asked.path}))
        with pytest.raises(BadAnswer, match="redirects without end"):
            client_of(server).head(image_of(server))
        assert len(server.asked) == 6

    @pytest.mark.parametrize(
        "location",
        [
            "ftp://x/",
            "http://[",
            "http://x:99999/",
            "file:///etc",
            "http://x\\@127.0.0.1/",
            f"http://{'x' * 254}/",
            f"/{'x' * 8192}",
        ],
    )
    def test_it_does_not_go_where_there_is_no_web(self, serve: Starts, location: str) -> None:
        server = serve(lambda asked: Reply(302, headers={"Location": location}))
        with pytest.raises(BadAnswer, match="no address"):
            client_of(server).head(image_of(server))

    def test_it_never_goes_to_a_metadata_address(self, serve: Starts) -> None:
        target = {"Location": "http://169.254.169.254/latest/meta-data/"}
        server = serve(lambda asked: Reply(302, headers=target))
        with pytest.raises(Unavailable, match="metadata"):
            client_of(server).head(image_of(server))
