"""The API routes of this app."""

from __future__ import annotations

from django.urls import path

from integrations.api import callers, deliveries, github_packages, hook_accounts, receivers, walks

_callers = "receivers/<slug:receiver>/callers"
_account = "hook-accounts/<id:account_id>"

urlpatterns = [
    path("receivers", receivers.Receivers.as_view()),
    path("receivers/<slug:receiver>", receivers.ReceiverDetail.as_view()),
    path("receivers/<slug:receiver>/rotate", receivers.ReceiverRotation.as_view()),
    path("receivers/<slug:receiver>/test", walks.ReceiverTest.as_view()),
    path("receivers/<slug:receiver>/explain", walks.ReceiverExplanation.as_view()),
    path(_callers, callers.Callers.as_view()),
    path(f"{_callers}/<id:caller_id>", callers.CallerDetail.as_view()),
    path(f"{_callers}/<id:caller_id>/rotate", callers.CallerRotation.as_view()),
    path("deliveries", deliveries.Deliveries.as_view()),
    path("deliveries/<id:delivery_id>", deliveries.DeliveryDetail.as_view()),
    path("deliveries/<id:delivery_id>/replay", deliveries.DeliveryReplay.as_view()),
    path("hook-accounts", hook_accounts.HookAccounts.as_view()),
    path(_account, hook_accounts.HookAccountDetail.as_view()),
    path(f"{_account}/test", hook_accounts.HookAccountTest.as_view()),
    path(f"{_account}/targets", hook_accounts.HookTargets.as_view()),
    path(f"{_account}/targets/possible", hook_accounts.PossibleHookTargets.as_view()),
    path(f"{_account}/sync", hook_accounts.HookSync.as_view()),
    path(f"{_account}/audit", hook_accounts.HookAudit.as_view()),
    path(f"{_account}/repair", hook_accounts.HookRepair.as_view()),
    path(f"{_account}/remove-hooks", hook_accounts.HookRemoval.as_view()),
    path("github-packages/settings", github_packages.PackagesSettings.as_view()),
    path("github-packages/settings/rotate-secret", github_packages.PackagesRotation.as_view()),
    path("github-packages/callback-test", github_packages.CallbackTest.as_view()),
    path("github-packages/resolve", github_packages.Resolve.as_view()),
    path("github-packages/targets/add", github_packages.TargetsAdd.as_view()),
    path("github-packages/targets/remove", github_packages.TargetsRemove.as_view()),
    path("github-packages/repos", github_packages.Repositories.as_view()),
    path("github-packages/repos/selected", github_packages.RepositorySelected.as_view()),
    path("github-packages/repos/bulk-selected", github_packages.RepositoriesSelected.as_view()),
    path("github-packages/repos/delete", github_packages.RepositoryDelete.as_view()),
    path("github-packages/repos/ping", github_packages.RepositoryPing.as_view()),
    path("github-packages/sync", github_packages.Sync.as_view()),
    path("github-packages/audit", github_packages.Audit.as_view()),
    path("github-packages/repair", github_packages.Repair.as_view()),
    path("github-packages/remove-hooks", github_packages.RemoveHooks.as_view()),
]
