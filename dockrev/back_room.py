"""Django's admin as an app, with a site of our own."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class BackRoomConfig(AdminConfig):
    default_site = "dockrev.admin_site.Site"
