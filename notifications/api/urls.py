"""The API routes of this app."""

from __future__ import annotations

from django.urls import path

from notifications.api import channels

urlpatterns = [
    path("notifications/channels", channels.Channels.as_view()),
    path("notifications/channels/<id:channel_id>", channels.ChannelDetail.as_view()),
    path("notifications/channels/<id:channel_id>/test", channels.ChannelTest.as_view()),
]
