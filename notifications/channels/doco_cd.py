"""doco-cd's OCI webhook: an image that is new is posted, signed, so that doco-cd deploys.

Followed: "Webhooks with OCI" in doco-cd's documentation. Its payload names one image, so there is
one message for each, which succeeds or is tried again by itself.
"""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import ClassVar

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.channels.base import Message, Posted, SendError, Transport
from notifications.channels.posting import post, secrets_of
from notifications.channels.trust import Trust, TrustForm


class DocoCdForm(TrustForm):
    url = forms.URLField(
        label=_("URL"),
        max_length=2000,
        assume_scheme="https",
        widget=forms.URLInput(attrs={"placeholder": "https://doco-cd.example.org/v1/webhook"}),
        help_text=_("Where doco-cd takes webhooks."),
    )
    secret = forms.CharField(
        label=_("Secret"),
        max_length=500,
        help_text=_("The WEBHOOK_SECRET that doco-cd was started with."),
    )

    field_order = ("url", "secret", "ca", "verify")


class DocoCd(Transport):
    kind: ClassVar[str] = "doco-cd"
    label: ClassVar[str] = "doco-cd"
    about: ClassVar[str | Promise] = _(
        "Has each new image deployed: doco-cd is told as soon as a check finds it."
    )
    docs: ClassVar[str] = "doco-cd.md"
    form: ClassVar[type[forms.Form]] = DocoCdForm
    secret_fields: ClassVar[frozenset[str]] = frozenset({"secret"})
    address: ClassVar[str] = "url"
    seldom: ClassVar[frozenset[str]] = frozenset({"ca", "verify"})
    signature: ClassVar[str] = "X-Doco-OCI-Signature-256"
    one_image_each: ClassVar[bool] = True

    def posted(self, message: Message) -> Posted | None:
        if message.image is None:
            return None
        image = {"source": "oci", "artifact": message.image.name, "digest": message.image.digest}
        return Posted(json.dumps(image, separators=(",", ":")).encode(), {})

    def send(self, message: Message) -> int:
        posted = self.posted(message)
        if posted is None:
            words = gettext("This message is about no image that could be deployed.")
            raise SendError(words, final=True)
        url, secret = self.config["url"], self.config["secret"]
        mac = hmac.new(secret.encode(), posted.body, sha256).hexdigest()
        headers = {self.signature: f"sha256={mac}"}
        trust, secrets = Trust.of(self.config), secrets_of(url, secret)
        return post(url, posted.body, headers, trust=trust, secrets=secrets)
