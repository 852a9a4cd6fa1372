"""GitHub Packages: settings, what people typed, the repositories that came of it, their hooks."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks.api.shapes import QueuedJob
from checks.models import Job
from checks.queue import Queued
from dockrev.api.answers import body, page_of, query
from dockrev.fields import MASK
from dockrev.permissions import Role
from integrations import targets, tracking
from integrations.api.github_shapes import (
    BulkSelected,
    BulkSelection,
    CallbackTried,
    Named,
    PackagesChange,
    PackagesFacts,
    RepositoryQuery,
    ResolvedFacts,
    Selection,
    SyncWish,
    TargetAdded,
    TargetAddition,
    TargetInput,
    TargetRemoved,
)
from integrations.api.receivers import new_secret
from integrations.api.shapes import NewSecret, RepositoryFacts, RepositoryList
from integrations.callbacks import callback_of
from integrations.github import client, packages, reachability
from integrations.hooks import asking


class PackagesSettings(APIView):
    writes = Role.ADMIN

    @extend_schema(responses=PackagesFacts)
    def get(self, request: Request) -> Response:
        return Response(_facts(packages.load()))

    @extend_schema(request=PackagesChange, responses=PackagesFacts)
    def put(self, request: Request) -> Response:
        """What is absent stays. A secret is made where the feature is switched on without one."""
        return Response(_facts(packages.change(body(PackagesChange, request))))


class PackagesRotation(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses=NewSecret)
    def post(self, request: Request) -> Response:
        """The old secret counts until every selected hook has the new one."""
        receiver, _secret = packages.rotate_secret(username=_who(request), reason=Job.Reason.API)
        return Response(new_secret(receiver, request))


class CallbackTest(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses=CallbackTried)
    def post(self, request: Request) -> Response:
        """Call the callback URL as GitHub would, and see whether it came in here."""
        receiver, account = packages.load()
        return Response(CallbackTried(reachability.try_callback(account, receiver)).data)


class Resolve(APIView):
    writes = Role.ADMIN

    @extend_schema(request=TargetInput, responses=ResolvedFacts)
    def post(self, request: Request) -> Response:
        """Say what a text stands for, and change nothing."""
        given = body(TargetInput, request)["input"]
        resolved = tracking.resolve(packages.load().account, given)
        shown = {
            "kind": resolved.named.kind,
            "owner": resolved.named.owner,
            "repos": resolved.repositories,
            "warnings": resolved.warnings,
        }
        return Response(ResolvedFacts(shown).data)


class TargetsAdd(APIView):
    writes = Role.ADMIN

    @extend_schema(request=TargetAddition, responses={201: TargetAdded})
    def post(self, request: Request) -> Response:
        """Track a repository, selected unless it is said otherwise, or all of an owner's.

        An owner's are listed by GitHub while this waits, and are not selected by themselves.
        """
        given = body(TargetAddition, request)
        account = packages.load().account
        change = tracking.add(account, given["input"], selected=given.get("selected"))
        shown = {
            "kind": change.named.kind,
            "owner": change.named.owner,
            "reposAdded": change.repositories,
            "reposTotal": change.total,
        }
        return Response(TargetAdded(shown).data, status=201)


class TargetsRemove(APIView):
    writes = Role.ADMIN

    @extend_schema(request=TargetInput, responses=TargetRemoved)
    def post(self, request: Request) -> Response:
        """Track it no longer. Hooks that are at GitHub are deleted by the next sync."""
        change = tracking.remove(packages.load().account, body(TargetInput, request)["input"])
        shown = {
            "kind": change.named.kind,
            "owner": change.named.owner,
            "reposRemoved": change.repositories,
            "reposTotal": change.total,
        }
        return Response(TargetRemoved(shown).data)


class Repositories(APIView):
    @extend_schema(parameters=[RepositoryQuery], responses=RepositoryList)
    def get(self, request: Request) -> Response:
        wanted = query(RepositoryQuery, request)
        account = packages.load().account
        rows = targets.matching(targets.present(account), wanted.get("q", ""))
        rows = rows.filter(targets.SELECTIONS[wanted["selected"]])
        if state := wanted.get("state"):
            rows = rows.filter(hook_state=state)
        page = page_of("repos", targets.shown(rows), wanted)
        counts = targets.count(account)
        page["filteredTotal"] = page["total"]
        page["total"], page["selectedTotal"] = counts.total, counts.selected
        return Response(RepositoryList(page).data)


class RepositorySelected(APIView):
    writes = Role.ADMIN

    @extend_schema(request=Selection, responses=RepositoryFacts)
    def post(self, request: Request) -> Response:
        """A hook that is not wanted any more is deleted by the next sync."""
        given = body(Selection, request)
        row = targets.find(packages.load().account, given["fullName"], field="fullName")
        row.selected = given["selected"]
        row.save(update_fields=["selected"])
        return Response(RepositoryFacts(row).data)


class RepositoriesSelected(APIView):
    writes = Role.ADMIN

    @extend_schema(request=BulkSelection, responses=BulkSelected)
    def post(self, request: Request) -> Response:
        """Select, or deselect, every repository that has the words of `q` in its name."""
        given = body(BulkSelection, request)
        account = packages.load().account
        rows = targets.matching(targets.present(account), given.get("q", ""))
        changed = tracking.select(rows, selected=given["selected"])
        total = targets.count(account).selected
        return Response(BulkSelected({"changed": changed, "selectedTotal": total}).data)


class RepositoryDelete(APIView):
    writes = Role.ADMIN

    @extend_schema(request=Named, responses={204: None})
    def post(self, request: Request) -> Response:
        """Its hook, if it has one, is deleted by the next sync."""
        tracking.remove_one(packages.load().account, _named(request), field="fullName")
        return Response(status=204)


class RepositoryPing(APIView):
    writes = Role.ADMIN

    @extend_schema(request=Named, responses={202: RepositoryFacts})
    def post(self, request: Request) -> Response:
        """Have GitHub call the hook. `verifiedAt` says when such a call came."""
        account = packages.load().account
        row = targets.find(account, _named(request), field="fullName")
        asking.ping(account, row)
        return Response(RepositoryFacts(row).data, status=202)


class Sync(APIView):
    writes = Role.ADMIN

    @extend_schema(request=SyncWish, responses={202: QueuedJob})
    def post(self, request: Request) -> Response:
        """Bring hooks in line with what is selected; the job says what became of each."""
        given = body(SyncWish, request)
        queued = asking.sync(
            packages.load().account,
            username=_who(request),
            reason=Job.Reason.API,
            repos=given.get("repos"),
            dry_run=given["dryRun"],
            resolve=given.get("resolveConflicts", ()),
        )
        return _queued(queued)


class Audit(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses={202: QueuedJob})
    def post(self, request: Request) -> Response:
        """Compare every selected hook with how it should be, and repair nothing."""
        return _queued(
            asking.audit(packages.load().account, username=_who(request), reason=Job.Reason.API)
        )


class Repair(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses={202: QueuedJob})
    def post(self, request: Request) -> Response:
        """Sync the repositories whose hooks were last seen missing, drifted or failing."""
        return _queued(
            asking.repair(packages.load().account, username=_who(request), reason=Job.Reason.API)
        )


class RemoveHooks(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses={202: QueuedJob})
    def post(self, request: Request) -> Response:
        """Delete every hook of ours at GitHub. Only while the feature is off."""
        return _queued(
            asking.remove_all(
                packages.load().account, username=_who(request), reason=Job.Reason.API
            )
        )


def _named(request: Request) -> str:
    name: str = body(Named, request)["fullName"]
    return name


def _who(request: Request) -> str:
    return request.user.get_username()


def _queued(queued: Queued) -> Response:
    answer = {"jobId": queued.job_id, **({"reused": True} if queued.reused else {})}
    return Response(QueuedJob(answer).data, status=202)


def _facts(feature: packages.Packages) -> dict[str, Any]:
    receiver, account = feature
    counts = targets.count(account)
    shown = {
        "enabled": receiver.enabled,
        "callbackUrl": callback_of(account) or None,
        "apiUrl": account.api_url or client.API_URL,
        "patMasked": packages.pat_masked(account.credential),
        "secretMasked": MASK if receiver.secret else None,
        "secretCreatedAt": receiver.secret_created_at,
        "reposTotal": counts.total,
        "reposSelectedTotal": counts.selected,
        "targets": account.inputs,
    }
    return dict(PackagesFacts(shown).data)
