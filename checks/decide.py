"""What a service should be told: pure facts in, a verdict out. Worker and command line share it.

A tag is followed in two ways. The image under it was rebuilt if what the registry has there, as a
whole and for our platform, is not among the digests that run. Where the tag is a version, others
may follow it: the highest of each step is found, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

from django.utils.translation import gettext as _

from checks.registry.errors import NotFound, RegistryError
from checks.registry.reference import Reference
from checks.versions.choice import STEPS, Choice, choose, version_of
from checks.versions.ignores import Ignores
from checks.versions.policies import DIGEST, NOTHING, VERSION
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
    """A newer image. `arch` says whether it is for our platform; `hidden`, that a rule hides it."""

    step: str
    tag: str
    digest: str
    arch: str
    platform_digest: str = ""
    platforms: tuple[str, ...] = ()
    hidden: bool = False


@dataclass(frozen=True)
class Local:
    """What runs here, or stands in for it.

    `running` are the digests that the engine knows of this repository. Without any, `baseline`,
    the digest first seen for this reference, stands in; on the command line there is none.
    `started` says that containers exist, so that an image without digests was built here. `known`
    is what earlier checks found, by digest, and `equal` the image for our platform in indexes that
    they read and that were no news, by the index's digest: neither need be read again.
    """

    reference: Reference
    running: frozenset[str] = frozenset()
    baseline: str = ""
    platform: str = ""
    started: bool = False
    keeps_baseline: bool = True
    known: Mapping[str, Found] = field(default_factory=dict)
    equal: Mapping[str, str] = field(default_factory=dict)

    @property
    def digests(self) -> frozenset[str]:
        stand_in = self.reference.digest or self.baseline
        return self.running or frozenset(filter(None, [stand_in]))


class Remote(Protocol):
    """The registry, as far as a decision needs it. Each call may raise RegistryError."""

    def head(self, reference: Reference) -> str:
        """The digest that the registry has under the reference's tag."""

    def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
        """The platforms of an index; None if the digest is a single image's."""

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
    all others. `trouble` says why newer versions could not be looked for: then `found` knows
    nothing of them. `choice` says what became of all tags; `gone`, that the registry does not list
    the tag that runs any more, though it may still answer for it. `baseline` is the digest to keep
    as first seen, where nothing else says what runs. `equal` are indexes that differ from what runs
    for other platforms alone, for a later check to know as `Local.equal`.
    """

    status: str
    found: tuple[Found, ...] = ()
    reason: str = ""
    baseline: str = ""
    trouble: str = ""
    choice: Choice | None = None
    gone: bool = False
    equal: Mapping[str, str] = field(default_factory=dict)


EVERYTHING = Wishes()


def decide(local: Local, remote: Asking, wishes: Wishes = EVERYTHING) -> Verdict:
    """Compare what runs with what the registry has under the same tag, and under later ones.

    A version that a rule hides gives way to the next lower one of its step; where there is none,
    it is found as hidden. For each of these tags at most one HEAD, and one GET where a digest is
    new; for versions the list of tags besides. RegistryError passes through where even the same tag
    is not known.
    """
    tag = local.reference.tag
    if not tag:
        return Verdict("up_to_date", reason=_("Pinned to a digest: there is no tag to follow."))
    if not local.digests and local.started:
        return Verdict("unknown", reason=_("Built here: no registry has this image."))
    if wishes.track == NOTHING:
        return Verdict("unknown", reason=_("Its policy is to track nothing."))
    if wishes.track == DIGEST:
        return _rebuilt(local, remote, wishes.ignores)
    if version_of(tag, wishes.policy) is None:
        return _unversioned(local, remote, wishes)
    if wishes.track == VERSION:
        return _with_versions(local, remote, wishes, Verdict("up_to_date"))
    try:
        same = _rebuilt(local, remote, wishes.ignores)
    except NotFound as gone:
        verdict = _with_versions(local, remote, wishes, Verdict("unknown", reason=str(gone)))
        if not verdict.found:
            raise
        return verdict
    return _with_versions(local, remote, wishes, same)


def _unversioned(local: Local, remote: Remote, wishes: Wishes) -> Verdict:
    """Follow a tag that is no version by its digest alone, unless that is not wanted."""
    unfit = _unfit(local.reference.tag, wishes)
    if wishes.track == VERSION:
        reason = _("Its policy is to track versions, and its tag is none.")
        return Verdict("unknown", reason=unfit or reason)
    verdict = _rebuilt(local, remote, wishes.ignores)
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


def _rebuilt(local: Local, remote: Remote, ignores: Ignores) -> Verdict:
    digest = remote.head(local.reference)
    if not local.digests and not local.keeps_baseline:
        return Verdict("unknown", reason=_("Nothing says which image of this tag runs."))
    if not local.digests:
        return Verdict("up_to_date", baseline=digest, reason=_("First seen now."))
    found = _found(local, remote, REBUILT, replace(local.reference, digest=""), digest)
    return _concluded(Verdict("up_to_date"), [found] if found else [], ignores)


def _with_versions(local: Local, remote: Asking, wishes: Wishes, same: Verdict) -> Verdict:
    """Add the versions that follow. What is known of the same tag stays if they are not."""
    tag, repository = local.reference.tag, local.reference.repository
    try:
        choice = choose(tag, remote.tags(repository), wishes.policy)
        wanted = {**choice.hidden, **choice.newest} if choice else {}
        steps = sorted(wanted, key=STEPS.index)
        looks = [partial(_version, local, remote, step, wanted[step]) for step in steps]
        found = [each for each in remote.together(looks) if each]
    except RegistryError as error:
        # Nothing is called up to date that could not be looked at as a whole.
        status = same.status if same.found else "error"
        return replace(same, status=status, trouble=str(error))
    gone = choice is not None and not choice.listed
    return replace(_concluded(same, found, wishes.ignores), choice=choice, gone=gone)


def _version(local: Local, remote: Remote, step: str, tag: str) -> Found | None:
    reference = replace(local.reference, tag=tag, digest="")
    try:
        return _found(local, remote, step, reference, remote.head(reference))
    except NotFound:
        return None  # listed, though its image was deleted


def _found(
    local: Local, remote: Remote, step: str, reference: Reference, digest: str
) -> Found | None:
    """What a tag has that does not run here; None where it is the image that runs.

    Where only other platforms' images differ, that takes the step SAME.
    """
    if digest in local.digests:
        return None
    if (equal := local.equal.get(digest, "")) in local.digests:
        return Found(SAME, reference.tag, digest, "match", equal)
    known = local.known.get(digest)
    if known and (known.platform_digest or not known.platforms):
        runs = known.platform_digest in local.digests
        return replace(known, step=SAME if runs else step, tag=reference.tag)
    children = remote.children(reference, digest)
    if children is None:
        return Found(step, reference.tag, digest, arch="unknown")
    platforms = tuple(child.platform for child in children)
    running = [child for child in children if child.digest in local.digests]
    ours = child_for(local.platform, children)
    if not local.platform and running:
        ours = running[0]
    if ours is None:
        arch = "mismatch" if local.platform else "unknown"
        return Found(step, reference.tag, digest, arch, platforms=platforms)
    if ours.digest in local.digests:
        step = SAME
    return Found(step, reference.tag, digest, "match", ours.digest, platforms)


def _concluded(same: Verdict, found: list[Found], ignores: Ignores) -> Verdict:
    """The verdict with what was found put before what it had."""
    equal = {each.digest: each.platform_digest for each in found if each.step == SAME}
    same = replace(same, equal={**same.equal, **equal})
    news = [each for each in found if each.step != SAME]
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
    """The image that an engine of this platform takes from an index.

    Of ARM's 32-bit variants it is the highest that the processor runs, as the engine chooses.
    """
    system, architecture, variant = _parts(platform)
    fitting: list[tuple[str, Child]] = []
    for child in children:
        theirs = _parts(child.platform)
        if theirs[:2] != (system, architecture):
            continue
        if theirs[2] == variant or (architecture == "arm" and theirs[2] <= variant):
            fitting.append((theirs[2], child))
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _parts(platform: str) -> tuple[str, str, str]:
    """os, architecture and variant, with the variants that go without saying left out."""
    system, _slash, rest = platform.partition("/")
    architecture, _slash, variant = rest.partition("/")
    implied = {"arm64": "v8", "amd64": "v1"}
    if architecture == "arm" and not variant:
        variant = "v7"
    return system, architecture, "" if variant == implied.get(architecture) else variant
