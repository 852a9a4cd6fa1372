"""The pages of this app."""

from __future__ import annotations

from django.urls import path

from integrations import pages

urlpatterns = [
    path("deliveries", pages.show_deliveries, name="deliveries"),
    path("deliveries/<id:delivery_id>", pages.show_delivery, name="delivery"),
    path("deliveries/<id:delivery_id>/replay", pages.replay_delivery, name="replay_delivery"),
]
