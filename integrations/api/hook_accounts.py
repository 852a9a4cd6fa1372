"""Accounts that keep hooks at providers: what they are, what they track, and their jobs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from checks.api.shapes import QueuedJob
from checks.models import Job
from checks.queue import Queued
from dockrev.api.answers import PageQuery, body, page_of, query
from dockrev.errors import InvalidArgument
from dockrev.permissions import Role
from integrations import targets
from integrations.api.hook_shapes import (
    CredentialFacts,
    ForgetQuery,
    HookAccountChange,
    HookAccountFacts,
    HookAccountList,
    HookSyncWish,
    HookTargetFacts,
    HookTargetList,
    HookTargetQuery,
    NewHookAccount,
    PossibleQuery,
    PossibleTargets,
    TargetChoice,
    TargetName,
    context_of,
)
from integrations.hooks import asking, credentials, picking, setup
from integrations.models import HookAccount


class HookAccounts(APIView):
    writes = Role.ADMIN

    @extend_schema(parameters=[PageQuery], responses=HookAccountList)
    def get(self, request: Request) -> Response:
        """GitHub's, which is there from the first start, and those that were added."""
        page = page_of("hookAccounts", setup.accounts(), query(PageQuery, request))
        context = context_of(page["hookAccounts"])
        return Response(HookAccountList(page, context=context).data)

    @extend_schema(request=NewHookAccount, responses={201: HookAccountFacts})
    def post(self, request: Request) -> Response:
        """Add one, and try its token. One that is refused is kept; `credential` says so."""
        given = body(NewHookAccount, request)
        return _answer(setup.make(given.pop("provider"), given), status=201)


class HookAccountDetail(APIView):
    writes = Role.ADMIN

    @extend_schema(responses=HookAccountFacts)
    def get(self, request: Request, account_id: str) -> Response:
        return _answer(setup.find(account_id))

    @extend_schema(request=HookAccountChange, responses=HookAccountFacts)
    def patch(self, request: Request, account_id: str) -> Response:
        """What is absent stays. Another server asks for the token again."""
        given = body(HookAccountChange, request)
        return _answer(setup.change(setup.find(account_id), given))

    @extend_schema(parameters=[ForgetQuery], responses={204: None})
    def delete(self, request: Request, account_id: str) -> Response:
        """Forget it. While it has hooks, only when they may be left where they are."""
        leave = query(ForgetQuery, request)["leaveHooks"]
        setup.forget(setup.find(account_id), leave_hooks=leave)
        return Response(status=204)


class HookAccountTest(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses=CredentialFacts)
    def post(self, request: Request, account_id: str) -> Response:
        """Ask the provider who the token is, ten seconds at the most."""
        account = setup.find(account_id)
        credentials.require_given(account)
        return Response(CredentialFacts(credentials.try_and_store(account)).data)


class HookTargets(APIView):
    writes = Role.ADMIN

    @extend_schema(parameters=[HookTargetQuery], responses=HookTargetList)
    def get(self, request: Request, account_id: str) -> Response:
        wanted = query(HookTargetQuery, request)
        rows = targets.present(setup.find(account_id))
        rows = targets.matching(rows, wanted.get("q", ""))
        rows = rows.filter(targets.SELECTIONS[wanted["selected"]])
        if state := wanted.get("state"):
            rows = rows.filter(hook_state=state)
        return Response(HookTargetList(page_of("targets", targets.shown(rows), wanted)).data)

    @extend_schema(request=TargetChoice, responses={201: HookTargetFacts})
    def post(self, request: Request, account_id: str) -> Response:
        """Track one, selected unless it is said otherwise."""
        given = body(TargetChoice, request)
        account = setup.find(account_id)
        row = setup.add_target(account, given["name"], selected=given["selected"])
        return Response(HookTargetFacts(row).data, status=201)

    @extend_schema(request=TargetChoice, responses=HookTargetFacts)
    def patch(self, request: Request, account_id: str) -> Response:
        """A hook that is not wanted any more is deleted by the next sync."""
        given = body(TargetChoice, request)
        row = targets.find(setup.find(account_id), given["name"], field="name")
        row.selected = given["selected"]
        row.save(update_fields=["selected"])
        return Response(HookTargetFacts(row).data)

    @extend_schema(parameters=[TargetName], responses={204: None})
    def delete(self, request: Request, account_id: str) -> Response:
        """Its hook, if it has one, is deleted by the next sync."""
        setup.remove_target(setup.find(account_id), query(TargetName, request)["name"])
        return Response(status=204)


class PossibleHookTargets(APIView):
    reads = Role.ADMIN

    @extend_schema(parameters=[PossibleQuery], responses=PossibleTargets)
    def get(self, request: Request, account_id: str) -> Response:
        """What the provider has, to pick from: its answer is waited for."""
        account = setup.find(account_id)
        found = picking.look(account, query(PossibleQuery, request)["q"])
        return Response(PossibleTargets(found).data)


class HookSync(APIView):
    writes = Role.ADMIN

    @extend_schema(request=HookSyncWish, responses={202: QueuedJob})
    def post(self, request: Request, account_id: str) -> Response:
        """Bring hooks in line with what is selected; the job says what became of each."""
        given = body(HookSyncWish, request)
        try:
            queued = asking.sync(
                setup.find(account_id),
                **_asked(request),
                repos=given.get("targets"),
                dry_run=given["dryRun"],
                resolve=[_choice(each) for each in given.get("resolveConflicts", ())],
            )
        except InvalidArgument as error:
            details = dict(error.details)
            field = {"repos": "targets"}.get(details.pop("field"), "resolveConflicts")
            raise InvalidArgument(field, error.message, **details) from error
        return _queued(queued)


class HookAudit(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses={202: QueuedJob})
    def post(self, request: Request, account_id: str) -> Response:
        """Compare every selected hook with how it should be, and repair nothing."""
        return _queued(asking.audit(setup.find(account_id), **_asked(request)))


class HookRepair(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses={202: QueuedJob})
    def post(self, request: Request, account_id: str) -> Response:
        """Sync the targets whose hooks were last seen missing, drifted or failing."""
        return _queued(asking.repair(setup.find(account_id), **_asked(request)))


class HookRemoval(APIView):
    writes = Role.ADMIN

    @extend_schema(request=None, responses={202: QueuedJob})
    def post(self, request: Request, account_id: str) -> Response:
        """Delete every hook of ours there. Only while its receiver is off."""
        return _queued(asking.remove_all(setup.find(account_id), **_asked(request)))


def _asked(request: Request) -> asking.Asked:
    return {"username": request.user.get_username(), "reason": Job.Reason.API}


def _choice(each: dict[str, Any]) -> dict[str, Any]:
    return {"repo": each["target"], **each}


def _queued(queued: Queued) -> Response:
    answer = {"jobId": queued.job_id, **({"reused": True} if queued.reused else {})}
    return Response(QueuedJob(answer).data, status=202)


def _answer(account: HookAccount, *, status: int = 200) -> Response:
    context = context_of([account])
    return Response(HookAccountFacts(account, context=context).data, status=status)
