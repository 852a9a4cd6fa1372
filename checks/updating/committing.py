"""The step of a job that commits what it edited, where the policy of the service asks for that."""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _

from checks import policies
from checks.models import Service
from checks.updating import commits, facts
from checks.updating.plan import Change
from checks.updating.site import Site
from checks.versions.authors import author

logger = logging.getLogger(__name__)


def keep_in_git(site: Site, change: Change, *, back: bool = False) -> None:
    """Commit, and say what came of it. Whatever that is, what was done to the service stays."""
    rows = Service.objects.with_policies().select_related("stack")
    service = rows.filter(pk=change.service_id).first() if change.edits else None
    if service is None:
        return
    held = policies.of_service(service).held
    if not held["commit"].value:
        return
    with site.steps.step("commit", change.service_name):
        try:
            who = author(held["commitAuthor"].value)
            site.steps.log_lines(list(commits.commit(change, _title(site, change, back), who)))
        except Exception:
            logger.exception("a commit failed", extra={"service": change.service_id})
            site.steps.log_lines([_("Nothing is committed: an error inside Dockrev.")])


def _title(site: Site, change: Change, back: bool) -> str:
    """Not translated: it stands among what others write into the repository."""
    ends = facts.tag_ends(change)
    action = "Roll back" if back else "Update"
    words = " → ".join(ends[::-1] if back else ends)
    return f"{action} {site.stack.name}/{change.service_name}, {words}"
