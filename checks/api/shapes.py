"""What stacks, services and jobs look like from outside."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from checks import policies
from checks.api.policy_shapes import PolicyFacts
from checks.automatic import state as automatic
from checks.models import Candidate, Finding, Job, JobLog, Pause, Service, Stack
from checks.overview import by_step, offer, waiting
from checks.releases.places import project_at
from checks.versions.policies import Source
from dockrev.api.answers import Page
from dockrev.api.fields import Moment, NoneIfEmpty


class FindingFacts(serializers.Serializer[Finding]):
    """What the last scan found that the registry told of. `other` is what is less than high."""

    critical = serializers.IntegerField()
    high = serializers.IntegerField()
    other = serializers.IntegerField()
    scanner = NoneIfEmpty()
    at = Moment(help_text=_("When the scan ended."))


class ImageFacts(serializers.Serializer[Service]):
    ref = serializers.CharField(source="image_ref")
    registry = NoneIfEmpty()
    repository = NoneIfEmpty()
    tag = NoneIfEmpty()
    digest = serializers.SerializerMethodField()
    displayTag = NoneIfEmpty(
        source="display_tag",
        help_text=_("The version behind a tag that is none, where it is known; else the tag."),
    )
    builtAt = Moment(source="runs.built_at", allow_null=True, help_text=_("As the image says."))

    def get_digest(self, service: Service) -> str | None:
        return next(iter(service.digests), None)


class CandidateFacts(serializers.Serializer[Candidate]):
    """Needs candidates with `image`, and `finding` set."""

    id = serializers.CharField()
    kind = serializers.SerializerMethodField(help_text=_("`digest` where the tag stays."))
    step = serializers.ChoiceField(Candidate.Step.choices)
    tag = serializers.CharField()
    digest = serializers.CharField()
    archMatch = serializers.ChoiceField(Candidate.Arch.choices, source="arch")
    platforms = serializers.ListField(child=serializers.CharField())
    displayTag = serializers.CharField(
        source="display_tag",
        help_text=_("The version behind a tag that is none, where it is known; else the tag."),
    )
    builtAt = Moment(source="image.built_at", allow_null=True, help_text=_("As the image says."))
    sourceUrl = serializers.SerializerMethodField(help_text=_("Where its source is, as they say."))
    discoveredAt = Moment(source="opened_at")
    finding = FindingFacts(allow_null=True, help_text=_("What a scan of it found."))

    def get_sourceUrl(self, candidate: Candidate) -> str | None:
        project = project_at(candidate.source)
        return project.url if project else None

    @extend_schema_field(serializers.ChoiceField(["digest", "version"]))
    def get_kind(self, candidate: Candidate) -> str:
        return "digest" if candidate.step == Candidate.Step.REBUILT else "version"


class WaitingFacts(CandidateFacts):
    oldEnoughAt = Moment(source="waits_until")


class PauseFacts(serializers.Serializer[Pause]):
    """Why a service does not update itself until a person resumes it, or something newer comes."""

    why = serializers.CharField()
    tag = NoneIfEmpty(help_text=_("What was to be run."))
    digest = NoneIfEmpty()
    jobId = NoneIfEmpty(source="job_id")
    since = Moment(source="at")


class AutomaticFacts(serializers.Serializer[automatic.State]):
    """When a service does what its policy lets it do by itself. `opensAt` is null where any time
    will do."""

    candidateId = serializers.CharField(
        source="coming.id", allow_null=True, default=None, help_text=_("What it takes next.")
    )
    notBefore = Moment(
        source="ripe_at", allow_null=True, help_text=_("When that has been known long enough.")
    )
    opensAt = Moment(
        source="opening.opens_at",
        allow_null=True,
        default=None,
        help_text=_("Of the window that is open, else of the next."),
    )
    closesAt = Moment(source="opening.closes_at", allow_null=True, default=None)
    pause = PauseFacts(allow_null=True)


class ServiceFacts(serializers.Serializer[Service]):
    """Needs services `with_policies`, `with_pauses`, `image` and, as `unclosed`, the candidates
    that are not closed; and `finding` set, of all of them."""

    id = serializers.CharField()
    stackId = serializers.CharField(source="stack_id")
    stackName = serializers.CharField(source="stack.name")
    name = serializers.CharField()
    image = ImageFacts(source="*")
    status = serializers.ChoiceField(Service.Status.choices)
    candidate = serializers.SerializerMethodField()
    candidates = serializers.SerializerMethodField()
    waiting = serializers.SerializerMethodField()
    policy = serializers.SerializerMethodField()
    automatic = serializers.SerializerMethodField()
    ignoredBy = serializers.SerializerMethodField()
    finding = FindingFacts(allow_null=True, help_text=_("What a scan of what runs found."))
    reason = NoneIfEmpty()
    tagGone = serializers.BooleanField(
        source="tag_gone", help_text=_("Whether the registry lists its tag no more.")
    )
    tagsLeft = serializers.DictField(
        source="tags_left",
        child=serializers.IntegerField(),
        help_text=_("How many other tags the last check left, by rule."),
    )
    checkedAt = Moment(source="checked_at", allow_null=True)
    error = NoneIfEmpty()
    archived = serializers.SerializerMethodField()

    @extend_schema_field(CandidateFacts(allow_null=True))
    def get_candidate(self, service: Any) -> dict[str, Any] | None:
        best = offer(_offered(service)).best
        return CandidateFacts(best).data if best else None

    @extend_schema_field(CandidateFacts(many=True))
    def get_candidates(self, service: Any) -> list[dict[str, Any]]:
        """The largest step first."""
        return [CandidateFacts(each).data for each in by_step(_offered(service))]

    @extend_schema_field(WaitingFacts(many=True))
    def get_waiting(self, service: Any) -> list[dict[str, Any]]:
        """What is younger than the policy's minimum age: the first to be old enough first."""
        return [WaitingFacts(row).data for row in waiting(service.unclosed)]

    @extend_schema_field(PolicyFacts(allow_null=True))
    def get_policy(self, service: Service) -> dict[str, Any] | None:
        """What holds for it; null as long as that is the default and nobody said it."""
        level = policies.of_service(service)
        unsaid = all(each.source == Source.DEFAULT for each in level.held.values())
        return None if unsaid and not level.faults else PolicyFacts(level).data

    @extend_schema_field(AutomaticFacts(allow_null=True))
    def get_automatic(self, service: Service) -> dict[str, Any] | None:
        """What it does by itself; null where only people and programs update it."""
        level = policies.of_service(service)
        found = automatic.of(level, _offered(service), timezone.now())
        return AutomaticFacts(found).data if found.is_on else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_ignoredBy(self, service: Any) -> str | None:
        """The id of the rule that hides what is newer, where nothing else is."""
        if _offered(service):
            return None
        best = offer(_open(service)).best
        return best.ignored_by_id if best else None

    def get_archived(self, service: Service) -> bool:
        return bool(service.archived_at or service.stack.archived_at)


