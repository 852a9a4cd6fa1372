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
from dockrev.fields import UnreadableSecret
from integrations import rotation
from integrations.callbacks import callback_of
from integrations.hooks.plan import Known, Sought, same_url
from integrations.hooks.provider import Hook, Hooks, Provider, Wanted
from integrations.hooks.providers import provider_of
from integrations.hooks.round import Gate
from integrations.models import Delivery, HookAccount, HookTarget

MAX_SEEN = 20  # hooks of ours that are remembered of one repository


@dataclass(frozen=True)
class Aim:
    """How hooks should be: what is sent, and what is compared."""

    wanted: Wanted
    sought: Sought


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
    url, secret = callback_of(account), account.receiver.secret
    return Aim(
        Wanted(url, secret, provider.events),
        Sought(url, rotation.fingerprint(secret), provider.events),
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
    )


def hooks_of(
    gate: Gate, provider: Provider, target: HookTarget, url: str
) -> tuple[Hooks, dict[str, Any]]:
    """All hooks that matter here, and the columns that save reading them again.

    Other people's hooks are none of our business, and their addresses may be secrets: of those
    nothing is kept. So what was kept answers for one callback URL only.
    """
    seen = target.hooks_seen if isinstance(target.hooks_seen, dict) else {}
    is_usable = bool(seen) and seen.get("url") == url and known_of(target).wanted
    found = gate.ask(provider.hooks, target.full_name, etag=target.hooks_etag if is_usable else "")
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
    return {**asdict(hook), "events": list(hook.events), "updated_at": moment}


def _from_json(kept: Mapping[str, Any]) -> Hook:
    moment = parse_datetime(kept["updated_at"]) if kept["updated_at"] else None
    return Hook(**{**kept, "events": tuple(kept["events"]), "updated_at": moment})
