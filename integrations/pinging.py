"""Have a provider call a hook with its test event, on a person's wish."""

from __future__ import annotations

from django.utils.translation import gettext as _

from dockrev.errors import Conflict
from dockrev.turns import turns
from integrations.hooks import credentials
from integrations.hooks.errors import ProviderError
from integrations.hooks.providers import provider_of
from integrations.models import HookAccount, HookTarget


def ping(account: HookAccount, target: HookTarget) -> None:
    """Ask for a ping; it comes in by itself, if it does.

    Raises Conflict, CredentialRejected, NotFound or UpstreamUnavailable.
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
