"""What GitHub does when it does not do what it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from tests.fake_github.answers import Answer, refusal

HTML = "<!DOCTYPE html><html><body><h1>Whoa there!</h1><p>This page is taking too long</p></body>"

# How the connection fares, where it is not the answer that is wrong.
TIMEOUT = "timeout"  # nothing is said until the client goes away or the test is over
CUT = "cut"  # the connection is closed without a word
SHORT = "short"  # it is closed in the middle of the body
TRUNCATED = "truncated"  # half of the JSON, properly sent
CONNECTION = (TIMEOUT, CUT, SHORT, TRUNCATED)
SILENT = (TIMEOUT, CUT)

Kind = int | str


@dataclass
class Fault:
    """Meets the next `times` requests of that method ("*": any) and path (as in fnmatch).

    `done`: what was asked is done all the same, only the answer is lost.
    """

    method: str
    path: str
    kind: Kind
    times: int
    done: bool = False
    retry_in: int = 60
    met: int = field(default=0, init=False)

    def meets(self, method: str, path: str) -> bool:
        return (
            self.met < self.times
            and self.method in ("*", method)
            and fnmatchcase(path.lower(), self.path.lower())
        )

    @property
    def of_connection(self) -> bool:
        return self.kind in CONNECTION

    @property
    def lets_it_be_done(self) -> bool:
        return self.done or self.kind in (SHORT, TRUNCATED)

    def answer(self, now: datetime, base: str) -> Answer:
        """The answer in place of the true one."""
        if self.kind == "html":
            return Answer(200, text=HTML)
        if self.kind == "rate_limit":
            reset = str(int(now.timestamp()) + self.retry_in)
            limits = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
            return refusal(403, "API rate limit exceeded for user ID 1.", headers=limits)
        if self.kind in ("secondary_limit", 429):
            return refusal(
                429 if self.kind == 429 else 403,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you"
                " try again.",
                headers={"Retry-After": str(self.retry_in)},
            )
        if self.kind == "sso":
            return refusal(403, SSO_TEXT, headers=sso_headers("acme", base))
        assert isinstance(self.kind, int), f"unknown fault {self.kind}"
        if self.kind in (502, 503, 504):
            return Answer(self.kind, text=HTML)
        return refusal(self.kind, _TEXTS.get(self.kind, "Something went wrong"))


SSO_TEXT = (
    "Resource protected by organization SAML enforcement. You must grant your Personal Access"
    " token access to this organization."
)


def sso_headers(owner: str, base: str) -> dict[str, str]:
    """The page is on the site that the API at `base` belongs to."""
    host = urlsplit(base).hostname
    url = f"https://{host}/orgs/{owner}/sso?authorization_request=AAAA1234"
    return {"X-GitHub-SSO": f"required; url={url}"}


_TEXTS: dict[Any, str] = {
    401: "Bad credentials",
    403: "Resource not accessible by personal access token",
    404: "Not Found",
    422: "Validation Failed",
    500: "Server Error",
}
