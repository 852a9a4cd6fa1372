"""Where registries call: with and without a trailing slash, never a redirect."""

from __future__ import annotations

from django.urls import re_path

from integrations.views import AliasedWebhook, TokenWebhook, TriggerCall, Webhook

urlpatterns = [
    re_path(r"^api/webhooks/trigger/?$", TriggerCall.as_view(), name="trigger"),
    re_path(r"^api/webhooks/(?P<kind>[a-z0-9-]+)/?$", Webhook.as_view(), name="webhook"),
    re_path(
        r"^api/webhooks/(?P<kind>[a-z0-9-]+)/(?P<token>[^/]+)/?$",
        TokenWebhook.as_view(),
        name="token-webhook",
    ),
    re_path(r"^v1/webhook/?$", AliasedWebhook.as_view(), name="aliased-webhook"),
]
