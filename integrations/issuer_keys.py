"""Job `receivers.keys`: Google's keys, by which its tokens are checked.

They are kept with each receiver that wants tokens, so that a call is judged without asking anybody.
Google says for how long they hold; new ones are there well before they are used. Should one be
unknown all the same, the call is refused, and the keys are fetched again: seldom, since that is a
stranger's word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from checks import queue
from checks.kinds import JobKind, Outcome
from checks.models import Job
from checks.run import Run
from checks.tasks import JobFailed
from dockrev import http
from integrations.models import Receiver
from integrations.receivers.gar import AUDIENCE, KEYS, GoogleArtifactRegistry
from integrations.receivers.oidc import readable_keys

MAX_BYTES = 64 * 1024
SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=1)
PAUSE = timedelta(minutes=5)  # between two times that calls have them fetched again
_FRESH_UNTIL = "freshUntil"
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,9})(?:$|[,\s])")


def refresh(run: Run) -> Outcome:
    try:
        answer = http.request("GET", settings.GOOGLE_KEYS_URL, max_bytes=MAX_BYTES)
    except http.Unreachable as error:
        raise JobFailed(str(error)) from None
    if answer.status != 200:
        raise JobFailed(_("Google answered %(status)d.") % {"status": answer.status})
    try:
        keys = readable_keys(answer.body)
    except ValueError:
        raise JobFailed(_("What Google answered holds no keys.")) from None
    fresh_until = timezone.now() + _lifetime(answer.headers.get("Cache-Control", ""))
    learned = {KEYS: keys, _FRESH_UNTIL: fresh_until.isoformat()}
    return Outcome({"keys": len(keys)}, write=partial(_keep, learned), quiet=True)


KIND = JobKind("receivers.keys", cluster="quick", repeatable=True, run=refresh)


def enqueue_scheduled() -> None:
    """Queue a run if a receiver wants tokens, and its keys are missing or were kept long enough."""
    now = timezone.now()
    wanting = Receiver.objects.filter(kind=GoogleArtifactRegistry.kind, enabled=True)
    rows = wanting.values_list("options", "learned")
    if any(options.get(AUDIENCE) and not _is_fresh(learned, now) for options, learned in rows):
        queue.enqueue(queue.Request(kind=KIND.name, reason=Job.Reason.SCHEDULE))


def ask_again(now: datetime) -> None:
    """Have them fetched because a call named a key that is not among them. In a transaction."""
    request = queue.Request(kind=KIND.name, reason=Job.Reason.WEBHOOK, by_delivery=True)
    queue.enqueue_after_last([request], PAUSE, now=now)


def _keep(learned: Mapping[str, object], job: Job) -> None:
    Receiver.objects.filter(kind=GoogleArtifactRegistry.kind).update(learned=learned)


def _is_fresh(learned: dict[str, str], now: datetime) -> bool:
    until = parse_datetime(learned.get(_FRESH_UNTIL, ""))
    return until is not None and until > now


def _lifetime(cache_control: str) -> timedelta:
    found = _MAX_AGE.search(cache_control)
    said = timedelta(seconds=int(found[1])) if found else SHORTEST
    return min(max(said, SHORTEST), LONGEST)
