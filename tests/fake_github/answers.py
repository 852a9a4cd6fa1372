"""What a route answers, before the server adds what all answers have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DOCS = "https://docs.github.com/rest"


@dataclass(frozen=True)
class Answer:
    """`json` is the body; None is an empty one. `text` is one that is no JSON."""

    status: int
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


class Refusal(Exception):
    """Ends a route early with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def refusal(
    status: int,
    message: str,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    body: dict[str, Any] = {"message": message, "documentation_url": DOCS, "status": str(status)}
    if errors is not None:
        body["errors"] = errors
    return Answer(status, body, headers or {})


def not_found() -> Refusal:
    return Refusal(refusal(404, "Not Found"))


def invalid(*messages: str) -> Refusal:
    """422 for a hook that GitHub will not have; its words are in `errors`."""
    errors = [{"resource": "Hook", "code": "custom", "message": each} for each in messages]
    return Refusal(refusal(422, "Validation Failed", errors=errors))
