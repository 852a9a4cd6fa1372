"""Reads a tag as a version: its numbers, and all that must stay as it is. Pure.

What a part of a tag is follows from its place:

- The version is the longest run of numbers that stands free: at the start, after a separator, or
  after `v`, `version`, `release`. Of equally long ones it is the one after such a word, else the
  first. A number glued to another word says what an image is built for (`pg16`, `php8.2`), and so
  does one that follows a word, if it is a single one (`debian-12`, `pr-7`) or behind the version
  (`1.2-ubuntu-22.04`): these stay as they are. A tag with no other number is no version.
- Words are the variant (`v`, `nightly-`, `-alpine`, `-slim-bookworm`): they stay as they are.
- A pre-release is `alpha`, `beta`, `rc`, `pre` or `preview`, `dev`, `nightly` and the like with a
  number, and a letter that is glued between two numbers (`3.8.0b1`) or has a dot behind it
  (`0.108.0-b.50`). Without a number `-dev` or `-nightly` is a variant: images are published under
  it for good.
- Counters count the builds of one version: `-ls250`, `-r3`, `-v9`, `-b07`, `_9`, `-k3s1`, `8u372`,
  a number at the end (`1.21.11-0`), a date beside the version. They may be anything in a newer
  version.
- Alpine's version (`-alpine3.19`) may rise with the image's, but it never falls.
- Hashes may be any: 7 to 40 hexadecimal digits with a letter among them, or what follows `sha-`.
- Kinds of number are told apart, for one does not follow the other: a version (`10.11.5`), a
  calendar version (`2021.12.16`), a date (`20240115`, `2024-01-15`), and any other number of 1000
  and more in front, as build servers count.
- A number with leading zeros (`22.04`) goes with numbers of the same width alone (`22.10`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from checks.registry.reference import is_tag

Numbers = tuple[int, ...]
Prerelease = tuple[int, Numbers]

NUMBER, YEAR, COUNT = "number", "year", "count"
FINAL: Prerelease = (9, ())
_PRERELEASES = dict.fromkeys(("dev", "develop", "snapshot", "nightly", "canary", "next"), 0)
_PRERELEASES |= {"a": 1, "alpha": 1, "b": 2, "beta": 2, "m": 2, "pre": 3, "preview": 3}
_PRERELEASES |= {"c": 4, "rc": 4}

_NUMBERS = r"[0-9]+(?:\.[0-9]+)*"
_ENDS = r"(?![0-9A-Za-z])"
_HASH = (
    r"(?<![0-9A-Za-z.])(?:(?:sha|git|commit)[-_.]?[0-9a-f]{7,64}"
    rf"|g?(?=[0-9]*[a-f])[0-9a-f]{{7,40}}){_ENDS}"
)
_DAY = r"(?:19|20)[0-9]{2}%s(?:0[1-9]|1[0-2])%s(?:0[1-9]|[12][0-9]|3[01])"
_LONG_DATE = rf"{_DAY.replace('%s', '-')}(?:T[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}Z?)?{_ENDS}"
_SHORT_DATE = rf"{_DAY.replace('%s', '')}(?:[0-9]{{4}}|[0-9]{{6}})?"
_ANY_DATE = rf"(?<![0-9A-Za-z])(?:{_LONG_DATE}|{_SHORT_DATE}{_ENDS})"
_COUNTER = r"(?:ls|r|rev|p|pl|patch|post|build|hotfix|cu|k3s|rke2r|eksbuild)[-_.]?[0-9]+"

_SIGNATURE = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\.|$)")
# With one run of numbers there is nothing to choose.
_SIMPLE = re.compile(rf"(?!{_HASH})v?({_NUMBERS})(?=[^0-9]*$)", re.IGNORECASE)
_PIECE = re.compile(
    rf"""
      (?P<hash>{_HASH})
    | (?P<v>(?<![0-9A-Z])(?:v|ver|version|rel|release)[-_.]?)?
      (?:(?P<date>{_LONG_DATE})|(?P<run>{_NUMBERS}))
    | (?P<word>[A-Z]+)(?:{_NUMBERS})?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_IN_FRONT = re.compile(rf"(?P<hash>{_HASH})|(?P<date>{_ANY_DATE})", re.IGNORECASE)
