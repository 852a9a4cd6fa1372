"""Which repositories an account hears of: adding and removing what a person typed."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from dockrev.errors import Conflict, CredentialRejected, InvalidArgument, NotFound
from integrations.github.inputs import BadInput, Named, read
from integrations.models import HookAccount, HookTarget

MAX_TARGETS = 5000


class Change(NamedTuple):
    named: Named
    repositories: int
    total: int


@transaction.atomic
def add(account: HookAccount, text: str, *, selected: bool | None) -> Change:
    """Track a repository, selected unless it is said otherwise, or note an owner.

    An owner's repositories have to be listed by GitHub, which needs a token and is done by the
    sync; until then the note says so. Raises InvalidArgument, CredentialRejected or Conflict.
    """
    named = _read(account, text)
    account = HookAccount.objects.select_for_update().get(pk=account.pk)
    warnings: list[str] = []
    added = 0
    if named.kind == "owner":
        if not account.credential:
            raise CredentialRejected(
                _("Listing the repositories of an owner needs a personal access token."),
                reason="pat_missing",
            )
        warnings = [_("The repositories of this owner are listed at the next sync.")]
    else:
        added = _track(account, named, selected=selected is not False)
    if _index(account, named) is None:
        note: dict[str, Any] = {"input": text.strip(), "kind": named.kind, "owner": named.owner}
        note |= {"name": named.full_name, "warnings": warnings}
        account.inputs = [*account.inputs, note]
        account.save(update_fields=["inputs"])
    return Change(named, added, account.targets.count())


@transaction.atomic
def remove(account: HookAccount, text: str) -> Change:
    """Forget what was typed and the repositories that it stands for.

    Repositories that were typed by name stay when their owner goes. Raises NotFound.
    """
    named = _read(account, text)
    account = HookAccount.objects.select_for_update().get(pk=account.pk)
    index = _index(account, named)
    if index is None:
        raise NotFound(_("This was not added."), field="input")
    account.inputs = account.inputs[:index] + account.inputs[index + 1 :]
    account.save(update_fields=["inputs"])
    if named.kind == "repo":
        gone = account.targets.filter(name_key=named.full_name.lower())
    else:
        kept = [note["name"].lower() for note in account.inputs]
        gone = account.targets.filter(owner_key=named.owner.lower()).exclude(name_key__in=kept)
    count, _by_model = gone.delete()
    return Change(named, count, account.targets.count())


def _read(account: HookAccount, text: str) -> Named:
    try:
        return read(text, api_url=account.api_url)
    except BadInput as error:
        raise InvalidArgument("input", str(error)) from error


def _track(account: HookAccount, named: Named, *, selected: bool) -> int:
    if account.targets.count() >= MAX_TARGETS:
        raise Conflict(_("No more repositories can be added."), limit=MAX_TARGETS)
    known: Any = account.targets.filter(name_key=named.full_name.lower())
    if known.update(selected=selected):
        return 0
    HookTarget.objects.create(account=account, full_name=named.full_name, selected=selected)
    return 1


def _index(account: HookAccount, named: Named) -> int | None:
    """Where what was typed before stands for the same, however it was written."""
    names = [note["name"].lower() for note in account.inputs]
    wanted = named.full_name.lower()
    return names.index(wanted) if wanted in names else None
