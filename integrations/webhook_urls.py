"""Where registries call: with and without a trailing slash, never a redirect."""

from __future__ import annotations

from django.urls import re_path

from integrations.views import TriggerCall, Webhook

urlpatterns = [
    re_path(r"^api/webhooks/trigger/?$", TriggerCall.as_view(), name="trigger"),
    re_path(r"^api/webhooks/(?P<kind>[a-z0-9-]+)/?$", Webhook.as_view(), name="webhook"),
]
