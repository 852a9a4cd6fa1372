"""What was saved of a service's data before it was changed."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from checks.models.stacks import Service
from checks.versions.policies import LIVE, STOP
from dockrev.fields import IdField

MAX_IMAGE = 500  # characters: as much of a reference as people need to know it by


class BackupQuerySet(models.QuerySet["Backup"]):
    def good(self) -> Self:
        """Those that are whole."""
        return self.filter(state=Backup.State.GOOD)


class Backup(models.Model):
    """One volume or bind mount as it was at one moment: a file in the data directory, by its id.

    `name` is the volume's name or the path on its Docker host. `size` counts the bytes of the
    archive, `stored_size` those of the file; `sha256` is of the file. `note` is what the archiver
    said of data that changed while it was read. `before_restore`: a restore was about
    to replace it. Names of stack and service stay when these go.
    """

    class Kind(models.TextChoices):
        VOLUME = "volume", _("volume")
        BIND = "bind", _("bind mount")

    class How(models.TextChoices):
        LIVE = LIVE, _("while it ran")
        STOP = STOP, _("with its containers stopped")

    class State(models.TextChoices):
        MAKING = "making", _("being made")
        GOOD = "good", _("good")
        FAILED = "failed", _("failed")

    id = IdField("bkp")
    service = models.ForeignKey(
        Service, models.SET_NULL, null=True, related_name="backups", verbose_name=_("service")
    )
    stack_name = models.CharField(_("stack"), max_length=255)
    service_name = models.CharField(_("service name"), max_length=255)
    job_id = models.CharField(_("job"), max_length=32, db_index=True)
    image = models.CharField(_("image"), max_length=MAX_IMAGE)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    name = models.TextField(_("name"))
    destination = models.TextField(_("path in the container"))
    how = models.CharField(_("how"), max_length=8, choices=How.choices)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.MAKING)
    size = models.BigIntegerField(_("size"), default=0)
    stored_size = models.BigIntegerField(_("size of the file"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    note = models.TextField(_("note"), blank=True)
    before_restore = models.BooleanField(_("made before a restore"), default=False)
    made_at = models.DateTimeField(_("made"))

    objects = BackupQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        indexes = [models.Index(fields=["service", "-id"], name="backups_of_service")]

    def __str__(self) -> str:
        return f"{self.stack_name} / {self.service_name}: {self.name}"
