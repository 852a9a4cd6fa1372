"""What a tag is read as."""

from __future__ import annotations

import pytest

from checks.versions.shapes import FINAL, Version, is_signature, read


def version(tag: str) -> Version:
    found = read(tag)
    assert found is not None, tag
    return found


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "latest",
        "stable-slim",
        "mainline-alpine3.20",
        "trixie",
        "pg17",
        "php8.4-fpm",
        "arm64v8",
        "jdk21-ubi9",
        "debian-12",
        "pr-1077",
        "latest-8",
        "4f5e6d7c",
        "main-4f5e6d7",
        "sha-1029384",
        "git-1234567",
        "sha256-" + "0" * 64,
        "sha256-" + "a1" * 32 + ".att",
        "1.2.3+build",
        "1.2 3",
        "-1.2.3",
        "१.२.३",
        "1" * 129,
    ],
)
def test_it_finds_no_version(tag: str) -> None:
    assert read(tag) is None


@pytest.mark.parametrize(
    ("tag", "numbers"),
    [
        ("7", (7,)),
        ("v0.9.12", (0, 9, 12)),
        ("release-24.2", (24, 2)),
        ("pg15-v0.3.0", (0, 3, 0)),
        ("2.17.2-pg16", (2, 17, 2)),
        ("17-3.5-alpine", (3, 5)),
        ("2.1-v1.9", (1, 9)),
        ("2.1-1.9", (2, 1)),
        ("6.7.1-php8.3-apache", (6, 7, 1)),
        ("ubuntu-24.04-2.1.0", (2, 1, 0)),
        ("2.1-ubuntu-24.04", (2, 1)),
        ("9-debian-12.5", (9,)),
        ("10.1.0.4567-ls88", (10, 1, 0, 4567)),
        ("bookworm-20250203-slim", (20250203,)),
        ("version-12", (12,)),
        ("nginx-1.27", (1, 27)),
        ("2025-02-03", (2025, 2, 3)),
        ("RELEASE.2025-02-03T04-05-06Z", (2025, 2, 3, 4, 5, 6)),
        ("3.1-4f5e6d7", (3, 1)),
    ],
)
def test_it_finds_the_version_among_other_numbers(tag: str, numbers: tuple[int, ...]) -> None:
    assert version(tag).numbers == numbers


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("4.0-dev.3", "4.0-alpha1"),
        ("4.0-alpha1", "4.0-alpha.2"),
        ("4.0-alpha9", "4.0-beta"),
        ("4.0a2", "4.0b1"),
        ("4.0-beta", "4.0-beta.1"),
        ("4.0_beta2", "4.0-RC1"),
        ("4.0rc9", "4.0rc10"),
        ("4.0-rc.2-alpine", "4.0-alpine"),
        ("18beta1", "18"),
    ],
)
def test_it_orders_prereleases_before_their_final(lower: str, higher: str) -> None:
    assert version(lower).variant == version(higher).variant
    assert version(lower).place < version(higher).place
    assert not version(lower).is_final


@pytest.mark.parametrize("tag", ["3.13-dev", "3.13-nightly", "1.2-betamax", "1.1.1w", "2.0-next"])
def test_it_takes_a_word_for_a_variant(tag: str) -> None:
    assert version(tag).prerelease == FINAL


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("2.4.1-ls99", "2.4.1-ls100"),
        ("2.4.1-r9-ls1", "2.4.1-r10-ls1"),
        ("2.4.1-9", "2.4.1-10"),
        ("21.0.1_9-jre", "21.0.1_12-jre"),
        ("v1.30.1-k3s1", "v1.30.1-k3s2"),
        ("2.4.1-v9", "2.4.1-v10"),
        ("2.4.1-20241231", "2.4.1-20250101"),
        ("20241231-2.4.1", "20250101-2.4.1"),
        ("2.4.1-9-0f1e2d3", "2.4.1-10-4f5e6d7"),
        ("v2.4.1-9-g0f1e2d3", "v2.4.1-10-g4f5e6d7"),
        ("2.4.1.77-4f5e6d7c8-ls9", "2.4.1.77-0f1e2d3c4-ls10"),
        ("2022-CU9-ubuntu-22.04", "2022-CU10-ubuntu-22.04"),
    ],
)
def test_it_counts_builds_of_one_version(lower: str, higher: str) -> None:
    assert version(lower).numbers == version(higher).numbers
    assert version(lower).variant == version(higher).variant
    assert version(lower).place < version(higher).place


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2.4", "v2.4"),
        ("2.4-alpine", "2.4"),
        ("2.4-alpine", "2.4-alpine3.20"),
        ("2.4-slim-bookworm", "2.4-slim-trixie"),
        ("2.4-pg15", "2.4-pg16"),
        ("2.4-debian-11-r1", "2.4-debian-12-r1"),
        ("2.4-ls3", "2.4-3"),
        ("2.4-20250101", "2.4-3"),
        ("2.4-rc1-alpine", "2.4-rc1"),
        ("amd64-2.4", "arm64v8-2.4"),
        ("2.4-arm32v6", "2.4-arm32v7"),
        ("2.4-20-alpine3.20", "2.4-22-alpine3.20"),
    ],
)
def test_it_tells_variants_apart(one: str, other: str) -> None:
    assert version(one).variant != version(other).variant


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2.4", "2.4.0"),
        ("2.4", "2.04"),
        ("10.1.3", "2021.1.3"),
        ("10", "20250101"),
        ("10", "1077"),
        ("20250101", "1077"),
        ("20250101", "202501010000"),
        ("1.0.5", "1.0.20250101"),
        ("2025.1.1", "2025-01-01"),
    ],
)
def test_it_tells_kinds_of_number_apart(one: str, other: str) -> None:
    assert not version(one).is_written_like(version(other))
    assert not version(other).is_written_like(version(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [("24.04", "24.10"), ("24.10", "25.04"), ("0.9", "10.0"), ("2025.1", "1999.9")],
)
def test_it_knows_what_is_written_alike(one: str, other: str) -> None:
    assert version(one).is_written_like(version(other))


def test_it_knows_signatures() -> None:
    digest = "sha256-" + "0f" * 32
    assert all(map(is_signature, [digest, f"{digest}.sig", f"{digest}.att", f"{digest}.sbom"]))
    assert not any(map(is_signature, ["sha256-0f", "sha-0f1e2d3", f"{digest}0", "1.0"]))
