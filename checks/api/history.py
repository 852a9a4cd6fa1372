"""What became of what was newer."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks import findings
from checks.api.ignores import RuleMatch
from checks.api.shapes import CandidateFacts
from checks.chronicle import Event, What, candidates_of, events_of
from checks.hidings import Hiding
from checks.models import Candidate, IgnoreRule, Service
from checks.releases.reading import Notes, notes_of
from dockrev.api.answers import Page, PageQuery, one_of, page_of, query
from dockrev.api.fields import Moment, NoneIfEmpty


class HidingFacts(serializers.Serializer[Hiding]):
    scope = serializers.ChoiceField(IgnoreRule.Scope.choices)
    match = RuleMatch(source="*")
    createdBy = NoneIfEmpty(source="by")
    expiresAt = Moment(source="until", allow_null=True)


class EventFacts(serializers.Serializer[Event]):
    at = Moment()
    event = serializers.ChoiceField([each.value for each in What], source="what")
    channels = serializers.IntegerField(
        allow_null=True, help_text=_("To how many it was announced.")
    )
    rule = HidingFacts(
        source="hiding", allow_null=True, help_text=_("What hid it, as that was then.")
    )
    supersededBy = serializers.SerializerMethodField(help_text=_("The candidate's id."))

    def get_supersededBy(self, event: Event) -> str | None:
        return event.by.pk if event.by else None


class HistoryCandidate(CandidateFacts):
    oldEnoughAt = Moment(source="waits_until", allow_null=True)
    closedAs = NoneIfEmpty(source="closed_as")
    events = serializers.SerializerMethodField(help_text=_("In the order of time."))

    @extend_schema_field(EventFacts(many=True))
    def get_events(self, candidate: Candidate) -> list[dict[str, Any]]:
        return [EventFacts(event).data for event in events_of(candidate)]


class HistoryList(Page):
    candidates = HistoryCandidate(many=True)


class NotesFacts(serializers.Serializer[Notes]):
    """`text` is Markdown by whoever wrote the release: make it safe before showing it as HTML."""

    project = NoneIfEmpty(source="project.place", default=None)
    url = NoneIfEmpty(help_text=_("The release's page, else the one that lists them all."))
    tag = NoneIfEmpty(source="release.tag", default=None)
    name = NoneIfEmpty(source="release.name", default=None)
    text = NoneIfEmpty(source="release.body", default=None)
    publishedAt = Moment(source="release.published_at", default=None, allow_null=True)
    fetchedAt = Moment(source="release.fetched_at", default=None, allow_null=True)
    error = NoneIfEmpty(source="trouble", help_text=_("Why the host could not be asked."))


class CandidateNotes(APIView):
    @extend_schema(responses=NotesFacts)
    def get(self, request: Request, service_id: str, candidate_id: str) -> Response:
        """Its release notes, asked of the host of its source if they were not lately."""
        rows = Candidate.objects.filter(service=service_id).select_related("image", "service")
        candidate = one_of(rows, candidate_id)
        return Response(NotesFacts(notes_of(candidate)).data)


class ServiceHistory(APIView):
    @extend_schema(parameters=[PageQuery], responses=HistoryList)
    def get(self, request: Request, service_id: str) -> Response:
        """All that was newer, the newest first. What is over is kept for `retentionDays`."""
        service = one_of(Service.objects.all(), service_id)
        rows = page_of("candidates", candidates_of(service), query(PageQuery, request))
        findings.set_beside([(service, rows["candidates"])])
        return Response(HistoryList(rows).data)
