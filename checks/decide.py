"""What a service should be told: pure facts in, a verdict out. Worker and command line share it.

A tag is followed in two ways. The image under it was rebuilt if what the registry has there, as a
whole and for our platform, is not among the digests that run. Where the tag is a version, others
may follow it: the highest of each step is found, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.platforms import best_of
from checks.registry.configs import About
from checks.registry.errors import BadAnswer, NotFound, RegistryError
from checks.registry.reference import Reference
from checks.versions.choice import STEPS, Choice, choose, version_of
from checks.versions.ignores import Ignores
from checks.versions.policies import DIGEST, NOTHING, VERSION
from checks.versions.shapes import read
from checks.versions.wishes import Wishes

T = TypeVar("T")

REBUILT = "rebuilt"
SAME = "same"
"""The step to an index that has, for our platform, the very image that runs."""
MAX_SHOWN = 80


@dataclass(frozen=True)
class Child:
    """One platform of an index. `platform` is `os/arch[/variant]`."""

    platform: str
    digest: str


@dataclass(frozen=True)
class Found:
    """A newer image. `arch` says whether it is for our platform; `hidden`, that a rule hides it.

    `about` is what the image says of itself, None as long as nobody has read that. `seen_at` is
    when a check saw it first. One that is too young yet waits until `waits_until`.
    """

    step: str
    tag: str
    digest: str
    arch: str
    platform_digest: str = ""
    platforms: tuple[str, ...] = ()
    hidden: bool = False
    about: About | None = None
    seen_at: datetime | None = None
    waits_until: datetime | None = None

    @property
    def image_digest(self) -> str:
        """The digest of the single image that would run; empty where none is for our platform."""
        return self.platform_digest or ("" if self.platforms else self.digest)

    @property
    def display_tag(self) -> str:
        """The tag; where it is no version, the one that the image says it is."""
        return self.tag if read(self.tag) or not self.about else self.about.version or self.tag


@dataclass(frozen=True)
class Local:
    """What runs here, or stands in for it.

    `running` are the digests that the engine knows of this repository. Without any, `baseline`,
    the digest first seen for this reference, stands in; on the command line there is none.
    `started` says that containers exist, so that an image without digests was built here. `known`
    is what earlier checks found, by digest, and `equal` the image for our platform in indexes that
    they read and that were no news, by the index's digest: neither need be read again.
    `reads_about` says whether what a newly found image says of itself is worth another image read,
    which Docker Hub counts.
    """

    reference: Reference
    running: frozenset[str] = frozenset()
    baseline: str = ""
    platform: str = ""
    started: bool = False
    keeps_baseline: bool = True
    known: Mapping[str, Found] = field(default_factory=dict)
    equal: Mapping[str, str] = field(default_factory=dict)
    reads_about: bool = True
    now: datetime = field(default_factory=timezone.now)

    @property
    def digests(self) -> frozenset[str]:
        stand_in = self.reference.digest or self.baseline
        return self.running or frozenset(filter(None, [stand_in]))


@dataclass(frozen=True)
class SomeTags:
    """Tags of a repository that may have others: what is not among them need not be gone."""

    tags: Iterable[str]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tags)


class Remote(Protocol):
    """The registry, as far as a decision needs it. Each call may raise RegistryError."""

    def head(self, reference: Reference) -> str:
        """The digest that the registry has under the reference's tag."""

    def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
        """The platforms of an index; None if the digest is a single image's."""

    def about(self, repository: str, digest: str) -> About:
        """What a single image says of itself, by its digest."""

    def tags(self, repository: str) -> Iterable[str]:
        """All tags of a repository. May be gone through again."""


class Asking(Remote, Protocol):
    """A registry that may be asked several things at once."""

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """What came of each call, in order. They ask, and none waits for another."""


@dataclass(frozen=True)
class Verdict:
    """`status` is one of `Service.Status`; `reason` says why, where that needs words.

    `found` has the largest step first, a rebuilt image last, and what is not for our platform after
    all others; `waiting` is what is too young yet. `trouble` says why newer versions could not be
    looked for: then `found` knows nothing of them. `choice` says what became of all tags; `gone`,
    that the registry does not list the tag that runs any more, though it may still answer for it.
    `baseline` is the digest to keep as first seen, where nothing else says what runs. `equal` are
    indexes that differ from what runs for other platforms alone, for a later check to know as
    `Local.equal`. `is_unlisted` says that the trouble is that the registry has no list of tags, and
    `in_part` that later versions were looked for in a list that may lack some.
    """

    status: str
    found: tuple[Found, ...] = ()
    waiting: tuple[Found, ...] = ()
    reason: str = ""
    baseline: str = ""
    trouble: str = ""
    choice: Choice | None = None
    gone: bool = False
    equal: Mapping[str, str] = field(default_factory=dict)
    is_unlisted: bool = False
    in_part: bool = False


EVERYTHING = Wishes()


