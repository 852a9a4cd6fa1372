"""Images that run: static busybox from scratch, built by the engine and pushed."""

from __future__ import annotations

import io
import tarfile
from typing import Any

from tests.real.engine import Engine
from tests.real.registry import Registry
from tests.real.requirements import STATIC_BUSYBOX

DOCKERFILE = """
FROM scratch
COPY busybox /bin/busybox
COPY content /content
{labels}
STOPSIGNAL SIGKILL
CMD ["/bin/busybox", "sleep", "86400"]
"""


class ImageMaker:
    """Call it with a repository and tag, `acme/api:1.2`; other content is another image."""

    def __init__(self, engine: Engine, registry: Registry) -> None:
        self.engine = engine
        self.registry = registry

    def __call__(self, image: str, content: str = "", **labels: str) -> str:
        """Build and push; return the pushed manifest's digest. The engine keeps no copy."""
        reference = self.build(f"{self.registry.address}/{image}", content, **labels)
        repository, _, tag = reference.rpartition(":")
        lines: list[dict[str, Any]] = [
            *self.engine.client.images.push(repository, tag, stream=True, decode=True)
        ]
        errors = [line["error"] for line in lines if "error" in line]
        assert not errors, errors
        self.engine.client.images.remove(reference, noprune=True)
        return self.registry.digest(image.rpartition(":")[0], tag)

    def build(self, reference: str, content: str = "", **labels: str) -> str:
        """Build an image that only this engine has."""
        named = "\n".join(f'LABEL {name.replace("_", ".")}="{v}"' for name, v in labels.items())
        context = _context(DOCKERFILE.format(labels=named), content)
        self.engine.client.images.build(
            fileobj=context, custom_context=True, tag=reference, rm=True, forcerm=True
        )
        return reference


def _context(dockerfile: str, content: str) -> io.BytesIO:
    files = {
        "Dockerfile": (dockerfile.encode(), 0o644),
        "content": (content.encode(), 0o644),
        "busybox": (STATIC_BUSYBOX.read_bytes(), 0o755),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, (data, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    packed.seek(0)
    return packed
