"""Registries and how to talk to them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from checks.models.reach import Reached
from dockrev.fields import IdField, SecretField


class RegistryQuerySet(models.QuerySet["Registry"]):
    def reaching(self, hosts: Collection[str]) -> Self:
        """Those of the hosts, and the mirrors of them that are asked first."""
        return self.filter(Q(host__in=hosts) | Q(mirror_of__in=hosts, asked_first=True))


class Registry(Reached):
    """One registry host: how it is reached, as whom, and whether it asked us to wait."""

    id = IdField("reg")
    host = models.CharField(
        _("host"),
        max_length=255,
        unique=True,
        help_text=_("As in an image reference, with the port: ghcr.io, registry.example:5000."),
    )
    insecure = models.BooleanField(
        _("plain http"), default=False, help_text=_("Loopback addresses are reached so anyway.")
    )
    username = models.CharField(_("user name"), max_length=255, blank=True)
    password = SecretField(_("password"), blank=True)
    authorities = models.TextField(
        _("CA certificates"),
        blank=True,
        help_text=_("PEM, if a CA of your own signed the registry's certificate."),
    )
    token_host = models.CharField(
        _("token host"),
        max_length=255,
        blank=True,
        help_text=_(
            "The host that gives its tokens, if that belongs to another domain. User name and "
            "password are sent to no other."
        ),
    )
    mirror_of = models.CharField(
        _("mirror of"),
        max_length=255,
        blank=True,
        help_text=_("The registry that this one has images of, under the same names."),
    )
    asked_first = models.BooleanField(
        _("asked first"),
        default=False,
        help_text=_("For images of the registry that it mirrors, too."),
    )
    cooldown_until = models.DateTimeField(_("waits until"), null=True, blank=True, editable=False)
    rests_in_a_row = models.PositiveSmallIntegerField(
        _("rests in a row"), default=0, editable=False
    )
    last_error = models.TextField(_("last error"), blank=True, editable=False)
    last_ok_at = models.DateTimeField(_("last answered"), null=True, blank=True, editable=False)

    limit_most = models.PositiveIntegerField(_("limit"), null=True, editable=False)
    limit_remaining = models.PositiveIntegerField(_("left of it"), null=True, editable=False)
    limit_window = models.PositiveIntegerField(_("limit's seconds"), null=True, editable=False)
    limit_seen_at = models.DateTimeField(_("limit seen"), null=True, editable=False)

    objects = RegistryQuerySet.as_manager()

    class Meta:
        ordering = ["host"]
        verbose_name = _("registry")
        verbose_name_plural = _("registries")

    def __str__(self) -> str:
        return self.host

    def stands_for(self, host: str) -> bool:
        """Whether it is asked for another registry's images before that one."""
        return self.asked_first and self.mirror_of == host != self.host

    @property
    def rests(self) -> bool:
        """Whether nothing is asked of it now."""
        return self.cooldown_until is not None and self.cooldown_until > timezone.now()


class TagList(models.Model):
    """A repository's tags, as they were when its registry was asked: a check may do with them.

    `packed` and `etag` are those of `checks/registry/tags.py`. Only `checks/tag_lists.py` writes
    and reads them.
    """

    registry = models.CharField(_("registry"), max_length=255)
    repository = models.CharField(_("repository"), max_length=512)
    etag = models.CharField(_("ETag"), max_length=200, blank=True)
    fetched_at = models.DateTimeField(_("asked for"), db_index=True)
    packed = models.BinaryField()
    size = models.PositiveIntegerField(_("bytes"))

    class Meta:
        ordering = ["registry", "repository"]
        verbose_name = _("list of tags")
        verbose_name_plural = _("lists of tags")
        constraints = [
            models.UniqueConstraint(
                fields=["registry", "repository"], name="one_tag_list_per_repository"
            )
        ]

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}"
