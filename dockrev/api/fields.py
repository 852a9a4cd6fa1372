"""Fields of requests and answers that take no type but their own, and have limits.

DRF's own fields are kind: they make text of numbers and truth of "yes".
"""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

MAX_ID = 32
MAX_INTEGER = 2**63 - 1


class Text(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_value": MAX_INTEGER, **kwargs})

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class JsonObject(serializers.DictField):
    """A free JSON object of bounded size, without the characters that databases refuse."""

    default_error_messages = {
        "too_long": _("This is longer than {limit} characters."),
        "characters": _("NUL characters and halves of surrogate pairs cannot be stored."),
    }

    def __init__(self, *, limit: int = 20_000, **kwargs: Any) -> None:
        self.limit = limit
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        value: dict[str, Any] = super().to_internal_value(data)
        written = json.dumps(value, ensure_ascii=False)
        if len(written) > self.limit:
            self.fail("too_long", limit=self.limit)
        if "\\u0000" in written or (not written.isascii() and _has_surrogate(written)):
            self.fail("characters")
        return value


_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"


@extend_schema_field({"type": "string", "pattern": f"^{_CLOCK}$", "examples": ["22:00"]})
class ClockTime(serializers.TimeField):
    """A time of day to the minute, as it stands on a clock with 24 hours."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"format": "%H:%M", "input_formats": ["%H:%M"], **kwargs})

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or not re.fullmatch(_CLOCK, data, re.ASCII):
            self.fail("invalid", format="hh:mm")
        return super().to_internal_value(data)


class GivenMoment(serializers.DateTimeField):
    """A time that somebody gives."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return super().to_internal_value(data)
        except OverflowError:  # within its range, and out of it in another time zone
            self.fail("overflow")


class Moment(serializers.DateTimeField):
    """An RFC 3339 time, in UTC whatever time zone the pages show."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"read_only": True, "default_timezone": UTC, **kwargs})


class NoneIfEmpty(serializers.CharField):
    """Text of an answer that is null rather than empty."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"read_only": True, "allow_null": True, **kwargs})

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(value) if value else None


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
