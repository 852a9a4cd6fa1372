"""What belongs to the instance itself."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from dockrev.fields import IdField


def hash_token(token: str) -> str:
    """How a token is stored and found. It is long and random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


class ApiToken(models.Model):
    """Lets a program call the API as the person it belongs to. Only its hash is stored."""

    id = IdField("tok")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens", verbose_name=_("user")
    )
    name = models.CharField(_("name"), max_length=100)
    hint = models.CharField(_("begins with"), max_length=16, editable=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @classmethod
    def issue(cls, user: Any, *, name: str, expires_at: datetime | None) -> tuple[ApiToken, str]:
        """Make a token; the second value is the token itself, to be shown once."""
        token = f"drv_{secrets.token_urlsafe(32)}"
        row = cls.objects.create(
            user=user,
            name=name,
            hint=token[:8],
            token_hash=hash_token(token),
            expires_at=expires_at,
        )
        return row, token


class Setting(models.Model):
    """One answer to "what should happen", by its key. `preferences.py` knows keys and defaults."""

    key = models.CharField(_("key"), max_length=100, primary_key=True)
    value = models.JSONField(_("value"))
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        ordering = ["key"]
        verbose_name = _("setting")
        verbose_name_plural = _("settings")

    def __str__(self) -> str:
        return self.key


class Schedule(models.Model):
    """Something that a clock starts. The tick fires it with one conditional update."""

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    cron = models.CharField(_("cron"), max_length=100)
    jitter_seconds = models.PositiveIntegerField(_("jitter (seconds)"), default=0)
    next_run_at = models.DateTimeField(_("next run"), null=True, blank=True)
    last_run_at = models.DateTimeField(_("last run"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")

    def __str__(self) -> str:
        return self.name


class Heartbeat(models.Model):
    """When a part of the instance last showed that it is alive."""

    name = models.CharField(_("name"), max_length=60, primary_key=True)
    at = models.DateTimeField(_("at"))
    detail = models.JSONField(_("detail"), default=dict, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("heartbeat")
        verbose_name_plural = _("heartbeats")

    def __str__(self) -> str:
        return self.name
