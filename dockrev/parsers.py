"""Bodies of requests and answers: JSON, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isinf
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from dockrev.errors import PayloadTooLarge

MAX_BODY = 1024 * 1024


class ObjectParser(BaseParser):
    """Reads at most a megabyte, as UTF-8 whatever charset is claimed, and wants an object."""

    media_type = "*/*"
    most = MAX_BODY

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        raw = stream.read(self.most + 1)
        if len(raw) > self.most:
            raise PayloadTooLarge(
                _("The body is longer than %(most)d bytes.") % {"most": self.most}
            )
        return parse_object(raw)


def parse_object(raw: bytes) -> dict[str, Any]:
    """Read a JSON object; of nothing, an empty one. Raises ParseError."""
    try:
        data = json.loads(raw or b"{}", parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise ParseError(_("The body is not JSON.")) from None
    if not isinstance(data, dict):
        raise ParseError(_("The body is not a JSON object."))
    return data


class AlwaysJson(BaseContentNegotiation):
    """Answers JSON whatever the caller says that it accepts."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        return renderers[0], renderers[0].media_type


def _refuse(constant: str) -> None:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError(constant)


def _finite(text: str) -> float:
    """Python reads 1e999 as infinity, which no database and no answer takes."""
    number = float(text)
    if isinf(number):
        raise ValueError(text)
    return number
