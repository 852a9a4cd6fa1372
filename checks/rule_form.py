"""The form of an ignore rule on its own page: its scope is named as people name it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checks import naming
from checks.forms import IgnoreRuleForm
from checks.models import Host, IgnoreRule, Service, Stack
from checks.models.stacks import ServiceQuerySet, StackQuerySet
from checks.previewing import Preview, hides, preview
from checks.versions.ignores import DIGEST
from checks.versions.patterns import BadPattern
from dockrev.errors import ApiError

MAX_WHICH = 612  # host:project/service
MAX_PLACES = 500  # of each, among those to pick from
MAX_NEAR = 10
MAX_TAG = 128
Scope = IgnoreRule.Scope
MINUTES = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True)
class Fault:
    """A value that cannot be read, cut at the character where it goes wrong."""

    message: str
    before: str
    at: str
    after: str

    @property
    def number(self) -> int:
        """Of the character, counted from 1."""
        return len(self.before) + 1


class RuleForm(IgnoreRuleForm):
    """`which` names the stack or the service; `tried` is a tag to try the rule on, and not kept."""

    which = forms.CharField(label=gettext_lazy("Which one"), required=False, max_length=MAX_WHICH)
    tried = forms.CharField(label=gettext_lazy("Try a tag"), required=False, max_length=MAX_TAG)

    class Meta(IgnoreRuleForm.Meta):
        fields = ("scope", "kind", "value", "note", "expires_at", "enabled")
        labels: ClassVar = {
            "scope": gettext_lazy("For"),
            "kind": gettext_lazy("Hides"),
            "value": gettext_lazy("Value"),
            "note": gettext_lazy("Note"),
            "expires_at": gettext_lazy("Ends"),
            "enabled": gettext_lazy("On"),
        }
        widgets: ClassVar = {
            "expires_at": forms.DateTimeInput({"type": "datetime-local"}, format=MINUTES)
        }

    def __init__(self, *args: Any, instance: IgnoreRule, **kwargs: Any) -> None:
        self.named = name_of(instance)
        initial = {"which": self.named, **kwargs.pop("initial", {})}
        super().__init__(*args, instance=instance, initial=initial, **kwargs)
        self.fields["scope"].choices = [  # type: ignore[attr-defined]  # a ChoiceField's
            (Scope.ALL, _("everything")),
            (Scope.STACK, _("one stack")),
            (Scope.SERVICE, _("one service")),
        ]
        self.fields["kind"].choices = IgnoreRule.Kind.choices  # type: ignore[attr-defined]  # the same
        self.near: list[str] = []

    def clean(self) -> None:
        super().clean()
        scope, which = self.cleaned_data.get("scope"), self.cleaned_data.get("which", "")
        row = self.instance
        if scope is None or (scope == row.scope and which == self.named):
            return
        row.stack, row.service = None, None
        if scope == Scope.ALL:
            return
        try:
            which_one = _id_of(scope, which) or which
            if scope == Scope.STACK:
                row.stack = naming.find_stack(which_one, field="which")
            else:
                row.service = naming.find_service(which_one, field="which")
        except ApiError as error:
            self.near = _near(scope, which)
            self.add_error("which", error.message if which else _("Name it."))

    @property
    def cut(self) -> Fault | None:
        """Where the value goes wrong, if it does."""
        if self.fault is None:
            return None
        text, place = str(self.data.get("value", "")), self.fault.position
        return Fault(str(self.fault), text[:place], text[place : place + 1], text[place + 1 :])

    def look(self) -> Preview | None:
        """What it would hide now, as soon as scope and value can be read."""
        if not self.is_bound or {"scope", "which", "kind", "value"} & set(self.errors):
            return None
        return preview(self.instance, timezone.now())

    def try_tag(self) -> tuple[str, bool] | None:
        """The tag to try, and whether the rule hides it."""
        given = self.cleaned_data if self.is_bound and self.errors is not None else {}
        tag, kind, value = (given.get(name) for name in ("tried", "kind", "value"))
        if not (tag and kind and value) or kind == DIGEST:
            return None
        try:
            return tag, hides(kind, value, tag)
        except BadPattern:
            return None


def name_of(rule: IgnoreRule) -> str:
    """What `which` says for a rule's scope."""
    row = rule.service or rule.stack
    return _names([row])[0] if row else ""


def places() -> list[str]:
    """Stacks and services to pick from, by the names that `which` takes. Three queries."""
    return _names([*_stacks()[:MAX_PLACES], *_services()[:MAX_PLACES]])


def _id_of(scope: str, name: str) -> str:
    """The id of what is named with its host; empty where nothing is."""
    host, _colon, rest = name.rpartition(":")
    project, _slash, service = rest.partition("/")
    row: Stack | Service | None
    if scope == Scope.STACK:
        row = _stacks().filter(host__name=host, name=rest).first()
    else:
        there = _services().filter(stack__host__name=host, stack__name=project)
        row = there.filter(name=service).first()
    return row.pk if row else ""


def _near(scope: str, words: str) -> list[str]:
    """What somebody may have meant who named nothing that is there, or several."""
    words = words.replace("/", " ").replace(":", " ")
    if scope == Scope.SERVICE:
        return _names(_services().matching(words)[:MAX_NEAR])
    return _names(_stacks().matching(words)[:MAX_NEAR])


def _stacks() -> StackQuerySet:
    return Stack.objects.filter(archived_at=None).select_related("host").order_by("name", "host")


def _services() -> ServiceQuerySet:
    services = Service.objects.current().select_related("stack__host")
    return services.order_by("stack__name", "stack__host", "name")


def _names(rows: Iterable[Stack | Service]) -> list[str]:
    """With the host where there are several."""
    several = Host.objects.filter(stacks__archived_at=None).distinct().count() > 1
    names = [naming.full_name(row) for row in rows]
    return names if several else [name.partition(":")[2] for name in names]
