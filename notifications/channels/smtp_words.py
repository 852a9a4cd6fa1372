"""Why a mail was not taken, in words for people. Hosts are named, never users and addresses."""

from __future__ import annotations

import re
import ssl
from base64 import b64encode
from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from dockrev.unreachable import NOT_TLS, reason
from notifications.channels import smtp
from notifications.channels.base import SendError
from notifications.channels.smtp import Reply, Step
from notifications.channels.smtp_url import SmtpUrl

MAX_ANSWER = 200
# Bounded, or a long answer without any would be looked through anew from each of its letters.
_ADDRESS = re.compile(r"<?[^\s<>,;:]{1,64}@[^\s<>,;]{1,255}>?")


def explained(error: smtp.Failed | OSError, url: SmtpUrl) -> SendError:
    """What an error of a conversation means for the message."""
    if isinstance(error, smtp.Refused):
        return _refusal(error, url)
    if isinstance(error, OSError):
        return SendError(_unreachable(error, url))
    # A server without STARTTLS may have lost it for now, or somebody between takes it away.
    final = isinstance(error, smtp.NoSignIn)
    return SendError(str(_TROUBLE[type(error)]) % {"host": url.host}, final=final)


def counted(words: str, refused: Sequence[Reply], url: SmtpUrl) -> str:
    """About so many recipients, and what was answered for the last of them."""
    facts = {"host": url.host, "count": len(refused), "why": _answered(refused[-1], url)}
    return words % facts


def _refusal(error: smtp.Refused, url: SmtpUrl) -> SendError:
    reply = error.reply
    words = str(_WORDS[error.step]) % {"host": url.host}
    why = _answered(reply, url)
    if error.step is Step.SIGN_IN:
        # What is answered to a password may be that password.
        why = _("It can be tried again.") if reply.is_for_now else _("Check user and password.")
    return SendError(f"{words} {why}", status=reply.code, final=not reply.is_for_now)


_WORDS = {
    Step.GREETING: gettext_lazy("%(host)s does not want to talk."),
    Step.STARTTLS: gettext_lazy("%(host)s offers STARTTLS, but does not begin it."),
    Step.SIGN_IN: gettext_lazy("%(host)s did not let us sign in."),
    Step.SENDER: gettext_lazy("%(host)s takes no mail from this sender."),
    Step.MAIL: gettext_lazy("%(host)s did not take the mail."),
}
_TROUBLE = {
    smtp.NoTls: gettext_lazy("%(host)s offers no STARTTLS, and nothing is to be sent without it."),
    smtp.InClear: gettext_lazy(
        "%(host)s offers no STARTTLS, so that the password would go in clear text. Use smtps://, "
        "or tls=off if that is meant."
    ),
    smtp.NoSignIn: gettext_lazy(
        "%(host)s offers no way to sign in that Dockrev knows, which are PLAIN and LOGIN."
    ),
    smtp.NoMailServer: gettext_lazy("%(host)s does not answer as a mail server does."),
}


def _answered(reply: Reply, url: SmtpUrl) -> str:
    """What the server said, as one line without addresses; nothing of it where it may hold what
    we signed in with."""
    text = _ADDRESS.sub("…", " ".join(" ".join(reply.lines).split()))
    text = "".join(c for c in text if c.isprintable())
    if any(secret.casefold() in text.casefold() for secret in _secrets(url)):
        text = ""
    return _("It answered %(answer)s.") % {
        "answer": f"{reply.code} {text[:MAX_ANSWER]}".rstrip(" .")
    }


def _secrets(url: SmtpUrl) -> set[str]:
    """User and password, as they are and as they are sent."""
    user, password = url.user, url.password
    parts = [user, password, user.partition("@")[0]]
    sent = [b64encode(part.encode()).decode() for part in (*parts, f"\0{user}\0{password}")]
    return {part for part in (*parts, *sent) if part}


def _unreachable(error: OSError, url: SmtpUrl) -> str:
    if isinstance(error, ssl.SSLError) and error.reason in NOT_TLS:
        words = _(
            "%(host)s does not begin with TLS. "
            "Where it has STARTTLS, choose that: in a URL it is smtp://."
        )
        return words % {"host": url.host}
    where = f"[{url.host}]" if ":" in url.host else url.host
    return reason(error, f"smtp://{where}:{url.port}", (smtp.CONNECT_SECONDS, smtp.SECONDS))
