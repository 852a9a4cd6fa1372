"""Docker Hub: the webhooks of a repository.

Followed: "Webhooks" in Docker's documentation, and of 2024 and before also its part on validating
callbacks, which Docker has taken out since: the address is a legacy field there. Docker Hub signs
nothing, so the address that it calls is the secret, and nothing in a body is proven.
"""

from __future__ import annotations

import json
import math
import re
from datetime import timedelta
from hashlib import sha256
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from checks.registry.reference import is_repository, is_tag
from integrations.receivers.base import (
    Example,
    ImageEvent,
    Incoming,
    NotAnObject,
    Option,
    Reading,
    Setup,
    Verdict,
    json_object,
    member,
    text,
)
from integrations.receivers.images import are_beside
from integrations.receivers.shared_secret import ByPathToken

# What a push may be of, where it says so. Charts, plugins and the rest come by the same hook.
IMAGES = (
    "application/vnd.docker.container.image.",
    "application/vnd.docker.distribution.manifest.",
    "application/vnd.oci.image.",
)
# One push comes several times; where it has no time of its own, the next one looks alike.
SAME_WITHOUT_TIME = timedelta(minutes=1)
MAX_URL = 600
CALLBACK, CALLBACK_FAILURE = "callback", "callbackFailure"


class DockerHub(ByPathToken):
    kind: ClassVar[str] = "docker-hub"
    label: ClassVar[str] = "Docker Hub"
    proof: ClassVar[str | Promise] = _("the token at the end of the URL: Docker Hub signs nothing")
    registry_host: ClassVar[str] = "docker.io"
    docs: ClassVar[str] = "docker-hub.md"
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            CALLBACK,
            _("Answer callbacks"),
            _(
                "Tell the address that a payload names what came of it. Docker has given this up: "
                "its addresses answer 404, and then Dockrev stops trying."
            ),
        ),
        Option(
            CALLBACK_FAILURE,
            _("Report a failure where no service runs the image"),
            _("Else that is a success, too. Only where callbacks are answered."),
        ),
    )
    steps = (
        _("On Docker Hub, open the repository, then Webhooks."),
        _("Webhook name: Dockrev. Webhook URL: {url}"),
        _("Press Create. Whoever knows this URL can call it: treat it like a password."),
        _("Do the same in each repository; Docker Hub has no webhook for all of them."),
        _("Docker Hub sends no test: push a tag, or send a test payload from here."),
    )

    def read(self, incoming: Incoming, setup: Setup) -> Reading:
        try:
            body = json_object(incoming.body)
        except NotAnObject:
            return Reading(Verdict.INVALID_JSON, sha256(incoming.body).hexdigest())
        name, tag = _name(member(body, "repository")), _tag(body)
        pushed_at = _moment(member(body, "push_data", "pushed_at"))
        identity = [name, tag, pushed_at] if name else sha256(incoming.body).hexdigest()
        known: dict[str, Any] = {
            "dedupe_key": sha256(json.dumps(identity).encode()).hexdigest(),
            "same_for": None if pushed_at else SAME_WITHOUT_TIME,
            "event": "push",
            "repository": name,
            "callback_url": _callback_url(body),
        }
        if not name or (tag and not is_tag(tag)):
            return Reading(Verdict.INVALID_PAYLOAD, **known)
        known["images"] = images = (ImageEvent(setup.registry_host, name, tag),)
        media_type = text(body, "push_data", "media_type")
        if (media_type and not media_type.startswith(IMAGES)) or are_beside(images):
            return Reading(Verdict.NOT_RELEVANT, **known)
        return Reading(Verdict.IMAGES, **known)

    def examples(self, nonce: str) -> tuple[Example, ...]:
        # Without the `callback_url` that real ones have: nothing at Docker Hub waits for these.
        push = _example("acme/api", "1.2.0", nonce)
        chart = _example("acme/chart", "1.2.0", nonce)
        chart["push_data"]["media_type"] = "application/vnd.cncf.helm.config.v1+json"
        return (
            Example(_("An image was pushed"), push),
            Example(_("An official image was pushed"), _example("busybox", "1.36", nonce)),
            Example(_("A chart was pushed"), chart, "ignored", Verdict.NOT_RELEVANT.value),
        )


def proven_callback(url: str, repository: str) -> bool:
    """Whether an address from outside is, to the letter, one where Docker Hub asked to be told
    about this repository. Only then may it be called, and only at a global address."""
    namespace, _slash, name = repository.partition("/")
    paths = [f"/u/{namespace}/{name}/hook/"]
    if namespace == "library":
        paths.append(f"/_/{name}/hook/")
    return any(
        re.fullmatch(
            rf"https://(?:registry\.hub|hub)\.docker\.com(?::443)?{re.escape(path)}[0-9a-z]{{8,64}}/",
            url,
        )
        for path in paths
    )


def _name(repository: Any) -> str:
    """`namespace/name` of the repository; empty where nothing names one that could be there."""
    name = text(repository, "repo_name", limit=255)
    if not name:
        own = text(repository, "name", limit=255)
        owner = text(repository, "namespace", limit=255) or text(repository, "owner", limit=255)
        name = f"{owner}/{own}" if owner and own else own
    if "/" not in name:
        name = f"library/{name}"
    return name if is_repository(name) and name.count("/") == 1 else ""


def _tag(body: Any) -> str:
    """The tag as it is written; empty where there is none, as in bodies of old."""
    value = member(body, "push_data", "tag")
    return value[:200] if isinstance(value, str) else ""


def _moment(value: Any) -> str:
    """One spelling of a time, which comes as an integer, a float or a string of either."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return str(value)[:60]
    return f"{seconds:.6f}" if math.isfinite(seconds) else ""


def _callback_url(body: Any) -> str:
    """As it is written, down to its blanks: it is judged so."""
    url = member(body, "callback_url")
    return url if isinstance(url, str) and len(url) <= MAX_URL else ""


def _example(repo_name: str, tag: str, nonce: str) -> dict[str, Any]:
    namespace, _slash, name = repo_name.rpartition("/")
    return {
        "push_data": {"pushed_at": _number(nonce), "pusher": "ada", "tag": tag},
        "repository": {
            "comment_count": 0,
            "date_created": 1690000000,
            "description": "",
            "is_official": not namespace,
            "is_private": False,
            "is_trusted": False,
            "name": name,
            "namespace": namespace or "library",
            "owner": namespace or "library",
            "repo_name": repo_name,
            "repo_url": f"https://hub.docker.com/r/{repo_name}",
            "star_count": 0,
            "status": "Active",
        },
    }


def _number(nonce: str) -> int:
    return int(sha256(nonce.encode()).hexdigest()[:10], 16)
