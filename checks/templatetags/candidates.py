"""What a service could run, beside what it runs."""

from __future__ import annotations

from django import template

from checks import findings
from checks.models import Candidate, Finding, Service
from checks.releases.places import Project, project_at
from checks.releases.reading import may_have_notes

register = template.Library()


@register.filter
def becomes(candidate: Candidate | None, service: Service) -> str:
    """The tag, or the version behind it, that a candidate would bring; empty where it is the one
    that runs, as of most rebuilt images."""
    shown = candidate.display_tag if candidate else ""
    return "" if shown in (service.tag, service.display_tag) else shown


@register.filter
def step_name(step: str) -> str:
    return str(Candidate.Step(step).label)


@register.filter
def project(candidate: Candidate) -> Project | None:
    """Where its source is, as images of its repository say."""
    return project_at(candidate.source)


@register.filter
def has_notes(candidate: Candidate, service: Service) -> bool:
    """Whether a link to its release notes is worth a place."""
    return may_have_notes(candidate, service)


@register.filter
def found(finding: Finding) -> str:
    """What a scan found, in numbers."""
    return findings.words(finding)


@register.filter
def grave(finding: Finding | None) -> str:
    """What a scan found that is critical or high; empty where that is nothing."""
    return findings.grave_words(finding) if finding else ""
