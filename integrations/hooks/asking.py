"""What people, programs and commands may ask of an account's hooks. What cannot be is said at once.

Each raises Conflict, InvalidArgument, CredentialRejected or UpstreamUnavailable, and queues nothing
then. None may be called inside a transaction: the credential is tried first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypedDict

from django.utils.translation import gettext as _

from checks import queue
from checks.models import Job
from dockrev.errors import Conflict, InvalidArgument
from dockrev.turns import turns
from integrations.callbacks import callback_of
from integrations.hooks import audit as auditing
from integrations.hooks import credentials, removal
from integrations.hooks import sync as syncing
from integrations.hooks.errors import ProviderError
from integrations.hooks.jobs import request_for
from integrations.hooks.provider import MAX_HOOK_ID
from integrations.hooks.providers import provider_of
from integrations.models import HookAccount, HookTarget

MAX_REPOS = 10_000
MAX_RESOLVED, MAX_DELETED = 500, 20
MAX_NAMED = 20  # names in one message
State = HookTarget.HookState


class Asked(TypedDict):
    """Who asks, and from where: a `Job.Reason`."""

    username: str
    reason: str


REPAIRABLE = (State.MISSING, State.DRIFT, State.ERROR)


def sync(
    account: HookAccount,
    *,
    username: str,
    reason: str,
    repos: Sequence[str] | None = None,
    dry_run: bool = False,
    resolve: Sequence[Mapping[str, Any]] = (),
) -> queue.Queued:
    """Have hooks made, mended and deleted; where `repos` are given, only theirs and of conflicts
    that are resolved."""
    asked = sync_request(account, repos=repos, dry_run=dry_run, resolve=resolve)
    return queue.enqueue(replace(asked, reason=reason, created_by=username))


def sync_request(
    account: HookAccount,
    *,
    repos: Sequence[str] | None = None,
    dry_run: bool = False,
    resolve: Sequence[Mapping[str, Any]] = (),
) -> queue.Request:
    """The request for a sync, after everything was tried that would keep it from working."""
    _require_on(account)
    params: dict[str, Any] = {}
    if resolve:
        params["resolve"] = _resolved(account, resolve)
    if repos is not None:
        named = [str(each["repo"]) for each in resolve]
        params["repos"] = _tracked(account, [*repos, *named])
    if dry_run:
        params["dryRun"] = True
    credentials.require(account)
    return request_for(syncing.KIND.name, account, reason=Job.Reason.UI, **params)


def audit(account: HookAccount, *, username: str, reason: str) -> queue.Queued:
    """Have hooks compared, and nothing done."""
    _require_on(account)
    credentials.require(account)
    return queue.enqueue(request_for(auditing.KIND.name, account, reason=reason, username=username))


def repair(account: HookAccount, *, username: str, reason: str) -> queue.Queued:
    """Sync the repositories that the last audit found wanting. Conflicts need a person."""
    _require_on(account)
    broken = account.targets.filter(selected=True, removed=False, hook_state__in=REPAIRABLE)
    names = list(broken.order_by("name_key").values_list("full_name", flat=True)[:MAX_REPOS])
    if not names:
        raise Conflict(_("There is nothing that a sync could repair."), reason="nothing_to_repair")
    return sync(account, username=username, reason=reason, repos=names)


def remove_all(account: HookAccount, *, username: str, reason: str) -> queue.Queued:
    """Have every hook deleted that we made or matched. Only while the feature is off."""
    if account.receiver.enabled:
        raise Conflict(_("Switch it off first."), reason="enabled")
    credentials.require(account)
    return queue.enqueue(request_for(removal.KIND.name, account, reason=reason, username=username))


def ping(account: HookAccount, target: HookTarget) -> None:
    """Have the provider call a hook with its test event, which comes in by itself, if it does.

    Asked at once: there is no job. Raises NotFound, too.
    """
    if not account.receiver.enabled:
        raise Conflict(_("Switch it on first: nothing is taken now."), reason="disabled")
    if not target.hook_id:
        raise Conflict(_("It has no hook yet. Sync it first."), reason="no_hook")
    credentials.require_given(account)
    try:
        with turns.aside():
            provider_of(account).ping(target.full_name, target.hook_id)
    except ProviderError as error:
        credentials.refuse(account, error)


def _require_on(account: HookAccount) -> None:
    if not account.receiver.enabled:
        text = _("The webhooks of %(account)s are switched off.") % {"account": account.name}
        raise Conflict(text, reason="disabled")
    if not callback_of(account):
        raise Conflict(
            _("Give a callback URL first, or the public URL of this instance."),
            reason="callback_missing",
        )


def _tracked(account: HookAccount, names: Sequence[str]) -> list[str]:
    """The names as they are tracked, each once. Raises InvalidArgument with those that are not."""
    if len(names) > MAX_REPOS:
        text = _("No more than %(most)d repositories at once.")
        raise InvalidArgument("repos", text % {"most": MAX_REPOS})
    keys = dict.fromkeys(name.strip().lower() for name in names)
    known = _names_of(account, keys)
    if strange := [key for key in keys if key not in known]:
        text = _("Not tracked: %(names)s") % {"names": ", ".join(strange[:MAX_NAMED])}
        raise InvalidArgument("repos", text, unknown=strange[:MAX_NAMED])
    return sorted(known[key] for key in keys)


def _names_of(account: HookAccount, keys: Iterable[str]) -> dict[str, str]:
    rows = account.targets.filter(name_key__in=list(keys))
    return dict(rows.values_list("name_key", "full_name"))


def _resolved(account: HookAccount, given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What people chose, checked. What the hooks are by now is looked at when it is done."""
    if len(given) > MAX_RESOLVED:
        _refuse_choice(_("No more than %(most)d conflicts at once.") % {"most": MAX_RESOLVED})
    chosen = sorted((_choice(each) for each in given), key=lambda each: str(each["repo"]).lower())
    keys = [str(each["repo"]).lower() for each in chosen]
    known = _names_of(account, keys)
    for number, key in enumerate(keys):
        if key not in known:
            _refuse_choice(_("Not tracked: %(names)s") % {"names": key})
        if key in keys[:number]:
            _refuse_choice(_("%(name)s is named twice.") % {"name": key})
    return chosen


def _choice(each: Mapping[str, Any]) -> dict[str, Any]:
    keep = str(each["keepHookId"])
    delete = sorted({str(hook_id) for hook_id in each["deleteHookIds"]})
    if not (
        0 < len(keep) <= MAX_HOOK_ID and all(0 < len(hook_id) <= MAX_HOOK_ID for hook_id in delete)
    ):
        _refuse_choice(_("This is not the id of a webhook."))
    if not 0 < len(delete) <= MAX_DELETED:
        _refuse_choice(_("Name 1 to %(most)d webhooks to delete.") % {"most": MAX_DELETED})
    if keep in delete:
        _refuse_choice(_("The webhook to keep is among those to delete."))
    return {"repo": str(each["repo"]).strip(), "keepHookId": keep, "deleteHookIds": delete}


def _refuse_choice(text: str) -> NoReturn:
    raise InvalidArgument("resolveConflicts", text)
