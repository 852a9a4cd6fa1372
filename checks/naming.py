"""Stacks and services by what people call them: an id, or a name that is theirs alone."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from checks.models import Service, Stack
from dockrev.errors import Conflict, InvalidArgument, NotFound

Row = TypeVar("Row", Service, Stack)

MAX_NAME = 511  # project/service
MAX_LISTED = 20


def find_stack(called: str, *, field: str, among: QuerySet[Stack] | None = None) -> Stack:
    """By id, else by its project. Raises what `only` does, which tells of no other stacks than
    those that it is to be looked for among."""
    stacks = (Stack.objects.all() if among is None else among).select_related("host")
    return only(stacks.filter(pk=called) or stacks.filter(name=called), field=field)


def find_service(called: str, *, field: str, among: QuerySet[Stack] | None = None) -> Service:
    """By id, else as project/service; as `find_stack` does."""
    project, _slash, name = called.partition("/")
    services = Service.objects.select_related("stack__host")
    if among is not None:
        services = services.filter(stack__in=among)
    named = services.filter(stack__name=project, name=name)
    return only(services.filter(pk=called) or named, field=field)


def only(rows: QuerySet[Row], *, field: str) -> Row:
    """The one of these that is not archived; `field` is what named it.

    Raises NotFound, Conflict where all are archived, InvalidArgument where several are not.
    """
    found = list(rows)
    current = [row for row in found if not _is_archived(row)]
    if len(current) > 1:
        names = sorted(full_name(row) for row in current)[:MAX_LISTED]
        text = _("Several have this name: %(names)s. Use an id.") % {"names": ", ".join(names)}
        raise InvalidArgument(field, text, matches=names)
    if current:
        return current[0]
    if found:
        raise Conflict(_("It is archived; restore it first."), reason="archived")
    raise NotFound(_("Nothing here is called that."), field=field)


def full_name(row: Service | Stack) -> str:
    """With the host: host:project, host:project/service."""
    if isinstance(row, Stack):
        return f"{row.host.name}:{row.name}"
    return f"{full_name(row.stack)}/{row.name}"


def _is_archived(row: Service | Stack) -> bool:
    stack = row if isinstance(row, Stack) else row.stack
    return bool(row.archived_at or stack.archived_at)
