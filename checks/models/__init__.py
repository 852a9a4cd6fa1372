"""What runs here, what is newer, and the work that finds out."""

from checks.models.backups import Backup
from checks.models.candidates import Announcement, Candidate, IgnoreRule
from checks.models.findings import Finding
from checks.models.hosts import Host, HostKey
from checks.models.images import Image
from checks.models.jobs import Hold, Job, JobLog
from checks.models.notes import ReleaseNotes
from checks.models.pauses import Pause
from checks.models.registries import Registry, TagList
from checks.models.stacks import Service, Stack
from checks.models.updates import Replaced

__all__ = [
    "Announcement",
    "Backup",
    "Candidate",
    "Finding",
    "Hold",
    "Host",
    "HostKey",
    "IgnoreRule",
    "Image",
    "Job",
    "JobLog",
    "Pause",
    "Registry",
    "ReleaseNotes",
    "Replaced",
    "Service",
    "Stack",
    "TagList",
]
