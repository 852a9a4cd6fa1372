"""A real registry (Distribution) on loopback, and images in it made of plain JSON."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import requests

from tests.real.processes import Server, accepts

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG_AND_LAYER = {
    DOCKER_MANIFEST: (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
    OCI_MANIFEST: (
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar+gzip",
    ),
}
CHILD_TYPE = {DOCKER_LIST: DOCKER_MANIFEST, OCI_INDEX: OCI_MANIFEST}
TIMEOUT = 20


class Registry:
    """`address` is the host part of its images' references. `more` is added to its configuration;
    several that have the same `store` have the same images."""

    def __init__(
        self,
        directory: Path,
        port: int,
        more: Mapping[str, Any] = MappingProxyType({}),
        *,
        store: Path | None = None,
    ) -> None:
        self.directory = directory
        self.port = port
        self.more = more
        self.store = store or directory / "blobs"
        self.address = f"127.0.0.1:{port}"
        self.session = requests.Session()
        self._server: Server | None = None

    def start(self) -> None:
        config = self.directory / f"registry-{self.port}.yml"
        config.write_text(json.dumps(self._config()))
        command = ["docker-registry", "serve", str(config)]
        self._server = Server(command, self.directory / f"registry-{self.port}.log")
        self._server.wait_until(lambda: accepts(self.port))

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None
        self.session.close()

    def push_blob(self, repository: str, data: bytes) -> str:
        digest = digest_of(data)
        begun = self._ask("POST", f"{repository}/blobs/uploads/")
        location = begun.headers["Location"]
        url = location + ("&" if "?" in location else "?") + f"digest={digest}"
        stored = self.session.put(
            url,
            data=data,
            timeout=TIMEOUT,
            headers={"Content-Type": "application/octet-stream"},
        )
        stored.raise_for_status()
        return digest

    def push_manifest(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> str:
        """Store a manifest or an index under a tag, or by its digest where `tag` is empty."""
        data = json.dumps(manifest).encode()
        digest = digest_of(data)
        kind = manifest["mediaType"]
        self._ask(
            "PUT",
            f"{repository}/manifests/{tag or digest}",
            data=data,
            headers={"Content-Type": kind},
        )
        return digest

    def push_image(
        self,
        repository: str,
        tag: str = "",
        *,
        content: str = "",
        platform: str = "linux/amd64",
        media_type: str = DOCKER_MANIFEST,
        created: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """Store an image of one small file; other content is another digest. Return its digest."""
        layer = _layer(content)
        said = {"created": created} if created else {}
        config = json.dumps({**_config_of(platform, layer, labels or {}), **said}).encode()
        config_type, layer_type = CONFIG_AND_LAYER[media_type]
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": self._part(repository, config, config_type),
            "layers": [self._part(repository, gzip.compress(layer, mtime=0), layer_type)],
        }
        return self.push_manifest(repository, tag, manifest)

    def _part(self, repository: str, data: bytes, media_type: str) -> dict[str, Any]:
        digest = self.push_blob(repository, data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def push_index(
        self,
        repository: str,
        tag: str,
        children: Mapping[str, str],
        *,
        media_type: str = OCI_INDEX,
    ) -> str:
        """Store an index of the repository's manifests, by platform. Return its digest.

        A platform may have a variant (`linux/arm/v7`); `unknown/unknown` is an attestation's.
        """
        listed = [
            self.descriptor(repository, digest, platform) for platform, digest in children.items()
        ]
        index = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed}
        return self.push_manifest(repository, tag, index)

    def push_multi(
        self,
        repository: str,
        tag: str,
        contents: Mapping[str, str],
        *,
        media_type: str = OCI_INDEX,
    ) -> tuple[str, dict[str, str]]:
        """Store an image for each platform and an index of them: its digest and theirs."""
        children = {
            platform: self.push_image(
                repository, content=content, platform=platform, media_type=CHILD_TYPE[media_type]
            )
            for platform, content in contents.items()
        }
        return self.push_index(repository, tag, children, media_type=media_type), children

    def descriptor(self, repository: str, digest: str, platform: str) -> dict[str, Any]:
        stored = self.manifest(repository, digest)
        os, architecture, variant = [*platform.split("/"), ""][:3]
        named = {"os": os, "architecture": architecture}
        return {
            "mediaType": stored.headers["Content-Type"],
            "digest": digest,
            "size": len(stored.content),
            "platform": named | ({"variant": variant} if variant else {}),
        }

    def manifest(self, repository: str, target: str) -> requests.Response:
        accept = ", ".join((DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX))
        return self._ask("GET", f"{repository}/manifests/{target}", headers={"Accept": accept})

    def digest(self, repository: str, tag: str) -> str:
        return self.manifest(repository, tag).headers["Docker-Content-Digest"]

    def delete(self, repository: str, tag: str) -> None:
        """Take a tag's manifest away, and with it every tag that names it."""
        self._ask("DELETE", f"{repository}/manifests/{self.digest(repository, tag)}")

    def delete_image(self, repository: str, tag: str) -> None:
        """Take its blobs away, too: an engine that had the image keeps the manifest a while."""
        manifest: dict[str, Any] = self.manifest(repository, tag).json()
        for part in (manifest["config"], *manifest["layers"]):
            self._ask("DELETE", f"{repository}/blobs/{part['digest']}")
        self.delete(repository, tag)

    def _ask(self, method: str, path: str, **arguments: Any) -> requests.Response:
        url = f"http://{self.address}/v2/{path}"
        answer = self.session.request(method, url, timeout=TIMEOUT, **arguments)
        answer.raise_for_status()
        return answer

    def _config(self) -> dict[str, Any]:
        return {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.store)},
                "delete": {"enabled": True},
            },
            **self.more,
            "http": {"addr": self.address, **self.more.get("http", {})},
        }


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer(content: str) -> bytes:
    data = content.encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("content")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _config_of(platform: str, layer: bytes, labels: Mapping[str, str]) -> dict[str, Any]:
    os, architecture, variant = [*platform.split("/"), ""][:3]
    return {
        "os": os,
        "architecture": architecture,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        "config": {"Cmd": ["/content"], **({"Labels": dict(labels)} if labels else {})},
    } | ({"variant": variant} if variant else {})
