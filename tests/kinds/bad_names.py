"""What no registry calls an image, put in the place of a good name."""

from __future__ import annotations

REPOSITORIES: list[object] = [
    "acme/../api",
    "acme//api",
    "/acme/api",
    "acme/my api",
    "a" * 300,
    "ada:pw@acme/api",
    "acme/api\x00",
    "acme/äpi",
    "\ud800",
    ["acme/api"],
    {"name": "acme/api"},
    5,
]
# Strings first: they can be part of a reference.
TAGS: list[object] = ["1 2", "../1", "a" * 300, "a\nb", "ä", ["1"], {"1": 1}, 5, True]
HOSTS: list[object] = [
    "ada:pw@registry.example",
    "registry .example",
    "..",
    "a" * 300,
    "h:0",
    "h:99999",
]
