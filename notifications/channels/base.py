"""What a channel is: a configuration with a form, and a way to send."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms


@dataclass(frozen=True)
class Image:
    """What there is now: registry/repository:tag, and the digest behind it."""

    name: str
    digest: str


@dataclass(frozen=True)
class Message:
    """One message, ready to send. `id` is the same at every try.

    `image` is the one image that all of it is about; None where there are more, or none.
    """

    id: str
    kind: str
    payload: Mapping[str, Any]
    image: Image | None = None


class SendError(Exception):
    """A message was not taken. `permanent`: trying again cannot help, so the channel goes off."""

    def __init__(self, text: str, *, permanent: bool = False, status: int | None = None) -> None:
        super().__init__(text)
        self.permanent = permanent
        self.status = status


class Transport(ABC):
    """Sends messages of one kind of channel, given that channel's cleaned configuration."""

    kind: ClassVar[str]
    label: ClassVar[str]
    form: ClassVar[type[forms.Form]]
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    address: ClassVar[str]  # the field that says whose server the secrets are for
    # Whether it is for images alone: it hears of nothing else, and each is a message of its own.
    one_image_each: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    @abstractmethod
    def send(self, message: Message) -> int | None:
        """Send, and return the status that the other side answered, if it has one.

        Raises SendError if the message was not taken.
        """
