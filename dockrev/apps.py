from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DockrevConfig(AppConfig):
    name = "dockrev"
    verbose_name = _("Dockrev")
