"""What a channel is: a configuration with a form, and a way to send."""

from __future__ import annotations

from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.forms.forms import DeclarativeFieldsMetaclass
from django.utils.functional import Promise


@dataclass(frozen=True)
class Image:
    """What there is now: registry/repository:tag, and the digest behind it."""

    name: str
    digest: str


@dataclass(frozen=True)
class Message:
    """One message, ready to send. `id` is the same at every try.

    `payload` is the whole of it, for machines; its members `human` and `links` are for people.
    `image` is the one image that all of it is about; None where there are more, or none. `topic`
    names what it is about where that comes again, such as a service: messages of one topic belong
    together, and a newer one may take the place of one that nobody has seen yet. `urgent` is what
    somebody has to see to. `language` is what its words are in. `tried_since` is when the first
    try began; None: it is this one. `is_example`: its facts are made up, and it is sent to be
    looked at.
    """

    id: str
    kind: str
    payload: Mapping[str, Any]
    image: Image | None = None
    topic: str = ""
    urgent: bool = False
    language: str = "en"
    tried_since: datetime | None = None
    is_example: bool = False

    @property
    def title(self) -> str:
        return str(self.payload["human"]["title"])

    @property
    def text(self) -> str:
        """What it says below the title: lines of plain text."""
        human = self.payload["human"]
        return str(human.get("detail") or human["summary"])

    @property
    def excerpt(self) -> str:
        """Lines of a log that belong to it, as they were written; empty for most."""
        return "\n".join(self.payload.get("log", ()))

    @property
    def url(self) -> str:
        """Where the button is. Only a path where the public address is not known."""
        return str(self.payload["links"]["primaryUrl"])


class SendError(Exception):
    """A message was not taken; the text says why, for people, and holds no secret.

    `final`: this message will not be taken at another time either. `gone`: nothing will ever be
    taken there, so the channel goes off. `retry_after`: the other side said when to come again.
    `status` is its answer, where it gave one; without one nobody was there. `excerpt` is the
    beginning of what it said, fit to be shown.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int | None = None,
        final: bool = False,
        gone: bool = False,
        retry_after: timedelta | None = None,
        excerpt: str = "",
    ) -> None:
        super().__init__(text)
        self.status = status
        self.final = final or gone
        self.gone = gone
        self.retry_after = retry_after
        self.excerpt = excerpt


@dataclass(frozen=True)
class Posted:
    """What is posted for a message, but its signature."""

    body: bytes
    headers: Mapping[str, str]


class PartlyTaken(SendError):
    """Some of those whom it was for have it, and must not get it again. The message counts as
    sent; the text says how many have not."""

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text, status=status, final=True)


class OwedToSome(SendError):
    """Some of those whom it was for have it, and the others may take it at another time. The
    channel works: this message alone is tried again."""


class _AbstractForm(DeclarativeFieldsMetaclass, ABCMeta):
    """Of forms that cannot be made before what is abstract in them is written."""


class PageForm(forms.Form, metaclass=_AbstractForm):
    """What people fill in on a page, where that is not the configuration as the API takes it.

    Where `variants` has any, one of them is chosen first, by a link with its name, and the fields
    follow from it: names, and what people read.
    """

    variants: ClassVar[Mapping[str, str | Promise]] = {}
    # The field that shows what is wrong with a member of the configuration, if it is another.
    blamed: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, variant: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.variant = variant if variant in self.variants else next(iter(self.variants), "")

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The configuration that follows from what was filled in; only of a valid form. A secret
        that was left empty stays away from it, and so stays as it was."""

    @classmethod
    @abstractmethod
    def filled(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """What the fields begin with for a stored configuration, without its secrets."""

    @classmethod
    def variant_of(cls, config: Mapping[str, Any]) -> str:
        """The variant that a stored configuration was made with, as far as it shows."""
        return ""


class Transport(ABC):
    """Sends messages of one kind of channel, given that channel's cleaned configuration."""

    do_not_call_in_templates: ClassVar[bool] = True  # which are given the class itself
    kind: ClassVar[str]
    label: ClassVar[str]
    about: ClassVar[str | Promise] = ""  # what it is for, in a sentence
    docs: ClassVar[str] = ""  # the page of docs/ that says more
    form: ClassVar[type[forms.Form]]
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    shows_scheme: ClassVar[frozenset[str]] = (
        frozenset()
    )  # secrets that are URLs: that much is shown
    address: ClassVar[str]  # the field that says whose server the secrets are for
    page_form: ClassVar[type[PageForm] | None] = None
    seldom: ClassVar[frozenset[str]] = frozenset()  # fields that few people need
    signature: ClassVar[str] = ""  # the header that a secret of the channel signs a post with
    panel: ClassVar[str] = ""  # a template on the channel's own page; it is given `channel`
    # Whether it is for images alone: it hears of nothing else, and each is a message of its own.
    one_image_each: ClassVar[bool] = False

    def __init__(self, config: Mapping[str, Any], channel_id: str = "") -> None:
        self.config = config
        self.channel_id = channel_id

    def posted(self, message: Message) -> Posted | None:
        """What a message is on the way, where it is posted as it is; None where it is words."""
        return None

    @classmethod
    def completed(cls, given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration with what is masked inside of a field taken from what is stored. Raises
        ValidationError where that is not for whom it is now."""
        return dict(given)

    @abstractmethod
    def send(self, message: Message) -> int | None:
        """Send, and return the status that the other side answered, if it has one.

        Raises SendError if the message was not taken, PartlyTaken if some did not take it.
        """
