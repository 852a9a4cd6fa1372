"""Pages of backups: those of a service, one of them, and what holds for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from checks import policies
from checks.api.backups import answer_with_file
from checks.backups import choosing, storing
from checks.backups.job import NotRestorable, ask_to_restore
from checks.backups.targets import is_data, key, known_targets
from checks.discovery.job import place_of
from checks.discovery.projects import EngineUnavailable
from checks.models import Backup, Service
from checks.policy_form import BACKUPS, value_words
from checks.updating.failing import UpdateFailed
from checks.versions.policies import SKIP
from dockrev import preferences
from dockrev.fields import UnreadableSecret
from dockrev.instance_form import MAX_BACKUP_MB, MAX_BACKUPS, MAX_RETENTION_DAYS
from dockrev.pages import PageRequest, page_of
from dockrev.permissions import Role, requires
from dockrev.preference_form import PreferenceForm
from dockrev.sections import Section

# By name: only these pages ask the engine in the web process.
ASK = "checks.updating.running.ask"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.OPERATOR)
def show_backups(request: PageRequest, stack_id: str, service_id: str) -> HttpResponse:
    """What a service keeps, how that is backed up, and the backups that there are."""
    service = _service(stack_id, service_id)
    if request.method == "POST":
        return _choose(request, service)
    mounts, trouble = _mounts(service)
    own = known_targets(service.backup_targets)
    held = policies.of_service(service).held["backup"].value
    names = [
        (each.kind, each.name, each.destination, held if is_data(each) else SKIP) for each in mounts
    ]
    known = {key(kind, name) for kind, name, _where, _how in names}
    gone = [(*name.split(":", 1), "", held) for name in own if name not in known]
    context = {
        "service": service,
        "trouble": trouble,
        "targets": [
            {"kind": kind, "name": name, "where": where, "key": key(kind, name),
             "how": own.get(key(kind, name), ""), "inherited": value_words("backup", inherited)}
            for kind, name, where, inherited in (*names, *gone)
        ],
        "inherited": value_words("backup", held),
        "hows": BACKUPS,
        "page": page_of(request, Backup.objects.good().filter(service=service)),
    }  # fmt: skip
    return render(request, "checks/backups.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.VIEWER, writes=Role.OPERATOR)
def show_backup(
    request: PageRequest, stack_id: str, service_id: str, backup_id: str
) -> HttpResponse:
    """One backup, and what can be done with it."""
    backup = _backup(stack_id, service_id, backup_id)
    act = _ACTS.get(request.POST.get("act", "")) if request.method == "POST" else None
    if act:
        return act(request, backup)
    context = {"backup": backup, "service": backup.service, "file": storing.path_of(backup)}
    return render(request, "checks/backup.html", context)


@never_cache
@require_safe
@requires(Role.OPERATOR)
def download(request: PageRequest, stack_id: str, service_id: str, backup_id: str) -> FileResponse:
    return answer_with_file(_backup(stack_id, service_id, backup_id))


def _restore(request: PageRequest, backup: Backup) -> HttpResponse:
    saves_first = "save_first" in request.POST
    try:
        queued = ask_to_restore(backup, request.user.get_username(), saves_first=saves_first)
        return redirect("job", queued.job_id)
    except NotRestorable as error:
        messages.error(request, str(error))
        return redirect(request.path)


def _delete(request: PageRequest, backup: Backup) -> HttpResponse:
    try:
        storing.delete(backup)
    except storing.InUse as error:
        messages.error(request, str(error))
        return redirect(request.path)
    messages.success(request, _("The backup is deleted."))
    service = backup.service
    return redirect("backups", service.stack_id, service.pk) if service else redirect("overview")


_ACTS: dict[str, Callable[[PageRequest, Backup], HttpResponse]] = {
    "restore": _restore,
    "delete": _delete,
}


def _choose(request: PageRequest, service: Service) -> HttpResponse:
    named = zip(request.POST.getlist("target"), request.POST.getlist("how"), strict=False)
    try:
        choosing.change(service, {target: how or None for target, how in named})
    except choosing.BadTarget as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("What is backed up of %(name)s is saved.") % {"name": service})
    return redirect(request.path)


def _mounts(service: Service) -> tuple[list[Any], str]:
    """What its containers have, or why that is not known."""
    ask: Callable[..., Any] = import_string(ASK)
    try:
        runs = ask(place_of(service.stack.host), service.stack.name).services.get(service.name)
    except (EngineUnavailable, UpdateFailed, UnreadableSecret) as error:
        return [], str(error)
    return list(runs.mounts) if runs else [], ""


def _service(stack_id: str, service_id: str) -> Service:
    services = Service.objects.with_policies().select_related("stack__host")
    return get_object_or_404(services, pk=service_id, stack_id=stack_id)


def _backup(stack_id: str, service_id: str, backup_id: str) -> Backup:
    rows = Backup.objects.good().select_related("service__stack__host")
    return get_object_or_404(rows, pk=backup_id, service=service_id, service__stack=stack_id)


# What holds for all ------------------------------------------------------------------------------


class BackupForm(PreferenceForm):
    backups_keep = forms.IntegerField(
        label=gettext_lazy("Keep so many of each volume"), min_value=1, max_value=MAX_BACKUPS
    )
    backup_days = forms.IntegerField(
        label=gettext_lazy("Delete them after so many days"),
        min_value=0,
        max_value=MAX_RETENTION_DAYS,
        help_text=gettext_lazy("0 keeps them however old they are."),
    )
    backup_limit_mb = forms.IntegerField(
        label=gettext_lazy("Largest volume, in MB"),
        min_value=0,
        max_value=MAX_BACKUP_MB,
        help_text=gettext_lazy(
            "What is larger is not backed up, and a plan says so. 0 is no limit."
        ),
    )
    backup_required = forms.BooleanField(
        label=gettext_lazy("Stop an update where its backup fails"), required=False
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Role.ADMIN)
def show_settings(request: PageRequest) -> HttpResponse:
    form = BackupForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        form.write()
        messages.success(request, _("The settings of backups are saved."))
        return redirect(reverse("settings") + "#backups")
    status = 422 if form.is_bound else 200
    return render(request, "checks/backup_settings.html", {"form": form}, status=status)


def _section(request: HttpRequest) -> dict[str, Any]:
    held = policies.of_all().held["backup"].value
    return {"known": preferences.load(), "how": value_words("backup", held)}


SECTION = Section(
    slug="backups",
    title=gettext_lazy("Backups"),
    template="checks/settings_backups.html",
    load=_section,
    place=24,
)
