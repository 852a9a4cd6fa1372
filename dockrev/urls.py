"""All routes, put together."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("integrations.webhook_urls")),
    path("", include("dockrev.page_urls")),
    path("", include("notifications.page_urls")),
    path("", include("checks.page_urls")),
    path("", include("integrations.page_urls")),
    path("", include("notifications.push_urls")),
    path("api/", include("dockrev.api.urls")),
    path("api/", include("checks.api.urls")),
    path("api/", include("integrations.api.urls")),
    path("api/", include("notifications.api.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "dockrev.errors.bad_request"
handler403 = "dockrev.errors.forbidden"
handler404 = "dockrev.errors.not_found"
handler500 = "dockrev.errors.server_error"
