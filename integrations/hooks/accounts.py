"""An account at work: who speaks for it, what its hooks should be, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from checks.run import Run
from checks.tasks import JobFailed
from dockrev.fields import HIDDEN, UnreadableSecret
from integrations.callbacks import callback_of, place_of
from integrations.hooks.plan import Known, Sought, same_url
from integrations.hooks.provider import Hook, Hooks, Proof, Provider, Wanted
from integrations.hooks.providers import provider_of
from integrations.hooks.round import Gate
from integrations.hooks.tokens import fingerprint, masked, token_of, with_token
from integrations.models import Delivery, HookAccount, HookTarget, Receiver

MAX_SEEN = 20  # hooks of ours that are remembered of one repository


@dataclass(frozen=True)
class Aim:
    """How hooks should be: what is sent, and what is compared.

    `others` are fingerprints of secrets of other receivers, whose hooks are not this account's.
    """

    wanted: Wanted
    sought: Sought
    others: frozenset[str] = frozenset()


def open_account(run: Run, *, enabled: bool = True) -> tuple[HookAccount, Provider]:
    """The job's account and who speaks for it. Raises JobFailed where it may not be used now."""
    try:
        rows = HookAccount.objects.select_related("receiver")
        account = rows.filter(pk=run.job.params["account"]).first()
    except UnreadableSecret as error:
        raise JobFailed(str(error)) from None
    if account is None:
        raise JobFailed(_("The account is not there any more."))
    if enabled and not account.receiver.enabled:
        raise JobFailed(
            _("The webhooks of %(account)s are switched off.") % {"account": account.name}
        )
    if not enabled and account.receiver.enabled:
        raise JobFailed(
            _("The webhooks of %(account)s were switched on again.") % {"account": account.name}
        )
    if not account.credential:
        raise JobFailed(_("There is no token any more."))
    if enabled and not account.receiver.secret:
        raise JobFailed(_("There is no secret to give to webhooks."))
    if enabled and not callback_of(account):
        raise JobFailed(_("There is no callback URL."))
    return account, provider_of(account)


def aim_of(account: HookAccount, provider: Provider) -> Aim:
    url, secret = place_of(account), account.receiver.secret
    in_url = provider.proof == Proof.URL
    full, shown = (with_token(url, secret), with_token(url, HIDDEN)) if in_url else (url, url)
    # Without TLS there is nothing to look at.
    has_tls = url.startswith("https:")
    verify_tls = account.verify_tls or not (provider.can_skip_tls and has_tls)
    return Aim(
        Wanted(full, secret, provider.events, verify_tls),
        Sought(shown, fingerprint(secret), provider.events, verify_tls, in_url),
        _others(account.receiver) if in_url else frozenset(),
    )


def _others(receiver: Receiver) -> frozenset[str]:
    rows = Receiver.objects.filter(kind=receiver.kind).exclude(pk=receiver.pk)
    return frozenset(
        fingerprint(secret)
        for row in rows
        for secret in (row.secret, row.previous_secret)
        if secret
    )


def proven(account: HookAccount) -> QuerySet[HookTarget]:
    """The account's rows, each with when its hook last proved that it has the present secret."""
    calls = Delivery.objects.filter(
        hook_id=OuterRef("hook_id"),
        receiver=account.receiver_id,
        by_previous_secret=False,
        reconciled=False,
    )
    if account.receiver.secret_created_at:
        calls = calls.filter(received_at__gte=account.receiver.secret_created_at)
    last = calls.order_by("-received_at").values("received_at")[:1]
    return account.targets.annotate(proven_at=Subquery(last))


def known_of(target: HookTarget, ahead: timedelta = timedelta()) -> Known:
    """What the row says. Its hook's times are by the provider's clock, so is that of its proof."""
    proven_at = getattr(target, "proven_at", None)
    return Known(
        wanted=target.selected and not target.removed,
        hook_id=target.hook_id,
        hook_url=target.hook_url,
        hook_updated_at=target.hook_updated_at,
        secret_sent=target.secret_sent,
        proven_at=proven_at and proven_at + ahead,
        former=frozenset((hook["id"], hook["url"]) for hook in target.former_hooks),
    )


def listed(
    gate: Gate, provider: Provider, target: HookTarget, aim: Aim, *, etag: str = ""
) -> Hooks:
    """All hooks, none of ours with a secret in it. Nothing else may ask a provider for them."""
    found = gate.ask(provider.hooks, target.full_name, etag=etag)
    if not aim.sought.in_url:
        return found
    former = [hook["url"] for hook in target.former_hooks]
    ours = [url for url in (aim.sought.url, target.hook_url, *former) if url]
    return replace(found, items=tuple(_without_secret(hook, aim, ours) for hook in found.items))


def _without_secret(hook: Hook, aim: Aim, ours: list[str]) -> Hook:
    """The hook as it is; one that calls one of our receivers with its URL masked."""
    shown, seen = masked(hook.url), fingerprint(token_of(hook.url))
    if seen in aim.others or not any(same_url(shown, url) for url in ours):
        return hook
    return replace(hook, url=shown, secret_seen=seen)


def hooks_of(
    gate: Gate, provider: Provider, target: HookTarget, aim: Aim
) -> tuple[Hooks, dict[str, Any]]:
    """All hooks that matter here, and the columns that save reading them again.

    Other people's hooks are none of our business, and their addresses may be secrets: of those
    nothing is kept. So what was kept answers for one callback URL only.
    """
    url = aim.sought.url
    seen = target.hooks_seen if isinstance(target.hooks_seen, dict) else {}
    is_usable = bool(seen) and seen.get("url") == url and known_of(target).wanted
    etag = target.hooks_etag if is_usable else ""
    found = listed(gate, provider, target, aim, etag=etag)
    if found.unchanged:
        return replace(found, items=tuple(map(_from_json, seen["hooks"]))), {}
    ours = [
        hook for hook in found.items if same_url(hook.url, url) or hook.id == target.hook_id != ""
    ]
    if not found.etag or len(ours) > MAX_SEEN:
        return found, {"hooks_etag": "", "hooks_seen": []}
    kept = {"url": url, "hooks": [_as_json(hook) for hook in ours]}
    return found, {"hooks_etag": found.etag, "hooks_seen": kept}


def _as_json(hook: Hook) -> dict[str, Any]:
    moment = hook.updated_at.isoformat() if hook.updated_at else None
    return {
        **asdict(hook),
        "events": list(hook.events),
        "faults": list(hook.faults),
        "updated_at": moment,
    }


def _from_json(kept: Mapping[str, Any]) -> Hook:
    moment = parse_datetime(kept["updated_at"]) if kept["updated_at"] else None
    tuples = {"events": tuple(kept["events"]), "faults": tuple(kept.get("faults", ()))}
    return Hook(**{**kept, **tuples, "updated_at": moment})
