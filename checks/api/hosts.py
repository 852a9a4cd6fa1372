"""Docker hosts: where they are, what it takes to get there, and how they are."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks import asking, host_keys, host_trying, hosts
from checks.api.work import default_reason
from checks.discovery.job import place_of
from checks.host_form import MAX_KNOWN_HOSTS, HostForm
from checks.host_trying import CHANGE, FILES, REACH, READ
from checks.models import Host
from checks.registry.visit import FAILED, OK, SKIPPED
from dockrev.api.answers import Page, PageQuery, body, one_of, page_of, query
from dockrev.api.fields import Flag, Moment, NoneIfEmpty, Text
from dockrev.authorities import MOST_CHARACTERS
from dockrev.fields import MASK
from dockrev.forms import camel, require_valid
from dockrev.permissions import Role

MAX_ADDRESS = 500
OFF, UNKNOWN, ERROR, READ_ONLY, ON = "off", "unknown", "error", "attention", "on"
STATES = {OFF: "off", UNKNOWN: "unknown", ERROR: "unreachable", READ_ONLY: "read_only", ON: "ok"}


class HostFacts(serializers.Serializer[Host]):
    id = serializers.CharField()
    name = serializers.CharField()
    dockerHost = NoneIfEmpty(
        source="docker_host", help_text=_("Null: what the environment of Dockrev says.")
    )
    enabled = serializers.BooleanField()
    plain = serializers.BooleanField(help_text=_("Over tcp without encryption."))
    authorities = NoneIfEmpty()
    certificate = NoneIfEmpty()
    keyMasked = serializers.SerializerMethodField()
    keyFile = NoneIfEmpty(source="key_file")
    knownHosts = NoneIfEmpty(source="known_hosts")
    filesHere = serializers.BooleanField(
        source="has_files", help_text=_("Compose files of it are here, under the same paths.")
    )
    state = serializers.SerializerMethodField()
    error = NoneIfEmpty()
    version = NoneIfEmpty()
    platform = NoneIfEmpty()
    containers = serializers.IntegerField()
    stacks = serializers.IntegerField(source="stack_count")
    services = serializers.IntegerField(source="service_count")
    lastSeenAt = Moment(source="seen_at", allow_null=True)
    unreachableSince = serializers.SerializerMethodField()
    updatesRefused = serializers.SerializerMethodField(
        help_text=_("Why nothing can be updated there; null where something can.")
    )

    @extend_schema_field(serializers.ChoiceField(list(STATES.values())))
    def get_state(self, host: Host) -> str:
        return STATES[hosts.mark(host)]

    def get_keyMasked(self, host: Any) -> str | None:
        return MASK if host.has_key else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_unreachableSince(self, host: Host) -> Any:
        since = host.unreachable_since
        return Moment().to_representation(since) if since and host.is_unreachable else None

    def get_updatesRefused(self, host: Host) -> str | None:
        return hosts.what_is_in_the_way(host) or None


class HostList(Page):
    hosts = HostFacts(many=True)


class HostChange(serializers.Serializer[Any]):
    name = Text(required=False, max_length=100)
    dockerHost = Text(
        required=False,
        allow_blank=True,
        max_length=MAX_ADDRESS,
        help_text=_("unix:///path, tcp://host:port or ssh://user@host:port."),
    )
    enabled = Flag(required=False)
    plain = Flag(required=False, help_text=_("Allow tcp without encryption."))
    authorities = Text(
        required=False,
        allow_blank=True,
        max_length=MOST_CHARACTERS,
        help_text=_("Certificates as PEM that alone are trusted for it."),
    )
    certificate = Text(required=False, allow_blank=True, max_length=MOST_CHARACTERS)
    key = Text(
        required=False,
        allow_blank=True,
        max_length=host_keys.MOST_CHARACTERS,
        write_only=True,
        help_text=_("Of the certificate, or for ssh. Empty or masked keeps the one that is there."),
    )
    keyFile = Text(
        required=False,
        allow_blank=True,
        max_length=1000,
        help_text=_("For ssh: a file where Dockrev runs, instead of a key."),
    )
    knownHosts = Text(required=False, allow_blank=True, max_length=MAX_KNOWN_HOSTS)
    filesHere = Flag(required=False)


class NewHost(HostChange):
    name = Text(max_length=100)
    dockerHost = Text(max_length=MAX_ADDRESS)


class HostRemoval(serializers.Serializer[Any]):
    services = serializers.ChoiceField(
        [hosts.ARCHIVE, hosts.DELETE],
        default=hosts.ARCHIVE,
        help_text=_("What becomes of its stacks and services, with their history."),
    )


class HostStep(serializers.Serializer[Any]):
    step = serializers.ChoiceField([REACH, READ, CHANGE, FILES])
    outcome = serializers.ChoiceField([OK, FAILED, SKIPPED])
    detail = serializers.CharField()


class HostTried(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    steps = HostStep(many=True)


class Hosts(APIView):
    writes = Role.ADMIN

    @extend_schema(parameters=[PageQuery], responses=HostList)
    def get(self, request: Request) -> Response:
        return Response(HostList(page_of("hosts", hosts.look(), query(PageQuery, request))).data)

    @extend_schema(request=NewHost, responses={201: HostFacts})
    def post(self, request: Request) -> Response:
        """Add one; it is looked at at once. One that was removed and had this name comes back,
        with what was archived of it."""
        return Response(_saved(request, Host(), body(NewHost, request)), status=201)


class HostDetail(APIView):
    writes = Role.ADMIN

    @extend_schema(request=HostChange, responses=HostFacts)
    def patch(self, request: Request, host_id: str) -> Response:
        """409 while something on it is being changed."""
        return Response(_saved(request, _row(host_id), body(HostChange, request)))

    @extend_schema(parameters=[HostRemoval], responses={204: None})
    def delete(self, request: Request, host_id: str) -> Response:
        """Forget it and the way to it. 409 while something on it is being changed."""
        hosts.remove(_row(host_id), query(HostRemoval, request)["services"], timezone.now())
        return Response(status=204)


class HostTest(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses=HostTried)
    def post(self, request: Request, host_id: str) -> Response:
        """Reach it and see what it lets us do; ten seconds at the most."""
        return Response(HostTried(host_trying.try_out(place_of(_row(host_id)))).data)


class NewHostTest(APIView):
    writes = Role.ADMIN

    @extend_schema(request=NewHost, responses=HostTried)
    def post(self, request: Request) -> Response:
        """The same for one that is not kept yet."""
        form = _form(Host(), body(NewHost, request))
        return Response(HostTried(host_trying.try_out(form.place())).data)


def _row(pk: str) -> Host:
    return one_of(Host.objects.kept(), pk)


def _form(row: Host, given: dict[str, Any]) -> HostForm:
    """A valid one. Raises InvalidArgument."""
    data = {
        name: given.get(camel(name), "" if name == "key" else getattr(row, name))
        for name in HostForm.base_fields
    }
    form = HostForm(data, instance=row)
    require_valid(form)
    return form


def _saved(request: Request, row: Host, given: dict[str, Any]) -> Any:
    form = _form(row, given)
    form.write()
    asking.look_again(request.user.get_username(), reason=default_reason(request))
    return HostFacts(Host.objects.counted().get(pk=row.pk)).data
