"""What receivers, deliveries and tracked repositories look like from outside."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from dockrev.api.answers import Page
from dockrev.api.fields import Moment, NoneIfEmpty
from dockrev.fields import MASK
from integrations.callbacks import shown_url, whole_url
from integrations.health import State, health_of
from integrations.models import Delivery, HookTarget, Receiver
from integrations.payloads import readable
from integrations.receivers import CALLERS


class HookId(serializers.IntegerField):
    """GitHub's are numbers; whatever is none is null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"read_only": True, "allow_null": True, **kwargs})

    def to_representation(self, value: Any) -> Any:
        return int(value) if str(value).isdecimal() else None


class ReceiverHealth(serializers.Serializer[Any]):
    state = serializers.ChoiceField(State.choices)
    refusedSince = serializers.IntegerField(
        source="refused", help_text=_("Calls without a right proof since the last accepted one.")
    )
    silentSince = Moment(source="silent_at", allow_null=True, help_text=_("When that was found."))
    next = serializers.CharField(source="step", help_text=_("What to do, for people; or empty."))


class ReceiverFacts(serializers.Serializer[Receiver]):
    """Needs the context's `base`: see `integrations.callbacks`."""

    id = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    label = serializers.SerializerMethodField()  # type: ignore[assignment]  # DRF takes it away
    enabled = serializers.BooleanField()
    url = serializers.SerializerMethodField()
    proof = serializers.SerializerMethodField()
    secretMasked = serializers.SerializerMethodField()
    secretCreatedAt = Moment(source="secret_created_at", allow_null=True)
    registryHost = serializers.SerializerMethodField()
    options = serializers.DictField()
    lastAcceptedAt = Moment(source="last_accepted_at", allow_null=True)
    lastRejectedAt = Moment(source="last_rejected_at", allow_null=True)
    rejectedCount = serializers.IntegerField(source="rejected_count")
    health = serializers.SerializerMethodField()

    def get_label(self, receiver: Receiver) -> str:
        return CALLERS[receiver.kind].label

    def get_url(self, receiver: Receiver) -> str:
        return shown_url(receiver, self.context["base"])

    def get_proof(self, receiver: Receiver) -> str:
        return str(CALLERS[receiver.kind].proof)

    def get_secretMasked(self, receiver: Receiver) -> str | None:
        secret = receiver.secret or CALLERS[receiver.kind].spare_secret()
        return MASK if secret else None

    def get_registryHost(self, receiver: Receiver) -> str | None:
        return receiver.registry_host or CALLERS[receiver.kind].registry_host or None

    @extend_schema_field(ReceiverHealth)
    def get_health(self, receiver: Receiver) -> dict[str, Any]:
        return dict(ReceiverHealth(health_of(receiver)).data)


class ReceiverList(Page):
    receivers = ReceiverFacts(many=True)


class NewSecret(serializers.Serializer[Any]):
    url = serializers.CharField()
    secret = serializers.CharField()
    previousValidUntil = Moment(allow_null=True)


class ReceiverMade(ReceiverFacts):
    secret = serializers.CharField(help_text=_("Shown this once, and so is a URL that holds it."))

    def get_url(self, receiver: Receiver) -> str:
        return whole_url(receiver, self.context["base"])


class DeliveryFacts(serializers.Serializer[Delivery]):
    id = serializers.CharField()
    receiver = serializers.CharField(source="receiver.kind")
    receiverId = serializers.CharField(source="receiver_id")
    caller = NoneIfEmpty(
        source="caller_name",
        help_text=_("Of a call of the trigger by a named caller, who that was."),
    )
    callerId = serializers.CharField(source="caller_id", allow_null=True)
    senderId = NoneIfEmpty(source="sender_id")
    event = NoneIfEmpty()
    action = NoneIfEmpty()
    repository = NoneIfEmpty()
    decision = serializers.ChoiceField(Delivery.Decision.choices)
    reason = NoneIfEmpty()
    refusal = NoneIfEmpty(help_text=_("What a refused call of the trigger was told."))
    attempts = serializers.IntegerField()
    reconciled = serializers.BooleanField(help_text=_("Read from its sender's list, later."))
    test = serializers.BooleanField(source="is_test", help_text=_("An example, sent from here."))
    images = serializers.ListField(child=serializers.CharField())
    matchedServiceIds = serializers.ListField(
        child=serializers.CharField(), source="matched_service_ids"
    )
    jobIds = serializers.ListField(child=serializers.CharField(), source="job_ids")
    reusedJobIds = serializers.ListField(child=serializers.CharField(), source="reused_job_ids")
    fallbackUsed = serializers.SerializerMethodField()
    fallbackReason = NoneIfEmpty(source="fallback_reason")
    receivedAt = Moment(source="received_at")
    lastReceivedAt = Moment(source="last_received_at")

    def get_fallbackUsed(self, delivery: Delivery) -> bool:
        return bool(delivery.fallback_reason)


