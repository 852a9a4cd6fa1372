"""What services ran before they were changed: where a rollback goes back to."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from checks.models.stacks import Service
from checks.updating.plan import Change, Project
from dockrev.fields import IdField


class Replaced(models.Model):
    """What a service ran when a job began to change it, written before anything was touched.

    `change` and `project` are those of the plan, as JSON: the edits in it are enough to put files
    back byte by byte, so nothing else of a file is kept, which may hold passwords. `image_id` ran
    before, by the engine's word, and `new_image_id` after; `kept` is the tag that keeps the old
    image from pruning. `before` has, by the name of each service that is made anew, the ids of its
    containers, of those that served, and of their images, how many were to serve, and how they
    were, in a word of `updating/health.py`, and whether they answered their probes. `edits_made`
    is set before the files are edited: they may be.

        changing -> applied | left     `undoing` may follow on these, too: by a person's wish
            |          |
            +-> undoing -> undone | unclear
    """

    class State(models.TextChoices):
        CHANGING = "changing", _("being changed")
        APPLIED = "applied", _("changed")
        LEFT = "left", _("failed, and left so")
        UNDOING = "undoing", _("being put back")
        UNDONE = "undone", _("put back")
        UNCLEAR = "unclear", _("neither changed nor put back")

    HALF_DONE = (State.CHANGING, State.UNDOING)
    WAYS_BACK = (State.APPLIED, State.LEFT)

    id = IdField("rep")
    service = models.ForeignKey(
        Service, models.CASCADE, related_name="replaced", verbose_name=_("service")
    )
    job_id = models.CharField(_("job"), max_length=32, db_index=True)
    change = models.JSONField(_("change"))
    project = models.JSONField(_("project"))
    image_id = models.CharField(_("image before"), max_length=160)
    new_image_id = models.CharField(_("image after"), max_length=160, blank=True)
    kept = models.CharField(_("kept as"), max_length=200, blank=True)
    before = models.JSONField(_("containers before"))
    edits_made = models.BooleanField(_("files edited"), default=False)
    state = models.CharField(
        _("state"), max_length=16, choices=State.choices, default=State.CHANGING
    )
    noted_at = models.DateTimeField(_("noted"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("replaced image")
        verbose_name_plural = _("replaced images")
        indexes = [models.Index(fields=["service", "-id"], name="replaced_of_service")]

    def __str__(self) -> str:
        return f"{self.service_id} {self.image_id}"

    def leads_from(self, image_id: str) -> bool:
        """Whether what runs is what this change left, so that a rollback may go on from there. One
        that failed may have left old and new side by side, or nothing at all."""
        if self.state == self.State.LEFT:
            return image_id in ("", self.image_id, self.new_image_id)
        return self.state == self.State.APPLIED and image_id == self.new_image_id

    @property
    def planned(self) -> Change:
        return Change.from_json(self.change)

    @property
    def compose_project(self) -> Project:
        return Project.from_json(self.project)
