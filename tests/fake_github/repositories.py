"""The routes about people, owners and repositories."""

from __future__ import annotations

from typing import Any

from tests.fake_github import shapes
from tests.fake_github.answers import Answer, Refusal, not_found, refusal
from tests.fake_github.calls import Call
from tests.fake_github.pages import answer, page_of
from tests.fake_github.state import Owner, Repository, Token


def user(call: Call) -> Answer:
    token = call.signed_in()
    owner = call.world.owner(token.login)
    assert owner
    return Answer(200, shapes.user(owner, call.base, private=shapes.reads_private(token)))


def of_organisation(call: Call) -> Answer:
    owner = call.owner("org")
    if owner.kind != "Organization":
        raise not_found()
    call.demand_sign_on(owner)
    found = [each for each in call.world.owned(owner) if call.sees(each)]
    return _list(call, found, f"/organizations/{owner.id}/repos")


def of_user(call: Call) -> Answer:
    """Only what is public, even to the owner; organisations have such a list too."""
    owner = call.owner("username")
    found = [each for each in call.world.owned(owner) if not each.private]
    return _list(call, found, f"/user/{owner.id}/repos")


def of_caller(call: Call) -> Answer:
    """All that the caller's person has a part in. What needs single sign-on is left out."""
    token = call.signed_in()
    if "type" in call.query and not {"visibility", "affiliation"}.isdisjoint(call.query):
        text = "If you specify visibility or affiliation, you cannot specify type."
        raise Refusal(refusal(422, text, errors=[]))
    mine = [each for each in call.world.repositories.values() if _has_part(call, token, each)]
    mine = [each for each in mine if _is_asked_for(call, token, each)]
    hidden = {each.owner.id for each in mine if each.owner.login.lower() in token.unauthorized}
    shown = [each for each in mine if each.owner.id not in hidden]
    reply = _list(call, shown, "/user/repos")
    if not hidden:
        return reply
    ids = ",".join(str(each) for each in sorted(hidden))
    sso = {"X-GitHub-SSO": f"partial-results; organizations={ids}"}
    return Answer(200, reply.json, {**reply.headers, **sso})


def one(call: Call) -> Answer:
    found = call.repository()
    return Answer(200, shapes.whole_repository(found, call.base, admin=call.is_admin(found)))


def rate_limit(call: Call) -> Answer:
    return Answer(200, shapes.rate(call.world.limit))


def meta(call: Call) -> Answer:
    return Answer(200, shapes.meta())


def _list(call: Call, found: list[Repository], at: str) -> Answer:
    found = sorted(found, key=_ORDERS[call.first("sort", "created")])
    if call.first("direction") == "desc":
        found.reverse()
    shown, headers = page_of(call, found, at)
    items: list[dict[str, Any]] = [
        shapes.repository(each, call.base, admin=call.is_admin(each)) for each in shown
    ]
    return answer(items, headers)


def _has_part(call: Call, token: Token, repository: Repository) -> bool:
    """Whether it is in the person's own list: theirs, or one they are admin or reader of."""
    return call.sees(repository) and (
        _is(repository.owner, token)
        or repository.owner.kind == "Organization"
        or token.login.lower() in (repository.admins or ())
        or token.login.lower() in (repository.readers or ())
    )


def _is_asked_for(call: Call, token: Token, repository: Repository) -> bool:
    wanted = call.first("affiliation", "owner,collaborator,organization_member").split(",")
    if _is(repository.owner, token):
        affiliation = "owner"
    elif repository.owner.kind == "Organization":
        affiliation = "organization_member"
    else:
        affiliation = "collaborator"
    visibility = call.first("visibility", "all")
    return affiliation in wanted and visibility in (
        "all",
        "private" if repository.private else "public",
    )


def _is(owner: Owner, token: Token) -> bool:
    return owner.login.lower() == token.login.lower()


_ORDERS = {
    "full_name": lambda each: each.full_name.lower(),
    **dict.fromkeys(["created", "updated", "pushed"], lambda each: each.id),
}
