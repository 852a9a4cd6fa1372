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
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from notifications.channels.base import Message, SendError, Transport
from notifications.channels.posting import post


class DocoCdForm(forms.Form):
    url = forms.URLField(label=_("URL"), max_length=2000, assume_scheme="https")
    secret = forms.CharField(label=_("Secret"), max_length=500)


class DocoCd(Transport):
    kind: ClassVar[str] = "doco-cd"
    label: ClassVar[str] = "doco-cd"
    form: ClassVar[type[forms.Form]] = DocoCdForm
    secret_fields: ClassVar[frozenset[str]] = frozenset({"secret"})
    address: ClassVar[str] = "url"
    one_image_each: ClassVar[bool] = True

    def send(self, message: Message) -> int:
        if message.image is None:
            raise SendError(gettext("This message is about no image that could be deployed."))
        image = {"source": "oci", "artifact": message.image.name, "digest": message.image.digest}
        body = json.dumps(image, separators=(",", ":")).encode()
        mac = hmac.new(self.config["secret"].encode(), body, sha256).hexdigest()
        return post(self.config["url"], body, {"X-Doco-OCI-Signature-256": f"sha256={mac}"})
