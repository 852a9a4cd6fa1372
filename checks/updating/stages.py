"""The steps of a job that changes services, in words for people; summaries have the keys."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

STEPS: dict[str, str | Promise] = {
    "note": _("Note what runs"),
    "backup": _("Back up data"),
    "save": _("Stop, and copy the database"),
    "edit": _("Edit files"),
    "pull": _("Pull"),
    "up": _("Make containers anew"),
    "wait": _("Wait until it runs well"),
    "settle": _("Look at what runs"),
    "commit": _("Commit to Git"),
    "undo": _("Put files back"),
    "bring_back": _("Bring the old image back"),
    "prove": _("Prove that all is as before"),
    "stop": _("Stop containers"),
    "unpack": _("Unpack the backup"),
    "swap": _("Put it in the place of what was there"),
    "start": _("Start containers"),
    "restart": _("Restart containers"),
}
