"""The pages of this app."""

from __future__ import annotations

from django.urls import path

from checks import (
    actions,
    backup_pages,
    host_pages,
    lifecycle_pages,
    log_pages,
    policy_pages,
    registry_pages,
    rule_pages,
    update_pages,
    views,
)
from checks.pruning import pages as pruning_pages

_service = "services/<id:stack_id>/<id:service_id>"

urlpatterns = [
    path("", views.show_overview, name="overview"),
    path("check", actions.check_all, name="check_all"),
    path("discover", actions.discover, name="discover"),
    path("stacks/<id:stack_id>/check", actions.check_stack, name="check_stack"),
    path("stacks/<id:stack_id>/archive", actions.archive_stack, name="archive_stack"),
    path("stacks/<id:stack_id>/restore", actions.restore_stack, name="restore_stack"),
    path("stacks/<id:stack_id>/policy", policy_pages.show_stack_policy, name="stack_policy"),
    path("stacks/<id:stack_id>/update", update_pages.update_stack, name="update_stack"),
    path(
        "stacks/<id:stack_id>/lifecycle/<slug:action>",
        lifecycle_pages.of_stack,
        name="lifecycle_of_stack",
    ),
    path("settings/policy", policy_pages.show_policy_for_all, name="policy_for_all"),
    path(_service, views.show_service, name="service"),
    path(f"{_service}/history", views.show_history, name="history"),
    path(f"{_service}/check", actions.check_service, name="check_service"),
    path(f"{_service}/update", update_pages.update_service, name="update_service"),
    path(
        f"{_service}/lifecycle/<slug:action>",
        lifecycle_pages.of_service,
        name="lifecycle_of_service",
    ),
    path(f"{_service}/logs", log_pages.show_logs, name="logs"),
    path(f"{_service}/policy", views.change_policy, name="change_policy"),
    path(f"{_service}/archive", actions.archive_service, name="archive_service"),
    path(f"{_service}/restore", actions.restore_service, name="restore_service"),
    path(f"{_service}/backups", backup_pages.show_backups, name="backups"),
    path(f"{_service}/backups/<id:backup_id>", backup_pages.show_backup, name="backup"),
    path(f"{_service}/backups/<id:backup_id>/file", backup_pages.download, name="backup_file"),
    path(f"{_service}/resume", actions.resume_service, name="resume_service"),
    path(f"{_service}/rollback", actions.roll_back, name="roll_back"),
    path(f"{_service}/candidates/<id:candidate_id>/notes", views.show_notes, name="notes"),
    path(f"{_service}/candidates/<id:candidate_id>/skip", actions.skip, name="skip"),
    path(f"{_service}/candidates/<id:candidate_id>/snooze", actions.snooze, name="snooze"),
    path(f"{_service}/rules/<id:rule_id>/show-again", actions.show_again, name="show_again"),
    path("settings/ignores", rule_pages.show_rules, name="ignores"),
    path("settings/ignores/add", rule_pages.add_rule, name="add_ignore"),
    path("settings/ignores/change", rule_pages.change_rules, name="change_ignores"),
    path("settings/ignores/<id:rule_id>", rule_pages.show_rule, name="ignore"),
    path("queue", views.show_queue, name="queue"),
    path("queue/<id:job_id>", views.show_job, name="job"),
    path("queue/<id:job_id>/log", views.show_log, name="job_log"),
    path("queue/<id:job_id>/cancel", actions.cancel_job, name="cancel_job"),
    path("queue/<id:job_id>/repeat", actions.repeat_job, name="repeat_job"),
    path("settings/backups", backup_pages.show_settings, name="backup_settings"),
    path("settings/prune", pruning_pages.prune, name="prune"),
    path("settings/hosts", host_pages.show_hosts, name="docker_hosts"),
    path("settings/hosts/add", host_pages.add_host, name="add_docker_host"),
    path("settings/hosts/<id:host_id>", host_pages.show_host, name="docker_host"),
    path("settings/registries", registry_pages.show_registries, name="registries"),
    path("settings/registries/add", registry_pages.add_registry, name="add_registry"),
    path("settings/registries/<id:registry_id>", registry_pages.show_registry, name="registry"),
]
