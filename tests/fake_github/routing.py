"""From a request to its answer: the route, who asks, how often, and what all answers have."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.fake_github import hooks, repositories
from tests.fake_github.answers import Answer, Refusal, refusal
from tests.fake_github.calls import Call
from tests.fake_github.description import answer_problems, request_problems
from tests.fake_github.state import Token, World

API_VERSIONS = ("2022-11-28", "2026-03-10")
ACCEPTED_OF_HOOKS = "admin:repo_hook, public_repo, repo, write:repo_hook"
HOOKS = "/repos/{owner}/{repo}/hooks"
HOOK = HOOKS + "/{hook_id}"
ROUTES: dict[tuple[str, str], Callable[[Call], Answer]] = {
    ("GET", "/user"): repositories.user,
    ("GET", "/user/repos"): repositories.of_caller,
    ("GET", "/orgs/{org}/repos"): repositories.of_organisation,
    ("GET", "/users/{username}/repos"): repositories.of_user,
    ("GET", "/repos/{owner}/{repo}"): repositories.one,
    ("GET", HOOKS): hooks.every,
    ("POST", HOOKS): hooks.create,
    ("GET", HOOK): hooks.one,
    ("PATCH", HOOK): hooks.change,
    ("DELETE", HOOK): hooks.delete,
    ("POST", f"{HOOK}/pings"): hooks.ping,
    ("GET", f"{HOOK}/deliveries"): hooks.deliveries,
    ("GET", f"{HOOK}/deliveries/{{delivery_id}}"): hooks.delivery,
    ("POST", f"{HOOK}/deliveries/{{delivery_id}}/attempts"): hooks.redeliver,
    ("GET", "/rate_limit"): repositories.rate_limit,
    ("GET", "/meta"): repositories.meta,
}
_PATTERNS = {
    route: re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route)) for _, route in ROUTES
}
# Link headers lead to addresses with the id of an owner or a repository.
_BY_ID = re.compile(r"/(repositories|organizations|user)/(\d+)(/.*)?")

Violate = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """A request; header names are in lower case, `path` is without `prefix`."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str] = field(repr=False)
    body: bytes
    base: str
    prefix: str


def respond(world: World, asked: Asked, now: datetime, violate: Violate) -> Answer:
    """Do what is asked, and say what of the request and the answer GitHub does not describe."""
    found = _find(world, asked)
    if found is None:
        violate(f"{asked.method} {asked.path}: no such route is described")
        return finished(world, asked, refusal(404, "Not Found"), now)
    route, braces = found
    where = f"{asked.method} {asked.path}"
    for each in request_problems(route, asked.method, braces, asked.query, asked.body):
        violate(f"{where}, request: {each}")
    call = Call(
        world,
        asked.method,
        route,
        asked.path,
        asked.base,
        braces,
        asked.query,
        asked.body,
        None,
        now,
    )
    answer = finished(world, asked, _act(call, asked), now)
    for each in answer_problems(route, asked.method, answer.status, answer.json):
        violate(f"{where}, answer {answer.status}: {each}")
    return answer


def finished(world: World, asked: Asked, answer: Answer, now: datetime) -> Answer:
    """Add what all answers have, and count it."""
    headers = {"X-GitHub-Media-Type": "github.v3; format=json", "Server": "github.com"}
    token = _known(world, asked, now)
    if token is not None:
        headers |= _of_token(token, asked.path)
    tag = _tag(answer)
    if asked.method == "GET" and answer.status == 200 and not answer.text:
        headers |= {"ETag": tag, "Cache-Control": "private, max-age=60, s-maxage=60"}
        if asked.headers.get("if-none-match") == tag:
            answer = replace(answer, status=304, json=None)
    if answer.status not in (304, 401) and asked.path != "/rate_limit":
        world.limit.used += 1
    return replace(answer, headers={**headers, **world.limit.headers(), **answer.headers})


def _find(world: World, asked: Asked) -> tuple[str, dict[str, str]] | None:
    path = _by_name(world, asked.path)
    for method, route in ROUTES:
        match = _PATTERNS[route].fullmatch(path)
        if match and method == asked.method:
            return route, match.groupdict()
    return None


def _by_name(world: World, path: str) -> str:
    match = _BY_ID.fullmatch(path)
    if match is None:
        return path
    kind, number, rest = match[1], int(match[2]), match[3] or ""
    if kind == "repositories":
        names = [each.full_name for each in world.repositories.values() if each.id == number]
        return f"/repos/{names[0]}{rest}" if names else path
    names = [each.login for each in world.owners.values() if each.id == number]
    return f"/{'orgs' if kind == 'organizations' else 'users'}/{names[0]}{rest}" if names else path


def _act(call: Call, asked: Asked) -> Answer:
    try:
        for refused in _refusals(call.world, asked, call.now):
            return refused
        call.token = _known(call.world, asked, call.now)
        return ROUTES[call.method, call.route](call)
    except Refusal as refused_by_route:
        return refused_by_route.answer


def _refusals(world: World, asked: Asked, now: datetime) -> Iterator[Answer]:
    """What is refused on every route, in GitHub's order."""
    if not asked.headers.get("user-agent"):
        yield refusal(403, "Request forbidden by administrative rules. Add a User-Agent header.")
    version = asked.headers.get("x-github-api-version", API_VERSIONS[0])
    if version not in API_VERSIONS:
        yield refusal(400, f"{version} is not a supported version of the REST API.")
    if asked.headers.get("authorization") and _known(world, asked, now) is None:
        yield refusal(401, "Bad credentials")
    world.limit.begin_again_if_over(now)
    if not world.limit.remaining and asked.path != "/rate_limit":
        yield refusal(403, "API rate limit exceeded for user ID 1.")


def _known(world: World, asked: Asked, now: datetime) -> Token | None:
    scheme, _, value = asked.headers.get("authorization", "").partition(" ")
    token = world.tokens.get(value)
    if scheme.lower() not in ("bearer", "token") or token is None or token.revoked:
        return None
    return None if token.expires_at and token.expires_at <= now else token


def _of_token(token: Token, path: str) -> dict[str, str]:
    told = {}
    if token.scopes is not None:
        told["X-OAuth-Scopes"] = ", ".join(token.scopes)
        told["X-Accepted-OAuth-Scopes"] = ACCEPTED_OF_HOOKS if "/hooks" in path else "repo"
    if token.expires_at:
        expires = token.expires_at.strftime("%Y-%m-%d %H:%M:%S UTC")
        told["github-authentication-token-expiration"] = expires
    return told


def _tag(answer: Answer) -> str:
    seen = json.dumps([answer.json, dict(answer.headers)], sort_keys=True)
    return f'W/"{hashlib.sha256(seen.encode()).hexdigest()}"'
