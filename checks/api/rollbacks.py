"""Going back to what a service ran before its last update."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks.api.shapes import QueuedJob
from checks.api.work import default_reason, queued
from checks.models import Service
from checks.updating.job import NoWayBack, ask_to_go_back
from dockrev.api.answers import one_of
from dockrev.errors import Conflict
from dockrev.permissions import Role


class ServiceRollback(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=None, responses={202: QueuedJob})
    def post(self, request: Request, service_id: str) -> Response:
        """Go back to what the service ran before its last update. 409 where there is no way back,
        with the reason."""
        service = one_of(Service.objects.select_related("stack"), service_id)
        username = request.user.get_username()
        try:
            return queued(ask_to_go_back(service, username, reason=default_reason(request)))
        except NoWayBack as error:
            raise Conflict(str(error), reason="no_way_back") from error
