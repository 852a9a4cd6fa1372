"""A webhook: the payload as JSON, signed where the channel has a secret."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import ClassVar

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from notifications.channels.base import Message, Posted, Transport
from notifications.channels.headers import HeadersField
from notifications.channels.posting import post, secrets_of
from notifications.channels.trust import Trust, TrustForm


class WebhookForm(TrustForm):
    url = forms.URLField(
        label=_("URL"),
        max_length=2000,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"placeholder": "https://hooks.example.org/dockrev"}),
        help_text=_("Where each message is posted as JSON. Any answer of 200 to 299 takes it."),
    )
    secret = forms.CharField(
        label=_("Secret"),
        required=False,
        max_length=500,
        help_text=_(
            "Signs each message in X-Dockrev-Signature-256, so that whoever takes it can tell "
            "that it is from here."
        ),
    )
    headers = HeadersField(
        label=_("Headers"),
        required=False,
        help_text=_("Sent along, for example Authorization. Values are stored encrypted."),
    )

    field_order = ("url", "secret", "headers", "ca", "verify")


class Webhook(Transport):
    kind: ClassVar[str] = "webhook"
    label: ClassVar[str] = "Webhook"
    about: ClassVar[str | Promise] = _(
        "Posts each message as JSON to an address of yours, for scripts and automation."
    )
    docs: ClassVar[str] = "notifications.md"
    form: ClassVar[type[forms.Form]] = WebhookForm
    secret_fields: ClassVar[frozenset[str]] = frozenset({"secret", "headers"})
    address: ClassVar[str] = "url"
    seldom: ClassVar[frozenset[str]] = frozenset({"ca", "verify"})
    signature: ClassVar[str] = "X-Dockrev-Signature-256"

    def posted(self, message: Message) -> Posted:
        headers = {
            **(self.config.get("headers") or {}),
            "X-Dockrev-Event": message.kind,
            "X-Dockrev-Delivery": message.id,
        }
        if message.is_example:
            headers["X-Dockrev-Test"] = "true"
        body = json.dumps(message.payload, ensure_ascii=False, separators=(",", ":")).encode()
        return Posted(body, headers)

    def send(self, message: Message) -> int:
        posted = self.posted(message)
        headers = dict(posted.headers)
        url, secret = self.config["url"], self.config.get("secret", "")
        if secret:
            mac = hmac.new(secret.encode(), posted.body, sha256).hexdigest()
            headers[self.signature] = f"sha256={mac}"
        own: dict[str, str] = self.config.get("headers") or {}
        secrets = secrets_of(url, secret, *own.values())
        return post(url, posted.body, headers, trust=Trust.of(self.config), secrets=secrets)
