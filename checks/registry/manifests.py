"""Manifests and indexes, as the OCI image specification and Docker before it write them."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from checks.decide import Child
from checks.registry.errors import BadAnswer
from checks.registry.reference import is_digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ACCEPT = ", ".join([OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST])

MOST_CHILDREN = 1000  # of an index; each of their platforms is kept and shown

_PLATFORM_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,29}")


@dataclass(frozen=True)
class Manifest:
    """`children` is None for a single image, and for an index that names no platform.

    `config` is the digest of a single image's config; empty where it names none.
    """

    digest: str
    children: tuple[Child, ...] | None
    config: str = ""


def read_manifest(body: bytes, digest: str, host: str) -> Manifest:
    """Read the exact bytes of a manifest; `digest` is what they should have, empty if unknown.

    The body says what it is, whatever the answer's headers say. Raises BadAnswer.
    """
    actual = digest_of(body, digest)
    if digest and actual != digest:
        text = _("%(host)s sent a manifest that is not the one that its digest names.")
        raise BadAnswer(text % {"host": host})
    try:
        manifest = json.loads(body)
        return Manifest(actual, _children(manifest), _config(manifest))
    except (ValueError, RecursionError):
        text = _("%(host)s did not send an image's manifest that can be read.")
        raise BadAnswer(text % {"host": host}) from None


def digest_of(body: bytes, like: str = "") -> str:
    """Compute a digest with the algorithm that another one names, sha256 without."""
    algorithm = like.partition(":")[0] or "sha256"
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def _children(manifest: Any) -> tuple[Child, ...] | None:
    """Raises ValueError if it is no manifest, or could be taken for both kinds."""
    if not isinstance(manifest, dict) or manifest.get("schemaVersion") != 2:
        raise ValueError("no manifest of version 2")
    listed = manifest.get("manifests")
    is_image = "config" in manifest or "layers" in manifest
    if isinstance(listed, list) and not is_image:
        if len(listed) > MOST_CHILDREN:
            raise ValueError("more children than anybody builds")
        return tuple(filter(None, map(_child, listed))) or None
    if is_image and listed is None:
        return None
    raise ValueError("neither an image nor an index, or both")


def _config(manifest: dict[str, Any]) -> str:
    config = manifest.get("config")
    digest = config.get("digest") if isinstance(config, dict) else None
    return digest if isinstance(digest, str) and is_digest(digest) else ""


def _child(entry: Any) -> Child | None:
    """A platform's image; None for what is none, such as an attestation."""
    if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str):
        raise ValueError("an entry without a digest")
    if not is_digest(entry["digest"]):
        raise ValueError("an entry with a malformed digest")
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return None
    parts = [platform.get("os"), platform.get("architecture"), platform.get("variant") or ""]
    named = [part for part in parts if part]
    if parts[:2] == ["unknown", "unknown"] or len(named) < 2 or not parts[0]:
        return None
    if not all(isinstance(part, str) and _PLATFORM_PART.fullmatch(part) for part in named):
        return None
    return Child("/".join(named), entry["digest"])