def decide(local: Local, remote: Asking, wishes: Wishes = EVERYTHING) -> Verdict:
    """Compare what runs with what the registry has under the same tag, and under later ones.

    A version that a rule hides, or that is too young, gives way to the next lower one of its step;
    where there is none, the one that a rule hides is found as hidden. For each of these tags at
    most one HEAD, and where a digest is new what it is and what it says of itself; for versions the
    list of tags besides. RegistryError passes through where even the same tag is not known.
    """
    tag = local.reference.tag
    if not tag:
        return Verdict("up_to_date", reason=_("Pinned to a digest: there is no tag to follow."))
    if not local.digests and local.started:
        return Verdict("unknown", reason=_("Built here: no registry has this image."))
    if wishes.track == NOTHING:
        return Verdict("unknown", reason=_("Its policy is to track nothing."))
    if wishes.track == DIGEST:
        return _rebuilt(local, remote, wishes)
    if version_of(tag, wishes.policy) is None:
        return _unversioned(local, remote, wishes)
    if wishes.track == VERSION:
        return _with_versions(local, remote, wishes, Verdict("up_to_date"))
    try:
        same = _rebuilt(local, remote, wishes)
    except NotFound as gone:
        return _without_the_tag(local, remote, wishes, gone)
    return _with_versions(local, remote, wishes, same)


def _without_the_tag(local: Local, remote: Asking, wishes: Wishes, gone: NotFound) -> Verdict:
    """What follows a tag that is gone upstream. Raises it again where it is known that nothing
    does; that no list came, or one that may lack some, is no such knowledge."""
    verdict = _with_versions(local, remote, wishes, Verdict("unknown", reason=str(gone)))
    unknown = verdict.in_part or (verdict.trouble and not verdict.is_unlisted)
    if verdict.found or verdict.waiting or unknown:
        return verdict
    raise gone


def _unversioned(local: Local, remote: Remote, wishes: Wishes) -> Verdict:
    """Follow a tag that is no version by its digest alone, unless that is not wanted."""
    unfit = _unfit(local.reference.tag, wishes)
    if wishes.track == VERSION:
        reason = _("Its policy is to track versions, and its tag is none.")
        return Verdict("unknown", reason=unfit or reason)
    verdict = _rebuilt(local, remote, wishes)
    return replace(verdict, reason=" ".join(filter(None, [verdict.reason, unfit])))


def _unfit(tag: str, wishes: Wishes) -> str:
    """Why the transform makes no version of a tag; empty where there is no transform."""
    comparable = wishes.policy.comparable
    if comparable is None:
        return ""
    part = comparable(tag)
    if part is None:
        return _("The transform does not match its tag, so no later versions are looked for.")
    text = _(
        "The transform makes “%(part)s” of its tag, which is no version, so none are looked for."
    )
    return text % {"part": part[:MAX_SHOWN]}


def _rebuilt(local: Local, remote: Remote, wishes: Wishes) -> Verdict:
    digest = remote.head(local.reference)
    if not local.digests and not local.keeps_baseline:
        return Verdict("unknown", reason=_("Nothing says which image of this tag runs."))
    if not local.digests:
        return Verdict("up_to_date", baseline=digest, reason=_("First seen now."))
    image = replace(local.reference, digest=digest)
    found = _told(local, remote, _found(local, remote, REBUILT, image))
    aged = [_aged(local, wishes, found)] if found else []
    return _concluded(Verdict("up_to_date"), aged, wishes.ignores)


def _with_versions(local: Local, remote: Asking, wishes: Wishes, same: Verdict) -> Verdict:
    """Add the versions that follow. What is known of the same tag stays if they are not."""
    tag, repository = local.reference.tag, local.reference.repository
    try:
        tags = remote.tags(repository)
        choice = choose(tag, tags, wishes.policy)
        wanted = _falling(choice) if choice else {}
        looks = [partial(_step, local, remote, wishes, each) for each in wanted.items()]
        found = [each for some in remote.together(looks) for each in some]
    except RegistryError as error:
        # Nothing is called up to date that could not be looked at as a whole.
        status = same.status if same.found else "error"
        unlisted = isinstance(error, NotFound)
        return replace(same, status=status, trouble=str(error), is_unlisted=unlisted)
    in_part = isinstance(tags, SomeTags)
    gone = choice is not None and not choice.listed and not in_part
    concluded = _concluded(same, found, wishes.ignores)
    return replace(concluded, choice=choice, gone=gone, in_part=in_part)


def _falling(choice: Choice) -> dict[str, tuple[str, ...]]:
    """The tags to look at of each step, the highest first, and the largest step first."""
    newest = {**choice.hidden, **choice.newest}
    steps = sorted(newest, key=STEPS.index)
    return {step: (newest[step], *choice.lower.get(step, ())) for step in steps}


