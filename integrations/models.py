"""Who may call us, what they said, and whose hooks we keep."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from dockrev.fields import IdField, SecretField
from integrations import receivers
from integrations.hooks.provider import MAX_HOOK_ID
from integrations.paths import token_hash

MAX_OWNER = 150  # characters of an owner's name that are looked for


class Paced(models.Model):
    """Its calls are counted for a minute from the first: see `integrations.pace`."""

    minute_began_at = models.DateTimeField(null=True, editable=False)
    minute_calls = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        abstract = True


class Receiver(Paced):
    """Takes one registry's calls. Off, or without a secret, it takes none.

    `previous_secret` stays valid until `previous_until`, so that a rotation loses no call.
    """

    id = IdField("rcv")
    kind = models.CharField(_("kind"), max_length=40, choices=receivers.choices, db_index=True)
    name = models.CharField(_("name"), max_length=100)
    enabled = models.BooleanField(_("enabled"), default=False)
    registry_host = models.CharField(_("registry host"), max_length=255, blank=True)
    secret = SecretField(_("secret"), blank=True)
    secret_created_at = models.DateTimeField(_("secret since"), null=True, blank=True)
    enabled_at = models.DateTimeField(_("on since"), null=True, editable=False)
    previous_secret = SecretField(blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, blank=True, editable=False)
    # Of the secrets, where they are tokens in the path: see `integrations.paths`.
    path_token_hash = models.CharField(
        max_length=64, null=True, blank=True, unique=True, editable=False
    )
    previous_token_hash = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    options = models.JSONField(_("options"), default=dict, blank=True)
    # What jobs found out for it: see the receiver's own file.
    learned = models.JSONField(default=dict, blank=True, editable=False)
    last_accepted_at = models.DateTimeField(_("last accepted"), null=True, editable=False)
    last_rejected_at = models.DateTimeField(_("last rejected"), null=True, editable=False)
    rejected_count = models.PositiveBigIntegerField(_("rejected"), default=0, editable=False)
    # Those that came after the last one that was accepted.
    refused_since = models.PositiveBigIntegerField(default=0, editable=False)
    disabled_count = models.PositiveBigIntegerField(_("while off"), default=0, editable=False)
    # When it was found to be silent for longer than usual; over as soon as it is heard again.
    silent_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]
        verbose_name = _("receiver")
        verbose_name_plural = _("receivers")

    def __str__(self) -> str:
        return self.name

    def save(self, **kwargs: Any) -> None:
        """Wherever a secret is written, so is what it is found by."""
        columns = kwargs.get("update_fields")
        if columns is None or "secret" in columns:
            self.path_token_hash = self._hash_of(self.secret) or None
            self.previous_token_hash = self._hash_of(self.previous_secret)
        if columns is not None and "secret" in columns:
            kwargs["update_fields"] = {*columns, "path_token_hash", "previous_token_hash"}
        super().save(**kwargs)

    @property
    def is_silent(self) -> bool:
        """Whether it was found to be silent, and has not been heard since."""
        heard, found = self.last_accepted_at, self.silent_at
        return found is not None and heard is not None and found > heard

    def _hash_of(self, secret: str) -> str:
        caller = receivers.CALLERS.get(self.kind)
        is_token = caller is not None and caller.token_in_path
        return token_hash(self.kind, secret) if secret and is_token else ""


class TriggerCaller(Paced):
    """One who may call a trigger, with a secret of its own, of which only the hash is kept.

    It may do what is in `actions`, to whatever is there where `every_stack` says so, else to its
    `stacks`. As one of these is deleted, it is gone from here, too; where none is left, it may do
    nothing. The secret before the present one counts until `previous_until`.
    """

    class Action(models.TextChoices):
        CHECK = "check", _("have something checked")
        DRY_RUN = "dry-run", _("have an update planned (dry run)")
        UPDATE = "update", _("have something updated")

    id = IdField("clr")
    receiver = models.ForeignKey(
        Receiver, models.CASCADE, related_name="callers", verbose_name=_("receiver"), db_index=False
    )
    name = models.CharField(_("name"), max_length=60)
    # The name as it is compared: nobody tells the full-width letters from the others.
    name_key = models.CharField(max_length=2000, editable=False)
    enabled = models.BooleanField(_("enabled"), default=True)
    actions = models.JSONField(_("may"), default=list)
    every_stack = models.BooleanField(_("every stack"), default=False)
    stacks = models.ManyToManyField(
        "checks.Stack", related_name="+", blank=True, verbose_name=_("stacks")
    )
    calls_per_minute = models.PositiveIntegerField(_("calls in a minute"), default=30)
    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    secret_created_at = models.DateTimeField(_("secret since"), editable=False)
    previous_hash = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["name_key"]
        verbose_name = _("caller of a trigger")
        verbose_name_plural = _("callers of triggers")
        constraints = [
            models.UniqueConstraint(
                fields=["receiver", "name_key"], name="one_caller_per_trigger_and_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One call that proved who it is from, and what became of it.

    `payload` is the body's bytes as they came. `waiting_for_job` names the fallback discovery
    after which the delivery is matched again. Of a call of the trigger `event` is the action,
    `action` the scope and `repository` what was named; see `integrations.trigger_history`.
    """

    class Decision(models.TextChoices):
        PROCESSED = "processed", _("processed")
        IGNORED = "ignored", _("ignored")
        REJECTED = "rejected", _("rejected")

    class Callback(models.TextChoices):
        """What became of the wish to be told; see `integrations.reporting`."""

        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        REFUSED = "refused", _("refused")
        UNSUPPORTED = "unsupported", _("not supported")

    id = IdField("dlv")
    receiver = models.ForeignKey(
        Receiver,
        models.CASCADE,
        related_name="deliveries",
        verbose_name=_("receiver"),
        db_index=False,  # the unique constraint begins with it
    )
    sender_id = models.CharField(_("sender's id"), max_length=200, blank=True)
    dedupe_key = models.CharField(max_length=200, editable=False)
    event = models.CharField(_("event"), max_length=60, blank=True)
    action = models.CharField(_("action"), max_length=60, blank=True)
    hook_id = models.CharField(_("hook"), max_length=60, blank=True)
    repository = models.CharField(_("repository"), max_length=300, blank=True)
    decision = models.CharField(_("decision"), max_length=16, choices=Decision.choices)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=1)
    images = models.JSONField(_("images"), default=list, blank=True)
    matched_service_ids = models.JSONField(_("matched services"), default=list, blank=True)
    job_ids = models.JSONField(_("jobs"), default=list, blank=True)
    reused_job_ids = models.JSONField(_("reused jobs"), default=list, blank=True)
    fallback_reason = models.CharField(_("fallback"), max_length=40, blank=True)
    waiting_for_job = models.CharField(_("waits for"), max_length=32, blank=True, editable=False)
    headers = models.JSONField(_("headers"), default=dict, blank=True)
    # Whether it proved itself with the secret before the present one.
    by_previous_secret = models.BooleanField(default=False, editable=False)
    reconciled = models.BooleanField(_("read from the provider's list"), default=False)
    # Where the sender asked to be told: what it was told, and what it answered to that.
    callback_state = models.CharField(
        _("callback"), max_length=16, choices=Callback.choices, blank=True
    )
    callback_told = models.CharField(_("told"), max_length=16, blank=True)
    callback_status = models.PositiveIntegerField(_("its answer"), null=True, blank=True)
    callback_error = models.CharField(_("callback's error"), max_length=300, blank=True)
    # Who called the trigger; empty where that knew the receiver's own secret. The name stays.
    caller = models.ForeignKey(
        TriggerCaller,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="deliveries",
        verbose_name=_("caller"),
    )
    caller_name = models.CharField(_("caller's name"), max_length=60, blank=True)
    # Why a call of the trigger was refused, in the words of its answer.
    refusal = models.CharField(_("refusal"), max_length=300, blank=True)
    # An example that somebody had sent from here: no event of its registry.
    is_test = models.BooleanField(_("a test"), default=False, editable=False)
    payload = models.BinaryField(_("payload"))
    received_at = models.DateTimeField(_("received"))
    last_received_at = models.DateTimeField(_("last received"))

    class Meta:
        ordering = ["-id"]
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(
                fields=["receiver", "dedupe_key"], name="one_delivery_per_sender_and_id"
            )
        ]
        indexes = [
            models.Index(
                fields=["waiting_for_job"],
                name="deliveries_waiting",
                condition=~models.Q(waiting_for_job=""),
            ),
            models.Index(fields=["hook_id", "-received_at"], name="deliveries_of_hook"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.repository}".strip()


class DeliveryPart(models.Model):
    """An event of a delivery that carries several, by which it is known when it comes again."""

    receiver = models.ForeignKey(
        Receiver,
        models.CASCADE,
        related_name="+",
        db_index=False,  # the unique constraint begins with it
    )
    key = models.CharField(_("key"), max_length=200)
    delivery = models.ForeignKey(
        Delivery, models.CASCADE, related_name="parts", verbose_name=_("delivery")
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = _("event of a delivery")
        verbose_name_plural = _("events of deliveries")
        constraints = [
            models.UniqueConstraint(fields=["receiver", "key"], name="one_part_per_sender_and_key")
        ]

    def __str__(self) -> str:
        return self.key


class HookAccount(models.Model):
    """Whose credentials make a provider's hooks: a GitHub token, a Harbor robot.

    `authorities` are certificates, as PEM, that may sign the provider's own; `verify_tls` is
    whether its hooks look at ours.
    """

    class Provider(models.TextChoices):
        GITHUB = "github", "GitHub"
        HARBOR = "harbor", "Harbor"
        MSR = "msr", "Mirantis Secure Registry"
        GITEA = "gitea", "Gitea or Forgejo"
        QUAY = "quay", "Quay"

    id = IdField("hka")
    provider = models.CharField(_("provider"), max_length=20, choices=Provider.choices)
    name = models.CharField(_("name"), max_length=100)
    receiver = models.ForeignKey(
        Receiver, models.CASCADE, related_name="accounts", verbose_name=_("receiver")
    )
    api_url = models.CharField(_("API URL"), max_length=500, blank=True)
    callback_url = models.CharField(_("callback URL"), max_length=500, blank=True)
    username = models.CharField(_("user name"), max_length=255, blank=True)
    credential = SecretField(_("token"), blank=True)
    credential_set_at = models.DateTimeField(_("token since"), null=True, editable=False)
    # What the provider said of the token; see `integrations.hooks.provider.Report`.
    credential_report = models.JSONField(default=dict, blank=True, editable=False)
    authorities = models.TextField(_("certificates of its CA"), blank=True)
    verify_tls = models.BooleanField(_("webhooks check our certificate"), default=True)
    inputs = models.JSONField(_("what was typed"), default=list, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]
        verbose_name = _("hook account")
        verbose_name_plural = _("hook accounts")

    def __str__(self) -> str:
        return self.name


class HookTarget(models.Model):
    """A repository (or project) whose pushes we want to hear of. `selected` ones take part.

    `hook_id` and what begins with `hook_` is our hook there, as the last sync or audit saw it;
    `secret_sent` is the fingerprint of the secret that we gave it. One that was removed, or is
    not selected any more, keeps its row until its hook is deleted. `former_hooks` are hooks in
    whose place there is another, and that could not be deleted yet. Where a URL holds the secret,
    every column has it masked.
    """

    class HookState(models.TextChoices):
        UNKNOWN = "unknown", _("unknown")
        OK = "ok", _("ok")
        MISSING = "missing", _("missing")
        CONFLICT = "conflict", _("conflict")
        DRIFT = "drift", _("drift")
        ERROR = "error", _("error")

    id = IdField("hkt")
    account = models.ForeignKey(
        HookAccount, models.CASCADE, related_name="targets", verbose_name=_("account")
    )
    full_name = models.CharField(_("name"), max_length=300)
    name_key = models.CharField(max_length=300, editable=False)  # full_name in lower case
    owner_key = models.CharField(max_length=MAX_OWNER, editable=False)  # its owner in lower case
    visibility = models.CharField(_("visibility"), max_length=16, blank=True, editable=False)
    archived = models.BooleanField(_("archived there"), default=False, editable=False)
    disabled = models.BooleanField(_("disabled there"), default=False, editable=False)
    selected = models.BooleanField(_("selected"), default=True)
    removed = models.BooleanField(_("removed"), default=False, editable=False)
    hook_id = models.CharField(_("hook"), max_length=MAX_HOOK_ID, blank=True)
    hook_url = models.CharField(max_length=500, blank=True, editable=False)
    hook_updated_at = models.DateTimeField(null=True, editable=False)  # by the provider's clock
    hook_state = models.CharField(
        _("hook state"), max_length=16, choices=HookState.choices, default=HookState.UNKNOWN
    )
    secret_sent = models.CharField(max_length=64, blank=True, editable=False)
    conflict_hooks = models.JSONField(default=list, blank=True, editable=False)
    former_hooks = models.JSONField(default=list, blank=True, editable=False)
    # The last list of hooks, and its ETag, which saves reading it again.
    hooks_etag = models.CharField(max_length=200, blank=True, editable=False)
    hooks_seen = models.JSONField(default=list, blank=True, editable=False)
    last_op = models.CharField(_("last sync"), max_length=16, blank=True, editable=False)
    last_sync_at = models.DateTimeField(_("synced"), null=True, editable=False)
    last_audit_at = models.DateTimeField(_("audited"), null=True, editable=False)
    last_error = models.TextField(_("last error"), blank=True)
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)
    # What the provider's own list of deliveries says. Times by the provider's clock.
    deliveries_etag = models.CharField(max_length=200, blank=True, editable=False)
    reconciled_until = models.DateTimeField(null=True, editable=False)
    last_delivery_at = models.DateTimeField(_("last delivery"), null=True, editable=False)
    last_failure_at = models.DateTimeField(_("last failure"), null=True, editable=False)
    last_failure = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["name_key"]
        verbose_name = _("hook target")
        verbose_name_plural = _("hook targets")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "name_key"], name="one_target_per_account_and_name"
            )
        ]
        indexes = [models.Index(fields=["name_key"]), models.Index(fields=["owner_key"])]

    def __str__(self) -> str:
        return self.full_name

    def save(self, **kwargs: object) -> None:
        self.set_keys()
        super().save(**kwargs)  # type: ignore[arg-type]  # passed on as they came

    def set_keys(self) -> None:
        """What follows from the name. Only what is made in bulk needs to be told."""
        self.name_key = self.full_name.lower()
        # As much as fits: owners elsewhere than at GitHub, where nobody asks by it, may be longer.
        self.owner_key = self.name_key.partition("/")[0][:MAX_OWNER]
