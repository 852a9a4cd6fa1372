"""What the fake GitHub says of things, in GitHub's shapes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.fake_github.state import Attempt, Hook, Limit, Owner, Repository, Token

Json = dict[str, Any]
JOINED = "2020-01-15T10:20:30Z"
MASK = "********"

_REPOSITORY_LINKS = [
    *("archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits"),
    *("compare", "contents", "contributors", "deployments", "downloads", "events", "forks"),
    *("git_commits", "git_refs", "git_tags", "hooks", "issue_comment", "issue_events", "issues"),
    *("keys", "labels", "languages", "merges", "milestones", "notifications", "pulls", "releases"),
    *("stargazers", "statuses", "subscribers", "subscription", "tags", "teams", "trees"),
]
_OWNER_LINKS = [
    *("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos"),
    *("events", "received_events"),
]


def as_time(moment: datetime) -> str:
    """GitHub's times have no fractions of a second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def owner(of: Owner, base: str) -> Json:
    return {
        "login": of.login,
        "id": of.id,
        "node_id": f"U_{of.id}",
        "avatar_url": f"https://avatars.example/u/{of.id}",
        "gravatar_id": "",
        "url": f"{base}/users/{of.login}",
        "html_url": f"https://github.com/{of.login}",
        "type": of.kind,
        "user_view_type": "public",
        "site_admin": False,
        **{f"{name}_url": f"{base}/users/{of.login}/{name}" for name in _OWNER_LINKS},
    }


def user(of: Owner, base: str, *, private: bool) -> Json:
    """Who the token is. `private` members are told only to tokens that may read them."""
    told = {
        **owner(of, base),
        **dict.fromkeys(["name", "company", "location", "email", "hireable", "bio"]),
        "blog": "",
        "public_repos": 2,
        "public_gists": 1,
        "followers": 0,
        "following": 0,
        "created_at": JOINED,
        "updated_at": JOINED,
    }
    if private:
        told |= {
            "private_gists": 0,
            "total_private_repos": 1,
            "owned_private_repos": 1,
            "disk_usage": 1,
            "collaborators": 0,
            "two_factor_authentication": True,
        }
    return told


def repository(of: Repository, base: str, *, admin: bool) -> Json:
    url = f"{base}/repos/{of.full_name}"
    return {
        "id": of.id,
        "node_id": f"R_{of.id}",
        "name": of.name,
        "full_name": of.full_name,
        "private": of.private,
        "visibility": "private" if of.private else "public",
        "owner": owner(of.owner, base),
        "html_url": f"https://github.com/{of.full_name}",
        "description": None,
        "fork": False,
        "url": url,
        **{f"{name}_url": f"{url}/{name}" for name in _REPOSITORY_LINKS},
        "archived": of.archived,
        "disabled": of.disabled,
        "default_branch": "main",
        "created_at": as_time(of.created_at),
        "updated_at": as_time(of.created_at),
        "pushed_at": as_time(of.created_at),
        "git_url": f"git://github.com/{of.full_name}.git",
        "mirror_url": None,
        "clone_url": f"https://github.com/{of.full_name}.git",
        "ssh_url": f"git@github.com:{of.full_name}.git",
        "svn_url": f"https://github.com/{of.full_name}",
        **_REPOSITORY_DETAILS,
        "permissions": dict.fromkeys(("admin", "maintain", "push", "triage"), admin)
        | {"pull": True},
    }


def whole_repository(of: Repository, base: str, *, admin: bool) -> Json:
    """One alone is told more of than one of a list."""
    return {
        **repository(of, base, admin=admin),
        "network_count": 0,
        "subscribers_count": 1,
        "has_discussions": False,
        "git_url": f"git://github.com/{of.full_name}.git",
        "mirror_url": None,
    }


def hook(of: Hook, base: str) -> Json:
    assert isinstance(of.at, Repository)
    url = f"{base}/repos/{of.at.full_name}/hooks/{of.id}"
    config = {"content_type": of.content_type, "insecure_ssl": of.insecure_ssl, "url": of.url}
    if of.secret:
        config["secret"] = MASK
    return {
        "type": "Repository",
        "id": of.id,
        "name": "web",
        "active": of.active,
        "events": list(of.events),
        "config": config,
        "updated_at": as_time(of.updated_at),
        "created_at": as_time(of.created_at),
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": dict(of.last_response),
    }


def delivery(of: Attempt) -> Json:
    return {
        "id": of.id,
        "guid": of.guid,
        "delivered_at": as_time(of.delivered_at),
        "redelivery": of.redelivery,
        "duration": of.duration,
        "status": of.status,
        "status_code": of.status_code,
        "event": of.event,
        "action": of.payload.get("action"),
        "installation_id": None,
        "repository_id": of.repository_id,
        "throttled_at": as_time(of.throttled_at) if of.throttled_at else None,
    }


def whole_delivery(of: Attempt) -> Json:
    return {
        **delivery(of),
        "url": of.url,
        "request": {"headers": of.request_headers, "payload": of.payload},
        "response": {"headers": of.response_headers, "payload": of.response_payload},
    }


def ping(of: Hook, base: str, sender: Owner) -> Json:
    """The body of a ping."""
    at = of.at
    return {
        "zen": "Keep it logically awesome.",
        "hook_id": of.id,
        **(
            {
                "hook": hook(of, base),
                "repository": repository(at, base, admin=True),
            }
            if isinstance(at, Repository)
            else {"organization": owner(at, base)}
        ),
        "sender": owner(sender, base),
    }


def rate(of: Limit) -> Json:
    reset = int(of.reset.timestamp())
    core = {"limit": of.limit, "remaining": of.remaining, "reset": reset, "used": of.used}
    resources = dict.fromkeys(("core", "search", "graphql"), core)
    return {"resources": resources, "rate": core}


def meta() -> Json:
    return {
        "verifiable_password_authentication": False,
        "hooks": ["192.30.252.0/22", "185.199.108.0/22", "140.82.112.0/20", "2a0a:a440::/29"],
        "web": ["192.30.252.0/22"],
        "api": ["192.30.252.0/22"],
    }


def reads_private(token: Token) -> bool:
    return token.scopes is None or not {"user", "read:user"}.isdisjoint(token.scopes)


_REPOSITORY_DETAILS: Json = {
    "size": 108,
    "stargazers_count": 0,
    "watchers_count": 0,
    "watchers": 0,
    "forks": 0,
    "forks_count": 0,
    "open_issues": 0,
    "open_issues_count": 0,
    "language": None,
    "has_issues": True,
    "has_projects": True,
    "has_wiki": True,
    "has_pages": False,
    "has_downloads": True,
    "homepage": None,
    "license": None,
    "is_template": False,
    "topics": [],
    "allow_forking": True,
    "web_commit_signoff_required": False,
}
