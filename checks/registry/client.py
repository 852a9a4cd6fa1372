"""What a registry has, by the OCI distribution protocol. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

from django.utils.translation import gettext as _

from checks.decide import Child
from checks.registry.access import Access
from checks.registry.auth import Grants, refusal
from checks.registry.configs import About, read_config
from checks.registry.errors import (
    BadAnswer,
    NotFound,
    RegistryError,
    Resting,
    Unauthorized,
    Unavailable,
)
from checks.registry.manifests import ACCEPT, Manifest, digest_of, read_manifest
from checks.registry.reference import Reference, is_digest
from checks.registry.tags import NotModified, Tags, etag_of, every_tag
from checks.registry.transport import Question, ask, origin
from dockrev import http

__all__ = [
    "Access",
    "BadAnswer",
    "NotFound",
    "RegistryClient",
    "RegistryError",
    "Resting",
    "Unauthorized",
    "Unavailable",
]

MIB = 1024 * 1024


@dataclass(frozen=True)
class _Kind:
    """What is asked for, and how much of it is read."""

    headers: Mapping[str, str]
    max_bytes: int


# The bytes are what the digest is of: no packing on the way.
_MANIFEST = _Kind({"Accept": ACCEPT, "Accept-Encoding": "identity"}, 4 * MIB)
# Docker Hub sends all tags as one page.
_TAGS = _Kind({"Accept": "application/json"}, 8 * MIB)
_CONFIG = _Kind({"Accept-Encoding": "identity"}, 1 * MIB)
_GRANTS = Grants()


class RegistryClient:
    """One registry. Threads may use one together.

    Besides what the process shares it keeps which config the images have that it read: to ask for
    that again would count as one more pull. Every method may raise RegistryError.
    """

    def __init__(self, access: Access, grants: Grants = _GRANTS) -> None:
        self.access = access
        self.grants = grants
        self._configs: dict[str, str] = {}

    def head(self, reference: Reference) -> str:
        """Return the digest under a reference's tag, by a HEAD, which Docker Hub does not count.

        A registry that does not name digests, or takes no HEAD, is sent a GET.
        """
        answer = self._manifest("HEAD", reference.repository, reference.target)
        digest = answer.headers.get("Docker-Content-Digest", "").strip()
        if answer.status == 200 and is_digest(digest):
            return digest
        return self.manifest(reference.repository, reference.target).digest

    def children(self, reference: Reference, digest: str) -> tuple[Child, ...] | None:
        """Return the platforms of an index; None if the digest is a single image's."""
        return self.manifest(reference.repository, digest).children

    def manifest(self, repository: str, target: str) -> Manifest:
        """Return what is under a tag or digest, its bytes compared with the digest."""
        answer = self._manifest("GET", repository, target)
        if answer.status != 200 or answer.truncated:
            raise self._bad(answer, _MANIFEST)
        named = answer.headers.get("Docker-Content-Digest", "").strip()
        expected = target if is_digest(target) else named if is_digest(named) else ""
        manifest = read_manifest(answer.body, expected, self.access.host)
        self._configs[manifest.digest] = manifest.config
        return manifest

    def about(self, repository: str, digest: str) -> About:
        """Return what a single image says of itself, by its digest: its config is read."""
        if digest not in self._configs:
            self.manifest(repository, digest)
        config = self._configs[digest]
        if not config:
            text = _("%(host)s has no image with a config under %(digest)s.")
            raise BadAnswer(text % {"host": self.access.host, "digest": digest})
        body = self._config(repository, config)
        if digest_of(body, config) != config:
            text = _("%(host)s sent a config that is not the one that its digest names.")
            raise BadAnswer(text % {"host": self.access.host})
        return read_config(body, self.access.host)

    def tags(self, repository: str, known: Tags | None = None) -> Tags:
        """Return all tags, in whatever order the registry has them.

        `known` is returned where the registry says that they are still the same.
        """
        url = f"{self.access.base_url}/v2/{quote(repository)}/tags/list"
        wanted = known.etag if known else ""
        names: list[str] = []

        def page(url: str) -> http.Response:
            answer = self._page(repository, url, "" if names else wanted)
            names.append(etag_of(answer.headers))
            return answer

        try:
            tags = Tags(every_tag(page, url))
        except NotModified:
            return known or Tags(())
        tags.etag = names[0] if len(names) == 1 else ""
        return tags

    def _manifest(self, method: str, repository: str, target: str) -> http.Response:
        path = f"/v2/{quote(repository)}/manifests/{quote(target, safe=':')}"
        answer = self._ask(method, repository, self.access.base_url + path, _MANIFEST)
        if answer.status == 404:
            separator = "@" if is_digest(target) else ":"
            raise NotFound(
                _("%(host)s does not have %(image)s; it may have been removed there.")
                % {"host": self.access.host, "image": f"{repository}{separator}{target}"}
            )
        # Some registries know only GET.
        if answer.status != 200 and not (method == "HEAD" and answer.status in {405, 501}):
            raise self._bad(answer, _MANIFEST)
        if method == "GET":
            self.access.traffic.pulled()
        return answer

    def _config(self, repository: str, digest: str) -> bytes:
        path = f"/v2/{quote(repository)}/blobs/{quote(digest, safe=':')}"
        answer = self._ask("GET", repository, self.access.base_url + path, _CONFIG)
        if answer.status == 404:
            named = {"host": self.access.host, "image": repository}
            raise NotFound(_("%(host)s does not have the config of an image of %(image)s.") % named)
        if answer.status != 200 or answer.truncated:
            raise self._bad(answer, _CONFIG)
        return answer.body

    def _page(self, repository: str, url: str, known: str) -> http.Response:
        """One page of tags. Raises NotModified if it is still the one that `known` names."""
        asked = {**_TAGS.headers, **({"If-None-Match": known} if known else {})}
        answer = self._ask("GET", repository, url, replace(_TAGS, headers=asked))
        if known and answer.status == 304:
            raise NotModified
        if answer.status == 404:
            named = {"host": self.access.host, "repository": repository}
            raise NotFound(_("%(host)s does not list the tags of %(repository)s.") % named)
        if answer.status != 200 or answer.truncated:
            raise self._bad(answer, _TAGS)
        return answer

    def _ask(self, method: str, repository: str, url: str, kind: _Kind) -> http.Response:
        """Ask as whoever we are known to be, and once more as whom the registry wants us to be.

        Raises Unauthorized where that is not enough.
        """
        known = self.grants.authorization(self.access, repository)
        question = Question(self.access, url, method, kind.headers, known, max_bytes=kind.max_bytes)
        answer = ask(question)
        if answer.status == 401 and _is_from(question, answer):
            wanted = self.grants.answer(self.access, repository, _challenge(answer), known)
            answer = ask(replace(question, authorization=wanted))
        if answer.status == 401 and not _is_from(question, answer):
            # The registry has sent us there: it is asked as a stranger, whatever it wants.
            wanted = Grants().answer(self.access.as_stranger(), repository, _challenge(answer))
            answer = ask(replace(question, url=answer.url, authorization=wanted))
        if answer.status in {401, 403}:
            raise refusal(self.access, repository)
        return answer

    def _bad(self, answer: http.Response, kind: _Kind) -> BadAnswer:
        named = {"host": self.access.host, "status": answer.status, "most": kind.max_bytes // MIB}
        if answer.truncated:
            return BadAnswer(_("%(host)s sent an answer of more than %(most)d MiB.") % named)
        return BadAnswer(_("%(host)s did not answer as a registry does (%(status)d).") % named)


def _is_from(question: Question, answer: http.Response) -> bool:
    """Whether it is who was asked that answers, and not one to whom we were redirected."""
    return origin(urlsplit(answer.url)) == origin(urlsplit(question.url))


def _challenge(answer: http.Response) -> str:
    return answer.headers.get("WWW-Authenticate", "")
