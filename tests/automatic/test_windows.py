"""When windows open and close, by the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from checks.automatic.windows import opening, read
from checks.versions.patterns import BadPattern


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opens(said: str, now: str, zone: str = "UTC") -> tuple[str, str] | None:
    found = opening(read(said), at(now), default_zone=zone)
    if found is None:
        return None
    return tuple(f"{each:%a %d %H:%M}" for each in (found.opens_at, found.closes_at))  # type: ignore[return-value] # two


class TestDays:
    # 2026-11-28 is a Saturday.
    @pytest.mark.parametrize(
        ("said", "now", "expected"),
        [
            ("02:00-05:00", "2026-11-28 01:00", ("Sat 28 02:00", "Sat 28 05:00")),
            ("02:00-05:00", "2026-11-28 02:00", ("Sat 28 02:00", "Sat 28 05:00")),
            ("02:00-05:00", "2026-11-28 05:00", ("Sun 29 02:00", "Sun 29 05:00")),
            ("Mon-Fri 02:00-05:00", "2026-11-28 03:00", ("Mon 30 02:00", "Mon 30 05:00")),
            ("fri-mon 00:00-24:00", "2026-11-28 12:00", ("Sat 28 00:00", "Sun 29 00:00")),
            ("Wed,Sun 02:00-05:00", "2026-11-28 12:00", ("Sun 29 02:00", "Sun 29 05:00")),
        ],
    )
    def test_it_opens_on_its_days(self, said: str, now: str, expected: tuple[str, str]) -> None:
        assert opens(said, now) == expected

    def test_one_over_midnight_belongs_to_the_day_it_opens_on(self) -> None:
        night = ("Fri 27 22:00", "Sat 28 04:00")
        for now in ("2026-11-27 23:00", "2026-11-28 03:59"):
            assert opens("Fri 22:00-04:00", now) == night
        assert opens("Fri 22:00-04:00", "2026-11-28 04:00") == ("Fri 04 22:00", "Sat 05 04:00")

    def test_of_several_the_next_counts_and_of_open_ones_the_longest(self) -> None:
        said = "Sat 10:00-12:00; Sat 11:00-15:00; Sun 01:00-02:00"
        assert opens(said, "2026-11-28 09:00") == ("Sat 28 10:00", "Sat 28 12:00")
        assert opens(said, "2026-11-28 11:30") == ("Sat 28 11:00", "Sat 28 15:00")
        assert opens(said, "2026-11-28 15:00") == ("Sun 29 01:00", "Sun 29 02:00")


class TestClocks:
    def test_it_follows_the_zone_that_is_said(self) -> None:
        said = "02:00-05:00 America/New_York"
        assert opens(said, "2026-11-28 06:00") == ("Sat 28 07:00", "Sat 28 10:00")
        assert opens("02:00-05:00", "2026-11-28 00:00", "Asia/Tokyo") == (
            "Sat 28 17:00",
            "Sat 28 20:00",
        )

    @pytest.mark.parametrize(
        ("said", "expected"),
        [
            # Put forward at 01:00 UTC on 29 March: 02:00 to 03:00 does not come.
            ("01:30-03:30", ("Sun 29 00:30", "Sun 29 01:30")),
            ("02:30-04:00", ("Sun 29 01:00", "Sun 29 02:00")),
            ("01:00-02:30", ("Sun 29 00:00", "Sun 29 01:00")),
            ("02:00-03:00", ("Mon 30 00:00", "Mon 30 01:00")),
            ("22:00-02:30", ("Sat 28 21:00", "Sun 29 01:00")),
        ],
    )
    def test_it_leaps_with_the_clock(self, said: str, expected: tuple[str, str]) -> None:
        now = "2026-03-28 21:30" if said.startswith("22") else "2026-03-28 23:30"
        assert opens(f"{said} Europe/Berlin", now) == expected

    def test_an_hour_that_comes_twice_is_open_both_times(self) -> None:
        # Put back at 01:00 UTC on 25 October: 02:00 to 03:00 comes twice.
        found = opens("02:00-03:00 Europe/Berlin", "2026-10-25 00:30")
        assert found == ("Sun 25 00:00", "Sun 25 02:00")


@pytest.mark.parametrize(
    ("said", "position"),
    [
        ("always", 0),
        ("Sat", 0),
        ("Sat 2:00-5:00", 4),
        ("24:00-05:00", 0),
        ("02:00-24:01", 0),
        ("02:00-02:00", 0),
        ("Sat-Dom 02:00-05:00", 0),
        ("Sat 02:00-05:00; ", 17),
        ("Sat 02:00-05:00 UTC; Sun 02:00-05:00", 16),
        ("02:00-05:00 Europe/Atlantis", 12),
        ("02:00-05:00 ../../etc/passwd", 12),
        ("02:00-05:00 Europe", 12),
        (";" * 201, 200),
    ],
)
def test_it_says_where_it_cannot_be_read(said: str, position: int) -> None:
    with pytest.raises(BadPattern) as caught:
        read(said)
    assert caught.value.position == position