def _open(service: Any) -> list[Candidate]:
    return [each for each in service.unclosed if not each.waits_until]


def _offered(service: Any) -> list[Candidate]:
    return [each for each in _open(service) if not each.ignored_by_id]


class StackHead(serializers.Serializer[Stack]):
    id = serializers.CharField()
    name = serializers.CharField()
    host = serializers.CharField(source="host.name")
    status = serializers.ChoiceField(Stack.Status.choices)
    error = NoneIfEmpty()
    updates = serializers.IntegerField(source="update_count")
    lastCheckAt = Moment(source="last_check_at", allow_null=True)
    archived = serializers.SerializerMethodField()

    def get_archived(self, stack: Stack) -> bool:
        return stack.archived_at is not None


class StackFacts(StackHead):
    services = serializers.IntegerField(source="service_count")


class StackWhole(StackHead):
    services = ServiceFacts(many=True, source="listed")


class Progress(serializers.Serializer[Job]):
    done = serializers.IntegerField(source="progress_done")
    total = serializers.IntegerField(source="progress_total")
    message = serializers.CharField(source="progress_message")


class JobFacts(serializers.Serializer[Job]):
    id = serializers.CharField()
    kind = serializers.CharField()
    scope = serializers.ChoiceField(Job.Scope.choices)
    stackId = NoneIfEmpty(source="stack_id")
    serviceId = NoneIfEmpty(source="service_id")
    status = serializers.ChoiceField(Job.Status.choices)
    reason = serializers.ChoiceField(Job.Reason.choices)
    createdBy = NoneIfEmpty(source="created_by")
    because = NoneIfEmpty(help_text=_("Which policy wants it, and where that was said."))
    createdAt = Moment(source="created_at")
    startedAt = Moment(source="started_at", allow_null=True)
    finishedAt = Moment(source="finished_at", allow_null=True)
    progress = Progress(source="*")
    summary = serializers.DictField()


class LogLine(serializers.Serializer[JobLog]):
    id = serializers.IntegerField()
    at = Moment()
    level = serializers.ChoiceField(JobLog.Level.choices)
    message = serializers.CharField()


class ServiceList(Page):
    services = ServiceFacts(many=True)


class StackList(Page):
    stacks = StackFacts(many=True)


class JobList(serializers.Serializer[Any]):
    jobs = JobFacts(many=True)
    nextCursor = serializers.CharField(allow_null=True)


class JobLogs(serializers.Serializer[Any]):
    lines = LogLine(many=True)
    after = serializers.IntegerField(help_text=_("Give it as `after` to go on from here."))
    ended = serializers.BooleanField(help_text=_("The job writes no more lines."))


class QueuedUpdate(serializers.Serializer[Any]):
    jobId = serializers.CharField()
    reused = serializers.BooleanField(required=False)
    jobIds = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text=_("Where there is more than one job: one for each stack."),
    )


class QueuedJob(serializers.Serializer[Any]):
    jobId = serializers.CharField()
    reused = serializers.BooleanField(required=False)
