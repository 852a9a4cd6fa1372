"""Docker hosts, and what is secret about the way to them."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from checks.models.reach import Reached
from dockrev.fields import IdField, SecretField

LOCAL = "local"


class HostQuerySet(models.QuerySet["Host"]):
    def kept(self) -> Self:
        """Those that nobody removed."""
        return self.filter(removed_at=None)

    def asked(self) -> Self:
        return self.kept().filter(enabled=True)

    def counted(self) -> Self:
        """With `stack_count` and `service_count` of what is not archived, and `has_key`."""
        stacks = Q(stacks__archived_at=None)
        services = stacks & Q(stacks__services__archived_at=None)
        return self.annotate(
            stack_count=Count("stacks", filter=stacks, distinct=True),
            service_count=Count("stacks__services", filter=services, distinct=True),
            has_key=Exists(HostKey.objects.filter(host=OuterRef("pk"))),
        )


class Host(Reached):
    """A Docker Engine, or, as `local`, this machine with or without one.

    What is secret is in `HostKey`, so that whoever asks for a host does not read it. `files_here`
    says of another machine that its compose files are mounted here under the same paths.
    `read_only` says whether what stands before the engine lets nothing be changed; None: not known.
    One that was removed stays for as long as its stacks do, archived, and knows no way any more.
    """

    id = IdField("hst")
    name = models.CharField(_("name"), max_length=100, unique=True)
    docker_host = models.CharField(
        _("Docker host"),
        max_length=500,
        blank=True,
        help_text=_("Empty: what DOCKREV_DOCKER_HOST or the Docker configuration says."),
    )
    enabled = models.BooleanField(_("asked"), default=True)
    plain = models.BooleanField(_("without encryption"), default=False)
    authorities = models.TextField(_("CA certificates"), blank=True)
    certificate = models.TextField(_("client certificate"), blank=True)
    key_file = models.CharField(_("key file"), max_length=1000, blank=True)
    known_hosts = models.TextField(_("known hosts"), blank=True)
    files_here = models.BooleanField(_("compose files are here"), default=False)
    platform = models.CharField(_("platform"), max_length=60, blank=True, editable=False)
    version = models.CharField(_("version"), max_length=60, blank=True, editable=False)
    containers = models.PositiveIntegerField(_("containers"), default=0, editable=False)
    read_only = models.BooleanField(_("read only"), null=True, editable=False)
    error = models.TextField(_("error"), blank=True, editable=False)
    seen_at = models.DateTimeField(_("last reached"), null=True, blank=True, editable=False)
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True, editable=False)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("host")
        verbose_name_plural = _("hosts")

    def __str__(self) -> str:
        return self.name

    @property
    def release(self) -> str:
        """Its engine's version, without what a distribution adds to it."""
        return self.version.partition("+")[0]

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL

    @property
    def is_remote(self) -> bool:
        """Whether paths on it may mean other files than here."""
        return not self.is_local and self.docker_host.startswith(("tcp://", "ssh://"))

    @property
    def has_files(self) -> bool:
        return self.files_here or not self.is_remote

    @property
    def is_asked(self) -> bool:
        return self.enabled and self.removed_at is None


class HostKey(models.Model):
    """The private key for the way to a host, of TLS or of ssh."""

    host = models.OneToOneField(
        Host, models.CASCADE, primary_key=True, related_name="secret", verbose_name=_("host")
    )
    key = SecretField(_("key"))

    class Meta:
        verbose_name = _("host key")
        verbose_name_plural = _("host keys")

    def __str__(self) -> str:
        return self.host_id
