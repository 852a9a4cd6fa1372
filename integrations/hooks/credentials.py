"""Whether a provider takes an account's credential, and what it says that it may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, NoReturn

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dockrev.errors import ApiError, CredentialRejected, NotFound, UpstreamUnavailable
from dockrev.turns import turns
from integrations.hooks.errors import (
    CredentialInvalid,
    NotSeen,
    ProviderError,
    RateLimited,
    Refused,
)
from integrations.hooks.provider import Report, Standing
from integrations.hooks.providers import access_of, provider_of
from integrations.models import HookAccount


def try_and_store(account: HookAccount) -> Report:
    """Ask the provider who the credential is, and keep what it says. Never inside a transaction.

    Where it does not answer, what it said before of the same credential is kept.
    """
    with turns.aside():
        report = provider_of(account).try_credential()
    store(account, report)
    return report


@transaction.atomic
def store(account: HookAccount, report: Report) -> None:
    """Keep a report, unless the account is asked for in another way by now."""
    now = HookAccount.objects.select_for_update().get(pk=account.pk)
    if access_of(now) != access_of(account):
        return
    known = report_of(now)
    if report.state == Standing.UNTRIED and known is not None and known.state != Standing.UNTRIED:
        return
    account.credential_report = _as_json(report)
    account.save(update_fields=["credential_report"])


def report_of(account: HookAccount) -> Report | None:
    """What was last said of the present credential; None if it was never tried."""
    kept = _kept(account)
    if not account.credential or kept.get("state") not in list(Standing):
        return None
    return Report(
        state=Standing(kept["state"]),
        login=_text(kept, "login"),
        kind=_text(kept, "kind"),
        expires_at=_moment(kept.get("expiresAt")),
        scopes=None if kept.get("scopes") is None else _texts(kept.get("scopes")),
        missing=_texts(kept.get("missing")),
        enough=kept.get("enough") is not False,
        text=_text(kept, "text"),
    )


def checked_at(account: HookAccount) -> datetime | None:
    """When that was."""
    return _moment(_kept(account).get("checkedAt"))


def require(account: HookAccount) -> None:
    """Try the credential before work that nothing would come of without it.

    Raises CredentialRejected with the reason, or UpstreamUnavailable. Never inside a transaction.
    """
    require_given(account)
    report = try_and_store(account)
    if report.state == Standing.INVALID:
        raise CredentialRejected(report.text, reason="pat_invalid")
    if report.state == Standing.UNTRIED:
        raise UpstreamUnavailable(report.text)
    if not report.enough:
        raise CredentialRejected(
            _("The token has no scope that lets it manage webhooks."),
            reason="pat_scope_insufficient",
            acceptedScopes=list(report.missing),
        )


def require_given(account: HookAccount) -> None:
    """Raise CredentialRejected if there is no credential at all."""
    if not account.credential:
        text = _("This needs a token, and there is none yet.")
        if account.provider == HookAccount.Provider.GITHUB:
            text = _("This needs a personal access token, and there is none yet.")
        raise CredentialRejected(text, reason="pat_missing")


def refuse(account: HookAccount, error: ProviderError) -> NoReturn:
    """Raise what a provider's error is called towards people, and keep that a token is refused."""
    if isinstance(error, CredentialInvalid):
        note_refused(account, error)
    raise api_error(error) from error


def note_refused(account: HookAccount, error: CredentialInvalid) -> None:
    """Keep that the provider does not know the credential, or not any more."""
    known = report_of(account) or Report(Standing.INVALID)
    store(account, replace(known, state=Standing.INVALID, text=str(error)))


def api_error(error: ProviderError) -> ApiError:
    """A provider's error in the words of the HTTP contract."""
    match error:
        case CredentialInvalid():
            return CredentialRejected(str(error), reason="pat_invalid")
        case Refused():
            return CredentialRejected(str(error), **_details(error))
        case NotSeen():
            return NotFound(str(error))
        case RateLimited():
            wait = max(1, int((error.until - timezone.now()).total_seconds()) + 1)
            return UpstreamUnavailable(
                str(error), headers={"Retry-After": str(wait)}, reason="rate_limited"
            )
        case _:
            return UpstreamUnavailable(str(error))


def _details(error: Refused) -> dict[str, Any]:
    details: dict[str, Any] = {"reason": error.reason}
    if error.accepted_scopes:
        details["acceptedScopes"] = list(error.accepted_scopes)
    if error.sso_url:
        details["ssoUrl"] = error.sso_url
    return details


def _kept(account: HookAccount) -> dict[str, Any]:
    kept: Any = account.credential_report
    return kept if isinstance(kept, dict) else {}


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "state": report.state,
        "login": report.login,
        "kind": report.kind,
        "expiresAt": report.expires_at.isoformat() if report.expires_at else None,
        "scopes": None if report.scopes is None else list(report.scopes),
        "missing": list(report.missing),
        "enough": report.enough,
        "text": report.text,
        "checkedAt": timezone.now().isoformat(),
    }


def _text(kept: dict[str, Any], name: str) -> str:
    value = kept.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
