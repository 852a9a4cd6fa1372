"""Which repositories an account hears of: adding, selecting, removing. `targets` finds them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from dockrev.errors import Conflict, InvalidArgument, NotFound
from dockrev.turns import turns
from integrations.github.inputs import BadInput, Named, read
from integrations.hooks import credentials
from integrations.hooks.errors import ProviderError, Unavailable
from integrations.hooks.github import GitHub
from integrations.hooks.provider import Owned, Progress, Repository
from integrations.hooks.providers import access_of
from integrations.models import HookAccount, HookTarget
from integrations.targets import deployed, find, present

MAX_TARGETS = 20_000
MAX_INPUTS = 20_000
LONGEST_LIST = 60.0  # seconds for an owner's list, unless a job is doing it
BATCH = 500
# Columns that an owner's list tells, as rows and `Repository` both call them.
_FACTS = ("visibility", "archived", "disabled")


@dataclass(frozen=True)
class Found:
    """A repository that a text stands for, and what is known of it here.

    `deployed`: a service here runs an image of its name, or of one below it.
    """

    full_name: str
    visibility: str
    archived: bool
    disabled: bool
    selected: bool
    tracked: bool
    deployed: bool


@dataclass(frozen=True)
class Resolved:
    """What a text stands for; where that is nothing, the warnings say why."""

    named: Named
    repositories: list[Found]
    warnings: list[str]


class Change(NamedTuple):
    """`repositories` came or went, of `found` that the text stands for; `total` are tracked now."""

    named: Named
    repositories: int
    total: int
    found: int = 0
    warnings: tuple[str, ...] = ()


def read_input(account: HookAccount, text: str) -> Named:
    """What a person typed. Raises InvalidArgument."""
    try:
        return read(text, api_url=account.api_url)
    except BadInput as error:
        raise InvalidArgument("input", str(error)) from error


def resolve(account: HookAccount, text: str) -> Resolved:
    """Say what a text stands for, and change nothing. Only an owner is asked for at GitHub.

    Raises InvalidArgument, CredentialRejected, NotFound or UpstreamUnavailable. Never inside a
    transaction.
    """
    named = read_input(account, text)
    owned = _owned(account, named, in_time())
    known = {row.name_key: row for row in present(account).filter(owner_key=named.owner.lower())}
    running = deployed(account, named.owner)
    found = []
    for each in owned.repositories:
        key = each.full_name.lower()
        row = known.get(key)
        found.append(
            Found(
                full_name=each.full_name,
                visibility=each.visibility or (row.visibility if row else ""),
                archived=each.archived or bool(row and row.archived),
                disabled=each.disabled or bool(row and row.disabled),
                selected=row.selected if row else named.kind == "repo",
                tracked=row is not None,
                deployed=key in running,
            )
        )
    return Resolved(named, found, list(owned.warnings))


def add(
    account: HookAccount,
    text: str,
    *,
    selected: bool | None = None,
    progress: Progress | None = None,
) -> Change:
    """Track a repository, selected unless it is said otherwise, or all of an owner's, unselected.

    An owner that was added before is listed anew; what was selected stays so, unless `selected`
    says something. Raises what `resolve` does, and Conflict. Never inside a transaction.
    """
    named = read_input(account, text)
    owned = _owned(account, named, progress or in_time())
    if selected is None and named.kind == "repo":
        selected = True
    return _write(account, text, named, owned, selected=selected)


@transaction.atomic
def remove(account: HookAccount, text: str) -> Change:
    """Forget what was typed and the repositories that it stands for.

    Repositories that were typed by name stay when their owner goes. Raises NotFound.
    """
    named = read_input(account, text)
    account = HookAccount.objects.select_for_update().get(pk=account.pk)
    index = _index(account, named)
    if index is None:
        raise NotFound(_("This was not added."), field="input")
    account.inputs = account.inputs[:index] + account.inputs[index + 1 :]
    account.save(update_fields=["inputs"])
    if named.kind == "repo":
        gone = present(account).filter(name_key=named.full_name.lower())
    else:
        gone = present(account).filter(owner_key=named.owner.lower())
    kept = {note["name"].lower() for note in account.inputs if note["kind"] == "repo"}
    rows = [pk for pk, name in gone.values_list("pk", "name_key") if name not in kept]
    count = sum(forget(account.targets.filter(pk__in=some)) for some in _batches(rows))
    return Change(named, count, present(account).count())


def remove_one(account: HookAccount, full_name: str, *, field: str = "repo") -> None:
    """Track it no longer, whether it was typed or came with its owner. Raises NotFound."""
    row = find(account, full_name, field=field)
    try:
        remove(account, row.full_name)
    except NotFound:
        forget(present(account).filter(pk=row.pk))


@transaction.atomic
def track(account: HookAccount, each: Repository, *, selected: bool) -> None:
    """Track what is no repository at GitHub: it was typed or picked by its own name.

    Raises Conflict.
    """
    account = HookAccount.objects.select_for_update().get(pk=account.pk)
    row = account.targets.filter(name_key=each.full_name.lower()).first()
    if row is None and present(account).count() >= MAX_TARGETS:
        raise Conflict(_("No more can be added."), limit=MAX_TARGETS)
    if row is None:
        _row(account, each, selected=selected).save()
    else:
        row.removed, row.selected = False, selected
        row.save(update_fields=["removed", "selected"])


def select(repositories: QuerySet[HookTarget], *, selected: bool) -> int:
    """Select them, or not any more; how many that changes. GitHub hears of it by the next sync."""
    return repositories.exclude(selected=selected).update(selected=selected)


@transaction.atomic
def forget(targets: QuerySet[HookTarget]) -> int:
    """Track them no longer. What has a hook keeps its row, unseen, until the next sync."""
    hooked = ~Q(hook_id="") | ~Q(conflict_hooks=[])
    kept = targets.filter(hooked).update(removed=True, selected=False)
    gone, _by_model = targets.exclude(hooked).delete()
    return kept + gone


def in_time() -> Progress:
    """For who waits for the answer: a list that takes longer than they would is a job's."""
    ends = time.monotonic() + LONGEST_LIST

    def tell(done: int, total: int) -> None:
        if time.monotonic() > ends:
            raise Unavailable(
                _("Listing this owner takes too long: add it on the page, which makes a job.")
            )

    return tell


