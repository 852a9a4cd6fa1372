"""A webhook: the payload as JSON, signed where the channel has a secret."""

from __future__ import annotations

import hmac
import json
import re
from hashlib import sha256
from typing import ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from notifications.channels.base import Message, Transport
from notifications.channels.posting import post

MAX_HEADERS, MAX_HEADER = 20, 2000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[ -~]*")


class WebhookForm(forms.Form):
    url = forms.URLField(label=_("URL"), max_length=2000, assume_scheme="https")
    secret = forms.CharField(label=_("Secret"), required=False, max_length=500)
    headers = forms.JSONField(label=_("Headers"), required=False)

    def clean_headers(self) -> dict[str, str]:
        """Names and values as HTTP knows them: a line break would be a header of its own."""
        headers = self.cleaned_data["headers"] or {}
        if not isinstance(headers, dict) or len(headers) > MAX_HEADERS:
            raise forms.ValidationError(_("This must be a JSON object of at most 20 headers."))
        for name, value in headers.items():
            right = isinstance(value, str) and len(value) <= MAX_HEADER and _VALUE.fullmatch(value)
            if not right or not _NAME.fullmatch(name):
                raise forms.ValidationError(_("A header has a name and a value in plain ASCII."))
        return headers


class Webhook(Transport):
    kind: ClassVar[str] = "webhook"
    label: ClassVar[str] = "Webhook"
    form: ClassVar[type[forms.Form]] = WebhookForm
    secret_fields: ClassVar[frozenset[str]] = frozenset({"secret", "headers"})
    address: ClassVar[str] = "url"

    def send(self, message: Message) -> int:
        body = json.dumps(message.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            **(self.config.get("headers") or {}),
            "X-Dockrev-Event": message.kind,
            "X-Dockrev-Delivery": message.id,
        }
        if secret := self.config.get("secret"):
            mac = hmac.new(secret.encode(), body, sha256).hexdigest()
            headers["X-Dockrev-Signature-256"] = f"sha256={mac}"
        return post(self.config["url"], body, headers)
