from __future__ import annotations

from pathlib import Path

import pytest

from checks.discovery.dotenv import environment_in, read_environment


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("A = 1", "1"),
        ("  A=1  ", "1"),
        ("A=1 # why", "1"),
        ("A=1#not", "1#not"),
        ("A='1 # $B'", "1 # $B"),
        ('A="1 # ${B}"', "1 # b"),
        (r'A="a\"b\nc"', 'a"b\nc'),
        (r'A="a\$B"', "a$B"),
        ("A=${B}-x", "b-x"),
        ("A=${C:-d}", "d"),
        ("A='two\nlines'", "two\nlines"),
        ("A=", ""),
        ("A=$", "$"),
        ("# A=0\nA=1", "1"),
        ("A=0\nA=1", "1"),
        ("A=0\r\nB2=1", "0"),
    ],
)
def test_it_reads_an_assignment(tmp_path: Path, line: str, value: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(f"B=b\n{line}\nZ=z\n".encode())
    found = read_environment(path, {})
    assert found["A"] == value
    assert found["Z"] == "z"


def test_what_is_known_wins_over_earlier_lines(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("B=file\nA=$B\n")
    assert read_environment(path, {"B": "known"})["A"] == "known"


def test_it_passes_over_what_is_no_assignment(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfA=1\nnonsense\n=x\n\xff\xfe\n'\nB=2\n")
    assert read_environment(path, {}) == {"A": "1", "B": "2"}


def test_variables_that_stand_for_variables_do_not_grow_without_end() -> None:
    doubled = (
        "A0=" + "x" * 1000 + "\n" + "".join(f"A{n}=$A{n - 1}$A{n - 1}\n" for n in range(1, 60))
    )
    repeated = "".join(f"B{n}=$A8\n" for n in range(20_000))
    found = environment_in((doubled + repeated).encode(), {})
    assert found["A8"] == "x" * 256_000
    assert sum(map(len, found.values())) < 5 * 1024 * 1024
