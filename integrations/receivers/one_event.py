"""For senders whose call is a JSON object that tells of one event."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import (
    ImageEvent,
    Incoming,
    NotAnObject,
    Reading,
    Receiver,
    Setup,
    Verdict,
    json_object,
    member,
)
from integrations.receivers.images import MOST, are_beside, image_at

# How long an equal body is the same call, where it holds neither an id nor a time of its own: the
# next push may look just alike.
SAME_WITHOUT_ID = timedelta(minutes=10)
_MAX_NAME, _MAX_HEADER = 1024, 100


class BadName(ValueError):
    """What a body says names no image that there could be."""

    why: str | Promise = ""  # how to mend that, for people


class NoHost(BadName):
    """Neither a body nor the receiver says which registry it is."""

    why = _("It does not say which registry it is: enter the registry host in the receiver.")


class OneEvent(Receiver):
    """Reads the object; what it means is left to `about`, `verdict` and `images`.

    None of them raises anything but BadName, whatever a body holds.
    """

    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        known: dict[str, Any] = {
            "dedupe_key": fingerprint(incoming.body),
            "same_for": SAME_WITHOUT_ID,
        }
        try:
            body = json_object(self.payload(incoming))
        except NotAnObject:
            return Reading(Verdict.INVALID_JSON, **known)
        try:
            known |= self.about(body, incoming)
            verdict = self.verdict(body, incoming)
            if verdict is Verdict.IMAGES:
                images = tuple(dict.fromkeys(self.images(body, setup)))[:MOST]
                verdict = worth(images)
                known["images"] = images
                known.setdefault("repository", images[0].repository)
        except BadName as error:
            return Reading(Verdict.INVALID_PAYLOAD, why=error.why, **known)
        return Reading(verdict, **known)

    def payload(self, incoming: Incoming) -> bytes:
        """The JSON itself. Raises NotAnObject."""
        return incoming.body

    @abstractmethod
    def about(self, body: dict[str, Any], incoming: Incoming) -> dict[str, Any]:
        """What else is known of the call: members of its `Reading`."""

    @abstractmethod
    def verdict(self, body: dict[str, Any], incoming: Incoming) -> Verdict:
        """IMAGES where it tells of a push, whether or not it names its image well."""

    @abstractmethod
    def images(self, body: dict[str, Any], setup: Setup) -> Iterable[ImageEvent]:
        """What was pushed, one image at least. Raises BadName."""


def worth(images: Sequence[ImageEvent]) -> Verdict:
    """What a push of these leads to. Raises BadName where there are none."""
    if not images:
        raise BadName
    return Verdict.NOT_RELEVANT if are_beside(images) else Verdict.IMAGES


def named(data: Any, *path: str) -> str:
    """The name at a path; empty where there is none. Raises BadName for what is no name."""
    value = member(data, *path)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_NAME or not value.isprintable():
        raise BadName
    return value


def image(host: str, repository: str, *, tag: str = "", digest: str = "") -> ImageEvent:
    """The image. Raises BadName unless host, repository and tag are well formed."""
    if not host:
        raise NoHost
    found = image_at(host, repository, tag=tag, digest=digest)
    if found is None:
        raise BadName
    return found


def fingerprint(*parts: bytes | str) -> str:
    """What recognises these, in this order, and nothing else."""
    lengths = ",".join(str(len(part)) for part in parts)
    joined = b"".join(p if isinstance(p, bytes) else p.encode("utf-8", "replace") for p in parts)
    return sha256(lengths.encode() + b":" + joined).hexdigest()


def by_id(sender_id: str, *, of: str = "") -> dict[str, Any]:
    """How a call is known again by its sender's id, among those of a source. Nothing without."""
    if not sender_id:
        return {}
    key = fingerprint(of, sender_id) if of else sender_id
    return {"sender_id": sender_id, "dedupe_key": key, "same_for": None}
