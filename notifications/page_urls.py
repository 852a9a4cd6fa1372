"""The pages of this app."""

from __future__ import annotations

from django.urls import path

from notifications import channel_pages, event_pages, history_pages

_channel = "settings/channels/<id:channel_id>"
_history = "settings/notifications"

urlpatterns = [
    path("settings/channels", channel_pages.show_channels, name="channels"),
    path("settings/channels/new", channel_pages.choose_kind, name="new_channel"),
    path("settings/channels/new/<slug:kind>", channel_pages.add_channel, name="add_channel"),
    path("settings/channels/change", channel_pages.change_channels, name="change_channels"),
    path(_channel, channel_pages.show_channel, name="channel"),
    path(f"{_channel}/test", channel_pages.test_channel, name="test_channel"),
    path(f"{_channel}/examples", channel_pages.show_examples, name="channel_examples"),
    path(_history, history_pages.show_notifications, name="notifications"),
    path(f"{_history}/<id:notification_id>", history_pages.show_notification, name="notification"),
    path(
        f"{_history}/<id:notification_id>/send-again",
        history_pages.send_again,
        name="send_notification_again",
    ),
    path("settings/events", event_pages.show_events, name="events"),
    path("settings/events/<slug:kind>/template", event_pages.show_template, name="event_template"),
]
