"""When an image is newer than what runs, under the same tag or under a later one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from checks.decide import Child, Found, Local, SomeTags, Verdict, child_for, decide
from checks.registry.configs import About
from checks.registry.errors import NotFound, RegistryError, Unavailable
from checks.registry.reference import Reference, parse
from checks.versions.policies import Source, holding
from checks.versions.wishes import Wishes
from tests.github import digest

T = TypeVar("T")
OLD, NEW, INDEX = digest("old"), digest("new"), digest("index")
NGINX = parse("nginx:stable")
RUNS_OLD = Local(
    NGINX, running=frozenset({OLD}), platform="linux/amd64", started=True, reads_about=False
)


@dataclass
class Has:
    """A registry with one image under all its tags but some. It notes what it is asked."""

    digest: str
    platforms: dict[str, str] | None = None
    others: dict[str, str] = field(default_factory=dict)
    listed: Sequence[str] | SomeTags | RegistryError = ("1.27",)
    asked: list[str] = field(default_factory=list)
    built: dict[str, datetime] = field(default_factory=dict)
    runs_on: str = ""

    def about(self, repository: str, digest: str) -> About:
        self.asked.append("ABOUT")
        return About(self.built.get(digest), platform=self.runs_on)

    def head(self, reference: Reference) -> str:
        self.asked.append("HEAD")
        digest = self.others.get(reference.tag, self.digest)
        if not digest:
            raise NotFound(f"no {reference.tag}")
        return digest

    def tags(self, repository: str) -> Sequence[str] | SomeTags:
        self.asked.append("LIST")
        if isinstance(self.listed, RegistryError):
            raise self.listed
        return self.listed

    def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
        self.asked.append("GET")
        if self.platforms is None:
            return None
        return tuple(Child(platform, of) for platform, of in self.platforms.items())

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        return [call() for call in calls]


class TestDecide:
    def test_it_asks_once_where_nothing_moved(self) -> None:
        registry = Has(OLD)
        assert decide(RUNS_OLD, registry) == Verdict("up_to_date")
        assert registry.asked == ["HEAD"]

    def test_it_finds_a_rebuilt_single_image(self) -> None:
        verdict = decide(RUNS_OLD, Has(NEW))
        assert verdict.status == "update_available"
        assert (verdict.found[0].step, verdict.found[0].tag) == ("rebuilt", "stable")
        assert (verdict.found[0].digest, verdict.found[0].arch) == (NEW, "unknown")

    def test_it_finds_a_rebuilt_image_of_our_platform(self) -> None:
        verdict = decide(RUNS_OLD, Has(INDEX, {"linux/arm64": OLD, "linux/amd64": NEW}))
        assert (verdict.found[0].digest, verdict.found[0].platform_digest) == (INDEX, NEW)
        assert verdict.found[0].arch == "match"
        assert verdict.found[0].platforms == ("linux/arm64", "linux/amd64")

    def test_it_raises_no_alarm_where_only_the_index_moved(self) -> None:
        registry = Has(INDEX, {"linux/amd64": OLD, "linux/arm64": NEW})
        assert decide(RUNS_OLD, registry) == Verdict("up_to_date", equal={INDEX: OLD})

    def test_it_raises_no_alarm_for_any_of_several_local_digests(self) -> None:
        local = replace(RUNS_OLD, running=frozenset({digest("a"), INDEX}))
        assert decide(local, Has(INDEX, {"linux/amd64": NEW})).found == ()

    def test_it_says_that_an_update_is_not_for_this_platform(self) -> None:
        verdict = decide(RUNS_OLD, Has(INDEX, {"linux/arm64": NEW}))
        assert verdict.status == "arch_mismatch"
        assert verdict.found[0].arch == "mismatch"

    def test_it_does_not_guess_a_platform(self) -> None:
        verdict = decide(replace(RUNS_OLD, platform=""), Has(INDEX, {"linux/arm64": NEW}))
        assert (verdict.status, verdict.found[0].arch) == ("update_available", "unknown")

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


VERSION = replace(RUNS_OLD, reference=parse("nginx:1.27"))
LATER = {"1.28": NEW, "2.0": digest("2.0"), "3.0": digest("3.0")}
LISTED = ("1.26", "1.27", "1.28", "1.29-alpine", "2.0", "latest")


class TestVersions:
    def test_it_finds_the_highest_of_each_step_and_the_rebuilt_image(self) -> None:
        registry = Has(digest("rebuilt"), others=LATER, listed=LISTED)
        verdict = decide(VERSION, registry)
        assert verdict.status == "update_available"
        assert [(found.step, found.tag, found.digest) for found in verdict.found] == [
            ("major", "2.0", LATER["2.0"]),
            ("minor", "1.28", NEW),
            ("rebuilt", "1.27", digest("rebuilt")),
        ]

    def test_it_says_what_became_of_all_tags(self) -> None:
        choice = decide(VERSION, Has(OLD, others=LATER, listed=LISTED)).choice
        assert choice is not None
        assert choice.listed
        assert choice.dropped == {"not_newer": 1, "other_variant": 1, "no_version": 1}

    @pytest.mark.parametrize("tag", ["latest", "stable-alpine3.20", "4f5e6d7c", "pg16"])
    def test_it_lists_no_tags_where_the_tag_is_no_version(self, tag: str) -> None:
        registry = Has(NEW, listed=["1.0", "2.0"])
        verdict = decide(replace(VERSION, reference=parse(f"nginx:{tag}")), registry)
        assert [found.step for found in verdict.found] == ["rebuilt"]
        assert "LIST" not in registry.asked

    def test_it_finds_nothing_in_another_tag_of_the_image_that_runs(self) -> None:
        same = Has(OLD, listed=["1.27", "1.28"])
        assert decide(VERSION, same).status == "up_to_date"

    def test_it_passes_over_a_tag_whose_image_is_gone(self) -> None:
        registry = Has(OLD, others={"1.28": ""}, listed=["1.27", "1.28"])
        assert decide(VERSION, registry).status == "up_to_date"

    def test_it_takes_the_next_lower_where_the_image_of_the_highest_is_gone(self) -> None:
        others = {"1.28": NEW, "1.29": "", "1.30": ""}
        verdict = decide(VERSION, Has(OLD, others=others, listed=["1.27", *others]))
        assert [found.tag for found in verdict.found] == ["1.28"]

    def test_it_says_that_the_present_tag_is_gone_and_what_follows(self) -> None:
        verdict = decide(VERSION, Has("", others=LATER, listed=["1.28"]))
        assert [found.tag for found in verdict.found] == ["1.28"]
        assert (verdict.status, verdict.reason) == ("update_available", "no 1.27")

    @pytest.mark.parametrize("listed", [["1.26"], NotFound("nothing")])
    def test_it_says_that_the_present_tag_is_gone_where_nothing_follows(
        self, listed: Sequence[str] | RegistryError
    ) -> None:
        with pytest.raises(NotFound, match=r"no 1\.27"):
            decide(VERSION, Has("", listed=listed))

    def test_it_says_that_it_knows_no_later_versions_where_the_tag_is_gone(self) -> None:
        verdict = decide(VERSION, Has("", listed=Unavailable("away")))
        assert (verdict.status, verdict.trouble, verdict.reason) == ("error", "away", "no 1.27")

    def test_it_keeps_what_it_knows_of_the_tag_where_no_list_comes(self) -> None:
        verdict = decide(VERSION, Has(NEW, listed=Unavailable("away")))
        assert [found.step for found in verdict.found] == ["rebuilt"]
        assert (verdict.status, verdict.trouble) == ("update_available", "away")

    def test_it_calls_nothing_up_to_date_without_the_list(self) -> None:
        verdict = decide(VERSION, Has(OLD, listed=Unavailable("away")))
        assert (verdict.status, verdict.trouble) == ("error", "away")

    def test_it_finds_versions_where_nothing_says_what_runs(self) -> None:
        local = Local(parse("nginx:1.27"), keeps_baseline=False)
        assert decide(local, Has(OLD, listed=["1.27"])).status == "unknown"
        found = decide(local, Has(OLD, others=LATER, listed=LISTED))
        assert (found.status, found.found[0].tag) == ("update_available", "2.0")

    def test_it_puts_what_is_for_our_platform_first(self) -> None:
        class Mixed(Has):
            def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
                platform = "linux/arm64" if reference.tag == "2.0" else "linux/amd64"
                return (Child(platform, digest),)

        verdict = decide(VERSION, Mixed(OLD, others=LATER, listed=LISTED))
        assert verdict.status == "update_available"
        assert [(found.tag, found.arch) for found in verdict.found] == [
            ("1.28", "match"),
            ("2.0", "mismatch"),
        ]

    def test_it_reads_no_image_again_that_it_knows(self) -> None:
        known = Found("minor", "1.28", NEW, "match", digest("ours"), ("linux/amd64",))
        local = replace(VERSION, known={NEW: known})
        registry = Has(OLD, others=LATER, listed=["1.28"])
        assert decide(local, registry).found == (known,)
        assert "GET" not in registry.asked
        running = replace(local, running=frozenset({OLD, digest("ours")}))
        assert decide(running, registry).found == ()

    def test_it_reads_an_image_again_that_was_not_for_us(self) -> None:
        known = Found("minor", "1.28", NEW, "mismatch", "", ("linux/arm64",))
        registry = Has(OLD, {"linux/arm64": OLD}, others=LATER, listed=["1.28"])
        decide(replace(VERSION, known={NEW: known}), registry)
        assert "GET" in registry.asked


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
        ("linux/arm64", ["linux/amd64", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v7"),
        ("linux/arm64", ["linux/arm/v7", "linux/arm64"], "linux/arm64"),
        ("linux/arm/v7", ["linux/arm64"], None),
        ("linux/amd64", ["linux/386", "linux/arm64"], "linux/386"),
        ("linux/amd64", ["linux/386", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["linux/amd64/v3"], None),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2"], "linux/amd64/v2"),
        ("linux/386", ["linux/amd64"], None),
        ("linux/arm/vx", ["linux/arm/v6", "linux/arm/vx"], "linux/arm/vx"),
        ("linux/arm/v9999999", ["linux/arm/v7"], None),
        ("windows/amd64", ["linux/amd64"], None),
        ("", ["linux/amd64"], None),
    ],
)
def test_it_takes_the_image_that_the_engine_would(
    ours: str, theirs: list[str], chosen: str | None
) -> None:
    found = child_for(ours, tuple(Child(platform, digest(platform)) for platform in theirs))
    assert (found.platform if found else None) == chosen


class TestSingleImages:
    """An image that is in no index names its platform in its config."""

    @pytest.mark.parametrize(
        ("runs_on", "arch"),
        [("linux/amd64", "match"), ("linux/arm64", "mismatch"), ("", "unknown")],
    )
    def test_it_says_for_which_platform_it_is(self, runs_on: str, arch: str) -> None:
        local = replace(RUNS_OLD, reads_about=True)
        (found,) = decide(local, Has(NEW, runs_on=runs_on)).found
        assert (found.arch, found.platforms) == (arch, (runs_on,) if runs_on else ())

    def test_it_is_read_once(self) -> None:
        local = replace(RUNS_OLD, reads_about=True)
        (found,) = decide(local, Has(NEW, runs_on="linux/arm64")).found
        registry = Has(NEW)
        again = replace(local, known={NEW: found})
        assert decide(again, registry).found == (found,)
        assert registry.asked == ["HEAD"]


NOW = datetime(2026, 3, 1, tzinfo=UTC)
A_WEEK = Wishes(held=holding({Source.SERVICE: {"minimumAge": 7}}))
SERIES = ("1.27", "1.28", "1.29", "1.30", "1.31", "1.32", "1.33", "1.34")


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


class TestMinimumAge:
    def decided(self, ages: dict[str, float], listed: Sequence[str] = SERIES) -> Verdict:
        built = {digest(tag): days_ago(days) for tag, days in ages.items()}
        others = {tag: digest(tag) for tag in listed if tag != "1.27"}
        self.registry = Has(OLD, others=others, listed=listed, built=built)
        local = replace(VERSION, reads_about=True, now=NOW)
        return decide(local, self.registry, A_WEEK)

    def test_it_offers_the_highest_that_is_old_enough(self) -> None:
        verdict = self.decided({"1.34": 1, "1.33": 6.9, "1.32": 7, "1.31": 90})
        assert [each.tag for each in verdict.found] == ["1.32"]
        assert verdict.status == "update_available"
        waits = {each.tag: each.waits_until for each in verdict.waiting}
        assert waits == {"1.34": days_ago(-6), "1.33": days_ago(6.9) + timedelta(days=7)}

    def test_it_looks_at_four_below_the_highest_and_no_more(self) -> None:
        verdict = self.decided(dict.fromkeys(SERIES, 1))
        assert [each.tag for each in verdict.waiting] == ["1.34", "1.33", "1.32", "1.31", "1.30"]
        assert (verdict.status, verdict.found) == ("up_to_date", ())
        assert self.registry.asked.count("ABOUT") == 5

    def test_it_looks_at_one_where_that_is_old_enough(self) -> None:
        verdict = self.decided({"1.34": 8})
        assert [each.tag for each in verdict.found] == ["1.34"]
        assert self.registry.asked.count("ABOUT") == 1

    def test_it_knows_no_better_by_a_list_that_may_lack_some(self) -> None:
        verdict = decide(VERSION, Has("", listed=SomeTags(["1.26"])))
        assert (verdict.status, verdict.in_part, verdict.reason) == ("unknown", True, "no 1.27")

    def test_it_offers_nothing_below_what_runs_under_a_later_tag(self) -> None:
        others = {"1.28": NEW, "1.29": OLD}
        registry = Has(OLD, others=others, listed=["1.27", *others], built={NEW: days_ago(90)})
        assert decide(replace(VERSION, now=NOW), registry, A_WEEK).status == "up_to_date"
        assert decide(VERSION, registry).status == "up_to_date"

    def test_it_takes_each_step_by_itself(self) -> None:
        verdict = self.decided({"2.0": 1, "1.28": 30}, ["1.27", "1.28", "2.0"])
        assert [each.tag for each in verdict.found] == ["1.28"]
        assert [each.tag for each in verdict.waiting] == ["2.0"]

    def test_it_counts_from_when_it_was_seen_where_the_image_does_not_say(self) -> None:
        verdict = self.decided({}, ["1.27", "1.28"])
        assert [each.waits_until for each in verdict.waiting] == [NOW + timedelta(days=7)]
        first = replace(verdict.waiting[0], seen_at=days_ago(8))
        local = replace(VERSION, now=NOW, known={first.digest: first})
        later = decide(local, self.registry, A_WEEK)
        assert [each.tag for each in later.found] == ["1.28"]
        assert later.waiting == ()

    def test_it_has_a_rebuilt_image_wait_too(self) -> None:
        registry = Has(NEW, built={NEW: days_ago(2)})
        local = replace(RUNS_OLD, reads_about=True, now=NOW)
        verdict = decide(local, registry, A_WEEK)
        assert (verdict.status, verdict.found) == ("up_to_date", ())
        assert [each.waits_until for each in verdict.waiting] == [NOW + timedelta(days=5)]