def _owned(account: HookAccount, named: Named, progress: Progress) -> Owned:
    """The repositories that a name stands for. A repository's own needs no call to GitHub."""
    if named.kind == "repo":
        return Owned((Repository(named.full_name),))
    credentials.require_given(account)
    try:
        with turns.aside():
            owned = GitHub.open(access_of(account)).repositories(named.owner, progress)
    except ProviderError as error:
        credentials.refuse(account, error)
    return owned if owned.repositories else Owned((), (*owned.warnings, *_why_none(account)))


def _why_none(account: HookAccount) -> list[str]:
    """What may keep an owner's list empty."""
    report = credentials.report_of(account)
    words = [_("The token sees no repository of this owner.")]
    if report and report.scopes is not None and "repo" not in report.scopes:
        words.append(_("It lacks the scope repo, without which private ones are not seen."))
    if report and report.kind == "fine-grained":
        words.append(_("A fine-grained token sees what it was given of one owner, and no more."))
    return words


@transaction.atomic
def _write(
    account: HookAccount, text: str, named: Named, owned: Owned, *, selected: bool | None
) -> Change:
    account = HookAccount.objects.select_for_update().get(pk=account.pk)
    wanted = {each.full_name.lower(): each for each in owned.repositories}
    rows = account.targets.filter(owner_key=named.owner.lower()).defer("hooks_seen")
    known = {row.name_key: row for row in rows if row.name_key in wanted}
    back = [row.pk for row in known.values() if row.removed]
    new = [
        _row(account, each, selected=bool(selected))
        for key, each in wanted.items()
        if key not in known
    ]
    total = present(account).count() + len(new) + len(back)
    if total > MAX_TARGETS or len(account.inputs) >= MAX_INPUTS:
        raise Conflict(_("No more repositories can be added."), limit=MAX_TARGETS)
    HookTarget.objects.bulk_create(new, batch_size=BATCH)
    _update(account, back, removed=False)
    if selected is not None:
        _update(account, [row.pk for row in known.values()], selected=selected)
    if named.kind == "owner":
        _refresh(list(known.values()), wanted)
    _note(account, text, named, owned.warnings)
    return Change(named, len(new) + len(back), total, len(wanted), owned.warnings)


def _row(account: HookAccount, each: Repository, *, selected: bool) -> HookTarget:
    row = HookTarget(account=account, full_name=each.full_name, selected=selected)
    for name in _FACTS:
        setattr(row, name, getattr(each, name))
    row.set_keys()
    return row


def _update(account: HookAccount, pks: Iterable[str], **changes: bool) -> None:
    for some in _batches(list(pks)):
        account.targets.filter(pk__in=some).update(**changes)


def _refresh(rows: list[HookTarget], wanted: dict[str, Repository]) -> None:
    """Write what the owner's list tells of known rows, and how it writes their names."""
    names = ("full_name", *_FACTS)
    changed = []
    for row in rows:
        told = {name: getattr(wanted[row.name_key], name) for name in names}
        if any(getattr(row, name) != value for name, value in told.items()):
            for name, value in told.items():
                setattr(row, name, value)
            changed.append(row)
    HookTarget.objects.bulk_update(changed, names, batch_size=BATCH)


def _note(account: HookAccount, text: str, named: Named, warnings: Iterable[str]) -> None:
    """Keep what was typed, once for each name, with what is to be said of it."""
    note: dict[str, Any] = {"input": text.strip(), "kind": named.kind, "owner": named.owner}
    note |= {"name": named.full_name}
    index = _index(account, named)
    if index is None:
        account.inputs.append(note)
    else:
        note = account.inputs[index]
    note["warnings"] = list(warnings)
    account.save(update_fields=["inputs"])


def _index(account: HookAccount, named: Named) -> int | None:
    """Where what was typed before stands for the same, however it was written."""
    names = [note["name"].lower() for note in account.inputs]
    wanted = named.full_name.lower()
    return names.index(wanted) if wanted in names else None


def _batches(keys: list[str]) -> Iterable[list[str]]:
    """Few enough for the placeholders of one query."""
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
