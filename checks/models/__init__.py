"""What runs here, what is newer, and the work that finds out."""

from checks.models.candidates import Candidate, IgnoreRule
from checks.models.findings import Finding
from checks.models.images import Image
from checks.models.jobs import Hold, Job, JobLog
from checks.models.notes import ReleaseNotes
from checks.models.registries import Registry, TagList
from checks.models.stacks import Host, Service, Stack

__all__ = [
    "Candidate",
    "Finding",
    "Hold",
    "Host",
    "IgnoreRule",
    "Image",
    "Job",
    "JobLog",
    "Registry",
    "ReleaseNotes",
    "Service",
    "Stack",
    "TagList",
]
