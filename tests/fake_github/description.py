"""Holds requests and answers against GitHub's own description of its API; see README.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

_WHOLE: dict[str, Any] = json.loads(Path(__file__).with_name("description.json").read_text())
EVENTS = frozenset(_WHOLE["events"]) | {"*"}
VERSION: str = _WHOLE["version"]

# Every route may answer so, and the description leaves it out; their bodies have one shape.
ALWAYS = ("301", "307", "400", "401", "403", "404", "429")
# Lists come from one function each: when the first and the last item fit, the others do.
LOOKED_AT = 6
_VALIDATORS: dict[int, Draft202012Validator] = {}
_FORMATS = FormatChecker(())


def request_problems(
    route: str, method: str, path: dict[str, str], query: dict[str, list[str]], body: bytes
) -> Iterator[str]:
    """What of a request does not fit. `route` is a path of the description, braces and all."""
    operation = _WHOLE["routes"][route][method.lower()]
    known = {(each["in"], each["name"]): each for each in operation["parameters"]}
    for name, value in path.items():
        if ("path", name) in known:
            yield from _text_problems(f"path {name}", known["path", name]["schema"], value)
    for name, values in query.items():
        if ("query", name) not in known:
            yield f"query {name} is unknown"
        elif len(values) > 1:
            yield f"query {name} comes {len(values)} times"
        else:
            yield from _text_problems(f"query {name}", known["query", name]["schema"], values[0])
    yield from _body_problems(operation["body"], body)


def answer_problems(route: str, method: str, status: int, answer: Any) -> Iterator[str]:
    """What of an answer does not fit; None is an empty one."""
    answers = _WHOLE["routes"][route][method.lower()]["answers"]
    if str(status) in answers:
        schema = answers[str(status)]
    elif str(status) in ALWAYS:
        schema = _WHOLE["error"]
    elif status == 304:
        schema = None
    else:
        yield f"status {status} is not described"
        return
    if schema is None:
        if answer not in (None, {}):
            yield f"status {status} has no body"
        return
    if isinstance(answer, list) and len(answer) > LOOKED_AT:
        answer = [answer[0], answer[-1]]
    yield from _problems("answer", schema, answer)


def _body_problems(schema: dict[str, Any] | None, body: bytes) -> Iterator[str]:
    if schema is None:
        if body:
            yield "a body where none is described"
        return
    try:
        given = json.loads(body)
    except ValueError:
        yield "the body is not JSON"
        return
    yield from _problems("body", schema, given)
    yield from _strangers("body", schema, given)


def _strangers(where: str, schema: dict[str, Any], given: Any) -> Iterator[str]:
    """Members that are described nowhere: GitHub takes them without a word, and does nothing."""
    properties = schema.get("properties")
    if not isinstance(given, dict) or properties is None:
        return
    for name, value in given.items():
        if name not in properties:
            yield f"{where}.{name} is unknown"
        else:
            yield from _strangers(f"{where}.{name}", properties[name], value)


def _text_problems(where: str, schema: dict[str, Any], text: str) -> Iterator[str]:
    value: Any = int(text) if _is_number(schema) and re.fullmatch(r"-?\d+", text) else text
    yield from _problems(where, schema, value)


def _is_number(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "integer"


def _problems(where: str, schema: dict[str, Any], value: Any) -> Iterator[str]:
    for error in _validator(schema).iter_errors(value):
        at = "".join(f".{each}" for each in error.absolute_path)
        yield f"{where}{at}: {error.message[:300]}"


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    # All schemas are parts of the one description, which stays.
    if id(schema) not in _VALIDATORS:
        _VALIDATORS[id(schema)] = Draft202012Validator(schema, format_checker=_FORMATS)
    return _VALIDATORS[id(schema)]


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None