def _step(
    local: Local, remote: Remote, wishes: Wishes, tags: tuple[str, tuple[str, ...]]
) -> list[Found]:
    """Of one step the highest that is there and old enough, after those above it that are not yet.

    What is below the image that runs, under whichever tag that is, is no news.
    """
    step, falling = tags
    looked: list[Found] = []
    for tag in falling:
        try:
            found = _version(local, remote, step, tag)
        except NotFound:
            continue  # listed, though its image was deleted
        if found is None:
            break
        looked.append(_aged(local, wishes, found))
        if looked[-1].waits_until is None:
            break
    return looked


def _version(local: Local, remote: Remote, step: str, tag: str) -> Found | None:
    reference = replace(local.reference, tag=tag, digest="")
    image = replace(reference, digest=remote.head(reference))
    return _told(local, remote, _found(local, remote, step, image))


def _told(local: Local, remote: Remote, found: Found | None) -> Found | None:
    """Add what the image says of itself, where nobody has read that yet and it can be read.

    Of an image that is in no index it says the platform, too, and has been read already.
    """
    if found is None or found.step == SAME or found.about:
        return found
    if found.platforms and not local.reads_about:
        return found
    if not found.image_digest:
        return found
    digest = found.image_digest
    about = _answered(lambda: remote.about(local.reference.repository, digest))
    if about is None:
        return found
    if found.platforms or not about.platform:
        return replace(found, about=about)
    arch = "unknown"
    if local.platform:
        arch = "match" if best_of(local.platform, [about.platform]) else "mismatch"
    ours, platforms = found.digest, (about.platform,)
    return replace(found, about=about, arch=arch, platform_digest=ours, platforms=platforms)


def about_image(local: Local, remote: Remote, digest: str) -> About | None:
    """What an image says of itself, by its digest or that of its index; None while nobody knows."""

    def ask() -> About:
        children = remote.children(local.reference, digest)
        ours = child_for(local.platform, children) if children else None
        return remote.about(local.reference.repository, ours.digest if ours else digest)

    return _answered(ask)


def _answered(ask: Callable[[], About]) -> About | None:
    try:
        return ask()
    except (NotFound, BadAnswer):
        return About()  # it will say no more another time
    except RegistryError:
        return None


def _aged(local: Local, wishes: Wishes, found: Found) -> Found:
    """Say until when it waits, if it is younger than is wished.

    Its age counts from when it was built, as it says itself, else from when it was first seen.
    """
    if found.step == SAME:
        return found
    built_at = found.about.built_at if found.about else None
    ripe = (built_at or found.seen_at or local.now) + wishes.minimum_age
    return replace(found, waits_until=ripe if ripe > local.now else None)


def _found(local: Local, remote: Remote, step: str, image: Reference) -> Found | None:
    """What a tag has, with its digest, that does not run here; None where it is what runs.

    Where only other platforms' images differ, that takes the step SAME.
    """
    tag, digest = image.tag, image.digest
    if digest in local.digests:
        return None
    if (equal := local.equal.get(digest, "")) in local.digests:
        return Found(SAME, tag, digest, "match", equal)
    known = local.known.get(digest)
    if known and (known.platform_digest or not known.platforms):
        runs = known.platform_digest in local.digests
        return replace(known, step=SAME if runs else step, tag=tag)
    children = remote.children(image, digest)
    if children is None:
        return Found(step, tag, digest, arch="unknown")
    platforms = tuple(child.platform for child in children)
    running = [child for child in children if child.digest in local.digests]
    ours = child_for(local.platform, children)
    if not local.platform and running:
        ours = running[0]
    if ours is None:
        arch = "mismatch" if local.platform else "unknown"
        return Found(step, tag, digest, arch, platforms=platforms)
    if ours.digest in local.digests:
        step = SAME
    return Found(step, tag, digest, "match", ours.digest, platforms)


def _concluded(same: Verdict, found: list[Found], ignores: Ignores) -> Verdict:
    """The verdict with what was found put before what it had; what is too young waits."""
    equal = {each.digest: each.platform_digest for each in found if each.step == SAME}
    waiting = tuple(each for each in found if each.waits_until)
    same = replace(same, equal={**same.equal, **equal}, waiting=(*same.waiting, *waiting))
    news = [each for each in found if each.step != SAME and not each.waits_until]
    if not news:
        return same
    judged = [replace(each, hidden=_is_hidden(each, ignores)) for each in news]
    together = sorted((*judged, *same.found), key=lambda each: each.arch == "mismatch")
    shown = [each for each in together if not each.hidden]
    if not shown:
        return replace(same, status="ignored", found=tuple(together))
    status = "arch_mismatch" if shown[0].arch == "mismatch" else "update_available"
    reason = same.reason if same.status == "unknown" else ""
    return replace(same, status=status, found=tuple(together), reason=reason)


def _is_hidden(found: Found, ignores: Ignores) -> bool:
    return bool(ignores.image(found.tag, found.digest, rebuilt=found.step == REBUILT))


def child_for(platform: str, children: tuple[Child, ...]) -> Child | None:
    """The image that an engine of this platform takes from an index."""
    by_platform = {child.platform: child for child in reversed(children)}
    best = best_of(platform, by_platform)
    return by_platform[best] if best else None