_BEHIND = re.compile(
    rf"""
      (?P<hash>{_HASH})
    | (?P<date>{_ANY_DATE})
    | (?P<prerelease>[-_.]?(?<![A-Z])(?:
          (?:alpha|beta|preview|pre|rc)(?![A-Z])(?:[-_.]?{_NUMBERS}{_ENDS})?
        | (?:dev|develop|snapshot|nightly|canary|next|m)[-_.]?{_NUMBERS}{_ENDS}
        | (?<=[0-9])[abc]{_NUMBERS}{_ENDS}
        | (?<=[-_.])[abc]\.{_NUMBERS}{_ENDS}))
    | (?P<base>alpine[-_.]?{_NUMBERS}{_ENDS})
    | (?P<counter>(?<![A-Z]){_COUNTER}{_ENDS}
        | (?<=[-_.])[vb][0-9]+{_ENDS}
        | (?<=[0-9])u[0-9]+{_ENDS}
        | (?<=[0-9])_[0-9]+{_ENDS}
        | (?<=[-_.]){_NUMBERS}(?=$|[-_.](?:{_HASH}|{_COUNTER}{_ENDS})))
    | (?P<word>[A-Z]+(?:{_NUMBERS}|[-_.](?!{_ANY_DATE}){_NUMBERS}{_ENDS})?)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DIGIT_RUN = re.compile("[0-9]+")
_NO_WORD = re.compile("[^A-Za-z]+")
_DATED = re.compile(_SHORT_DATE)
_YEAR = re.compile("(?:19|20)[0-9]{2}")


class Version(NamedTuple):
    """A tag that was read.

    `variant` is the tag with all that may change left out; `parts` are the version's numbers as
    they are written, and `kinds` say what each is. What the rest is worth falls from left to right.
    """

    variant: str
    kinds: tuple[str, ...]
    parts: tuple[str, ...]
    numbers: Numbers
    prerelease: Prerelease
    base: Numbers
    counters: tuple[Numbers, ...]

    @property
    def place(self) -> tuple[Numbers, Prerelease, Numbers, tuple[Numbers, ...]]:
        """Where it stands among the versions of its shape."""
        return self[3:]

    @property
    def is_final(self) -> bool:
        return self.prerelease == FINAL

    def is_written_like(self, other: Version) -> bool:
        """Whether there are as many numbers, of the same kinds, with zeros in front or without."""
        if self.kinds != other.kinds:
            return False
        # A loop: with `all` it takes twice the time, and it runs for every tag.
        for ours, theirs in zip(self.parts, other.parts, strict=True):
            if len(ours) != len(theirs) and (ours[0] == "0" != ours or theirs[0] == "0" != theirs):
                return False
        return True


def is_signature(tag: str) -> bool:
    """Whether a tag keeps what was said about an image, such as its signature, and no image."""
    return tag.startswith("sha") and _SIGNATURE.match(tag) is not None


def read(tag: str) -> Version | None:
    """Return the version that a tag is; None if it is none, or not even a tag."""
    if not is_tag(tag) or is_signature(tag):
        return None
    place = place_in(tag)
    if place is None:
        return None
    start, end = place
    written = tag[start:end]
    parts = tuple(_DIGIT_RUN.findall(written) if "-" in written else written.split("."))
    kinds = ("day",) * len(parts) if "-" in written else _kinds(parts)
    front, behind = _in_front(tag[:start]), _behind(tag[end:])
    return Version(
        f"{front.variant}{{}}{behind.variant}",
        kinds,
        parts,
        tuple(map(int, parts)),
        behind.prerelease,
        behind.base,
        front.counters + behind.counters,
    )


def place_in(tag: str) -> tuple[int, int] | None:
    """Where a tag's version starts and ends."""
    if simple := _SIMPLE.match(tag):
        return simple.span(1)
    best, best_rank, word_ended = None, (0, False), -2
    for piece in _PIECE.finditer(tag):
        kind = piece.lastgroup or ""
        if kind == "word":
            word_ended = piece.end()
        if kind not in {"run", "date"}:
            continue
        named = piece["v"] is not None
        is_single = kind == "run" and "." not in piece["run"] and not _DATED.fullmatch(piece["run"])
        if not named and piece.start() == word_ended + 1 and (best or is_single):
            continue
        rank = (3 if kind == "date" else piece["run"].count(".") + 1, named)
        if rank > best_rank:
            best, best_rank = piece.span(kind), rank
    return best


def _kinds(parts: tuple[str, ...]) -> tuple[str, ...]:
    if max(map(len, parts)) < 4:
        return (NUMBER,) * len(parts)
    kinds = tuple(map(_kind, parts))
    if len(parts[0]) < 4 or parts[0][0] == "0" or kinds[0] != NUMBER:
        return kinds
    is_year = len(parts) > 1 and _YEAR.fullmatch(parts[0])
    return (YEAR if is_year else COUNT, *kinds[1:])


def _kind(part: str) -> str:
    is_date = len(part) >= 8 and _DATED.fullmatch(part)
    return f"date of {len(part)}" if is_date else NUMBER


class _Around(NamedTuple):
    """What stands before or behind a tag's version."""

    variant: str
    prerelease: Prerelease = FINAL
    base: Numbers = ()
    counters: tuple[Numbers, ...] = ()


# Most of a repository's tags share what stands around their numbers.
@lru_cache(1024)
def _in_front(text: str) -> _Around:
    return _around(_IN_FRONT, text, 0)


@lru_cache(1024)
def _behind(text: str) -> _Around:
    # With a digit before it, as it has in the tag: that decides what a letter is.
    return _around(_BEHIND, f"0{text}", 1)


def _around(pieces: re.Pattern[str], text: str, at: int) -> _Around:
    variant: list[str] = []
    prerelease: Prerelease = FINAL
    base: Numbers = ()
    counters: list[Numbers] = []
    for piece in pieces.finditer(text, at):
        variant.append(text[at : piece.start()])
        at = piece.end()
        kind, word = piece.lastgroup, piece.group()
        if kind == "hash":
            variant.append("{hash}")
        elif kind == "prerelease" and prerelease == FINAL:
            prerelease = _prerelease(word)
        elif kind == "base" and not base:
            base = _numbers(word)
            variant.append(_pattern(word))
        elif kind in {"counter", "date"}:
            counters.append(_numbers(word))
            variant.append(_pattern(word))
        else:
            variant.append(word)
    variant.append(text[at:])
    return _Around("".join(variant), prerelease, base, tuple(counters))


def _prerelease(text: str) -> Prerelease:
    word = _NO_WORD.sub("", text).lower()
    return _PRERELEASES[word], _numbers(text)


def _numbers(text: str) -> Numbers:
    return tuple(map(int, _DIGIT_RUN.findall(text)))


def _pattern(text: str) -> str:
    """The text with marks for numbers, which tell dates and counters apart."""
    return _DIGIT_RUN.sub(_mark, text)


def _mark(run: re.Match[str]) -> str:
    return f"{{{len(run.group())}}}" if _DATED.fullmatch(run.group()) else "{}"
