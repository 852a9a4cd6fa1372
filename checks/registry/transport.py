"""One question to a registry, or to who speaks for it, over however many redirects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urljoin, urlsplit

from django.utils import timezone
from django.utils.translation import gettext as _

from checks.registry.access import Access
from checks.registry.errors import BadAnswer, Resting, Saved, Unavailable
from checks.registry.reference import DOCKER_HUB
from checks.registry.traffic import Surplus, shown
from dockrev import addresses, http

REDIRECTS = {301, 302, 303, 307, 308}
MAX_REDIRECTS = 5
LONGEST_URL = 8192  # signed addresses of storage have up to some two thousand characters
DAY = 86_400.0
_MISREAD = re.compile(r"[\x00-\x1f\x7f\\]")
TOO_MANY = "TOOMANYREQUESTS"  # the code of the OCI distribution specification


@dataclass(frozen=True)
class Question:
    """What to ask of a registry, or in its name of whom it sent us to."""

    access: Access
    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str = field(default="", repr=False)
    body: bytes | None = field(default=None, repr=False)
    max_bytes: int = 0


def ask(question: Question) -> http.Response:
    """Send it, following redirects; credentials go to the first origin alone, a body nowhere else.

    Raises Resting, Unavailable and BadAnswer; any other status is returned.
    """
    start = urlsplit(question.url)
    url = question.url
    for _hop in range(MAX_REDIRECTS + 1):
        here = urlsplit(url)
        with question.access.traffic.lane:
            # Who has waited for a lane hears of a rest that began meanwhile.
            _refuse_vain(question)
            answer = _send(question, url, authorized=origin(here) == origin(start))
            location = answer.headers.get("Location", "") if answer.status in REDIRECTS else ""
            if not location:
                _refuse_trouble(question.access, answer, here.netloc.rpartition("@")[2])
                return answer
        if question.body is not None:
            text = _("%(host)s redirects what is meant for it alone: not followed.")
            raise BadAnswer(text % {"host": here.hostname})
        url = _next(url, location)
    raise BadAnswer(_("%(host)s redirects without end.") % {"host": start.netloc})


def host_of(url: str) -> str:
    """The host of an absolute http or https URL; ValueError if it is none."""
    if len(url) > LONGEST_URL:
        raise ValueError("too long")
    parts = urlsplit(url)
    parts.port  # noqa: B018 - reading it is what finds a bad one
    if _MISREAD.search(url):
        raise ValueError(url)  # left out, or read in another way, by who connects
    name = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not name.isascii() or not 0 < len(name) < 254:
        raise ValueError(url)
    return name


def origin(parts: SplitResult) -> tuple[str, str | None, int]:
    """Scheme, host and port: what credentials belong to. ValueError where the port is none."""
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _send(question: Question, url: str, *, authorized: bool) -> http.Response:
    headers = dict(question.headers)
    if authorized and question.authorization:
        headers["Authorization"] = question.authorization
    base = question.access.base_url
    elsewhere = not url.startswith(f"{base}/") and host_of(url) != host_of(base)
    held = addresses.named_by(host_of(base)) if elsewhere else nullcontext()
    try:
        with held, question.access.traffic.asking(counted=_is_counted(question)):
            return http.request(
                question.method,
                url,
                headers=headers,
                body=question.body,
                trusted="" if elsewhere else question.access.authorities,
                timeout=question.access.timeout,
                max_bytes=question.max_bytes,
            )
    except Surplus:
        text = _(
            "%(host)s lets only a little more be asked: that is left for others, and it waits."
        )
        raise Saved(text % {"host": question.access.host}) from None
    except http.Unreachable as error:
        text = str(error)
        if isinstance(error, http.UnknownAuthority):
            text = f"{text} {_name_its_authority()}"
        question.access.traffic.trouble = text
        raise Unavailable(text) from None


def _name_its_authority() -> str:
    return _(
        "If a CA of your own signed it, add that CA's certificate in Settings, Registries, or as "
        "ca.crt in Docker's certs.d."
    )


def _next(url: str, location: str) -> str:
    """Where a redirect leads. Raises BadAnswer if one should not go there."""
    here = urlsplit(url)
    try:
        target = urljoin(url, location)
        host_of(target)
    except ValueError:
        text = _("%(host)s redirects to something that is no address.")
        raise BadAnswer(text % {"host": here.hostname}) from None
    if here.scheme == "https" and urlsplit(target).scheme == "http":
        text = _("%(host)s redirects from https to plain http.")
        raise BadAnswer(text % {"host": here.hostname})
    return target


def _refuse_vain(question: Question) -> None:
    """Ask nothing of a registry that rests, nor of one that has long not said a word."""
    access, traffic = question.access, question.access.traffic
    named = {"host": access.host}
    if traffic.is_silent:
        text = _("%(host)s is not asked again in this check: no answer came, time after time.")
        raise Unavailable(f"{traffic.trouble} {text % named}")
    if until := traffic.resting_until:
        traffic.has_rested = True
        text = _("%(host)s rests until %(time)s: nothing is asked of it before.")
        raise Resting(text % {**named, "time": shown(until)})


def _is_counted(question: Question) -> bool:
    """Whether it counts against a limit: to Docker Hub images that are read, to others all."""
    reads_image = question.method == "GET" and "/manifests/" in question.url
    return reads_image or question.access.host != DOCKER_HUB


def _refuse_trouble(access: Access, answer: http.Response, host: str) -> None:
    traffic = access.traffic
    named: dict[str, object] = {"host": host, "status": answer.status}
    too_many = answer.status == 429 or _says_too_many(answer)
    if too_many or answer.status == 503:
        wanted = _retry_after(answer.headers.get("Retry-After", ""))
        named["time"] = shown(traffic.rest(wanted, too_many=too_many))
        text = _("%(host)s rests until %(time)s: it cannot answer at the moment (%(status)d).")
        if too_many:
            text = _("%(host)s rests until %(time)s: it was asked too often (%(status)d).")
        traffic.trouble = text % named
        raise Resting(traffic.trouble)
    if answer.status == 408 or answer.status >= 500:
        traffic.trouble = _("%(host)s cannot answer at the moment (%(status)d).") % named
        raise Unavailable(traffic.trouble)
    traffic.answered(answer.headers)


def _says_too_many(answer: http.Response) -> bool:
    """Whether a refusal is one for the number of requests, whatever its status."""
    if answer.status < 400:
        return False
    try:
        errors = json.loads(answer.body)["errors"]
        return any(str(each["code"]).upper() == TOO_MANY for each in errors)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _retry_after(text: str) -> float | None:
    """Seconds, written as such or as the time when they are over."""
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), DAY)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        return None
    return max(0.0, min((until - timezone.now()).total_seconds(), DAY))
