"""The API routes of this app."""

from __future__ import annotations

from django.urls import path

from checks.api import history, ignores, inventory, policies, registries, work

urlpatterns = [
    path("stacks", inventory.Stacks.as_view()),
    path("stacks/<id:stack_id>", inventory.StackDetail.as_view()),
    path("stacks/<id:stack_id>/archive", inventory.StackArchive.as_view()),
    path("stacks/<id:stack_id>/restore", inventory.StackRestore.as_view()),
    path("stacks/<id:stack_id>/policy", policies.StackPolicy.as_view()),
    path("policy", policies.PolicyForAll.as_view()),
    path("services", inventory.Services.as_view()),
    path("services/<id:service_id>", inventory.ServiceDetail.as_view()),
    path("services/<id:service_id>/history", history.ServiceHistory.as_view()),
    path(
        "services/<id:service_id>/candidates/<id:candidate_id>/notes",
        history.CandidateNotes.as_view(),
    ),
    path("services/<id:service_id>/policy", policies.ServicePolicy.as_view()),
    path("services/<id:service_id>/archive", inventory.ServiceArchive.as_view()),
    path("services/<id:service_id>/restore", inventory.ServiceRestore.as_view()),
    path("ignores", ignores.Ignores.as_view()),
    path("ignores/preview", ignores.IgnorePreview.as_view()),
    path("ignores/<id:rule_id>", ignores.IgnoreDetail.as_view()),
    path("registries", registries.Registries.as_view()),
    path("registries/<id:registry_id>", registries.RegistryDetail.as_view()),
    path("registries/<id:registry_id>/test", registries.RegistryTest.as_view()),
    path("checks", work.Checks.as_view()),
    path("discovery/scan", work.DiscoveryScan.as_view()),
    path("jobs", work.Jobs.as_view()),
    path("jobs/<id:job_id>", work.JobDetail.as_view()),
    path("jobs/<id:job_id>/logs", work.JobLines.as_view()),
    path("jobs/<id:job_id>/cancel", work.JobCancel.as_view()),
]
