"""The API routes of this app."""

from __future__ import annotations

from django.urls import path

from dockrev.api.documents import Docs, SchemaDocument
from dockrev.api.settings import Settings
from dockrev.api.system import Health, Version

urlpatterns = [
    path("health", Health.as_view()),
    path("version", Version.as_view()),
    path("settings", Settings.as_view()),
    path("schema/", SchemaDocument.as_view()),
    path("docs/", Docs.as_view()),
]
