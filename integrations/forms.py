"""One form per model, for API, pages and admin alike. An empty or masked secret keeps the old."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks.registry.reference import is_host_name, normal_host
from dockrev import authorities
from dockrev.environment import fits_header
from dockrev.fields import HIDDEN, MASK
from dockrev.forms import RowForm
from integrations import rotation
from integrations.endpoints import check_endpoint
from integrations.hooks.client import is_same_server
from integrations.hooks.github import GitHub
from integrations.hooks.provider import BadTarget, Proof, Provider
from integrations.hooks.providers import PROVIDERS
from integrations.hooks.tokens import token_of
from integrations.models import HookAccount, HookTarget, Receiver
from integrations.paths import token_hash
from integrations.receivers import CALLERS
from integrations.receivers.base import Caller, Option

MAX_PAT = 255
MAX_OPTION = 500
TOKEN = re.compile(r"[A-Za-z0-9._~-]+")  # needs no escape in a path
MAX_PASSWORD = 2000


class ReceiverForm(RowForm):
    also = (*rotation.COLUMNS, "enabled_at")

    class Meta:
        model = Receiver
        fields = ("name", "enabled", "registry_host", "secret", "options")

    def clean_registry_host(self) -> str:
        host = self.cleaned_data["registry_host"].strip()
        if host and not is_host_name(host):
            raise forms.ValidationError(_("This is not the name of a registry's host."))
        return normal_host(host) if host else ""

    def clean_secret(self) -> str:
        secret = clean_secret(self.cleaned_data["secret"])
        caller = self._caller()
        if secret == MASK or not caller:
            return secret
        if caller.secret_in_header and not fits_header(secret):
            raise forms.ValidationError(
                _("This secret is sent in a header: use ASCII, without spaces at its ends.")
            )
        if caller.token_in_path and secret:
            self._check_token(caller.kind, secret)
        return secret

    def _check_token(self, kind: str, token: str) -> None:
        if not TOKEN.fullmatch(token):
            raise forms.ValidationError(
                _("This secret is part of the URL: use letters, digits, and - . _ ~ only.")
            )
        others = Receiver.objects.exclude(pk=self.instance.pk)
        if others.filter(path_token_hash=token_hash(kind, token)).exists():
            raise forms.ValidationError(_("Another receiver has this secret."))

    def clean_options(self) -> dict[str, Any]:
        caller = self._caller()
        return clean_options(
            caller.options if caller else (),
            self.cleaned_data["options"] or {},
            forgotten=self.instance.options,
        )

    def clean(self) -> None:
        data = self.cleaned_data
        given = data.get("secret") or self.instance.secret or self._spare_secret()
        if data.get("enabled") and "secret" not in self.errors and not given:
            self.add_error("secret", _("A receiver needs a secret before it can be on."))

    def _spare_secret(self) -> str:
        caller = self._caller()
        return caller.spare_secret() if caller else ""

    def _caller(self) -> Caller | None:
        """Of the kind that is chosen, where a new one is made in the admin."""
        return CALLERS.get(self.cleaned_data.get("kind") or self.instance.kind)

    def write(self) -> None:
        given = self.cleaned_data["secret"]
        if given and given != MASK:
            rotation.replace(self.instance, given, timezone.now())
        if self.instance.enabled and not self.initial.get("enabled"):
            self.instance.enabled_at = timezone.now()
        super().write()
        self._forget()

    def _forget(self) -> None:
        """What was learned of an option counts for as long as the option stays as it is."""
        before, now = self.initial.get("options") or {}, self.instance.options
        known = self.instance.learned
        kept = {name: known[name] for name in known if before.get(name) == now.get(name)}
        if kept != known:
            self.instance.learned = kept
            self.instance.save(update_fields=["learned"])


class HookAccountForm(RowForm):
    """A stored token goes to no other server than the one for which it was entered."""

    also = ("credential_report", "credential_set_at")
    authorities = forms.CharField(
        label=gettext_lazy("CA certificates"),
        required=False,
        max_length=authorities.MOST_CHARACTERS,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
    )

    class Meta:
        model = HookAccount
        fields = (
            "name",
            "api_url",
            "username",
            "credential",
            "authorities",
            "callback_url",
            "verify_tls",
        )

    def clean_api_url(self) -> str:
        url = self.cleaned_data["api_url"].strip()
        if not url and not self._provider().default_api_url:
            raise forms.ValidationError(_("Say where it is."))
        return self._checked(url) if url else ""

    def clean_callback_url(self) -> str:
        """Where its last part is the secret, that is kept elsewhere, and encrypted.

        So is that of another receiver of the kind: nobody may read it here either.
        """
        url = self.cleaned_data["callback_url"].strip()
        url = self._checked(url) if url else ""
        last = token_of(url)
        if self._provider().proof == Proof.URL and last and self._is_secret(last):
            return url.removesuffix(last).rstrip("/")
        return url

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"].strip()
        if ":" in name or not name.isprintable():
            raise forms.ValidationError(_("A user name has no colon and no control characters."))
        return name

    def clean_credential(self) -> str:
        token: str = self.cleaned_data["credential"].strip()
        if token == MASK:
            return ""
        if self._provider().has_user:
            fits = len(token) <= MAX_PASSWORD and token.isprintable()
        elif token.endswith("..."):
            return ""  # how a stored one is shown
        else:
            fits = len(token) <= MAX_PAT and token.isascii() and token.isprintable()
            fits = fits and " " not in token
        if not fits:
            raise forms.ValidationError(_("This is not a token."))
        return token

    def clean_authorities(self) -> str:
        text: str = self.cleaned_data["authorities"]
        try:
            return authorities.normal(text) if text.strip() else ""
        except authorities.BadAuthorities as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> None:
        data, provider = self.cleaned_data, self._provider()
        kept = self.instance.credential and not data.get("credential")
        url, before = data.get("api_url"), self.instance.api_url
        here = provider.default_api_url
        if kept and url is not None and not _is_same(url or here, before or here):
            self.add_error("credential", _("Enter the token again: it would go to another server."))
        if provider.has_user and (kept or data.get("credential")) and not data.get("username"):
            self.add_error("username", _("Whose token is it?"))
        if "provider" in self.fields and self.instance._state.adding and provider is GitHub:
            # It is there from the first start, and has a page that shows one.
            self.add_error("provider", _("Accounts of this provider cannot be added."))
        receiver = data.get("receiver")
        if receiver is not None and receiver.kind != provider.receiver:
            self.add_error("receiver", _("This receiver takes no calls of such hooks."))

    def write(self) -> None:
        asked = ("api_url", "username", "authorities")
        changed = any(getattr(self.instance, key) != self.initial.get(key) for key in asked)
        if self.cleaned_data["credential"] or changed:
            self.instance.credential_report = {}
        if self.cleaned_data["credential"]:
            self.instance.credential_set_at = timezone.now()
        super().write()

    def _provider(self) -> type[Provider]:
        """That of the account, or the one that is chosen, where a new one is made in the admin."""
        return PROVIDERS.get(self.cleaned_data.get("provider") or self.instance.provider, GitHub)

    def _checked(self, url: str) -> str:
        return check_endpoint(url, may_be_plain=self._provider() is not GitHub)

    def _is_secret(self, last: str) -> bool:
        """Whether it is a receiver's token, or what stands for one where a URL is shown."""
        hashed = token_hash(self._provider().receiver, last)
        same = Q(path_token_hash=hashed) | Q(previous_token_hash=hashed)
        return last == HIDDEN or Receiver.objects.filter(same).exists()


