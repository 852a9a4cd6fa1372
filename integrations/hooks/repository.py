"""The work of a sync on one repository: in a thread, without the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.hooks.accounts import Aim, hooks_of, known_of, listed
from integrations.hooks.book import conflict_of
from integrations.hooks.errors import NotSeen, ProviderError, Refused, Rejected, Unavailable
from integrations.hooks.plan import Action, Choice, Plan, Sought, Why, plan
from integrations.hooks.provider import Hook, Hooks, Provider
from integrations.hooks.round import ENDS, ERROR, Done, Gate, Stopped
from integrations.models import HookTarget

State = HookTarget.HookState
ATTEMPTS = 3  # at one repository, each with a list of its own
# What a plan is called once it was carried out.
CREATED, UPDATED, NOOP, DELETED, CONFLICT = "created", "updated", "noop", "deleted", "conflict"
_WRITES = {Action.CREATE, Action.UPDATE, Action.DELETE}
_NO_CHOICES: Mapping[str, Choice] = {}
_WORDS: dict[Why, str | Promise] = {
    Why.ACTIVE: gettext_lazy("it was switched off"),
    Why.EVENTS: gettext_lazy("events were missing"),
    Why.CONTENT_TYPE: gettext_lazy("it sent forms"),
    Why.TLS: gettext_lazy("it did not check the certificate"),
    Why.NO_TLS: gettext_lazy("it checked the certificate"),
    Why.SECRET: gettext_lazy("it was not known to have the secret"),
    Why.OTHER_SECRET: gettext_lazy("it had another secret"),
}
_FORGOTTEN: dict[str, Any] = {
    "hook_id": "",
    "hook_url": "",
    "hook_updated_at": None,
    "secret_sent": "",
    "hook_state": State.UNKNOWN,
    "verified_at": None,
    "deliveries_etag": "",
    "hooks_etag": "",
    "hooks_seen": [],
    "conflict_hooks": [],
    "former_hooks": [],
    "last_error": "",
}


def bring_in_line(
    provider: Provider,
    aim: Aim,
    gate: Gate,
    target: HookTarget,
    *,
    choices: Mapping[str, Choice] = _NO_CHOICES,
    dry_run: bool = False,
) -> Done:
    """Do, or only say, what there is to do. `choices` are by the name in lower case."""
    work = _Repository(gate, provider, aim, target, choices.get(target.name_key))
    try:
        return work.look() if dry_run else work.bring_in_line()
    except ENDS as error:
        return Done(target, ERROR, work.columns, cut_short=error)
    except ProviderError as error:
        return work.failed(error)


def in_line(sought: Sought, hook: Hook) -> dict[str, Any]:
    """The columns of a repository whose hook is as it should be."""
    return {
        "hook_id": hook.id,
        "hook_url": sought.url,
        "hook_updated_at": hook.updated_at,
        "secret_sent": sought.fingerprint,
        "hook_state": State.OK,
        "conflict_hooks": [],
        "former_hooks": [],
        "last_error": "",
    }


@dataclass
class _Repository:
    """The work on one repository. `columns` are what is certain by now, whatever comes."""

    gate: Gate
    provider: Provider
    aim: Aim
    target: HookTarget
    choice: Choice | None
    columns: dict[str, Any] = field(default_factory=dict)
    perhaps_made: bool = False

    def look(self) -> Done:
        """Say what would be done, and do nothing."""
        if nothing := self._nothing_to_ask():
            return nothing
        made = self._plan(self._listed())
        if self.target.archived and made.action in _WRITES:
            return self._done(ERROR, {}, message=_("It is archived, and takes no changes."))
        return self._said(made)

    def bring_in_line(self) -> Done:
        """List, decide, act; and again where only a new list can tell what came of it."""
        if nothing := self._nothing_to_ask():
            return nothing
        made = self._plan(self._listed())
        for _attempt in range(ATTEMPTS - 1):
            try:
                return self._act(made)
            except (Unavailable, NotSeen, Rejected) as error:
                if not _is_worth_a_list(made, error):
                    raise
                self.perhaps_made |= isinstance(error, Unavailable)
                found = listed(self.gate, self.provider, self.target, self.aim)
                again = self._plan(found)
                if _is_same(again, made) and not isinstance(error, Unavailable):
                    raise
                made = again
        return self._act(made)

    def failed(self, error: ProviderError, words: str = "%(why)s") -> Done:
        words = words % {"why": error_words(self.target, error)}
        if self.target.removed and isinstance(error, NotSeen):
            words += " " + _("Sync once more to forget it.")
            if self.target.last_error == words:
                message = _("It is not to be seen, and is forgotten.")
                return self._done(NOOP, _FORGOTTEN, message=message)
        return self._done(ERROR, {"hook_state": State.ERROR, "last_error": words}, message=words)

    def _nothing_to_ask(self) -> Done | None:
        if self.target.hook_id or known_of(self.target).wanted:
            return None
        message = _("It is not selected, and has no webhook of ours.")
        return self._done(NOOP, _FORGOTTEN, message=message)

    def _listed(self) -> Hooks:
        hooks, self.columns = hooks_of(self.gate, self.provider, self.target, self.aim)
        return hooks

    def _plan(self, hooks: Hooks) -> Plan:
        known = known_of(self.target, hooks.ahead)
        return plan(self.aim.sought.of(hooks.offered), known, hooks.items, self.choice)

    def _act(self, made: Plan) -> Done:
        for hook in made.first:
            self._delete(hook)
        made = self._write(made)
        left = list(made.after)
        try:
            while left:
                self._delete(left[0])
                left.pop(0)
        except (ProviderError, Stopped) as error:
            if made.hook is not None:
                self.columns |= in_line(self.aim.sought, made.hook) | _not_gone(left)
            if isinstance(error, ENDS) or made.action == Action.DELETE:
                raise
            return self.failed(error, _("The former webhook could not be deleted: %(why)s"))
        return self._said(made)

    def _write(self, made: Plan) -> Plan:
        """Make or change the hook; where the provider cannot change it, another, and that first."""
        name, wanted = self.target.full_name, self.aim.wanted
        if made.action == Action.CREATE:
            return replace(made, hook=self.gate.ask(self.provider.create, name, wanted))
        if made.action != Action.UPDATE or made.hook is None:
            return made
        known = replace(wanted, secret_known=Why.SECRET not in made.why)
        if hook := self.gate.ask(self.provider.update, name, made.hook, known):
            return replace(made, hook=hook)
        another = self.gate.ask(self.provider.another, name, made.hook, wanted)
        return replace(made, hook=another, after=(*made.after, made.hook))

    def _delete(self, hook: Hook) -> None:
        self.gate.ask(self.provider.delete, self.target.full_name, hook.id)

    def _said(self, made: Plan) -> Done:
        """What a plan came to."""
        message = " ".join(_sentences(made))
        match made.action:
            case Action.CONFLICT:
                changes = {
                    "hook_state": State.CONFLICT,
                    "conflict_hooks": conflict_of(made.conflict),
                    "last_error": several(made.conflict),
                }
                return self._done(CONFLICT, changes, conflict=made.conflict, message=message)
            case Action.DELETE:
                gone = made.after[0].id
                return self._done(DELETED, _FORGOTTEN, hook_id=gone, message=message)
            case Action.NOTHING:
                return self._done(NOOP, _FORGOTTEN, message=message)
            case Action.CREATE:
                action = CREATED
            case Action.UPDATE:
                action = CREATED if self.perhaps_made else UPDATED
            case Action.NOOP:
                action = CREATED if self.perhaps_made else NOOP
        columns = in_line(self.aim.sought, made.hook) if made.hook else {}
        if action != NOOP:
            columns["archived"] = False  # or it would have taken no change
        return self._done(action, columns, message=message)

    def _done(self, word: str, columns: dict[str, Any], **said: Any) -> Done:
        columns = {**self.columns, **columns, "last_op": word}
        changes = {
            name: value for name, value in columns.items() if getattr(self.target, name) != value
        }
        hook_id = columns.get("hook_id", self.target.hook_id)
        return Done(self.target, word, changes, **{"hook_id": hook_id, **said})


def _not_gone(hooks: Iterable[Hook]) -> dict[str, Any]:
    """What is kept of hooks that have to go."""
    return {"former_hooks": [{"id": hook.id, "url": hook.url} for hook in hooks]}


def _is_worth_a_list(made: Plan, error: ProviderError) -> bool:
    """Whether a new list may tell what came of it, or why it was refused.

    One that was perhaps made is there or is not; one that cannot be made may be there already;
    one that is gone has to be made anew.
    """
    if made.action == Action.CREATE:
        return isinstance(error, Unavailable | Rejected)
    return made.action == Action.UPDATE and isinstance(error, NotSeen)


def _is_same(one: Plan, other: Plan) -> bool:
    """Whether both want to write the same hook, or to make one."""
    ids = [made.hook.id if made.hook else "" for made in (one, other)]
    return one.action == other.action and ids[0] == ids[1]


def _sentences(made: Plan) -> Iterable[str]:
    if made.action == Action.CONFLICT:
        yield several(made.conflict)
    if made.action == Action.NOTHING:
        yield _("Its webhook was gone already, or is not ours any more.")
    if made.why:
        yield _("Put right: %(why)s.") % {"why": words_of(made)}
    if made.first:
        ids = ", ".join(hook.id for hook in made.first)
        yield _("Duplicates deleted: %(ids)s.") % {"ids": ids}
    if made.after and made.action != Action.DELETE:
        yield _("The webhook with the former callback URL was deleted.")


def words_of(made: Plan) -> str:
    """What was amiss, and so planned for."""
    return ", ".join([*(str(_WORDS[each]) for each in made.why if each in _WORDS), *made.faults])


def several(hooks: Sequence[Hook]) -> str:
    return _("%(number)d webhooks call this URL; choose the one to keep.") % {"number": len(hooks)}


def error_words(target: HookTarget, error: ProviderError) -> str:
    words = str(error)
    if isinstance(error, Refused) and error.sso_url and error.sso_url not in words:
        words = f"{words} {error.sso_url}"
    if target.archived and isinstance(error, Refused | Rejected | NotSeen):
        words = _("It is archived, and takes no changes: %(why)s") % {"why": words}
    return words
