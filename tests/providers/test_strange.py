"""What no registry should say or do, and what comes of it at each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dockrev.errors import CredentialRejected, UpstreamUnavailable
from integrations.hooks.errors import NotSeen, ProviderError, Refused, Unavailable
from integrations.hooks.provider import Access, Wanted
from integrations.hooks.providers import provider_of
from tests.certificates import Authority
from tests.fake_github.answers import Answer
from tests.hooks.doing import said
from tests.providers.cases import CASES, SECRET, TOKEN, USER, Case
from tests.providers.conftest import access_to, account_at, sync, track
from tests.servers import Asked, Reply, Starts, as_json

VALUES: list[Any] = [
    None,
    True,
    -1,
    1e400,
    [],
    {},
    [[]],
    "",
    "\x00",
    "‮",
    "x" * 5000,
    {"a": {"b": []}},
]


@pytest.mark.parametrize("kind", CASES, ids=[case.key for case in CASES])
class TestWords:
    def test_no_text_repeats_a_secret(self, serve: Starts, kind: type[Case]) -> None:
        case = kind()

        def answer(asked: Asked) -> Reply:
            """Repeat all that came, as some do in what they call an error."""
            if asked.method == "GET":
                return as_json(200, login="ada", version="1.24.0")
            return as_json(403, message=f"{asked.body.decode()} {asked.authorization} said no")

        server = serve(answer)
        provider = case.provider.open(Access(f"http://{server.address}", TOKEN, USER))
        wanted = Wanted(case.url(), SECRET, provider.events)
        with pytest.raises(Refused) as raised:
            provider.create(case.name_of(0), wanted)
        assert "said no" in str(raised.value)
        assert SECRET not in str(raised.value)
        assert TOKEN not in str(raised.value)
        coded = server.asked[-1].authorization.partition(" ")[2]
        assert coded not in str(raised.value)

    def test_nor_one_that_was_only_read_there(self, serve: Starts, kind: type[Case]) -> None:
        """A registry may name the address that it could not call in whatever it refuses."""
        case = kind()
        server = serve(lambda _asked: as_json(403, message=f"{case.url()} {SECRET} said no"))
        access = Access(f"http://{server.address}", TOKEN, USER, hidden=("", SECRET))
        with pytest.raises(Refused) as raised:
            case.provider.open(access).possible("", lambda _done, _of: None)
            case.provider.open(access).hooks(case.name_of(0))
        assert "said no" in str(raised.value)
        assert SECRET not in str(raised.value)

    def test_what_is_shown_of_it_tells_no_secret(self, kind: type[Case]) -> None:
        case = kind()
        access = Access("https://registry.example.com", TOKEN, USER)
        provider = case.provider.open(access)
        wanted = Wanted(case.url(), SECRET, provider.events)
        shown = f"{provider!r} {access!r} {wanted!r}"
        assert TOKEN not in shown
        assert SECRET not in shown

    @pytest.mark.parametrize("name", ["..", "acme/..", "acme//x", "", "/", "."])
    def test_it_asks_for_nothing_that_is_no_name(
        self, serve: Starts, kind: type[Case], name: str
    ) -> None:
        server = serve(lambda asked: as_json(200, login="ada"))
        case = kind()
        provider = case.provider.open(Access(f"http://{server.address}", TOKEN, USER))
        with pytest.raises(NotSeen):
            provider.hooks(name)
        assert {each.path.partition("?")[0] for each in server.asked} <= {"/api/v1/user"}


class TestAnswers:
    @pytest.fixture
    def shown(self, case: Case) -> list[dict[str, Any]]:
        """The hooks of a target, of which there is one, as the registry shows them."""
        [name] = case.names(1)
        case.add_hook(name, case.url())
        return self.list_of(case)

    @pytest.mark.parametrize("value", VALUES)
    def test_it_reads_any_hook_or_says_that_it_cannot(
        self, case: Case, shown: list[dict[str, Any]], value: object
    ) -> None:
        for member in [*shown[0], "config.url", "config.template"]:
            changed = json.loads(json.dumps(shown))
            place, _dot, rest = member.partition(".")
            if rest:
                changed[0][place] = {**changed[0].get(place, {}), rest: value}
            else:
                changed[0][place] = value
            self.read(case, changed)

    def test_it_reads_a_hook_without_this_or_that(
        self, case: Case, shown: list[dict[str, Any]]
    ) -> None:
        for member in shown[0]:
            self.read(
                case, [{name: v for name, v in each.items() if name != member} for each in shown]
            )

    def test_it_reads_no_list_of_something_else(self, case: Case, shown: list[Any]) -> None:
        strange: tuple[Any, ...] = (None, {}, "hooks", 7, [None], ["hook"], [[]], [{}] * 1001)
        for items in strange:
            with pytest.raises(Unavailable):
                self.hooks(case, items)

    def read(self, case: Case, items: Any) -> None:
        try:
            hooks = self.hooks(case, items)
        except ProviderError as error:
            assert isinstance(error, Unavailable)
            return
        for hook in hooks:
            assert hook.id
            assert hook.url.isprintable()
            assert all(event.isprintable() for event in hook.events)

    def hooks(self, case: Case, items: Any) -> Any:
        """What is read where the registry lists these."""
        respond = case.fake.respond

        def lie(asked: Any) -> Answer:
            answer = respond(asked)
            data = answer.json
            if isinstance(data, list):
                return Answer(200, items, answer.headers)
            return Answer(200, {"notifications": items}) if "notifications" in data else answer

        case.fake.respond = lie  # type: ignore[method-assign]  # says what it should not
        try:
            return case.provider.open(access_to(case)).hooks(case.name_of(0)).items
        finally:
            case.fake.respond = respond  # type: ignore[method-assign]  # as it was

    def list_of(self, case: Case) -> list[dict[str, Any]]:
        kept: list[Any] = []
        respond = case.fake.respond

        def note(asked: Any) -> Answer:
            answer = respond(asked)
            kept.append(answer.json)
            return answer

        case.fake.respond = note  # type: ignore[method-assign]  # listens
        case.provider.open(access_to(case)).hooks(case.name_of(0))
        case.fake.respond = respond  # type: ignore[method-assign]  # as it was
        lists = [data if isinstance(data, list) else data.get("notifications") for data in kept]
        return next(each for each in lists if each)


@pytest.fixture(params=CASES, ids=[case.key for case in CASES])
def signed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Case, Authority]]:
    """A registry whose certificate is signed by an authority that nobody knows."""
    case, authority = request.param(), Authority()
    case.fake.certificate = authority.sign_for("127.0.0.1", tmp_path)
    with case.fake:
        yield case, authority


@pytest.mark.parametrize("path", ["/", "/api/v0", "/api/v1/", "/api/v2.0"])
def test_the_address_may_have_the_path_of_the_api(case: Case, path: str) -> None:
    own = {"msr": "api/v0", "harbor": "api/v2.0"}.get(case.key, "api/v1")
    if path.strip("/") not in ("", own):
        pytest.skip("that is the path of another")
    access = Access(f"{case.fake.url}{path}", TOKEN, USER)
    assert case.provider.open(access).try_credential().login == USER


@pytest.mark.django_db
class TestAccounts:
    def test_it_trusts_the_authority_of_the_account(self, signed: tuple[Case, Authority]) -> None:
        case, authority = signed
        [name] = case.names(1)
        track(account_at(case, authorities=authority.pem), name)
        assert said(sync()) == {name: "created"}

    def test_it_trusts_no_other(self, signed: tuple[Case, Authority]) -> None:
        case, _authority = signed
        account_at(case, authorities=Authority("Another").pem)
        with pytest.raises(UpstreamUnavailable):
            sync()
        assert case.fake.asked == []

    def test_it_begins_nothing_with_a_credential_that_is_refused(self, case: Case) -> None:
        case.revoke()
        track(account_at(case), *case.names(1))
        with pytest.raises(CredentialRejected) as raised:
            sync()
        assert raised.value.details["reason"] == "pat_invalid"


def test_an_account_has_the_secrets_of_its_hooks_hidden(db: None, case: Case) -> None:
    account = account_at(case)
    assert SECRET in provider_of(account).access.hidden
    assert SECRET not in repr(provider_of(account).access)
