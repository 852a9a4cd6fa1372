"""The pages of this app."""

from __future__ import annotations

from django.urls import path

from integrations import caller_pages, delivery_pages, explain_pages, receiver_pages
from integrations.github import pages as github_pages
from integrations.hooks import pages as hook_pages

_github = "settings/github-packages"

_callers = "settings/receivers/<id:receiver_id>/callers"

_hooks = "settings/hook-accounts"

urlpatterns = [
    path("deliveries", delivery_pages.show_deliveries, name="deliveries"),
    path("deliveries/<id:delivery_id>", delivery_pages.show_delivery, name="delivery"),
    path(
        "deliveries/<id:delivery_id>/replay", delivery_pages.replay_delivery, name="replay_delivery"
    ),
    path(_hooks, hook_pages.show_accounts, name="hook_accounts"),
    path(f"{_hooks}/add/<slug:provider>", hook_pages.add_account, name="add_hook_account"),
    path(f"{_hooks}/<id:account_id>", hook_pages.show_account, name="hook_account"),
    path(f"{_hooks}/<id:account_id>/work", hook_pages.show_account_work, name="hook_account_work"),
    path(f"{_hooks}/<id:account_id>/add", hook_pages.add_targets, name="add_hook_targets"),
    path(
        f"{_hooks}/<id:account_id>/<slug:button>", hook_pages.press_button, name="press_hook_button"
    ),
    path("settings/receivers", receiver_pages.show_receivers, name="receivers"),
    path("settings/receivers/explain", explain_pages.explain_payload, name="explain_payload"),
    path("settings/receivers/<id:receiver_id>", receiver_pages.show_receiver, name="receiver"),
    path(
        "settings/receivers/<id:receiver_id>/test",
        receiver_pages.test_receiver,
        name="test_receiver",
    ),
    path(f"{_callers}/add", caller_pages.add_caller, name="add_caller"),
    path(f"{_callers}/<id:caller_id>", caller_pages.show_caller, name="caller"),
    path(_github, github_pages.show, name="github_packages"),
    path(f"{_github}/work", github_pages.show_work, name="github_work"),
    path(f"{_github}/add", github_pages.add, name="github_add"),
    path(f"{_github}/forget-owner", github_pages.forget_owner, name="github_forget_owner"),
    path(f"{_github}/select", github_pages.select, name="github_select"),
    path(f"{_github}/remove", github_pages.remove, name="github_remove"),
    path(f"{_github}/ping", github_pages.ping, name="github_ping"),
    path(f"{_github}/keep", github_pages.keep, name="github_keep"),
    path(f"{_github}/sync", github_pages.sync, name="github_sync"),
    path(f"{_github}/audit", github_pages.audit, name="github_audit"),
    path(f"{_github}/repair", github_pages.repair, name="github_repair"),
    path(f"{_github}/remove-hooks", github_pages.remove_hooks, name="github_remove_hooks"),
]
