"""Which tag follows, and why others do not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.versions.choice import MINOR, PATCH, Choice, Dropped, Policy, choose
from checks.versions.shapes import Version, read


def chosen(current: str, *tags: str, **policy: Any) -> Choice:
    choice = choose(current, [current, *tags], Policy(**policy))
    assert choice is not None
    return choice


def newest(current: str, *tags: str, **policy: Any) -> dict[str, str]:
    return dict(chosen(current, *tags, **policy).newest)


class TestSteps:
    def test_it_keeps_the_highest_of_each_step(self) -> None:
        tags = ("2.4.2", "2.4.10", "2.5.0", "2.11.3", "3.0.0", "10.0.1", "2.4.0")
        assert newest("2.4.1", *tags) == {"major": "10.0.1", "minor": "2.11.3", "patch": "2.4.10"}

    def test_it_takes_a_higher_fourth_number_for_a_patch(self) -> None:
        assert newest("2.4.1.7", "2.4.1.8") == {"patch": "2.4.1.8"}

    def test_it_takes_another_build_for_a_patch(self) -> None:
        assert newest("2.4.1-ls7", "2.4.1-ls8", "2.4.1-ls6") == {"patch": "2.4.1-ls8"}

    def test_it_takes_an_update_or_a_build_of_java_for_a_patch(self) -> None:
        tags = ("8u392-b05-jdk", "8u382-b09-jdk", "8u382-b05-jre")
        assert newest("8u382-b05-jdk", *tags) == {"patch": "8u392-b05-jdk"}

    def test_it_forgets_the_build_in_a_newer_version(self) -> None:
        assert newest("2.4.1-7", "2.4.2-0", "2.4.1-9") == {"patch": "2.4.2-0"}

    def test_it_knows_a_major_alone(self) -> None:
        assert newest("16-alpine", "17-alpine", "17.1-alpine", "18") == {"major": "17-alpine"}

    def test_it_takes_no_calendar_for_a_size(self) -> None:
        tags = ("2025.3.1", "2025.4.0", "2026.1.2")
        assert newest("2025.3.0", *tags) == {"other": "2026.1.2", "patch": "2025.3.1"}

    @pytest.mark.parametrize(
        ("current", "later"),
        [
            ("20250203", "20250204"),
            ("2025-02-03", "2025-02-04"),
            ("RELEASE.2025-02-03T04-05-06Z", "RELEASE.2025-02-03T04-05-07Z"),
            ("1077", "1078"),
        ],
    )
    def test_it_follows_dates_and_counts_without_a_size(self, current: str, later: str) -> None:
        assert newest(current, later) == {"other": later}


class TestWhatStays:
    def test_it_never_goes_to_a_prerelease_from_a_stable_version(self) -> None:
        choice = chosen("2.4.0", "2.5.0-rc.1", "2.5.0b1", "3.0-beta")
        assert not choice.newest
        assert choice.dropped == {Dropped.PRERELEASE: 2, Dropped.OTHER_SHAPE: 1}

    def test_it_follows_a_prerelease_to_the_next_and_to_its_final(self) -> None:
        tags = ("2.5.0-rc.2", "2.6.0-beta.1", "2.6.0")
        choice = chosen("2.5.0-rc.1", *tags)
        assert choice.newest == {"patch": "2.5.0-rc.2"}
        assert choice.dropped == {Dropped.PRERELEASE: 1, Dropped.NOT_ITS_FINAL: 1}
        assert newest("2.5.0-rc.1", *tags, "2.5.0") == {"patch": "2.5.0"}

    def test_it_knows_a_prerelease_by_one_letter_and_a_dot(self) -> None:
        tags = ("0.108.0-b.9", "0.108.0-b.51", "0.109.0-b.1")
        assert newest("0.108.0-b.50", *tags) == {"patch": "0.108.0-b.51"}
        assert chosen("0.107.9", *tags).dropped == {Dropped.PRERELEASE: 3}

    def test_it_raises_alpine_with_the_version_and_never_lowers_it(self) -> None:
        choice = chosen("2.4-alpine3.19", "2.5-alpine3.20", "2.6-alpine3.18", "2.7-alpine")
        assert choice.newest == {"minor": "2.5-alpine3.20"}
        assert choice.dropped == {Dropped.OLDER_BASE: 1, Dropped.OTHER_VARIANT: 1}

    def test_it_leaves_an_abandoned_calendar_alone(self) -> None:
        assert newest("10.8.13", "10.9.0", "2020.11.2") == {"minor": "10.9.0"}

    @pytest.mark.parametrize(
        ("current", "other"), [("2.4.1-9-0f1e2d3", "2.4.1-9-4f5e6d7"), ("2.4b1", "2.4-beta1")]
    )
    def test_it_calls_nothing_newer_that_counts_as_much(self, current: str, other: str) -> None:
        assert chosen(current, other).dropped == {Dropped.NOT_NEWER: 1}

    def test_it_says_why_the_others_were_dropped(self) -> None:
        signature = "sha256-" + "0f" * 32 + ".sig"
        tags = ("latest", "4f5e6d7c", signature, "2.4", "2.4.0-slim", "2.3.9", "2.4.0", "2.4.2")
        choice = chosen("2.4.1", *tags)
        assert choice.newest == {"patch": "2.4.2"}
        assert choice.dropped == {
            Dropped.NO_VERSION: 2,
            Dropped.SIGNATURE: 1,
            Dropped.OTHER_SHAPE: 1,
            Dropped.OTHER_VARIANT: 1,
            Dropped.NOT_NEWER: 2,
        }

    def test_it_says_whether_the_present_tag_is_there(self) -> None:
        assert chosen("2.4").listed
        gone = choose("2.4", ["2.3"])
        assert gone is not None
        assert not gone.listed

    @pytest.mark.parametrize("tag", ["latest", "stable-alpine3.20", "4f5e6d7c", "pg16"])
    def test_it_has_no_choice_for_what_is_no_version(self, tag: str) -> None:
        assert choose(tag, ["1.0", "2.0"]) is None


class TestPolicy:
    TAGS = ("2.4.2", "2.5.0", "3.0.0", "3.1.0-rc.1")

    def test_it_includes(self) -> None:
        choice = chosen("2.4.1", *self.TAGS, include=re.compile(r"^2\.").search)
        assert choice.newest == {"minor": "2.5.0", "patch": "2.4.2"}
        assert choice.dropped == {Dropped.NOT_INCLUDED: 2}

    def test_it_excludes(self) -> None:
        choice = chosen("2.4.1", *self.TAGS, exclude=re.compile(r"\.0$").search)
        assert choice.newest == {"patch": "2.4.2"}
        assert choice.dropped[Dropped.EXCLUDED] == 2

    def test_it_ignores(self) -> None:
        choice = chosen("2.4.1", *self.TAGS, ignored={"3.0.0", "2.4.0"}.__contains__)
        assert choice.newest == {"minor": "2.5.0", "patch": "2.4.2"}
        assert choice.dropped[Dropped.IGNORED] == 1

    def test_it_says_what_each_rule_hides(self) -> None:
        rules = {"3.0.0": "a", "2.5.0": "a", "2.4.2": "b"}
        choice = chosen("2.4.1", *self.TAGS, ignored=lambda tag: rules.get(tag, ""))
        assert choice.by_rule == {"a": (2, "3.0.0"), "b": (1, "2.4.2")}

    def test_it_goes_no_further_than_told(self) -> None:
        assert newest("2.4.1", *self.TAGS, largest=MINOR) == {"minor": "2.5.0", "patch": "2.4.2"}
        choice = chosen("2.4.1", *self.TAGS, largest=PATCH)
        assert choice.newest == {"patch": "2.4.2"}
        assert choice.dropped[Dropped.TOO_LARGE] == 2

    def test_it_takes_a_calendar_for_a_large_step(self) -> None:
        assert newest("2025.3.0", "2025.4.0", largest=MINOR) == {}

    def test_it_allows_prereleases_where_asked(self) -> None:
        assert newest("2.4.1", *self.TAGS, prereleases=True)["major"] == "3.1.0-rc.1"

    def test_it_compares_what_it_is_told_to(self) -> None:
        def last_part(tag: str) -> str:
            return tag.rpartition("/")[2].rpartition("-")[2]

        assert newest("a7-2.4", "b1-2.5", comparable=last_part) == {"minor": "b1-2.5"}
        assert newest("a7-2.4", "b1-2.5") == {}


numbers = st.lists(st.integers(0, 40).map(str), min_size=1, max_size=4).map(".".join)
calendars = st.builds("{}.{:02}.{}".format, st.integers(2019, 2029), st.integers(1, 12), numbers)
dates = st.builds(
    "{}{:02}{:02}".format, st.integers(2019, 2029), st.integers(1, 12), st.integers(1, 28)
)
prefixes = st.sampled_from(["", "v", "version-", "nightly-", "amd64-", "pg16-"])
variants = st.sampled_from(["", "-alpine", "-alpine3.19", "-alpine3.20", "-slim-trixie", "-pg16"])
releases = st.sampled_from(["", "-rc.1", "rc2", "-beta", "b1", "-dev.4"])
builds = st.sampled_from(["", "-ls7", "-ls19", "-r2", "-3", "-20250101", "-4f5e6d7"])
written = st.builds(
    "{}{}{}{}{}".format, prefixes, st.one_of(numbers, calendars, dates), releases, builds, variants
)
versions = written.filter(lambda tag: read(tag) is not None)  # 20250101b1 is a hash
anything = st.one_of(st.text(max_size=200), st.from_regex(r"[\w.-]{1,128}", fullmatch=True))
tags = st.one_of(versions, versions, anything)


def shape_of(tag: str) -> tuple[str, tuple[str, ...]]:
    found = read(tag)
    assert found is not None
    return found.variant, found.kinds


pieces = st.lists(
    st.sampled_from([*"0189.-_abcdefglrsuvxyTZ", "sha", "k3s", "alpine", "rc", "2024", "-01", "v"]),
    max_size=6,
).map("".join)
short = st.lists(st.one_of(st.integers(0, 30), st.integers(90, 2100)), min_size=1, max_size=4)


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Tags that have the same around their numbers, whatever that is."""
    front, behind = draw(st.one_of(prefixes, pieces)), draw(st.one_of(variants, pieces))
    parts = draw(st.lists(short, min_size=2, max_size=12))
    return [f"{front}{'.'.join(map(str, each))}{behind}" for each in parts]


