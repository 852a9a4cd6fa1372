"""Web Push: the key to subscribe with, and the browsers that did."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.middleware.csrf import get_token
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dockrev.api.answers import Page, PageQuery, body, one_of, page_of, query
from dockrev.api.fields import MAX_ID, Moment, NoneIfEmpty, Text, Whole
from dockrev.errors import Conflict, InvalidArgument, NotFound
from dockrev.identity import token_used
from dockrev.models import hash_token
from dockrev.permissions import Role
from notifications import push_endpoints, push_subscribing
from notifications.push_endpoints import MAX_ENDPOINT, MAX_KEY, BadEndpoint, Given
from notifications.push_keys import BadKey
from notifications.push_models import PushSubscription
from notifications.push_subscribing import Open


class OpenFacts(serializers.Serializer[Open]):
    id = serializers.CharField()
    name = serializers.CharField()
    publicKey = serializers.CharField(source="public_key")


class KeyFacts(serializers.Serializer[Any]):
    publicKey = serializers.CharField()
    channelId = serializers.CharField()
    channels = OpenFacts(many=True)
    csrfToken = serializers.CharField(allow_null=True)


class BrowserKeys(serializers.Serializer[Any]):
    p256dh = Text(max_length=MAX_KEY)
    auth = Text(max_length=MAX_KEY)


class NewSubscription(serializers.Serializer[Any]):
    endpoint = Text(max_length=MAX_ENDPOINT)
    keys = BrowserKeys()
    channelId = Text(required=False, max_length=MAX_ID)
    publicKey = Text(required=False, max_length=MAX_KEY)
    replaces = Text(required=False, max_length=MAX_ENDPOINT)
    expirationTime = Whole(required=False, allow_null=True)


class OldSubscription(serializers.Serializer[Any]):
    endpoint = Text(max_length=MAX_ENDPOINT)


class SubscriptionFacts(serializers.Serializer[PushSubscription]):
    """`host` is all that is said of the endpoint: whoever knows the rest may send there."""

    id = serializers.CharField()
    channelId = serializers.CharField(source="channel_id")
    user = serializers.CharField(source="user.username")
    browser = serializers.CharField()
    host = serializers.CharField()
    createdAt = Moment(source="created_at")
    lastSentAt = Moment(source="last_sent_at", allow_null=True)
    failingSince = Moment(source="failing_since", allow_null=True)
    lastError = NoneIfEmpty(source="last_error")


class BrowserTestFacts(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True)
    error = NoneIfEmpty()


class SubscriptionList(Page):
    subscriptions = SubscriptionFacts(many=True)


class WebPushKey(APIView):
    reads = Role.VIEWER

    @extend_schema(responses=KeyFacts)
    def get(self, request: Request) -> Response:
        """The key that a browser subscribes with: that of the first channel, and of each.

        404 where there is no Web Push channel that is switched on. `csrfToken` is for a service
        worker, which has no page to find it on.
        """
        found = push_subscribing.channels()
        if not found:
            raise _no_channel()
        facts = {
            "publicKey": found[0].public_key,
            "channelId": found[0].id,
            "channels": found,
            "csrfToken": None if token_used(request) else get_token(request._request),
        }
        return Response(KeyFacts(facts).data, headers={"Cache-Control": "no-store"})


class WebPushSubscriptions(APIView):
    reads = Role.VIEWER
    writes = Role.VIEWER

    @extend_schema(parameters=[PageQuery], responses=SubscriptionList)
    def get(self, request: Request) -> Response:
        """One's own browsers; for an admin everybody's."""
        rows = push_subscribing.visible_to(request.user).select_related("user")
        page = page_of("subscriptions", rows, query(PageQuery, request))
        return Response(SubscriptionList(page).data)

    @extend_schema(
        request=NewSubscription, responses={201: SubscriptionFacts, 200: SubscriptionFacts}
    )
    def post(self, request: Request) -> Response:
        """Keep a subscription as `PushSubscription.toJSON()` writes it; 200 where it is known.

        `publicKey` is the key that it was made with: 409 where the channel has another by now.
        `replaces` is the endpoint that the browser had before, which is forgotten.
        """
        asked = body(NewSubscription, request)
        channel = _channel(asked)
        agent = request.headers.get("User-Agent", "")[:1000]
        row, is_new = push_subscribing.subscribe(request.user, channel, _given(asked), agent)
        if old := asked.get("replaces"):
            push_subscribing.forget(request.user, old, but=row)
        return Response(SubscriptionFacts(row).data, status=201 if is_new else 200)

    @extend_schema(request=OldSubscription, responses={204: None})
    def delete(self, request: Request) -> Response:
        """Forget a browser by its endpoint."""
        endpoint = body(OldSubscription, request)["endpoint"]
        known = push_subscribing.visible_to(request.user)
        if not known.filter(endpoint_hash=hash_token(endpoint)).delete()[0]:
            raise Http404
        return Response(status=204)


class WebPushSubscription(APIView):
    writes = Role.VIEWER

    @extend_schema(responses={204: None})
    def delete(self, request: Request, subscription_id: str) -> Response:
        one_of(push_subscribing.visible_to(request.user), subscription_id).delete()
        return Response(status=204)


class WebPushTest(APIView):
    writes = Role.VIEWER

    @extend_schema(request=None, responses=BrowserTestFacts)
    def post(self, request: Request, subscription_id: str) -> Response:
        """Send a message that says it is a test to this browser alone."""
        known = push_subscribing.visible_to(request.user).select_related("channel")
        tried = push_subscribing.try_one(one_of(known, subscription_id))
        return Response(BrowserTestFacts(tried).data)


def _no_channel() -> NotFound:
    return NotFound(_("No Web Push channel is switched on; an admin can make one."))


def _channel(asked: dict[str, Any]) -> Open:
    found = {channel.id: channel for channel in push_subscribing.channels()}
    if not found:
        raise _no_channel()
    wanted = asked.get("channelId") or next(iter(found))
    if wanted not in found:
        raise InvalidArgument("channelId", _("There is no such Web Push channel."))
    if asked.get("publicKey", found[wanted].public_key) != found[wanted].public_key:
        raise Conflict(_("The channel's keys have changed. Subscribe again."), reason="key_changed")
    return found[wanted]


def _given(asked: dict[str, Any]) -> Given:
    keys = asked["keys"]
    try:
        push_endpoints.host_of(asked["endpoint"])
    except BadEndpoint as error:
        raise InvalidArgument("endpoint", str(error)) from None
    for name, check in (("p256dh", push_endpoints.public), ("auth", push_endpoints.secret)):
        try:
            keys[name] = check(keys[name])
        except BadKey as error:
            raise InvalidArgument(f"keys.{name}", str(error)) from None
    return Given(asked["endpoint"], keys["p256dh"], keys["auth"])
