"""Starting, stopping and restarting that somebody asks for: shown, or queued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from checks import queue
from checks.lifecycle.course import Action, Course
from checks.models import Job, Service, Stack
from checks.queue import Queued, Request
from checks.updating.orders import refuse_while_changed
from dockrev import languages

KIND = "lifecycle"
# By name: the web process only needs the Docker SDK and PyYAML once somebody wants this.
COURSE_OF = "checks.lifecycle.planning.course_of"

_TITLES: dict[Action, str | Promise] = {
    Action.START: _("Start %(subject)s"),
    Action.STOP: _("Stop %(subject)s"),
    Action.RESTART: _("Restart %(subject)s"),
}


@dataclass(frozen=True)
class Order:
    """Without a service it is for the whole stack. The stack comes with its host."""

    action: Action
    stack: Stack
    service: Service | None = None

    @property
    def title(self) -> str:
        name = f"{self.stack.name} / {self.service.name}" if self.service else self.stack.name
        return str(_TITLES[self.action]) % {"subject": name}


def course_of(order: Order) -> Course:
    """What an order comes to now. One query, and one call to the engine.

    Raises NotPossible, and UpstreamUnavailable where the engine does not answer.
    """
    find: Callable[[Action, Stack, Service | None], Course] = import_string(COURSE_OF)
    return find(order.action, order.stack, order.service)


def ask(order: Order, username: str, *, reason: str = Job.Reason.UI) -> Queued:
    """Queue it, or join the job that does it already.

    Raises what `course_of` does, and Conflict while another job changes one of the services.
    """
    course = course_of(order)
    with languages.spoken():
        subject = order.title
    request = Request(
        kind=KIND,
        reason=reason,
        scope=Job.Scope.SERVICE if order.service else Job.Scope.STACK,
        stack_id=order.stack.pk,
        service_id=order.service.pk if order.service else "",
        subject=subject,
        params=course.as_params(),
        created_by=username,
    )
    refuse_while_changed(request, course.names)
    return queue.enqueue(request)
