"""Every route, and from which role on each of its methods is open.

A route that is missing here, or a method, fails the test. Ask: who should be able to do this?
"""

from __future__ import annotations

from enum import IntEnum


class Needs(IntEnum):
    NOBODY = -2  # open to strangers
    PROOF = -1  # a webhook's own: no identity opens it
    SIGN_IN = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


READ = {"GET": Needs.VIEWER}
ACT = {"POST": Needs.OPERATOR}
CONFIGURE = {"POST": Needs.ADMIN}
FORM = ("GET", "POST", "PUT")  # Django's form views take a PUT for a POST

DOORS: dict[str, dict[str, Needs]] = {
    # pages
    "sign-in": dict.fromkeys(FORM, Needs.NOBODY),
    "sign-out": {"POST": Needs.SIGN_IN},
    "": READ,
    "check": ACT,
    "discover": ACT,
    "stacks/<id:stack_id>/check": ACT,
    "stacks/<id:stack_id>/archive": ACT,
    "stacks/<id:stack_id>/restore": ACT,
    "stacks/<id:stack_id>/policy": {**READ, **ACT},
    "services/<id:stack_id>/<id:service_id>": READ,
    "services/<id:stack_id>/<id:service_id>/history": READ,
    "services/<id:stack_id>/<id:service_id>/candidates/<id:candidate_id>/notes": READ,
    "services/<id:stack_id>/<id:service_id>/check": ACT,
    "services/<id:stack_id>/<id:service_id>/policy": ACT,
    "services/<id:stack_id>/<id:service_id>/archive": ACT,
    "services/<id:stack_id>/<id:service_id>/restore": ACT,
    "services/<id:stack_id>/<id:service_id>/candidates/<id:candidate_id>/skip": ACT,
    "services/<id:stack_id>/<id:service_id>/candidates/<id:candidate_id>/snooze": ACT,
    "services/<id:stack_id>/<id:service_id>/rules/<id:rule_id>/show-again": ACT,
    "queue": READ,
    "queue/<id:job_id>": READ,
    "queue/<id:job_id>/log": READ,
    "queue/<id:job_id>/cancel": ACT,
    "queue/<id:job_id>/repeat": ACT,
    "deliveries": READ,
    "deliveries/<id:delivery_id>": READ,
    "deliveries/<id:delivery_id>/replay": ACT,
    "settings": READ,
    "settings/ignores": READ,
    "settings/ignores/add": dict.fromkeys(("GET", "POST"), Needs.OPERATOR),
    "settings/ignores/change": ACT,
    "settings/ignores/<id:rule_id>": {**READ, **ACT},
    "settings/schedules/<name>": {**READ, **CONFIGURE},
    "settings/schedules/<name>/run": CONFIGURE,
    "settings/theme": {"POST": Needs.VIEWER},
    "settings/password": dict.fromkeys(FORM, Needs.SIGN_IN),
    "settings/policy": {**READ, **CONFIGURE},
    "settings/github-packages": {**READ, **CONFIGURE},
    "settings/github-packages/work": READ,
    "settings/github-packages/add": CONFIGURE,
    "settings/github-packages/forget-owner": CONFIGURE,
    "settings/github-packages/select": CONFIGURE,
    "settings/github-packages/remove": CONFIGURE,
    "settings/github-packages/ping": CONFIGURE,
    "settings/github-packages/keep": CONFIGURE,
    "settings/github-packages/sync": CONFIGURE,
    "settings/github-packages/audit": CONFIGURE,
    "settings/github-packages/repair": CONFIGURE,
    "settings/github-packages/remove-hooks": CONFIGURE,
    "settings/hook-accounts": READ,
    "settings/hook-accounts/add/<slug:provider>": {"GET": Needs.ADMIN, **CONFIGURE},
    "settings/hook-accounts/<id:account_id>": {**READ, **CONFIGURE},
    "settings/hook-accounts/<id:account_id>/work": READ,
    "settings/hook-accounts/<id:account_id>/add": CONFIGURE,
    "settings/hook-accounts/<id:account_id>/<slug:button>": CONFIGURE,
    "settings/registries": READ,
    "settings/registries/add": {"GET": Needs.ADMIN, **CONFIGURE},
    "settings/registries/<id:registry_id>": {"GET": Needs.ADMIN, **CONFIGURE},
    # webhooks
    "^api/webhooks/trigger/?$": {"POST": Needs.PROOF},
    "^api/webhooks/(?P<kind>[a-z0-9-]+)/?$": {"POST": Needs.PROOF},
    "^api/webhooks/(?P<kind>[a-z0-9-]+)/(?P<token>[^/]+)/?$": {"POST": Needs.PROOF},
    "^v1/webhook/?$": {"POST": Needs.PROOF},
    # API
    "api/health": {"GET": Needs.NOBODY},
    "api/version": {"GET": Needs.NOBODY},
    "api/schema/": READ,
    "api/docs/": READ,
    "api/settings": {**READ, "PUT": Needs.ADMIN},
    "api/stacks": READ,
    "api/stacks/<id:stack_id>": READ,
    "api/stacks/<id:stack_id>/archive": ACT,
    "api/stacks/<id:stack_id>/restore": ACT,
    "api/stacks/<id:stack_id>/policy": {**READ, "PATCH": Needs.OPERATOR},
    "api/policy": {**READ, "PATCH": Needs.ADMIN},
    "api/services": READ,
    "api/services/<id:service_id>": READ,
    "api/services/<id:service_id>/history": READ,
    "api/services/<id:service_id>/candidates/<id:candidate_id>/notes": READ,
    "api/services/<id:service_id>/policy": {**READ, "PATCH": Needs.OPERATOR},
    "api/services/<id:service_id>/archive": ACT,
    "api/services/<id:service_id>/restore": ACT,
    "api/ignores": {**READ, **ACT},
    "api/ignores/preview": ACT,
    "api/ignores/<id:rule_id>": {"PATCH": Needs.OPERATOR, "DELETE": Needs.OPERATOR},
    "api/registries": {**READ, **CONFIGURE},
    "api/registries/<id:registry_id>": {"PATCH": Needs.ADMIN, "DELETE": Needs.ADMIN},
    "api/registries/<id:registry_id>/test": CONFIGURE,
    "api/checks": ACT,
    "api/discovery/scan": ACT,
    "api/jobs": READ,
    "api/jobs/<id:job_id>": READ,
    "api/jobs/<id:job_id>/logs": READ,
    "api/jobs/<id:job_id>/cancel": ACT,
    "api/receivers": {**READ, **CONFIGURE},
    "api/receivers/<slug:receiver>": {**READ, "PATCH": Needs.ADMIN, "DELETE": Needs.ADMIN},
    "api/receivers/<slug:receiver>/rotate": CONFIGURE,
    "api/deliveries": READ,
    "api/deliveries/<id:delivery_id>": READ,
    "api/deliveries/<id:delivery_id>/replay": ACT,
    "api/github-packages/settings": {**READ, "PUT": Needs.ADMIN},
    "api/github-packages/settings/rotate-secret": CONFIGURE,
    "api/github-packages/callback-test": CONFIGURE,
    "api/github-packages/resolve": CONFIGURE,
    "api/github-packages/targets/add": CONFIGURE,
    "api/github-packages/targets/remove": CONFIGURE,
    "api/github-packages/repos": READ,
    "api/github-packages/repos/selected": CONFIGURE,
    "api/github-packages/repos/bulk-selected": CONFIGURE,
    "api/github-packages/repos/delete": CONFIGURE,
    "api/github-packages/repos/ping": CONFIGURE,
    "api/github-packages/sync": CONFIGURE,
    "api/github-packages/audit": CONFIGURE,
    "api/github-packages/repair": CONFIGURE,
    "api/github-packages/remove-hooks": CONFIGURE,
    "api/hook-accounts": {**READ, **CONFIGURE},
    "api/hook-accounts/<id:account_id>": {**READ, "PATCH": Needs.ADMIN, "DELETE": Needs.ADMIN},
    "api/hook-accounts/<id:account_id>/test": CONFIGURE,
    "api/hook-accounts/<id:account_id>/targets": {
        **READ,
        **CONFIGURE,
        "PATCH": Needs.ADMIN,
        "DELETE": Needs.ADMIN,
    },
    "api/hook-accounts/<id:account_id>/targets/possible": {"GET": Needs.ADMIN},
    "api/hook-accounts/<id:account_id>/sync": CONFIGURE,
    "api/hook-accounts/<id:account_id>/audit": CONFIGURE,
    "api/hook-accounts/<id:account_id>/repair": CONFIGURE,
    "api/hook-accounts/<id:account_id>/remove-hooks": CONFIGURE,
    "api/notifications/channels": {"GET": Needs.ADMIN, **CONFIGURE},
    "api/notifications/channels/<id:channel_id>": {
        "GET": Needs.ADMIN,
        "PATCH": Needs.ADMIN,
        "DELETE": Needs.ADMIN,
    },
    "api/notifications/channels/<id:channel_id>/test": CONFIGURE,
}
# Everything below is for the role admin, whatever models are registered.
BACK_ROOM = "admin/"
