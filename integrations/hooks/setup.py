"""Accounts of providers: made, changed and forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev.errors import Conflict, InvalidArgument, NotFound
from dockrev.forms import camel, require_valid
from dockrev.turns import turns
from integrations import rotation, targets, tracking
from integrations.forms import HookAccountForm, ReceiverForm
from integrations.hooks import credentials
from integrations.hooks.errors import ProviderError
from integrations.hooks.github import GitHub
from integrations.hooks.provider import BadTarget, Owned, Repository
from integrations.hooks.providers import PROVIDERS, provider_of
from integrations.models import HookAccount, HookTarget, Receiver

MOST = 100  # accounts
# What the API calls the columns otherwise.
NAMES = {"credential": "token"}
FIELDS = {NAMES.get(field, camel(field)): field for field in HookAccountForm.base_fields}
# GitHub's account is there from the first start, and has a page of its own.
OTHERS = tuple(key for key in PROVIDERS if key != GitHub.key)


def accounts() -> QuerySet[HookAccount]:
    return HookAccount.objects.select_related("receiver")


def find(pk: str) -> HookAccount:
    """Raises NotFound."""
    row = accounts().filter(pk=pk).first()
    if row is None or row.provider not in PROVIDERS:
        raise NotFound(_("There is no such account."))
    return row


def make(provider: str, given: Mapping[str, Any]) -> HookAccount:
    """A new account, whose hooks call the receiver that is given, or the first of its kind.

    Its credential is tried; one that is refused is kept, and the report says it. Raises
    InvalidArgument or Conflict. Never inside a transaction.
    """
    if provider not in OTHERS:
        raise InvalidArgument("provider", _("Accounts of this provider cannot be added."))
    if HookAccount.objects.count() >= MOST:
        raise Conflict(_("There are %(most)d accounts already.") % {"most": MOST}, limit=MOST)
    row = HookAccount(provider=provider, receiver=_receiver(provider, given.get("receiver", "")))
    row.name = PROVIDERS[provider].label
    return change(row, given)


def change(row: HookAccount, given: Mapping[str, Any]) -> HookAccount:
    """Change what is given, all of it or nothing, and then try a credential that is new.

    `given` has the names of the API. Raises InvalidArgument. Never inside a transaction.
    """
    _write(row, given)
    if row.credential and not row.credential_report:
        credentials.try_and_store(row)
    return row


def form_of(row: HookAccount, given: Mapping[str, Any]) -> HookAccountForm:
    """The form, filled with what is given and else with what there is."""
    data = {
        field: given.get(
            NAMES.get(field, camel(field)), "" if field == "credential" else getattr(row, field)
        )
        for field in HookAccountForm.base_fields
    }
    return HookAccountForm(data, instance=row)


def may_go(row: HookAccount) -> bool:
    """Whether `forget` would forget it as it is."""
    return not (_is_of_the_page(row) or targets.with_hook(row).exists())


def _is_of_the_page(row: HookAccount) -> bool:
    """Whether it is GitHub's first, which has a page. The admin let people add more once."""
    first = HookAccount.objects.filter(provider=GitHub.key).values_list("pk", flat=True).first()
    return row.pk == first


@transaction.atomic
def forget(row: HookAccount, *, leave_hooks: bool = False) -> None:
    """Raises Conflict while hooks would be left behind that nobody could find any more."""
    if _is_of_the_page(row):
        raise Conflict(_("GitHub's account stays; remove its token."), reason="first")
    left = targets.with_hook(row).count()
    if left and not leave_hooks:
        text = _(
            "%(number)d webhooks of it are still there: deselect their targets and sync first."
        )
        raise Conflict(text % {"number": left}, reason="hooks_left", hooks=left)
    row.delete()


def possible(account: HookAccount, words: str) -> Owned:
    """What may be a target, asked of the provider.

    Raises CredentialRejected or UpstreamUnavailable. Never inside a transaction.
    """
    credentials.require_given(account)
    try:
        with turns.aside():
            owned = provider_of(account).possible(words, tracking.in_time())
    except ProviderError as error:
        credentials.refuse(account, error)
    return owned


def add_target(account: HookAccount, text: str, *, selected: bool = True) -> HookTarget:
    """Track what a person typed or picked; what is tracked already is selected, or not any more.

    Raises InvalidArgument or Conflict.
    """
    try:
        name = PROVIDERS[account.provider].read_target(text, account.api_url)
    except BadTarget as error:
        raise InvalidArgument("name", str(error)) from None
    if account.provider == GitHub.key:
        tracking.add(account, name, selected=selected)
    else:
        tracking.track(account, Repository(name), selected=selected)
    return targets.find(account, name, field="name")


def remove_target(account: HookAccount, name: str) -> None:
    """Track it no longer; its hook is deleted by the next sync. Raises NotFound."""
    row = targets.find(account, name, field="name")
    if account.provider == GitHub.key:
        tracking.remove_one(account, row.full_name, field="name")
    else:
        tracking.forget(account.targets.filter(pk=row.pk))


@transaction.atomic
def _write(row: HookAccount, given: Mapping[str, Any]) -> None:
    form = form_of(row, given)
    require_valid(form, **NAMES)
    receiver = ReceiverForm(_switched(row.receiver, given), instance=row.receiver)
    if "enabled" in given:
        require_valid(receiver)
    if given.get("clearToken"):
        row.credential, row.credential_report, row.credential_set_at = "", {}, None
    form.write()
    if "enabled" in given:
        receiver.write()


def _switched(receiver: Receiver, given: Mapping[str, Any]) -> dict[str, Any]:
    """A secret is made where it is switched on without one."""
    needs_one = given.get("enabled") and not receiver.secret
    return {
        "name": receiver.name,
        "registry_host": receiver.registry_host,
        "options": receiver.options,
        "enabled": given.get("enabled", receiver.enabled),
        "secret": rotation.fresh_secret() if needs_one else "",
    }


def _receiver(provider: str, pk: str) -> Receiver:
    kind = PROVIDERS[provider].receiver
    rows = Receiver.objects.filter(kind=kind)
    row = rows.filter(pk=pk).first() if pk else rows.order_by("created_at", "pk").first()
    if row is not None:
        return row
    if pk:
        raise InvalidArgument("receiver", _("There is no such receiver of this kind."))
    raise Conflict(_("There is no receiver of the kind %(kind)s.") % {"kind": kind})


def rotate(account: HookAccount, *, username: str, reason: str) -> str:
    """A new secret for the receiver; the old one counts until every hook has the new one."""
    now, grace = timezone.now(), rotation.GRACE_OF_HOOKS
    return rotation.rotate(account.receiver, now, username=username, reason=reason, grace=grace)
