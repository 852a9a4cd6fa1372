"""The document says what the API does: every operation, called with what the document allows
and with what it does not, answers as the document says and never fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from dockrev.api.documents import document
from dockrev.models import ApiToken, Heartbeat
from tests.people import person
from tests.rows import service

EXAMPLES = 12
CALLS_OUT = {"postChannelTest"}  # to whatever address was generated

load_all_checks()
CHECKED = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
    ]
)
# An empty parameter in an address is one that was not given, whatever its type.
REFUSES_WRONG_BODIES = CHECKS.get_by_names(["negative_data_rejection"])
SCHEMA: Any = schemathesis.openapi.from_dict(json.loads(json.dumps(document(), default=str)))
OPERATIONS = {
    result.ok().definition.raw["operationId"]: result.ok() for result in SCHEMA.get_all_operations()
}

CASES = [
    (name, mode)
    for name, operation in sorted(OPERATIONS.items())
    if name not in CALLS_OUT
    for mode in ("positive", "negative")
    if mode == "positive" or list(operation.iter_parameters()) or operation.body
]


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Calls share the test's connection, as those of Django's own client do."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize(("name", "mode"), CASES)
def test_it_answers_as_the_document_says(name: str, mode: str) -> None:
    service()
    Heartbeat.objects.create(name="worker", at=timezone.now())
    _row, token = ApiToken.issue(person("admin"), name="test", expires_at=None)
    app = get_wsgi_application()
    cases = OPERATIONS[name].as_strategy(generation_mode=schemathesis.GenerationMode[mode.upper()])

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def answers(case: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        response = case.call(app=app, headers=headers)
        checks = CHECKED if case.method == "GET" else CHECKED + REFUSES_WRONG_BODIES
        case.validate_response(response, checks=checks)

    answers()
