"""What the routes of hook accounts take and answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dockrev import authorities, preferences
from dockrev.api.answers import Page, PageQuery
from dockrev.api.fields import Flag, Moment, NoneIfEmpty, Text
from dockrev.fields import MASK
from integrations import targets
from integrations.api.shapes import ConflictHook, RepositoryFacts
from integrations.callbacks import shown_callback
from integrations.endpoints import MAX_URL
from integrations.forms import MAX_PASSWORD
from integrations.hooks import asking, credentials, setup
from integrations.hooks.provider import MAX_HOOK_ID, Standing
from integrations.hooks.providers import PROVIDERS
from integrations.models import HookAccount, HookTarget


class HookAuthority(serializers.Serializer[Any]):
    name = serializers.CharField()
    endsAt = Moment(source="ends_at")


class CredentialFacts(serializers.Serializer[Any]):
    """What the provider said of the token, when it was last tried."""

    state = serializers.ChoiceField([(each.value, each.value) for each in Standing])
    login = NoneIfEmpty()
    kind = NoneIfEmpty()
    message = NoneIfEmpty(source="text")


class HookCounts(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    selected = serializers.IntegerField()
    states = serializers.DictField(
        child=serializers.IntegerField(), help_text=_("Of the selected, by hook state.")
    )


class HookAccountFacts(serializers.Serializer[HookAccount]):
    """Needs the context of `context_of`."""

    id = serializers.CharField()
    provider = serializers.ChoiceField(HookAccount.Provider.choices)
    name = serializers.CharField()
    receiverId = serializers.CharField(source="receiver_id")
    enabled = serializers.BooleanField(source="receiver.enabled")
    apiUrl = serializers.SerializerMethodField()
    username = NoneIfEmpty()
    tokenMasked = serializers.SerializerMethodField()
    tokenSetAt = Moment(source="credential_set_at", allow_null=True)
    credential = serializers.SerializerMethodField()
    authorities = serializers.SerializerMethodField()
    callbackUrl = serializers.SerializerMethodField()
    verifyTls = serializers.BooleanField(
        source="verify_tls", help_text=_("Whether its hooks look at our certificate.")
    )
    lastAcceptedAt = Moment(source="receiver.last_accepted_at", allow_null=True)
    targets = serializers.SerializerMethodField()

    def get_apiUrl(self, account: HookAccount) -> str:
        return account.api_url or PROVIDERS[account.provider].default_api_url

    def get_tokenMasked(self, account: HookAccount) -> str | None:
        return MASK if account.credential else None

    @extend_schema_field(CredentialFacts(allow_null=True))
    def get_credential(self, account: HookAccount) -> Any:
        report = credentials.report_of(account)
        return CredentialFacts(report).data if report else None

    @extend_schema_field(HookAuthority(many=True))
    def get_authorities(self, account: HookAccount) -> Any:
        known = authorities.read(account.authorities) if account.authorities else []
        return HookAuthority(known, many=True).data

    def get_callbackUrl(self, account: HookAccount) -> str | None:
        """A token at its end is not shown."""
        return shown_callback(account, self.context["base"]) or None

    @extend_schema_field(HookCounts)
    def get_targets(self, account: HookAccount) -> Any:
        return HookCounts(self.context["counts"][account.pk]).data


def context_of(accounts: Iterable[HookAccount]) -> dict[str, Any]:
    """What is asked for once, however many accounts are shown."""
    base = preferences.get("public_base_url")
    return {"counts": targets.counts_of(accounts), "base": base}


class HookAccountList(Page):
    hookAccounts = HookAccountFacts(many=True)


class HookAccountChange(serializers.Serializer[Any]):
    name = Text(required=False, max_length=100)
    enabled = Flag(required=False, help_text=_("Whether the receiver takes calls."))
    apiUrl = Text(required=False, allow_blank=True, max_length=MAX_URL)
    username = Text(required=False, allow_blank=True, max_length=255)
    token = Text(
        required=False,
        allow_blank=True,
        max_length=MAX_PASSWORD,
        write_only=True,
        help_text=_("Empty or masked keeps the one that is there, for the same server."),
    )
    clearToken = Flag(required=False)
    authorities = Text(
        required=False,
        allow_blank=True,
        max_length=authorities.MOST_CHARACTERS,
        help_text=_("Certificates as PEM."),
    )
    callbackUrl = Text(required=False, allow_blank=True, max_length=MAX_URL)
    verifyTls = Flag(required=False)


class NewHookAccount(HookAccountChange):
    provider = serializers.ChoiceField(setup.OTHERS)
    receiver = Text(
        required=False,
        allow_blank=True,
        max_length=32,
        help_text=_("The first of its kind where none is named."),
    )


class HookConflict(ConflictHook):
    id = serializers.CharField()  # type: ignore[assignment]  # text: not all are numbers


class HookTargetFacts(RepositoryFacts):
    """A repository, project, namespace or owner, and the hook that is there."""

    fullName = None  # type: ignore[assignment]  # DRF leaves it out
    name = serializers.CharField(source="full_name")
    hookId = NoneIfEmpty(source="hook_id")  # type: ignore[assignment]  # text: not all are numbers
    conflictHooks = HookConflict(many=True, source="conflict_hooks")


class HookTargetList(Page):
    targets = HookTargetFacts(many=True)


class HookTargetQuery(PageQuery):
    q = serializers.CharField(required=False, max_length=200)
    selected = serializers.ChoiceField(list(targets.SELECTIONS), default="all")
    state = serializers.ChoiceField(HookTarget.HookState.choices, required=False)


class TargetChoice(serializers.Serializer[Any]):
    name = Text(max_length=targets.MAX_NAME)
    selected = Flag(default=True)


class TargetName(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=targets.MAX_NAME)


class PossibleQuery(serializers.Serializer[Any]):
    q = serializers.CharField(required=False, max_length=200, allow_blank=True, default="")


class PossibleTarget(serializers.Serializer[Any]):
    name = serializers.CharField()
    visibility = NoneIfEmpty()
    archived = serializers.BooleanField()
    tracked = serializers.BooleanField()
    selected = serializers.BooleanField()


class PossibleTargets(serializers.Serializer[Any]):
    targets = PossibleTarget(many=True)
    cut = serializers.BooleanField(help_text=_("There are more; search for them."))
    warnings = serializers.ListField(child=serializers.CharField())


class TargetResolution(serializers.Serializer[Any]):
    target = Text(max_length=targets.MAX_NAME)
    keepHookId = Text(max_length=MAX_HOOK_ID)
    deleteHookIds = serializers.ListField(
        child=Text(max_length=MAX_HOOK_ID), allow_empty=False, max_length=asking.MAX_DELETED
    )


class HookSyncWish(serializers.Serializer[Any]):
    targets = serializers.ListField(
        child=Text(max_length=targets.MAX_NAME),
        required=False,
        allow_empty=False,
        max_length=asking.MAX_REPOS,
    )
    dryRun = Flag(default=False)
    resolveConflicts = serializers.ListField(
        child=TargetResolution(), required=False, max_length=asking.MAX_RESOLVED
    )


class ForgetQuery(serializers.Serializer[Any]):
    leaveHooks = serializers.BooleanField(
        default=False, help_text=_("Although its hooks are left where they are.")
    )
