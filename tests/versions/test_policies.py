"""What holds of a policy, field by field, and by whose word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.versions.choice import MAJOR, MINOR, PATCH
from checks.versions.policies import (
    FIELDS,
    LABELS,
    MAX_LABEL,
    Source,
    holding,
    known_labels,
    read_labels,
)

EVERY = {source: {"include": f"^{source}"} for source in Source if source != Source.DEFAULT}


class TestLayers:
    def test_it_has_a_default_for_every_field(self) -> None:
        held = holding({})
        assert {name: each.value for name, each in held.items()} == {
            "track": "auto",
            "include": "",
            "exclude": "",
            "transform": "",
            "largestStep": MAJOR,
            "prereleases": False,
            "minimumAge": 0,
            "platform": "",
            "backup": "skip",
            "autoUpdate": "off",
            "autoUpdateAge": 0,
            "autoUpdateWindow": "",
            "autoUpdateHealthy": True,
            "rollback": True,
            "probeHttp": "",
            "probeTcp": 0,
            "probeLog": "",
            "settleTime": 0,
            "healthMargin": 10,
            "commit": False,
            "commitAuthor": "",
        }
        assert {each.source for each in held.values()} == {Source.DEFAULT}

    @pytest.mark.parametrize("silent", range(4))
    def test_it_takes_the_first_who_says_something(self, silent: int) -> None:
        speaking = list(EVERY)[silent:]
        held = holding({source: EVERY[source] for source in speaking})["include"]
        assert held == (f"^{speaking[0]}", speaking[0])

    def test_it_looks_at_each_field_alone(self) -> None:
        held = holding(
            {
                Source.LABEL: {"track": "digest"},
                Source.STACK: {"track": "nothing", "largestStep": MINOR},
                Source.ALL: {"largestStep": PATCH, "prereleases": True},
            }
        )
        assert held["track"] == ("digest", Source.LABEL)
        assert held["largestStep"] == (MINOR, Source.STACK)
        assert held["prereleases"] == (True, Source.ALL)

    def test_it_takes_an_empty_text_for_a_word(self) -> None:
        held = holding({Source.SERVICE: {"exclude": ""}, Source.STACK: {"exclude": "-rc"}})
        assert held["exclude"] == ("", Source.SERVICE)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("track", "all"),
            ("include", "1("),
            ("transform", "1"),
            ("prereleases", "yes"),
            ("prereleases", 1),
            ("platform", "linux"),
            ("include", None),
            ("track", ["auto"]),
        ],
    )
    def test_it_passes_over_what_cannot_be_read(self, name: str, value: Any) -> None:
        below = FIELDS[name].default
        held = holding({Source.SERVICE: {name: value}, Source.ALL: {name: below}})
        assert held[name] == (below, Source.ALL)


class TestLabels:
    def test_it_reads_every_field(self) -> None:
        said, faults = read_labels(
            {
                "dockrev.track": " Version ",
                "dockrev.include": r"^1\.",
                "dockrev.exclude": "",
                "dockrev.transform": r"^b(.+)$ => \1",
                "dockrev.largest-step": "MINOR",
                "dockrev.prereleases": "yes",
                "dockrev.minimum-age": "7",
                "dockrev.platform": "linux/arm/v7",
                "dockrev.auto-update": "minor",
                "dockrev.auto-update-age": "3",
                "dockrev.auto-update-window": "Sat,Sun 22:00-04:00 Europe/Berlin",
                "dockrev.auto-update-healthy": "no",
                "dockrev.rollback": "off",
                "dockrev.probe-http": ":8080/health 200-204",
                "dockrev.probe-tcp": "5432",
                "dockrev.probe-log": "ready$",
                "dockrev.settle-time": "30",
                "dockrev.health-margin": "0",
                "dockrev.commit": "on",
                "dockrev.commit-author": "Ada <ada@example.org>",
                "traefik.enable": "true",
            }
        )
        assert faults == []
        assert said == {
            "track": "version",
            "include": r"^1\.",
            "exclude": "",
            "transform": r"^b(.+)$ => \1",
            "largestStep": "minor",
            "prereleases": True,
            "minimumAge": 7,
            "platform": "linux/arm/v7",
            "autoUpdate": "minor",
            "autoUpdateAge": 3,
            "autoUpdateWindow": "Sat,Sun 22:00-04:00 Europe/Berlin",
            "autoUpdateHealthy": False,
            "rollback": False,
            "probeHttp": ":8080/health 200-204",
            "probeTcp": 5432,
            "probeLog": "ready$",
            "settleTime": 30,
            "healthMargin": 0,
            "commit": True,
            "commitAuthor": "Ada <ada@example.org>",
        }

    @pytest.mark.parametrize(
        ("label", "text", "why"),
        [
            ("dockrev.track", "sometimes", "“sometimes” is none of: auto, digest, version"),
            ("dockrev.track", "", "“” is none of: auto"),
            ("dockrev.include", "1.2(", "cannot be read from character 4 on"),
            ("dockrev.exclude", "a" * 257, "may have 256 characters"),
            ("dockrev.transform", "no arrow", "Write it as pattern => replacement"),
            ("dockrev.largest-step", "other", "none of: patch, minor, major"),
            ("dockrev.prereleases", "maybe", "none of: true, false"),
            ("dockrev.minimum-age", "366", "from 0 to 365"),
            ("dockrev.minimum-age", "-1", "from 0 to 365"),
            ("dockrev.minimum-age", "\N{ARABIC-INDIC DIGIT SEVEN}", "from 0 to 365"),
            ("dockrev.minimum-age", "9" * 100, "from 0 to 365"),
            ("dockrev.auto-update", "true", "“true” is none of: off, digest, patch, minor, major"),
            ("dockrev.auto-update-window", "nightly", "Write windows as"),
            ("dockrev.platform", "arm64", "Write a platform as linux/amd64"),
            ("dockrev.platform", "linux/arm64/eight", "Write a platform as"),
            ("dockrev.platform", "linux/amd46", "“amd46” is none of: amd64"),
            ("dockrev.platform", "unix/amd64", "“unix” is none of: linux"),
            ("dockrev.rollback", "never", "none of: true, false"),
            ("dockrev.probe-http", "http://db:8080/", "Write it as :8080/health"),
            ("dockrev.probe-http", ":8080/ 299-200", "The lower status comes first"),
            ("dockrev.probe-tcp", "65536", "a port from 1 to 65535"),
            ("dockrev.settle-time", "1801", "seconds from 0 to 1800"),
            ("dockrev.commit-author", "Ada", "Write an author as Name"),
        ],
    )
    def test_it_says_what_is_wrong_and_goes_on(self, label: str, text: str, why: str) -> None:
        other = "dockrev.prereleases" if label != "dockrev.prereleases" else "dockrev.include"
        said, faults = read_labels({label: text, other: "no"})
        assert len(said) == 1
        assert [fault.label for fault in faults] == [label]
        assert why in faults[0].message

    def test_it_keeps_of_labels_only_what_is_about_policy_and_fits(self) -> None:
        labels = {
            "dockrev.track": "\0\ud800",
            "dockrev.include": "a" * 10_000,
            "dockrev.tracks": "digest",
            "com.docker.compose.project": "shop",
        }
        kept = known_labels(labels)
        assert set(kept) == {"dockrev.track", "dockrev.include"}
        assert len(kept["dockrev.include"]) == MAX_LABEL
        assert "\0" not in kept["dockrev.track"]
        kept["dockrev.track"].encode()
        assert {fault.label for fault in read_labels(kept)[1]} == set(kept)

    @given(st.dictionaries(st.sampled_from(LABELS), st.text(max_size=2000)))
    def test_it_reads_anything_or_says_why(self, labels: dict[str, str]) -> None:
        said, faults = read_labels(known_labels(labels))
        assert len(said) + len(faults) == len(labels)
        held = holding({Source.LABEL: said})
        assert all(held[name] == (value, Source.LABEL) for name, value in said.items())
