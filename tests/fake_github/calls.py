"""One request as the routes see it, and who may do what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from tests.fake_github.answers import DOCS, Answer, Refusal, not_found, refusal
from tests.fake_github.faults import SSO_TEXT, sso_headers
from tests.fake_github.state import Hook, Owner, Repository, Token, World

MOST_PER_PAGE = 100
PER_PAGE = 30
# The name of the right in the header that says what would have done.
ACCEPTED = {"read": "repository_hooks=read", "write": "repository_hooks=write"}


@dataclass
class Call:
    """`base` is what every address in the answer begins with, `path` the braces of `route`."""

    world: World
    method: str
    route: str
    asked_path: str
    base: str
    path: dict[str, str]
    query: dict[str, list[str]]
    body: bytes
    token: Token | None
    now: datetime

    def first(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def number(self, name: str, default: int) -> int:
        text = self.first(name)
        return int(text) if text.isdecimal() and int(text) > 0 else default

    @property
    def per_page(self) -> int:
        return min(self.number("per_page", PER_PAGE), MOST_PER_PAGE)

    def json(self) -> dict[str, Any]:
        """The body, which has to be an object."""
        try:
            given = json.loads(self.body or b"{}")
        except ValueError:
            raise Refusal(refusal(400, "Problems parsing JSON")) from None
        if not isinstance(given, dict):
            raise Refusal(refusal(400, "Body should be a JSON object"))
        return given

    def signed_in(self) -> Token:
        if self.token is None:
            raise Refusal(refusal(401, "Requires authentication"))
        return self.token

    def owner(self, name: str) -> Owner:
        owner = self.world.owner(self.path[name])
        if owner is None:
            raise not_found()
        return owner

    def repository(self) -> Repository:
        """The repository of the path, where the caller may see it."""
        full_name = f"{self.path['owner']}/{self.path['repo']}"
        found = self.world.repository(full_name)
        moved = self.world.renamed.get(full_name.lower())
        if found is None and moved:
            self._lead_to(moved)
        if found is None or not self.sees(found):
            raise not_found()
        self.demand_sign_on(found.owner)
        return found

    def sees(self, repository: Repository) -> bool:
        if not repository.private:
            return True
        token = self.token
        if token is None or not _within(repository.readers, token.login):
            return False
        if token.scopes is None:
            return _within(token.repositories, repository.full_name)
        return "repo" in token.scopes or (
            "/hooks" in self.route and token.may("read", public=False)
        )

    def is_admin(self, repository: Repository) -> bool:
        return self.token is not None and _within(repository.admins, self.token.login)

    def demand_sign_on(self, owner: Owner) -> None:
        if self.token and owner.login.lower() in self.token.unauthorized:
            raise Refusal(refusal(403, SSO_TEXT, headers=sso_headers(owner.login, self.base)))

    def hooks_of(self, right: str) -> Repository:
        """The repository of the path, where the caller has that right to its hooks."""
        repository = self.repository()
        token = self.token
        if token is None or not self.is_admin(repository):
            raise not_found()
        if token.scopes is None:
            self._demand_permission(token, repository, right)
        elif not token.may(right, public=not repository.private):
            raise not_found()
        if repository.disabled:
            raise Refusal(refusal(403, "Repository access blocked"))
        if repository.archived and self.method != "GET":
            raise Refusal(refusal(403, "Repository was archived so is read-only."))
        return repository

    def hook(self, right: str) -> Hook:
        repository = self.hooks_of(right)
        wanted = self.path["hook_id"]
        found = next((each for each in repository.hooks if str(each.id) == wanted), None)
        if found is None:
            raise not_found()
        return found

    def _lead_to(self, moved: Repository) -> NoReturn:
        old = f"/repos/{self.path['owner']}/{self.path['repo']}"
        url = f"{self.base}/repositories/{moved.id}{self.asked_path.removeprefix(old)}"
        status, text = (
            (301, "Moved Permanently") if self.method == "GET" else (307, "Temporary Redirect")
        )
        body = {"message": text, "url": url, "documentation_url": DOCS}
        raise Refusal(Answer(status, body, {"Location": url}))

    @staticmethod
    def _demand_permission(token: Token, repository: Repository, right: str) -> None:
        if not _within(token.repositories, repository.full_name):
            raise not_found()
        right = "read" if right == "read" else "write"
        if not token.may(right, public=not repository.private):
            headers = {"X-Accepted-GitHub-Permissions": ACCEPTED[right]}
            text = "Resource not accessible by personal access token"
            raise Refusal(refusal(403, text, headers=headers))


def _within(names: frozenset[str] | None, name: str) -> bool:
    return names is None or name.lower() in names
