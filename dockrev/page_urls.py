"""The pages of the instance and of the person."""

from __future__ import annotations

from django.contrib.auth.views import LogoutView
from django.urls import path

from dockrev import installable, instance_pages, schedule_pages, views

urlpatterns = [
    path("manifest.webmanifest", installable.manifest, name="manifest"),
    path("sign-in", views.SignIn.as_view(), name="login"),
    path("sign-out", LogoutView.as_view(), name="logout"),
    path("settings", views.show_settings, name="settings"),
    path("settings/instance", instance_pages.show_instance, name="instance"),
    path("settings/theme", views.choose_theme, name="theme"),
    path("settings/language", views.choose_language, name="language"),
    path("settings/schedules/<name>", schedule_pages.show_schedule, name="schedule"),
    path("settings/schedules/<name>/run", schedule_pages.run_schedule, name="run_schedule"),
    path("settings/password", views.ChangePassword.as_view(), name="password"),
]
