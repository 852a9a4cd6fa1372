"""The trigger: CI and scripts that ask for work. What for is `integrations.trigger`'s affair."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.receivers.base import Caller, Incoming, Option, Setup, verify_shared_secret

HEADER = "X-Dockrev-Webhook-Secret"
UPDATES = "updates"


class Trigger(Caller):
    kind: ClassVar[str] = "trigger"
    label: ClassVar[str] = "Trigger (CI, scripts)"
    proof: ClassVar[str | Promise] = _("X-Dockrev-Webhook-Secret: the secret")
    secret_in_header: ClassVar[bool] = True
    options: ClassVar[tuple[Option, ...]] = (
        Option(
            UPDATES,
            _("Take updates, too"),
            _("Else whoever has its secret can have things checked, and no more."),
        ),
    )
    steps = (
        _("Send a POST to {url}"),
        _("with the header X-Dockrev-Webhook-Secret: {secret}"),
        _('and a body that says what to check, such as {"action": "check", "scope": "all"}'),
    )
    docs: ClassVar[str] = "trigger.md"

    def verify(self, incoming: Incoming, secrets: tuple[str, ...], setup: Setup) -> int:
        return verify_shared_secret(secrets, incoming.headers.get(HEADER.lower(), ""))

    def spare_secret(self) -> str:
        secret: str = settings.WEBHOOK_SECRET
        return secret
