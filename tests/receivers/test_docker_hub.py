"""What Docker Hub sends, in all the shapes that it has had."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integrations.receivers import RECEIVERS
from integrations.receivers.base import Incoming, Reading, Setup, Verdict
from integrations.receivers.docker_hub import SAME_WITHOUT_TIME

HUB = RECEIVERS["docker-hub"]
HOOK = "https://registry.hub.docker.com/u/acme/api/hook/2141b5bi5i5b02bec211i4ee/"


def pushed(**changes: Any) -> dict[str, Any]:
    """A push as Docker documents it; members of `push_data` and `repository` by their names."""
    push = {"pushed_at": 1417566161, "pusher": "ada", "tag": "1.2.0", "images": ["abc"]}
    repository = {
        "name": "api",
        "namespace": "acme",
        "owner": "acme",
        "repo_name": "acme/api",
        "repo_url": "https://hub.docker.com/r/acme/api",
        "date_created": 1417494799,
        "is_official": False,
    }
    for name, value in changes.items():
        (push if name in {"pushed_at", "tag", "media_type"} else repository)[name] = value
    return {"callback_url": HOOK, "push_data": push, "repository": repository}


def read(body: Any, host: str = "docker.io") -> Reading:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HUB.read(Incoming({}, raw), Setup(host))


def images(reading: Reading) -> list[str]:
    return [str(image) for image in reading.images]


class TestTheImage:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({}, "docker.io/acme/api:1.2.0"),
            ({"repo_name": "globex/other"}, "docker.io/globex/other:1.2.0"),
            ({"repo_name": None}, "docker.io/acme/api:1.2.0"),
            ({"repo_name": "", "namespace": ""}, "docker.io/acme/api:1.2.0"),
            ({"repo_name": "busybox"}, "docker.io/library/busybox:1.2.0"),
            (
                {"repo_name": None, "namespace": None, "owner": None},
                "docker.io/library/api:1.2.0",
            ),
            ({"tag": None}, "docker.io/acme/api"),
            ({"tag": ""}, "docker.io/acme/api"),
            ({"tag": "V1_x.y"}, "docker.io/acme/api:V1_x.y"),
        ],
    )
    def test_it_names_it(self, given: dict[str, Any], expected: str) -> None:
        reading = read(pushed(**given))
        assert (reading.verdict, images(reading)) == (Verdict.IMAGES, [expected])

    def test_it_is_of_the_registry_that_the_receiver_is_bound_to(self) -> None:
        reading = read(pushed(), host="mirror.example.com:5000")
        assert images(reading) == ["mirror.example.com:5000/acme/api:1.2.0"]

    def test_it_asks_for_all_tags_where_the_body_names_none(self) -> None:
        body = pushed()
        del body["push_data"]
        assert images(read(body)) == ["docker.io/acme/api"]

    @pytest.mark.parametrize(
        "name",
        ["", "../../etc", "a b/c", "Acme/api", "acme/../api", "x" * 300, "a/b/c", "acme/api:1",
         "user:word@host/api", "acme/api\n", "acme/ünï", "acme/\u0000", "/api", "acme/", 7, ["a"]],
    )  # fmt: skip
    def test_it_rejects_a_name_that_no_repository_has(self, name: Any) -> None:
        reading = read(pushed(repo_name=name, name=None))
        assert (reading.verdict, reading.images) == (Verdict.INVALID_PAYLOAD, ())

    @pytest.mark.parametrize("tag", ["acme/api:v1", "-x", "a b", "..", "x" * 129, "é", "\ud800"])
    def test_it_rejects_a_tag_that_no_image_has(self, tag: str) -> None:
        assert read(pushed(tag=tag)).verdict is Verdict.INVALID_PAYLOAD

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'"x"', b"[" * 10_000])
    def test_it_rejects_what_is_no_object(self, body: bytes) -> None:
        assert read(body).verdict is Verdict.INVALID_JSON


class TestWhatElseComes:
    @pytest.mark.parametrize(
        "media_type",
        [
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.oci.image.config.v1+json",
            "application/vnd.oci.image.index.v1+json",
            "",
            None,
            7,
        ],
    )
    def test_it_takes_images(self, media_type: Any) -> None:
        assert read(pushed(media_type=media_type)).verdict is Verdict.IMAGES

    @pytest.mark.parametrize(
        "media_type",
        [
            "application/vnd.cncf.helm.config.v1+json",
            "application/vnd.docker.plugin.v1+json",
            "application/vnd.wasm.config.v0+json",
            "text/plain",
        ],
    )
    def test_it_leaves_what_nobody_runs(self, media_type: str) -> None:
        reading = read(pushed(media_type=media_type))
        assert reading.verdict is Verdict.NOT_RELEVANT
        assert images(reading) == ["docker.io/acme/api:1.2.0"]

    def test_it_leaves_what_is_pushed_beside_an_image(self) -> None:
        tag = f"sha256-{'0' * 64}.sig"
        assert read(pushed(tag=tag)).verdict is Verdict.NOT_RELEVANT


class TestRecognition:
    @pytest.mark.parametrize("again", [1.4e9, "1400000000", "1.4e9", "1400000000.0"])
    def test_it_knows_a_time_in_any_spelling(self, again: Any) -> None:
        first, second = read(pushed(pushed_at=1400000000)), read(pushed(pushed_at=again))
        assert first.dedupe_key == second.dedupe_key
        assert first.same_for is second.same_for is None

    def test_it_knows_a_push_whatever_else_its_body_says(self) -> None:
        other = pushed(date_created="1", star_count=7) | {"callback_url": "https://example.com/"}
        assert read(pushed()).dedupe_key == read(other).dedupe_key

    @pytest.mark.parametrize(
        "change",
        [{"pushed_at": 1417566162}, {"tag": "1.2.1"}, {"tag": None}, {"repo_name": "acme/web"}],
    )
    def test_it_tells_pushes_apart(self, change: dict[str, Any]) -> None:
        assert read(pushed()).dedupe_key != read(pushed(**change)).dedupe_key

    @pytest.mark.parametrize("none", [None, True, [], {}, float("nan"), float("inf"), ""])
    def test_it_forgets_soon_what_has_no_time(self, none: Any) -> None:
        assert read(pushed(pushed_at=none)).same_for == SAME_WITHOUT_TIME

    @pytest.mark.parametrize("odd", [10**400, -1, "soon", "1e999", "٣"])
    def test_it_bears_any_time(self, odd: Any) -> None:
        assert read(pushed(pushed_at=odd)).verdict is Verdict.IMAGES
