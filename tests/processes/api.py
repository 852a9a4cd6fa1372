"""An admin's program that calls an instance."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from tests.processes.instance import Instance
from tests.waiting import PATIENCE


class Api:
    """Calls an instance with an admin's token."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        made = instance.command("token", "create", "--user", "admin")
        self.headers = {
            "Authorization": f"Bearer {made.stdout.strip()}",
            "Content-Type": "application/json",
        }

    def call(self, method: str, path: str, **body: Any) -> Any:
        raw = json.dumps(body).encode() if body else None
        asked = Request(self.instance.url(path), raw, self.headers, method=method)  # noqa: S310 - ours
        with urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310 - the same
            return json.load(answer)

    def deliveries(self) -> dict[str, tuple[bool, int]]:
        """Of packages, by the sender's id: whether it was brought in, and how often it came."""
        rows = self.call("GET", "/api/deliveries")["deliveries"]
        return {
            row["senderId"]: (row["reconciled"], row["attempts"])
            for row in rows
            if row["event"] == "package"
        }
