"""Web Push: every browser that subscribed to the channel, each at the push service of its vendor.

Followed: RFC 8030 (the request), RFC 8291 (the encryption), RFC 8292 (who sends).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from notifications import push_keys, push_parcels, push_sending
from notifications.channels.base import Message, OwedToSome, PartlyTaken, SendError, Transport
from notifications.push_keys import BadKey
from notifications.push_models import PushSubscription
from notifications.push_sending import Came, Outcome, Tried

KIND = "webpush"
MAX_KEY = 1000  # also pasted as JSON
# Who could not be reached for so long holds up no message that others took.
PATIENCE = timedelta(days=3)
_SUBJECT = re.compile(r"mailto:[^\s<>@,]+@[^\s<>@,]+|https://[^\s<>\"\\]+")


class WebPushForm(forms.Form):
    vapidPublicKey = forms.CharField(
        label=gettext_lazy("Public key"),
        required=False,
        max_length=MAX_KEY,
        help_text=gettext_lazy(
            "Leave both keys empty, and Dockrev makes them. What `web-push generate-vapid-keys "
            "--json` prints can be pasted here whole. With other keys every browser has to "
            "subscribe again."
        ),
    )
    vapidPrivateKey = forms.CharField(
        label=gettext_lazy("Private key"), required=False, max_length=MAX_KEY
    )
    subject = forms.CharField(
        label=gettext_lazy("Contact"),
        required=False,
        max_length=300,
        help_text=gettext_lazy(
            "Whom a push service may turn to: mailto: or https:. Empty: the public address."
        ),
    )

    def clean_subject(self) -> str:
        subject: str = self.cleaned_data["subject"]
        if subject and not _SUBJECT.fullmatch(subject):
            raise forms.ValidationError(
                _("This must be a mailto: address, or begin with https://.")
            )
        return subject

    def clean(self) -> None:
        public = self.cleaned_data.get("vapidPublicKey", "")
        private = self.cleaned_data.get("vapidPrivateKey", "")
        if self.errors:
            return
        try:
            pair = push_keys.pasted(public) or push_keys.pasted(private)
            public, private = pair or (public, private)
        except BadKey as error:
            self.add_error("vapidPublicKey", str(error))
            return
        if not public and not private:
            public, private = push_keys.generated()
        self._set(public, private)

    def _set(self, public: str, private: str) -> None:
        """Keep a pair that belongs together; a private key alone says which its public one is."""
        try:
            made = push_keys.belonging(private)
        except BadKey as error:
            words = str(error) if private else _("Enter the private key, too.")
            self.add_error("vapidPrivateKey", words)
            return
        if public and public.rstrip("=") != made.public:
            self.add_error("vapidPublicKey", _("These two keys do not belong together."))
            return
        self.cleaned_data["vapidPublicKey"], self.cleaned_data["vapidPrivateKey"] = made


class WebPush(Transport):
    kind: ClassVar[str] = KIND
    label: ClassVar[str] = "Web Push"
    about: ClassVar[str | Promise] = gettext_lazy(
        "Shows each message in the browsers and on the phones that were switched on for it."
    )
    docs: ClassVar[str] = "web-push.md"
    form: ClassVar[type[forms.Form]] = WebPushForm
    secret_fields: ClassVar[frozenset[str]] = frozenset({"vapidPrivateKey"})
    address: ClassVar[str] = ""  # each browser has its own
    seldom: ClassVar[frozenset[str]] = frozenset({"vapidPublicKey", "vapidPrivateKey", "subject"})
    panel: ClassVar[str] = "notifications/push_panel.html"

    def send(self, message: Message) -> int | None:
        sender = push_parcels.sender(self.config)
        subscribed = PushSubscription.objects.filter(channel_id=self.channel_id)
        rows = list(subscribed.filter(server_key=sender.public).of_people_here())
        if not rows:
            raise SendError(
                _(
                    "No browser is subscribed. Open Dockrev in one, and switch messages on in "
                    "Settings, This browser."
                ),
                final=True,
            )
        # Who had it in an earlier try is left out. All had it where somebody sends it again, or
        # where we died before that was noted: a browser shows the same once, silently renewed.
        owed = [row for row in rows if message.id not in row.taken] or rows
        # Those that did not answer before come last: there is time for a few, and anybody may
        # subscribe many that never do.
        owed.sort(key=lambda row: row.failing_since is not None)
        tried = push_sending.send(owed, message, sender)
        _raise_for(tried, had=len(rows) - len(owed))
        return next((came.status for _row, came in tried if came.came is Came.TAKEN), None)


def _raise_for(tried: Sequence[Tried], *, had: int) -> None:
    """Raise OwedToSome where somebody is still owed the message, SendError where nobody took it;
    PartlyTaken where who did not take it never will."""
    outcomes = [outcome for _row, outcome in tried]
    took = had + sum(outcome.came is Came.TAKEN for outcome in outcomes)
    given_up = timezone.now() - PATIENCE
    later = [
        outcome
        for row, outcome in tried
        if outcome.came is Came.LATER
        and not (took and row.failing_since and row.failing_since < given_up)
    ]
    if later:
        # Anybody may subscribe a browser whose service says "tomorrow": it speaks for no other.
        pause = min(outcome.retry_after or timedelta() for outcome in later) or None
        kind = OwedToSome if took else SendError
        raise kind(_words(later), status=later[-1].status, retry_after=pause)
    refused = [each for each in outcomes if each.came in (Came.REFUSED, Came.LATER)]
    if took and refused:
        raise PartlyTaken(_words(refused), status=refused[-1].status)
    if took:
        return
    if refused:
        raise SendError(_words(refused), status=refused[-1].status, final=True)
    gone = outcomes[-1].status if outcomes else None
    raise SendError(
        _("No browser takes messages any more: those that did were signed off at their vendors."),
        status=gone,
        final=True,
    )


def _words(failed: Sequence[Outcome]) -> str:
    """What went wrong; of several, how many and what with the last."""
    count, last = len(failed), failed[-1].error
    if count == 1:
        return last
    words: Any = ngettext(
        "%(count)d browser did not take it. %(last)s",
        "%(count)d browsers did not take it. %(last)s",
        count,
    )
    return str(words % {"count": count, "last": last})
