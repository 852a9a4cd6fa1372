"""When an image is newer than what runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from checks.decide import Child, Local, Verdict, child_for, decide
from checks.registry.reference import Reference, parse
from tests.github import digest

OLD, NEW, INDEX = digest("old"), digest("new"), digest("index")
NGINX = parse("nginx:1.27")
RUNS_OLD = Local(NGINX, running=frozenset({OLD}), platform="linux/amd64", started=True)


@dataclass
class Has:
    """A registry with one tag. It notes what it is asked."""

    digest: str
    platforms: dict[str, str] | None = None
    asked: list[str] = field(default_factory=list)

    def head(self, reference: Reference) -> str:
        self.asked.append("HEAD")
        return self.digest

    def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
        self.asked.append("GET")
        if self.platforms is None:
            return None
        return tuple(Child(platform, of) for platform, of in self.platforms.items())


class TestDecide:
    def test_it_asks_once_where_nothing_moved(self) -> None:
        registry = Has(OLD)
        assert decide(RUNS_OLD, registry) == Verdict("up_to_date")
        assert registry.asked == ["HEAD"]

    def test_it_finds_a_rebuilt_single_image(self) -> None:
        verdict = decide(RUNS_OLD, Has(NEW))
        assert verdict.status == "update_available"
        assert verdict.found is not None
        assert (verdict.found.step, verdict.found.tag) == ("rebuilt", "1.27")
        assert (verdict.found.digest, verdict.found.arch) == (NEW, "unknown")

    def test_it_finds_a_rebuilt_image_of_our_platform(self) -> None:
        verdict = decide(RUNS_OLD, Has(INDEX, {"linux/arm64": OLD, "linux/amd64": NEW}))
        assert verdict.found is not None
        assert (verdict.found.digest, verdict.found.platform_digest) == (INDEX, NEW)
        assert verdict.found.arch == "match"
        assert verdict.found.platforms == ("linux/arm64", "linux/amd64")

    def test_it_raises_no_alarm_where_only_the_index_moved(self) -> None:
        registry = Has(INDEX, {"linux/amd64": OLD, "linux/arm64": NEW})
        assert decide(RUNS_OLD, registry) == Verdict("up_to_date")

    def test_it_raises_no_alarm_for_any_of_several_local_digests(self) -> None:
        local = replace(RUNS_OLD, running=frozenset({digest("a"), INDEX}))
        assert decide(local, Has(INDEX, {"linux/amd64": NEW})).found is None

    def test_it_says_that_an_update_is_not_for_this_platform(self) -> None:
        verdict = decide(RUNS_OLD, Has(INDEX, {"linux/arm64": NEW}))
        assert verdict.status == "arch_mismatch"
        assert verdict.found is not None
        assert verdict.found.arch == "mismatch"

    def test_it_does_not_guess_a_platform(self) -> None:
        verdict = decide(replace(RUNS_OLD, platform=""), Has(INDEX, {"linux/arm64": NEW}))
        assert verdict.found is not None
        assert (verdict.status, verdict.found.arch) == ("update_available", "unknown")

    def test_it_trusts_the_engine_before_the_pin(self) -> None:
        pinned = replace(RUNS_OLD, reference=replace(NGINX, digest=NEW))
        assert decide(pinned, Has(OLD)).status == "up_to_date"
        assert decide(pinned, Has(NEW)).status == "update_available"

    def test_it_compares_with_the_pin_where_no_engine_tells(self) -> None:
        pinned = Local(replace(NGINX, digest=OLD), keeps_baseline=False)
        assert decide(pinned, Has(OLD)).status == "up_to_date"
        assert decide(pinned, Has(NEW)).status == "update_available"

    def test_it_asks_for_a_floating_tag_on_the_command_line_only_whether_it_is_there(self) -> None:
        registry = Has(NEW)
        assert decide(Local(NGINX, keeps_baseline=False), registry).status == "unknown"
        assert registry.asked == ["HEAD"]

    def test_it_knows_an_image_by_any_platform_where_ours_is_unknown(self) -> None:
        local = Local(replace(NGINX, digest=OLD), keeps_baseline=False)
        assert decide(local, Has(INDEX, {"linux/arm64": OLD})).status == "up_to_date"

    def test_it_keeps_the_digest_first_seen_and_compares_with_it(self) -> None:
        first = decide(Local(NGINX), Has(OLD))
        assert (first.status, first.baseline) == ("up_to_date", OLD)
        later = Local(NGINX, baseline=OLD)
        assert decide(later, Has(OLD)).status == "up_to_date"
        assert decide(later, Has(NEW)).status == "update_available"

    @pytest.mark.parametrize(
        ("local", "status"),
        [
            (Local(NGINX, started=True), "unknown"),
            (Local(Reference("docker.io", "library/nginx", "", OLD)), "up_to_date"),
        ],
        ids=["built here", "no tag to follow"],
    )
    def test_it_does_not_ask_where_the_answer_would_say_nothing(
        self, local: Local, status: str
    ) -> None:
        registry = Has(NEW)
        verdict = decide(local, registry)
        assert (verdict.status, bool(verdict.reason)) == (status, True)
        assert registry.asked == []


@pytest.mark.parametrize(
    ("ours", "theirs", "chosen"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["windows/amd64"], None),
        ("linux/arm64", ["linux/arm64/v8"], "linux/arm64/v8"),
        ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"),
        ("linux/arm/v6", ["linux/arm/v5", "linux/arm/v7"], "linux/arm/v5"),
        ("linux/arm/v6", ["linux/arm/v7"], None),
        ("linux/arm", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"),
        ("", ["linux/amd64"], None),
    ],
)
def test_it_takes_the_image_that_the_engine_would(
    ours: str, theirs: list[str], chosen: str | None
) -> None:
    found = child_for(ours, tuple(Child(platform, digest(platform)) for platform in theirs))
    assert (found.platform if found else None) == chosen
