"""What is decided about hooks, tried against a model of a provider."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.hooks.plan import Action, Choice, Known, Plan, Sought, Why, amiss, plan, same_url
from integrations.hooks.provider import Hook

URL = "https://dockrev.example.com/api/webhooks/github-packages"
OLD = "https://old.example.com/api/webhooks/github-packages"
IN_URL = Sought(URL, "f" * 64, ("package", "registry_package"), in_url=True)
SOUGHT = Sought(URL, "f" * 64, ("package", "registry_package"))
THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = THEN + timedelta(minutes=1)
OURS = Hook("1", URL, True, SOUGHT.events, "json", False, THEN)
KNOWN = Known(True, "1", URL, THEN, SOUGHT.fingerprint)


class TestUrls:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (URL, URL + "/"),
            (URL, URL.replace("https://dockrev", "HTTPS://DockRev")),
            (URL, URL.replace(".com/", ".com:443/")),
            ("http://localhost/x", "http://localhost:80/x//"),
            ("https://h.example", "https://h.example/"),
            ("not a url", "not a url"),
        ],
    )
    def test_it_takes_for_the_same(self, one: str, other: str) -> None:
        assert same_url(one, other) and same_url(other, one)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (URL, URL.replace("https", "http")),
            (URL, URL + "2"),
            (URL, URL.replace("webhooks", "Webhooks")),
            (URL, URL + "?x=1"),
            (URL, URL.replace(".com", ".com:8443")),
            (URL, URL.replace("https://", "https://user@")),
            ("http://h:1", "http://h:80000"),
            ("", ""),
        ],
    )
    def test_it_tells_apart(self, one: str, other: str) -> None:
        assert not same_url(one, other)


class TestDecisions:
    def test_it_creates_where_nothing_is(self) -> None:
        assert plan(SOUGHT, Known(), []) == Plan(Action.CREATE)

    def test_it_leaves_alone_what_is_right(self) -> None:
        assert plan(SOUGHT, KNOWN, [OURS]) == Plan(Action.NOOP, OURS)

    def test_it_leaves_hooks_of_others_out_of_it(self) -> None:
        other = replace(OURS, id="9", url="https://ci.example.com/hook")
        assert plan(SOUGHT, KNOWN, [other, OURS]).action == Action.NOOP
        assert plan(SOUGHT, Known(), [other]) == Plan(Action.CREATE)

    @pytest.mark.parametrize(
        ("changed", "why"),
        [
            ({"active": False}, Why.ACTIVE),
            ({"events": ("package",)}, Why.EVENTS),
            ({"events": ()}, Why.EVENTS),
            ({"content_type": "form"}, Why.CONTENT_TYPE),
            ({"insecure_ssl": True}, Why.TLS),
            ({"updated_at": LATER}, Why.SECRET),
        ],
    )
    def test_it_mends_what_is_not_right(self, changed: dict[str, object], why: Why) -> None:
        hook = replace(OURS, **changed)  # type: ignore[arg-type]  # each is of its field's type
        assert plan(SOUGHT, KNOWN, [hook]) == Plan(Action.UPDATE, hook, (why,))

    @pytest.mark.parametrize("events", [("*",), ("push", "package", "registry_package")])
    def test_it_is_content_with_more_events(self, events: tuple[str, ...]) -> None:
        assert plan(SOUGHT, KNOWN, [replace(OURS, events=events)]).action == Action.NOOP

    def test_it_sends_the_secret_where_another_was_sent(self) -> None:
        assert plan(SOUGHT, replace(KNOWN, secret_sent="e" * 64), [OURS]).why == (Why.SECRET,)

    def test_it_believes_a_delivery_since_the_last_change(self) -> None:
        proven = Known(True, "1", "", None, "", LATER)
        assert plan(SOUGHT, proven, [OURS]).action == Action.NOOP
        assert plan(SOUGHT, replace(proven, proven_at=THEN), [OURS]).why == (Why.SECRET,)
        assert plan(SOUGHT, proven, [replace(OURS, id="2")]).why == (Why.SECRET,)

    def test_it_does_not_choose_between_several(self) -> None:
        twin = replace(OURS, id="2", url=URL + "/", active=False)
        assert plan(SOUGHT, KNOWN, [OURS, twin]) == Plan(Action.CONFLICT, conflict=(OURS, twin))

    def test_it_keeps_the_chosen_and_deletes_the_named(self) -> None:
        twin, third = replace(OURS, id="2"), replace(OURS, id="3")
        both = plan(SOUGHT, KNOWN, [OURS, twin, third], Choice("1", frozenset({"2", "3", "1"})))
        assert both == Plan(Action.NOOP, OURS, first=(twin, third))
        one = plan(SOUGHT, KNOWN, [OURS, twin, third], Choice("1", frozenset({"2"})))
        assert one == Plan(Action.CONFLICT, conflict=(OURS, third), first=(twin,))

    def test_it_deletes_nothing_that_is_no_duplicate_any_more(self) -> None:
        moved = replace(OURS, id="2", url="https://ci.example.com/hook")
        assert plan(SOUGHT, KNOWN, [OURS, moved], Choice("1", frozenset({"2"}))).first == ()
        assert plan(SOUGHT, KNOWN, [OURS], Choice("2", frozenset({"1"}))) == Plan(Action.NOOP, OURS)

    def test_it_replaces_the_hook_of_a_former_callback(self) -> None:
        old = replace(OURS, url=OLD)
        known = replace(KNOWN, hook_url=OLD)
        assert plan(SOUGHT, known, [old]) == Plan(Action.CREATE, after=(old,))
        new = replace(OURS, id="2")
        assert plan(SOUGHT, known, [old, new]).after == (old,)

    def test_it_leaves_a_former_hook_that_somebody_took_over(self) -> None:
        taken = replace(OURS, url="https://ci.example.com/hook")
        assert plan(SOUGHT, replace(KNOWN, hook_url=OLD), [taken]) == Plan(Action.CREATE)

    def test_it_deletes_only_the_hook_that_it_knows(self) -> None:
        unwanted, twin = replace(KNOWN, wanted=False), replace(OURS, id="2")
        assert plan(SOUGHT, unwanted, [OURS, twin]) == Plan(Action.DELETE, after=(OURS,))
        assert plan(SOUGHT, unwanted, [twin]) == Plan(Action.NOTHING)
        assert plan(SOUGHT, Known(wanted=False), [OURS]) == Plan(Action.NOTHING)


# A repository's hooks, and what happens to them. -------------------------------------------------

URLS = st.sampled_from([URL, URL + "/", OLD, "https://ci.example.com/hook"])
EVENTS = st.lists(st.sampled_from(["push", "package", "registry_package", "*"]), unique=True)
HOOKS = st.builds(
    Hook,
    id=st.sampled_from(["1", "2", "3", "4", "5"]),
    url=URLS,
    active=st.booleans(),
    events=EVENTS.map(tuple),
    content_type=st.sampled_from(["json", "form"]),
    insecure_ssl=st.booleans(),
    updated_at=st.sampled_from([THEN, LATER]),
)
REPOSITORIES = st.lists(HOOKS, unique_by=lambda hook: hook.id, max_size=5)
MEMORIES = st.builds(
    Known,
    wanted=st.booleans(),
    hook_id=st.sampled_from(["", "1", "2", "3"]),
    hook_url=st.sampled_from(["", URL, OLD]),
    hook_updated_at=st.sampled_from([None, THEN, LATER]),
    secret_sent=st.sampled_from(["", "e" * 64, SOUGHT.fingerprint]),
    proven_at=st.sampled_from([None, THEN, LATER]),
)
CHOICES = st.none() | st.builds(
    Choice,
    keep=st.sampled_from(["1", "2", "3"]),
    delete=st.frozensets(st.sampled_from(["1", "2", "3", "4", "5"])),
)


@dataclass
class Model:
    """A provider of one repository, and what we remember of it."""

    hooks: list[Hook]
    known: Known
    deleted: list[Hook] = field(default_factory=list)

    def apply(self, made: Plan) -> None:
        hook = made.hook
        self._delete(made.first)
        if made.action == Action.CREATE:
            hook = replace(OURS, id="new", updated_at=LATER)
            self.hooks.append(hook)
        elif made.action == Action.UPDATE and hook is not None:
            self.hooks.remove(hook)
            events = tuple(dict.fromkeys((*hook.events, *SOUGHT.events)))
            hook = replace(OURS, id=hook.id, events=events, updated_at=LATER)
            self.hooks.append(hook)
        self._delete(made.after)
        if made.action == Action.DELETE:
            self.known = Known(wanted=False)
        elif hook is not None:
            seen = (True, hook.id, SOUGHT.url, hook.updated_at, SOUGHT.fingerprint)
            self.known = Known(*seen)

    def _delete(self, hooks: tuple[Hook, ...]) -> None:
        for hook in hooks:
            self.hooks.remove(hook)
            self.deleted.append(hook)


class TestTokensInUrls:
    """Hooks whose URL is the secret: ours are listed with it masked, and told apart by it."""

    def test_it_deletes_none_that_works_for_one_that_does_not_yet(self) -> None:
        works = replace(OURS, secret_seen=IN_URL.fingerprint)
        old = replace(OURS, id="2", secret_seen="e" * 64)
        chosen = Choice("2", frozenset({"1"}))
        assert plan(IN_URL, KNOWN, [works, old], chosen) == Plan(Action.NOOP, works, after=(old,))
        twin = replace(works, id="3")
        asked_again = plan(IN_URL, KNOWN, [works, old, twin], chosen)
        assert asked_again == Plan(Action.CONFLICT, conflict=(works, twin))

    def test_it_keeps_the_chosen_of_those_that_are_all_old(self) -> None:
        first, second = (replace(OURS, id=pk, secret_seen="e" * 64) for pk in "12")
        made = plan(IN_URL, KNOWN, [first, second], Choice("2", frozenset({"1"})))
        why = (Why.OTHER_SECRET,)
        assert made == Plan(Action.UPDATE, second, why, after=(first,))

    @given(
        st.lists(
            HOOKS.map(lambda hook: replace(hook, url=URL)),
            unique_by=lambda hook: hook.id,
            max_size=5,
        ),
        st.lists(st.sampled_from([SOUGHT.fingerprint, "e" * 64, "d" * 64]), min_size=5, max_size=5),
        MEMORIES,
        CHOICES,
    )
    def test_one_is_left_and_it_has_the_right_token(
        self, hooks: list[Hook], seen: list[str], known: Known, choice: Choice | None
    ) -> None:
        shown = [
            replace(hook, secret_seen=secret) for hook, secret in zip(hooks, seen, strict=False)
        ]
        right = [hook for hook in shown if hook.secret_seen == IN_URL.fingerprint]
        made = plan(IN_URL, replace(known, wanted=True), shown, choice)
        if made.action == Action.CONFLICT:
            assert len(right) > 1 and set(made.conflict) <= set(right)
            return
        gone = {*made.first, *made.after}
        kept = [hook for hook in shown if hook not in gone]
        assert kept == ([made.hook] if made.hook else [])
        assert not shown or made.hook is not None
        if right:
            assert made.hook in right and Why.OTHER_SECRET not in made.why
        elif made.hook:
            assert made.action == Action.UPDATE and Why.OTHER_SECRET in made.why

    def test_a_choice_from_before_saves_none_that_has_another_token_by_now(self) -> None:
        right = replace(OURS, id="1", url=URL, secret_seen=IN_URL.fingerprint)
        other = replace(OURS, id="2", url=URL, secret_seen="e" * 64)
        made = plan(IN_URL, Known(), [right, other], Choice("2", frozenset({"1"})))
        assert (made.hook, made.first, made.after) == (right, (), (other,))


class TestWhateverIsThere:
    @given(REPOSITORIES, MEMORIES, CHOICES)
    def test_it_ends_where_nothing_is_left_to_do(
        self, hooks: list[Hook], known: Known, choice: Choice | None
    ) -> None:
        model = Model(hooks, known)
        first = plan(SOUGHT, known, hooks, choice)
        model.apply(first)
        again = plan(SOUGHT, model.known, model.hooks, choice)
        if first.action == Action.CONFLICT:
            assert again == replace(first, first=())
        else:
            settled = (Action.NOOP, Action.NOTHING)
            assert again.action in settled and not (again.first or again.after)

    @given(REPOSITORIES, MEMORIES, CHOICES)
    def test_it_deletes_what_is_ours_or_was_named_and_nothing_else(
        self, hooks: list[Hook], known: Known, choice: Choice | None
    ) -> None:
        made = plan(SOUGHT, known, hooks, choice)
        for hook in made.after:
            assert hook.id == known.hook_id
            assert same_url(hook.url, known.hook_url or URL)
        for hook in made.first:
            assert choice is not None
            assert hook.id in choice.delete and same_url(hook.url, URL)
        if known.wanted:
            left = [hook for hook in hooks if hook not in (*made.first, *made.after)]
            assert made.action == Action.CREATE or any(same_url(hook.url, URL) for hook in left)

    @given(REPOSITORIES, MEMORIES)
    def test_it_never_makes_a_second_one(self, hooks: list[Hook], known: Known) -> None:
        made = plan(SOUGHT, known, hooks)
        if any(same_url(hook.url, URL) for hook in hooks):
            assert made.action != Action.CREATE
        if not known.wanted:
            assert made.action in (Action.DELETE, Action.NOTHING)

    @given(HOOKS, MEMORIES)
    def test_it_updates_what_is_amiss_and_nothing_else(self, hook: Hook, known: Known) -> None:
        made = plan(SOUGHT, replace(known, wanted=True), [hook])
        if made.hook is not None:
            assert (made.action == Action.UPDATE) == bool(amiss(SOUGHT, known, hook))
