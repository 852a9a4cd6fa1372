"""Removing images that updates left behind, or a look at which would go."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks.api.shapes import QueuedJob
from checks.api.work import default_reason, queued
from checks.pruning import job
from dockrev.api.answers import body
from dockrev.permissions import Role


class PruneOrder(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(
        [job.APPLY, job.DRY_RUN],
        help_text=_("`dry-run` removes nothing: the job's summary says what would go."),
    )


class Prune(APIView):
    writes = Role.ADMIN

    @extend_schema(request=PruneOrder, responses={202: QueuedJob})
    def post(self, request: Request) -> Response:
        """Remove the images that Dockrev's updates left behind and that no rollback needs."""
        mode = body(PruneOrder, request)["mode"]
        username = request.user.get_username()
        return queued(job.ask(mode, username, reason=default_reason(request)))
