"""Backups of services' data: what there is, the files, bringing them back, and what is saved."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, Http404
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks.api.shapes import QueuedJob
from checks.api.work import default_reason, queued
from checks.backups import choosing, storing
from checks.backups.job import NotRestorable, ask_to_restore
from checks.backups.targets import HOWS, known_targets
from checks.models import Backup, Service
from dockrev.api.answers import Page, PageQuery, body, one_of, page_of, query
from dockrev.api.fields import MAX_ID, Moment, NoneIfEmpty
from dockrev.errors import Conflict, InvalidArgument
from dockrev.permissions import Role


class BackupFacts(serializers.Serializer[Backup]):
    id = serializers.CharField()
    serviceId = NoneIfEmpty(source="service_id")
    stackName = serializers.CharField(source="stack_name")
    serviceName = serializers.CharField(source="service_name")
    jobId = serializers.CharField(source="job_id")
    image = serializers.CharField()
    kind = serializers.ChoiceField(Backup.Kind.choices)
    name = serializers.CharField(help_text=gettext_lazy("Of the volume, or the path on the host."))
    destination = serializers.CharField()
    how = serializers.ChoiceField(Backup.How.choices)
    size = serializers.IntegerField()
    storedSize = serializers.IntegerField(source="stored_size")
    sha256 = serializers.CharField()
    note = serializers.CharField()
    beforeRestore = serializers.BooleanField(
        source="before_restore",
        help_text=gettext_lazy("Whether it has what a restore was about to replace."),
    )
    madeAt = Moment(source="made_at")


class BackupList(Page):
    backups = BackupFacts(many=True)


class BackupQuery(PageQuery):
    serviceId = serializers.CharField(required=False, max_length=MAX_ID)


class RestoreOptions(serializers.Serializer[Any]):
    saveFirst = serializers.BooleanField(
        default=True,
        help_text=gettext_lazy("Back up what is there before it is replaced."),
    )


class SavedTargetsChange(serializers.Serializer[Any]):
    """What is not named stays; null says nothing of a target any more."""

    targets = serializers.DictField(
        child=serializers.ChoiceField(HOWS, allow_null=True),
        help_text=gettext_lazy("By `volume:NAME` or `bind:/PATH`."),
    )


class SavedTargets(serializers.Serializer[Any]):
    targets = serializers.DictField(child=serializers.ChoiceField(HOWS))


class Backups(APIView):
    @extend_schema(parameters=[BackupQuery], responses=BackupList)
    def get(self, request: Request) -> Response:
        """Those that are whole, the newest first."""
        wanted = query(BackupQuery, request)
        rows = Backup.objects.good()
        if "serviceId" in wanted:
            rows = rows.filter(service=wanted["serviceId"])
        return Response(BackupList(page_of("backups", rows, wanted)).data)


class BackupDetail(APIView):
    writes = Role.OPERATOR

    @extend_schema(responses=BackupFacts)
    def get(self, request: Request, backup_id: str) -> Response:
        return Response(BackupFacts(one_of(Backup.objects.good(), backup_id)).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, backup_id: str) -> Response:
        """Delete it with its file. 409 while a job brings it back."""
        backup = one_of(Backup.objects.good(), backup_id)
        try:
            storing.delete(backup)
        except storing.InUse as error:
            raise Conflict(str(error), reason="in_use") from error
        return Response(status=204)


class BackupFile(APIView):
    reads = Role.OPERATOR

    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.BINARY)})
    def get(self, request: Request, backup_id: str) -> FileResponse:
        """The archive: tar, compressed with Zstandard. What was mounted is `0` in it."""
        return answer_with_file(one_of(Backup.objects.good(), backup_id))


class BackupRestore(APIView):
    writes = Role.OPERATOR

    @extend_schema(request=RestoreOptions, responses={202: QueuedJob})
    def post(self, request: Request, backup_id: str) -> Response:
        """Bring the data back as it was: a job stops what uses it, backs up what is there, and
        starts it again. 409 where that cannot be."""
        rows = Backup.objects.good().select_related("service__stack__host")
        username = request.user.get_username()
        backup, options = one_of(rows, backup_id), body(RestoreOptions, request)
        try:
            job = ask_to_restore(
                backup,
                username,
                saves_first=options["saveFirst"],
                reason=default_reason(request),
            )
        except NotRestorable as error:
            raise Conflict(str(error), reason="not_restorable") from error
        return queued(job)


class BackupTargets(APIView):
    writes = Role.OPERATOR

    @extend_schema(responses=SavedTargets)
    def get(self, request: Request, service_id: str) -> Response:
        """What is said of single volumes and bind mounts; of all others the policy says it."""
        service = one_of(Service.objects.all(), service_id)
        return Response({"targets": known_targets(service.backup_targets)})

    @extend_schema(request=SavedTargetsChange, responses=SavedTargets)
    def patch(self, request: Request, service_id: str) -> Response:
        """Say how single volumes and bind mounts are backed up."""
        service = one_of(Service.objects.all(), service_id)
        try:
            said = choosing.change(service, body(SavedTargetsChange, request)["targets"])
        except choosing.BadTarget as error:
            raise InvalidArgument("targets", str(error)) from error
        return Response({"targets": said})


def answer_with_file(backup: Backup) -> FileResponse:
    """Raises Http404 where the file is gone."""
    try:
        file = storing.open_file(backup)
    except OSError as error:
        raise Http404 from error
    return FileResponse(
        file,
        as_attachment=True,
        filename=f"{backup.pk}{storing.SUFFIX}",
        content_type="application/zstd",
    )
