"""The API routes of this app."""

from __future__ import annotations

from django.urls import path

from notifications.api import channels, history, web_push

urlpatterns = [
    path("notifications", history.Notifications.as_view()),
    path("notifications/<id:notification_id>", history.NotificationDetail.as_view()),
    path("notifications/<id:notification_id>/resend", history.NotificationResend.as_view()),
    path("notifications/channels", channels.Channels.as_view()),
    path("notifications/channels/bulk", channels.SeveralChannels.as_view()),
    path("notifications/examples", channels.Examples.as_view()),
    path("notifications/examples/<slug:kind>", channels.Example.as_view()),
    path("notifications/channels/<id:channel_id>", channels.ChannelDetail.as_view()),
    path("notifications/channels/<id:channel_id>/test", channels.ChannelTest.as_view()),
    path("web-push/key", web_push.WebPushKey.as_view()),
    path("web-push/subscriptions", web_push.WebPushSubscriptions.as_view()),
    path("web-push/subscriptions/<id:subscription_id>", web_push.WebPushSubscription.as_view()),
    path("web-push/subscriptions/<id:subscription_id>/test", web_push.WebPushTest.as_view()),
]