class CallbackFacts(serializers.Serializer[Delivery]):
    """What the sender was told where it asked for that, and what it answered."""

    state = serializers.ChoiceField(Delivery.Callback.choices, source="callback_state")
    told = NoneIfEmpty(source="callback_told")
    status = serializers.IntegerField(source="callback_status", allow_null=True)
    error = NoneIfEmpty(source="callback_error")


class DeliveryWhole(DeliveryFacts):
    callback = serializers.SerializerMethodField()
    headers = serializers.DictField(child=serializers.CharField())
    payload = serializers.SerializerMethodField()
    payloadSize = serializers.SerializerMethodField(help_text=_("Bytes."))
    payloadCut = serializers.SerializerMethodField(help_text=_("`payload` is not all of it."))

    @extend_schema_field(CallbackFacts(allow_null=True))
    def get_callback(self, delivery: Delivery) -> dict[str, Any] | None:
        return dict(CallbackFacts(delivery).data) if delivery.callback_state else None

    def get_payload(self, delivery: Delivery) -> str:
        return readable(delivery.payload).text

    def get_payloadSize(self, delivery: Delivery) -> int:
        return len(delivery.payload)

    def get_payloadCut(self, delivery: Delivery) -> bool:
        return readable(delivery.payload).cut


class DeliveryList(Page):
    deliveries = DeliveryFacts(many=True)


class TriggerAnswer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    jobId = serializers.CharField()
    jobIds = serializers.ListField(child=serializers.CharField(), required=False)


class DeliveryAnswer(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    deliveryId = serializers.CharField(allow_null=True)
    decision = serializers.ChoiceField(Delivery.Decision.choices)
    reason = serializers.CharField(allow_null=True)
    attempt = serializers.IntegerField()
    images = serializers.ListField(child=serializers.CharField())
    matchedServiceIds = serializers.ListField(child=serializers.CharField())
    jobIds = serializers.ListField(child=serializers.CharField())
    reusedJobIds = serializers.ListField(child=serializers.CharField())
    fallbackUsed = serializers.BooleanField()
    fallbackReason = serializers.CharField(allow_null=True)


class WalkStep(serializers.Serializer[Any]):
    step = serializers.CharField()
    outcome = serializers.ChoiceField(["ok", "failed", "ended"])
    detail = serializers.CharField()


class WalkAnswer(DeliveryAnswer):
    steps = WalkStep(many=True)


class ConflictHook(serializers.Serializer[Any]):
    """One of several hooks of a repository that call the same address."""

    id = HookId()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    active = serializers.BooleanField()
    lastFailure = NoneIfEmpty()


class RepositoryFacts(serializers.Serializer[HookTarget]):
    fullName = serializers.CharField(source="full_name")
    visibility = NoneIfEmpty()
    archived = serializers.BooleanField()
    disabled = serializers.BooleanField()
    selected = serializers.BooleanField()
    hookId = HookId(source="hook_id")
    hookState = serializers.ChoiceField(HookTarget.HookState.choices, source="hook_state")
    conflictHooks = ConflictHook(many=True, source="conflict_hooks")
    lastOp = NoneIfEmpty(source="last_op")
    lastSyncAt = Moment(source="last_sync_at", allow_null=True)
    lastAuditAt = Moment(source="last_audit_at", allow_null=True)
    verifiedAt = Moment(source="verified_at", allow_null=True)
    lastError = NoneIfEmpty(source="last_error")
    lastDeliveryAt = Moment(source="last_delivery_at", allow_null=True)
    lastFailureAt = Moment(source="last_failure_at", allow_null=True)
    lastFailure = NoneIfEmpty(source="last_failure")


class RepositoryList(Page):
    filteredTotal = serializers.IntegerField()
    selectedTotal = serializers.IntegerField()
    repos = RepositoryFacts(many=True)
