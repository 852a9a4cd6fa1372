"""What a service should be told: pure facts in, a verdict out. Worker and command line share it.

Only the same tag is looked at here. An update exists if what the registry has under that tag, as
a whole and for our platform, is not among the digests that run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django.utils.translation import gettext as _

from checks.registry.reference import Reference

REBUILT = "rebuilt"


@dataclass(frozen=True)
class Child:
    """One platform of an index. `platform` is `os/arch[/variant]`."""

    platform: str
    digest: str


@dataclass(frozen=True)
class Local:
    """What runs here, or stands in for it.

    `running` are the digests that the engine knows of this repository. Without any, `baseline`,
    the digest first seen for this reference, stands in; on the command line there is none.
    `started` says that containers exist, so that an image without digests was built here.
    """

    reference: Reference
    running: frozenset[str] = frozenset()
    baseline: str = ""
    platform: str = ""
    started: bool = False
    keeps_baseline: bool = True

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


@dataclass(frozen=True)
class Found:
    """A newer image. `arch` says whether it is for our platform."""

    step: str
    tag: str
    digest: str
    arch: str
    platform_digest: str = ""
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """`status` is one of `Service.Status`; `reason` says why, where that needs words.

    `baseline` is the digest to keep as first seen, where nothing else says what runs.
    """

    status: str
    found: Found | None = None
    reason: str = ""
    baseline: str = ""


def decide(local: Local, remote: Remote) -> Verdict:
    """Compare what runs with what the registry has under the same tag.

    At most one HEAD, and one GET where the digests differ. RegistryError passes through.
    """
    if not local.reference.tag:
        return Verdict("up_to_date", reason=_("Pinned to a digest: there is no tag to follow."))
    if not local.digests and local.started:
        return Verdict("unknown", reason=_("Built here: no registry has this image."))
    digest = remote.head(local.reference)
    if not local.digests and not local.keeps_baseline:
        return Verdict("unknown", reason=_("Nothing says which image of this tag runs."))
    if not local.digests:
        return Verdict("up_to_date", baseline=digest, reason=_("First seen now."))
    if digest in local.digests:
        return Verdict("up_to_date")
    return _newer(local, digest, remote.children(local.reference, digest))


def _newer(local: Local, digest: str, children: tuple[Child, ...] | None) -> Verdict:
    """The tag names another digest: an update, unless our platform's part of it runs already."""
    tag = local.reference.tag
    if children is None:
        return Verdict("update_available", Found(REBUILT, tag, digest, arch="unknown"))
    platforms = tuple(child.platform for child in children)
    if not local.platform and any(child.digest in local.digests for child in children):
        return Verdict("up_to_date")
    ours = child_for(local.platform, children)
    if ours is None:
        arch = "mismatch" if local.platform else "unknown"
        status = "arch_mismatch" if local.platform else "update_available"
        return Verdict(status, Found(REBUILT, tag, digest, arch, platforms=platforms))
    if ours.digest in local.digests:
        return Verdict("up_to_date")
    found = Found(REBUILT, tag, digest, "match", ours.digest, platforms)
    return Verdict("update_available", found)


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
