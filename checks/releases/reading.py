"""The release notes of a candidate: from the table, else from the project's host."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.models import Candidate, ReleaseNotes, Service
from checks.releases import accounts
from checks.releases.accounts import Account
from checks.releases.asking import Silent, ask
from checks.releases.places import GITHUB, Project, project_at, tags_of
from dockrev.turns import turns

FRESH = timedelta(minutes=10)  # as long what was read is not asked for again
PATIENCE = 4.0  # seconds; no further question begins after that
_GHCR, _GITHUB_COM = "ghcr.io", "github.com"


@dataclass(frozen=True)
class Notes:
    """`project` is None where nobody knows where the image is made. `release` is None where its
    host has none of this version, or where `trouble` says why that is not known."""

    project: Project | None = None
    release: ReleaseNotes | None = None
    asked_for: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def url(self) -> str:
        """The release's own page, else the one that lists them all, else the project's."""
        if self.project is None:
            return ""
        if self.release is None:
            return self.project.releases_url or self.project.url
        return self.project.release_url(self.release.tag)


def notes_of(candidate: Candidate) -> Notes:
    """Read them. Asks the project's host, at most for some seconds: never inside a transaction.

    Raises RateLimited where too many wait for other servers already.
    """
    known = accounts.known()
    project = _project_of(candidate, known)
    if project is None or not project.kind:
        return Notes(project)
    version = candidate.image.version if candidate.image else ""
    names = tuple(tags_of(version, candidate.version_tag or candidate.tag))
    until = time.monotonic() + PATIENCE
    for name in names:
        if time.monotonic() > until:
            text = _("%(host)s takes too long to answer.") % {"host": project.host}
            return Notes(project, asked_for=names, trouble=text)
        try:
            row = _row(project, name, known.get(project.host))
        except Silent as error:
            return Notes(project, _last(project, name), names, str(error))
        if row.found:
            return Notes(project, row, names)
    return Notes(project, asked_for=names)


def may_have_notes(candidate: Candidate, service: Service) -> bool:
    """Whether it is worth asking for any, as far as can be said without asking the database."""
    return service.registry == _GHCR or project_at(candidate.source) is not None


def _project_of(candidate: Candidate, known: dict[str, Account]) -> Project | None:
    """Where images of its repository say that they are made; at GitHub's registry else the
    repository of the same name, if that is tracked: only then it is known to be there."""
    kinds = {host: account.kind for host, account in known.items()}
    if project := project_at(candidate.source, kinds):
        return project
    service = candidate.service
    path = "/".join(service.repository.split("/")[:2])
    if service.registry == _GHCR and accounts.tracks(_GITHUB_COM, path):
        return Project(GITHUB, "https", _GITHUB_COM, path)
    return None


def _row(project: Project, name: str, account: Account | None) -> ReleaseNotes:
    """Raises Silent, and RateLimited where too many wait for other servers already."""
    now = timezone.now()
    kept = ReleaseNotes.objects.filter(place=project.url, tag=name).first()
    if kept and kept.fetched_at > now - FRESH:
        return kept
    with turns.aside():
        said = ask(project, name, account=account, etag=kept.etag if kept else "")
    fields: dict[str, Any] = {"fetched_at": now}
    if not said.unchanged:
        fields |= {
            "found": said.found,
            "name": said.name,
            "body": said.body,
            "published_at": said.published_at,
            "etag": said.etag,
        }
    row, _made = ReleaseNotes.objects.update_or_create(place=project.url, tag=name, defaults=fields)
    return row


def _last(project: Project, name: str) -> ReleaseNotes | None:
    """What was read before the host fell silent."""
    return ReleaseNotes.objects.filter(place=project.url, tag=name, found=True).first()
