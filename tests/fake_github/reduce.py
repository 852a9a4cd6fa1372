"""Make description.json from GitHub's OpenAPI description, whose file is the one argument."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

HOOK = "/repos/{owner}/{repo}/hooks/{hook_id}"
ROUTES = {
    "/user": ["get"],
    "/user/repos": ["get"],
    "/orgs/{org}/repos": ["get"],
    "/users/{username}/repos": ["get"],
    "/repos/{owner}/{repo}": ["get"],
    "/repos/{owner}/{repo}/hooks": ["get", "post"],
    HOOK: ["get", "patch", "delete"],
    f"{HOOK}/pings": ["post"],
    f"{HOOK}/deliveries": ["get"],
    f"{HOOK}/deliveries/{{delivery_id}}": ["get"],
    f"{HOOK}/deliveries/{{delivery_id}}/attempts": ["post"],
    "/rate_limit": ["get"],
    "/meta": ["get"],
}
KEPT = {
    *("type", "properties", "required", "items", "enum", "format", "additionalProperties"),
    *("allOf", "anyOf", "oneOf", "minimum", "maximum", "pattern", "minLength", "maxLength"),
}


class Reduced:
    def __init__(self, whole: dict[str, Any]) -> None:
        self.whole = whole

    def description(self) -> dict[str, Any]:
        return {
            "version": self.whole["info"]["version"],
            "events": sorted(
                {each["post"]["x-github"]["subcategory"] for each in self._webhooks().values()}
            ),
            "error": self.schema({"$ref": "#/components/schemas/basic-error"}),
            "routes": {
                path: {method: self.operation(path, method) for method in methods}
                for path, methods in ROUTES.items()
            },
        }

    def operation(self, path: str, method: str) -> dict[str, Any]:
        operation = self.whole["paths"][path][method]
        answers = {status: self.resolve(each) for status, each in operation["responses"].items()}
        return {
            "parameters": [self.parameter(each) for each in operation.get("parameters", [])],
            "body": self.body(self.resolve(operation.get("requestBody", {}))),
            "answers": {status: self.body(each) for status, each in answers.items()},
        }

    def parameter(self, given: Schema) -> Schema:
        found = self.resolve(given)
        return {
            "name": found["name"],
            "in": found["in"],
            "required": found.get("required", False),
            "schema": self.schema(found["schema"]),
        }

    def body(self, holder: Schema) -> Schema | None:
        content = holder.get("content", {}).get("application/json")
        return self.schema(content["schema"]) if content else None

    def schema(self, given: Schema) -> Schema:
        """References put in place, `nullable` written as JSON Schema does, words left out."""
        given = self.resolve(given)
        kept = {name: self._member(name, value) for name, value in given.items() if name in KEPT}
        if not given.get("nullable"):
            return kept
        if "type" not in kept:
            return {"anyOf": [kept, {"type": "null"}]}
        kept["type"] = [kept["type"], "null"]
        if "enum" in kept:
            kept["enum"] = [*kept["enum"], None]
        return kept

    def resolve(self, given: Schema) -> Schema:
        while "$ref" in given:
            found: Any = self.whole
            for part in given["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            given = found
        return given

    def _member(self, name: str, value: Any) -> Any:
        if name == "properties":
            return {each: self.schema(schema) for each, schema in value.items()}
        if isinstance(value, dict):
            return self.schema(value)
        if name in ("allOf", "anyOf", "oneOf"):
            return [self.schema(each) for each in value]
        return value

    def _webhooks(self) -> dict[str, Any]:
        return dict(self.whole.get("webhooks") or self.whole["x-webhooks"])


if __name__ == "__main__":
    with Path(sys.argv[1]).open() as file:
        reduced = Reduced(json.load(file)).description()
    target = Path(__file__).with_name("description.json")
    target.write_text(json.dumps(reduced, indent=1, sort_keys=True) + "\n")
