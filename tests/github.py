"""Deliveries as GitHub sends them, with values of our own."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django.test import Client

PATH = "/api/webhooks/github-packages"
SECRET = "a secret of forty characters, or so it is"  # of a receiver that tests make
TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest(of: str) -> str:
    return f"sha256:{sha256(of.encode()).hexdigest()}"


def published(
    image: str = "acme/api",
    tag: str = "1.2.0",
    *,
    repository: str | None = "acme/api",
    action: str = "published",
    top: str = "package",
) -> dict[str, Any]:
    """A container publish in the shape that real bodies have, long lists left out."""
    owner, _, name = image.partition("/")
    of = digest(f"{image}:{tag}")
    body: dict[str, Any] = {
        "action": action,
        top: {
            "id": 5000001,
            "name": name,
            "namespace": owner,
            "ecosystem": "CONTAINER",
            "package_type": "CONTAINER",
            "html_url": f"https://github.com/orgs/{owner}/packages/5000001",
            "owner": {"login": owner, "id": 4000001, "type": "Organization"},
            "package_version": {
                "id": 600000001,
                "version": of,
                "name": of,
                "created_at": "0001-01-01T00:00:00Z",
                "metadata": [],
                "container_metadata": {
                    "tag": {"name": tag, "digest": of if tag else ""},
                    "labels": {"description": "", "all_labels": {}},
                    "manifest": {"digest": of, "media_type": INDEX, "layers": []},
                },
                "package_url": f"ghcr.io/{owner}/{name}:{tag}",
            },
            "registry": {"name": "GitHub CONTAINER registry", "type": "CONTAINER"},
        },
        "sender": {"login": "ada", "id": 4000002, "user_view_type": "public"},
    }
    if repository is not None:
        login = repository.partition("/")[0]
        body["repository"] = {
            "id": 900000001,
            "full_name": repository,
            "owner": {"login": login, "id": 4000001},
        }
    return body


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


def deliver(
    client: Client,
    body: dict[str, Any] | bytes,
    *,
    event: str = "package",
    delivery: str | None = None,
    signature: str | None = None,
    path: str = PATH,
    **headers: str,
) -> Any:
    """Send a delivery as GitHub would; a header given as an empty string is left out."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid4()) if delivery is None else delivery,
        "X-GitHub-Hook-ID": "7001",
        "X-Hub-Signature-256": sign(raw) if signature is None else signature,
        "User-Agent": "GitHub-Hookshot/0123abc",
        **headers,
    }
    content_type = sent.pop("Content-Type", "application/json")
    sent = {name: value for name, value in sent.items() if value}
    length = str(len(raw))
    return client.post(path, raw, content_type=content_type, headers=sent, CONTENT_LENGTH=length)