def _is_same(one: str, other: str) -> bool:
    return one == other or is_same_server(one, other)


class HookTargetForm(RowForm):
    """A repository that was removed, and whose hook is still to be deleted, comes back."""

    also = ("name_key", "owner_key", "removed")

    class Meta:
        model = HookTarget
        fields = ("account", "full_name", "selected")
        help_texts = {"full_name": gettext_lazy("owner/name, or the repository's address")}

    def clean(self) -> None:
        """Bring what was typed into one form; which forms there are depends on the account."""
        account, text = self.cleaned_data.get("account"), self.cleaned_data.get("full_name", "")
        provider = PROVIDERS.get(account.provider, GitHub) if account else GitHub
        try:
            name = provider.read_target(text, account.api_url if account else "")
        except BadTarget as error:
            self.add_error("full_name", str(error))
            return
        if self.instance.hook_id and name.lower() != self.instance.name_key:
            text = _(
                "It has a webhook: remove it, and add the other, so that the webhook goes too."
            )
            self.add_error("full_name", text)
        same = HookTarget.objects.filter(account=account, name_key=name.lower())
        twin = same.exclude(pk=self.instance.pk).first()
        if twin and (not twin.removed or not self.instance._state.adding):
            self.add_error("full_name", _("This repository is tracked already."))
        elif twin:
            self.instance = twin
        self.instance.removed = False
        self.cleaned_data["full_name"] = name


def clean_options(
    known: tuple[Option, ...], given: Any, *, forgotten: Collection[str] = ()
) -> dict[str, Any]:
    """The options that a kind of receiver has, each of its type.

    `forgotten` are those that a row has already: what its kind has no longer is left out.
    """
    if not isinstance(given, dict):
        raise forms.ValidationError(_("This must be a JSON object."))
    by_name = {option.name: option for option in known}
    for name, value in given.items():
        option = by_name.get(name)
        if option is None and name not in forgotten:
            raise forms.ValidationError(
                _("There is no option “%(name)s” here.") % {"name": str(name)[:60]}
            )
        if option and option.is_flag and not isinstance(value, bool):
            raise forms.ValidationError(_("“%(name)s” is true or false.") % {"name": name})
        if option and not option.is_flag and not _is_line(value):
            raise forms.ValidationError(
                _("“%(name)s” is text of at most %(most)d printable characters.")
                % {"name": name, "most": MAX_OPTION}
            )
    return {name: value for name, value in given.items() if name in by_name}


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_OPTION and value.isprintable()


def clean_secret(secret: str) -> str:
    if secret and secret != MASK and not rotation.MIN_SECRET <= len(secret) <= rotation.MAX_SECRET:
        raise forms.ValidationError(
            _("A secret has %(least)d to %(most)d characters.")
            % {"least": rotation.MIN_SECRET, "most": rotation.MAX_SECRET}
        )
    return secret
