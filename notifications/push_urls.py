"""The pages and scripts of Web Push."""

from __future__ import annotations

from django.urls import path

from notifications import push_pages

urlpatterns = [
    path("sw.js", push_pages.service_worker, name="service_worker"),
    path("settings/browsers", push_pages.show_browsers, name="browsers"),
    path(
        "settings/browsers/<id:subscription_id>/remove",
        push_pages.remove_browser,
        name="remove_browser",
    ),
    path("settings/channels/<id:channel_id>/keys", push_pages.make_keys, name="make_push_keys"),
]
