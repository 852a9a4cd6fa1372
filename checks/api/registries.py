"""Registries: how they are reached, as whom, and how they are."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks import registries, trying
from checks.models import Registry
from checks.registries import DOCKER_LOGIN, ENTERED, HELPER, NOBODY, Known
from checks.registry.visit import FAILED, OK, REACH, READ, SIGN_IN, SKIPPED
from checks.registry_form import MAX_PASSWORD, RegistryForm
from dockrev import authorities
from dockrev.api.answers import Page, PageQuery, body, one_of, page_of, query
from dockrev.api.fields import Flag, Moment, NoneIfEmpty, Text
from dockrev.errors import Conflict
from dockrev.fields import MASK, UnreadableSecret
from dockrev.forms import camel, require_valid
from dockrev.permissions import Role

MAX_HOST = 255


class SignInFacts(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(
        [ENTERED, DOCKER_LOGIN, HELPER, NOBODY], help_text=_("Who says who we are.")
    )
    name = NoneIfEmpty()


class AuthorityFacts(serializers.Serializer[Any]):
    name = serializers.CharField()
    endsAt = Moment(source="ends_at")


class LimitFacts(serializers.Serializer[Registry]):
    most = serializers.IntegerField(source="limit_most")
    remaining = serializers.IntegerField(source="limit_remaining")
    windowSeconds = serializers.IntegerField(source="limit_window", allow_null=True)
    seenAt = Moment(source="limit_seen_at")


class RegistryFacts(serializers.Serializer[Known]):
    id = serializers.SerializerMethodField(help_text=_("Null where nothing was entered."))
    host = serializers.CharField()
    username = NoneIfEmpty(source="row.username")
    passwordMasked = serializers.SerializerMethodField()
    insecure = serializers.BooleanField(source="row.insecure")
    authorities = AuthorityFacts(many=True)
    tokenHost = NoneIfEmpty(source="row.token_host")
    mirrorOf = NoneIfEmpty(source="row.mirror_of")
    askedFirst = serializers.BooleanField(source="row.asked_first")
    signIn = SignInFacts(source="sign_in")
    services = serializers.IntegerField()
    servicesNotChecked = serializers.IntegerField(source="failing")
    lastAnsweredAt = Moment(source="answered_at", allow_null=True)
    restsUntil = serializers.SerializerMethodField()
    lastError = NoneIfEmpty(source="row.last_error")
    unreachableSince = serializers.SerializerMethodField(
        help_text=_("Since when no answer came; null where one did.")
    )
    limit = serializers.SerializerMethodField()

    def get_id(self, known: Known) -> str | None:
        return known.row.pk if known.is_kept else None

    def get_passwordMasked(self, known: Known) -> str | None:
        return MASK if known.row.username else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_restsUntil(self, known: Known) -> Any:
        until = known.row.cooldown_until
        return Moment().to_representation(until) if until and known.row.rests else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_unreachableSince(self, known: Known) -> Any:
        since = known.row.unreachable_since
        return Moment().to_representation(since) if since and known.row.is_unreachable else None

    @extend_schema_field(LimitFacts(allow_null=True))
    def get_limit(self, known: Known) -> Any:
        return LimitFacts(known.row).data if known.row.limit_most is not None else None


class RegistryList(Page):
    registries = RegistryFacts(many=True)


class RegistryChange(serializers.Serializer[Any]):
    host = Text(required=False, max_length=MAX_HOST)
    username = Text(
        required=False,
        allow_blank=True,
        max_length=255,
        help_text=_("Empty: as nobody, and the password is forgotten."),
    )
    password = Text(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        max_length=MAX_PASSWORD,
        write_only=True,
        help_text=_("Empty or masked keeps the one that is there."),
    )
    insecure = Flag(required=False)
    authorities = Text(
        required=False,
        allow_blank=True,
        max_length=authorities.MOST_CHARACTERS,
        help_text=_("Certificates as PEM."),
    )
    tokenHost = Text(required=False, allow_blank=True, max_length=MAX_HOST)
    mirrorOf = Text(required=False, allow_blank=True, max_length=MAX_HOST)
    askedFirst = Flag(required=False)


class NewRegistry(RegistryChange):
    host = Text(max_length=MAX_HOST)


class StepFacts(serializers.Serializer[Any]):
    step = serializers.ChoiceField([REACH, SIGN_IN, READ])
    outcome = serializers.ChoiceField([OK, FAILED, SKIPPED])
    detail = serializers.CharField()


class TriedFacts(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    steps = StepFacts(many=True)


class Registries(APIView):
    writes = Role.ADMIN

    @extend_schema(parameters=[PageQuery], responses=RegistryList)
    def get(self, request: Request) -> Response:
        """Those that services use, and those that were entered."""
        known = page_of("registries", registries.look(), query(PageQuery, request))
        return Response(RegistryList(known).data)

    @extend_schema(request=NewRegistry, responses={201: RegistryFacts})
    def post(self, request: Request) -> Response:
        """Enter one that services use, or will. Each host is entered once."""
        return Response(_saved(Registry(), body(NewRegistry, request)), status=201)


class RegistryDetail(APIView):
    writes = Role.ADMIN

    @extend_schema(request=RegistryChange, responses=RegistryFacts)
    def patch(self, request: Request, registry_id: str) -> Response:
        """Another host or token host, or plain http, asks for the password again."""
        return Response(_saved(_row(registry_id), body(RegistryChange, request)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, registry_id: str) -> Response:
        """Forget what was entered. Services that use it stay."""
        _row(registry_id).delete()
        return Response(status=204)


class RegistryTest(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses=TriedFacts)
    def post(self, request: Request, registry_id: str) -> Response:
        """Reach it, sign in, and read an image that a service uses; ten seconds at the most."""
        host = _row(registry_id).host
        try:
            return Response(TriedFacts(trying.try_out(host)).data)
        except UnreadableSecret as error:
            raise Conflict(str(error), reason="unreadable_secret") from None


def _row(pk: str) -> Registry:
    return one_of(Registry.objects.defer("password"), pk)


def _saved(row: Registry, given: dict[str, Any]) -> Any:
    data = {
        name: given.get(camel(name), "" if name == "password" else getattr(row, name))
        for name in RegistryForm.base_fields
    }
    form = RegistryForm(data, instance=row)
    require_valid(form)
    form.write()
    return RegistryFacts(registries.look_at(row.host, row)).data
