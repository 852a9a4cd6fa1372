"""Request bodies: JSON objects, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

MAX_BODY = 1024 * 1024


class ObjectParser(BaseParser):
    """Reads at most a megabyte, as UTF-8 whatever charset is claimed, and wants an object."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        raw = stream.read(MAX_BODY + 1)
        if len(raw) > MAX_BODY:
            raise ParseError("The body is longer than a megabyte.")
        try:
            data = json.loads(raw or b"{}")
        except (ValueError, RecursionError):
            raise ParseError("The body is not JSON.") from None
        if not isinstance(data, dict):
            raise ParseError("The body is not a JSON object.")
        return data
