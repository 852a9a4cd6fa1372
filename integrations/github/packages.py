"""GitHub Packages as one feature: the first receiver of its kind, and the account bound to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev.errors import CredentialRejected
from dockrev.fields import MASK
from dockrev.forms import require_valid
from integrations import rotation
from integrations.forms import HookAccountForm, ReceiverForm
from integrations.github.tokens import KINDS
from integrations.hooks import credentials
from integrations.models import HookAccount, Receiver
from integrations.receivers.github import GitHubPackages

# What the API calls the fields of the two forms.
_NAMES = {"credential": "pat", "secret": "webhookSecret"}


class Packages(NamedTuple):
    receiver: Receiver
    account: HookAccount


def load() -> Packages:
    """The rows of the feature, which are there from the first start."""
    receiver = Receiver.objects.filter(kind=GitHubPackages.kind).first()
    if receiver is None:
        raise LookupError("no receiver of GitHub Packages: migrate has not run")
    github = HookAccount.Provider.GITHUB
    # The first: the admin let people add another once, which has no page.
    account = HookAccount.objects.filter(receiver=receiver, provider=github).first()
    if account is None:
        account = HookAccount.objects.create(receiver=receiver, provider=github, name="GitHub")
    account.receiver = receiver  # the same row, read already
    return Packages(receiver, account)


def change(given: dict[str, Any]) -> Packages:
    """Change what is given, all of it or nothing, and then try a token that is new.

    A token that GitHub does not take is kept: the report says it. Raises InvalidArgument, or
    CredentialRejected where nothing could tell GitHub's secret.
    """
    feature = _change(given)
    account = feature.account
    if account.credential and not account.credential_report:
        credentials.try_and_store(account)
    return feature


def pat_masked(pat: str) -> str | None:
    """The beginning that tells a token's kind, and nothing more of it."""
    if not pat:
        return None
    return next((prefix for prefix in KINDS if pat.startswith(prefix)), "") + "..."


def rotate_secret(*, username: str, reason: str) -> tuple[Receiver, str]:
    """Make a new secret; who asked for it has asked for the sync that hands it out."""
    receiver, grace = load().receiver, rotation.GRACE_OF_HOOKS
    secret = rotation.rotate(
        receiver, timezone.now(), username=username, reason=reason, grace=grace
    )
    return receiver, secret


@transaction.atomic
def _change(given: dict[str, Any]) -> Packages:
    receiver, account = load()
    if given.get("clearPat"):
        account.credential, account.credential_report = "", {}
    account_form = _account_form(account, given)
    receiver_form = _receiver_form(receiver, given)
    require_valid(account_form, **_NAMES)
    if given.get("enabled") and not account.credential and not _has_secret(receiver, given):
        raise CredentialRejected(
            _("Give a personal access token, or the secret of a webhook made by hand."),
            reason="pat_missing",
        )
    require_valid(receiver_form, **_NAMES)
    account_form.write()
    receiver_form.write()
    return Packages(receiver, account)


def _account_form(account: HookAccount, given: dict[str, Any]) -> HookAccountForm:
    data = {
        "name": account.name,
        "api_url": given.get("apiUrl", account.api_url) or "",
        "callback_url": given.get("callbackUrl", account.callback_url) or "",
        "credential": given.get("pat") or "",
        "username": account.username,
        "authorities": account.authorities,
        "verify_tls": account.verify_tls,
    }
    return HookAccountForm(data, instance=account)


def _receiver_form(receiver: Receiver, given: dict[str, Any]) -> ReceiverForm:
    secret = given.get("webhookSecret") or ""
    if given.get("enabled") and not _has_secret(receiver, given):
        secret = rotation.fresh_secret()
    data = {
        "name": receiver.name,
        "registry_host": receiver.registry_host,
        "options": receiver.options,
        "enabled": given.get("enabled", receiver.enabled),
        "secret": secret,
    }
    return ReceiverForm(data, instance=receiver)


def _has_secret(receiver: Receiver, given: dict[str, Any]) -> bool:
    return bool(receiver.secret or given.get("webhookSecret") not in (None, "", MASK))