class TestAlways:
    @given(versions, st.lists(tags, max_size=20))
    def test_it_goes_up_and_keeps_the_shape(self, current: str, on_offer: Sequence[str]) -> None:
        choice = choose(current, on_offer)
        now = read(current)
        assert choice is not None
        assert now is not None
        for tag in choice.newest.values():
            then = read(tag)
            assert then is not None
            assert shape_of(tag) == shape_of(current)
            assert (then.place > now.place, then.base >= now.base) == (True, True)
            assert then.is_final or not now.is_final

    @given(versions, st.lists(tags, max_size=20))
    def test_it_accounts_for_every_tag(self, current: str, on_offer: Sequence[str]) -> None:
        choice = choose(current, on_offer)
        assert choice is not None
        follows = [tag for tag in on_offer if (one := choose(current, [tag])) and one.newest]
        others = [tag for tag in on_offer if tag != current and tag not in follows]
        assert sum(choice.dropped.values()) == len(others)
        assert set(choice.newest.values()) <= set(follows)
        assert bool(choice.newest) == bool(follows)

    @settings(deadline=None)
    @given(alike(), st.lists(tags, max_size=6), st.integers(0, 2), st.booleans())
    def test_it_says_of_those_that_it_does_not_read_what_it_says_of_those_that_it_reads(
        self, siblings: list[str], others: list[str], lower: int, hides: bool
    ) -> None:
        def ignored(tag: str) -> str:
            return "rule" if hides and tag.endswith(("1", "2", "3")) else ""

        current, on_offer = siblings[0], [*siblings, *others]
        for policy in (
            Policy(ignored=ignored, lower=lower),
            Policy(largest=MINOR, prereleases=True),
            Policy(largest=PATCH),
        ):
            reading_all = replace(policy, include=lambda tag: True)
            assert choose(current, on_offer, policy) == choose(current, on_offer, reading_all)

    @given(versions, st.permutations(["1.2", "1.3", "1.10", "2.0-rc1", "2.0", "1.2-ls3", "v1.4"]))
    def test_it_does_not_matter_in_which_order_tags_come(
        self, current: str, on_offer: Sequence[str]
    ) -> None:
        assert choose(current, on_offer) == choose(current, sorted(on_offer))

    @given(versions, versions, versions)
    def test_it_leads_to_one_end(self, first: str, second: str, third: str) -> None:
        """Whatever follows what follows, follows: no circle, whichever way is taken."""
        if _follows(first, second) and _follows(second, third):
            found = [read(tag) for tag in (first, third)]
            assert _place(found[0]) < _place(found[1])
            assert not _follows(third, first)

    @given(st.text() | st.text("0123456789.-_abcdefrvxyT", min_size=100), st.integers(1, 400))
    def test_it_reads_anything(self, text: str, times: int) -> None:
        long = (text * times)[:10_000]
        assert choose(long, [long, text, "1.0"]) is None or read(long) is not None
        choice = choose("1.0", [long, text])
        assert choice is not None


def _follows(current: str, later: str) -> bool:
    choice = choose(current, [later])
    return bool(choice and choice.newest)


def _place(version: Version | None) -> Any:
    assert version is not None
    return version.place
