"""What holds for every receiver there is: each runs through all of this."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.models import Job
from checks.registry.reference import parse
from integrations.models import Delivery, Receiver
from integrations.receivers import RECEIVERS
from integrations.tallies import Tallies
from tests import rows
from tests.people import Program
from tests.receivers.odd import FEW, NO_OBJECT, ODD, bent, changed, places, sound
from tests.receivers.sending import HOST, SECRET, Sender, sender_of, stored

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).resolve().parents[2] / "docs"
SLOW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)


@pytest.fixture(params=sorted(RECEIVERS))
def sender(request: pytest.FixtureRequest, db: None) -> Sender:
    return sender_of(request.param)


def may_answer(sender: Sender) -> set[int]:
    """What a proven call can be answered, whatever is in it."""
    return {200, 202, 400} if sender.protocol.shows_rejections else {200, 202}


class TestProof:
    def test_without_one_nothing_is_stored(self, sender: Sender, tallies: Tallies) -> None:
        for example in sender.examples():
            status, body = sender.send_as_it_is(example.incoming())
            assert (status, body["error"]["code"]) == (401, "invalid_signature")
            assert body["error"]["details"] == {}
        assert (stored(), Job.objects.count()) == (0, 0)
        tallies.flush()
        sender.row.refresh_from_db()
        assert sender.row.rejected_count == len(sender.examples())
        assert sender.row.last_accepted_at is None

    @pytest.mark.parametrize(
        "secret", [SECRET[:-1], f"{SECRET}x", SECRET.upper(), SECRET[::-1], "x", "a" * 500]
    )
    def test_another_secret_proves_nothing(self, sender: Sender, secret: str) -> None:
        status, body = sender.send_as_it_is(sender.protocol.prove(sender.push(), secret))
        assert (status, body["error"]["code"], stored()) == (401, "invalid_signature", 0)

    @pytest.mark.parametrize("value", ["", " ", "x", "é" * 64, "sha256=", "Bearer ", "0" * 70_000])
    def test_what_only_looks_like_one_proves_nothing(self, sender: Sender, value: str) -> None:
        plain = sender.push()
        proven = sender.protocol.prove(plain, SECRET)
        changed = {
            name: value
            for name in proven.headers
            if proven.headers[name] != plain.headers.get(name)
        }
        wrong = replace(proven, headers={**proven.headers, **changed})
        if proven.token != plain.token:
            wrong = replace(wrong, token=value.strip() or "x")
        assert sender.send_as_it_is(wrong)[0] == 401
        assert stored() == 0

    def test_a_signature_is_of_this_body_alone(self, sender: Sender) -> None:
        one, other = sender.push(), sender.push()
        proofs = [sender.protocol.prove(call, SECRET) for call in (one, replace(one, body=b"{}"))]
        if proofs[0].headers == proofs[1].headers:
            return  # it proves who calls, and not what
        moved = replace(other, headers={**other.headers, **proofs[0].headers}, body=b'{"a": 1}')
        assert sender.send_as_it_is(moved)[0] == 401
        assert stored() == 0

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\x00" * 100, NO_OBJECT[-1]])
    def test_it_is_asked_for_before_anything_is_read(self, sender: Sender, body: bytes) -> None:
        assert sender.send_as_it_is(sender.with_body(body))[0] == 401
        assert stored() == 0

    def test_an_empty_secret_proves_nothing(self, sender: Sender) -> None:
        Receiver.objects.filter(pk=sender.row.pk).update(path_token_hash=None)
        sender.row.secret = ""
        sender.row.save()
        for secret in ("", SECRET, "x"):
            call = sender.protocol.prove(sender.push(), secret)
            assert sender.send_as_it_is(call)[0] == 401, secret
        assert sender.send_as_it_is(sender.push())[0] == 401
        assert stored() == 0

    def test_the_one_before_counts_until_its_time_is_over(self, sender: Sender) -> None:
        sender.row.previous_secret, sender.row.secret = SECRET, "another-secret.of_the~same-kind"
        sender.row.previous_until = timezone.now() + timedelta(hours=1)
        sender.row.save()
        assert sender.send(sender.push())[0] == 202
        new = sender.protocol.prove(sender.push(), sender.row.secret)
        assert sender.send_as_it_is(new)[0] == 202
        Receiver.objects.update(previous_until=timezone.now())
        assert sender.send(sender.push())[0] == 401
        assert stored() == 2


class TestExamples:
    def test_they_are_answered_as_they_say(self, sender: Sender) -> None:
        examples = sender.examples()
        assert examples[0].decision == "processed" and not examples[0].reason
        for example in examples:
            status, body = sender.send(example.incoming())
            assert body["decision"] == example.decision, body
            assert (body["reason"] or "") == example.reason
            is_work = (example.decision, example.reason) == ("processed", "")
            assert status == (202 if is_work else 200)
        assert stored() == len(examples)

    def test_a_push_has_what_runs_its_image_checked(self, sender: Sender) -> None:
        images = sender.read(sender.push()).images
        services = {rows.service(str(image), name=f"n{n}").pk for n, image in enumerate(images)}
        assert services
        status, body = sender.send(sender.push())
        assert (status, set(body["matchedServiceIds"])) == (202, services)
        assert len(body["jobIds"]) == len(services)
        assert body["fallbackUsed"] is False

    def test_a_push_of_what_runs_nowhere_has_it_looked_for(self, sender: Sender) -> None:
        body = sender.send(sender.push())[1]
        assert body["fallbackReason"] == "no_managed_service_match"
        assert [job.kind for job in Job.objects.all()] == ["discovery"]

    def test_the_registry_that_it_speaks_for_wins_over_the_body(self, sender: Sender) -> None:
        for host in (HOST, "other.example"):
            Receiver.objects.filter(pk=sender.row.pk).update(registry_host=host)
            images = sender.send(sender.push())[1]["images"]
            assert images and all(image.startswith(f"{host}/") for image in images)

    def test_where_none_is_set_the_body_says_which_or_it_is_no_use(self, sender: Sender) -> None:
        Receiver.objects.filter(pk=sender.row.pk).update(registry_host="")
        status, body = sender.send(sender.push())
        assert status in may_answer(sender)
        if status == 202:
            assert all(parse(image).registry not in ("", HOST) for image in body["images"])

    def test_the_same_call_again_is_a_duplicate(self, sender: Sender) -> None:
        call = sender.push()
        first, again = sender.send(call)[1], sender.send(call)
        assert (again[0], again[1]["reason"]) == (200, "duplicate_delivery")
        assert (again[1]["deliveryId"], again[1]["attempt"]) == (first["deliveryId"], 2)
        assert (stored(), Job.objects.count()) == (1, 1)
        assert sender.send(sender.push())[1]["attempt"] == 1

    def test_words_for_people_are_there(self, sender: Sender) -> None:
        protocol = sender.protocol
        assert protocol.label and protocol.proof
        assert not protocol.docs or DOCS.joinpath(protocol.docs).is_file()
        for example in sender.examples():
            assert str(example.name)
        for step in protocol.steps:
            str(step).format(url="https://dockrev.example/", secret="s")
        for option in protocol.options:
            assert str(option.label) and str(option.help) and option.name.isidentifier()


class TestWayIn:
    @pytest.mark.parametrize("end", ["", "/"])
    def test_a_slash_at_the_end_does_not_matter(
        self, sender: Sender, client: Client, end: str
    ) -> None:
        assert sender.send(sender.push(), end=end)[0] == 202
        call = sender.protocol.prove(sender.push(), SECRET)
        path = f"/api/webhooks/{sender.row.kind}{'/' if call.token else ''}{call.token}{end}"
        headers = {name: value for name, value in call.headers.items() if name != "content-type"}
        content_type = call.headers.get("content-type", "application/json")
        answer = client.post(path, call.body, content_type=content_type, headers=headers)
        assert answer.status_code == 202
        assert stored() == 2

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
    def test_it_takes_no_other_method(self, sender: Sender, client: Client, method: str) -> None:
        call = sender.protocol.prove(sender.push(), SECRET)
        path = f"/api/webhooks/{sender.row.kind}{'/' if call.token else ''}{call.token}"
        answer = client.generic(method, path)
        assert answer.status_code == 405
        assert method == "HEAD" or answer.json()["error"]["code"] == "method_not_allowed"

    def test_it_reads_no_body_that_is_too_long(self, sender: Sender) -> None:
        class Unread:
            def read(self, *_given: int) -> bytes:
                raise AssertionError("it was read")

        most, call = sender.protocol.max_body, sender.protocol.prove(sender.push(), SECRET)
        said: dict[str, Any] = {"CONTENT_LENGTH": str(most + 1), "wsgi.input": Unread()}
        status, body = sender.send_as_it_is(call, **said)
        assert (status, body["error"]["code"]) == (413, "payload_too_large")
        unsaid = replace(call, body=b" " * (most + 1))
        chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
        assert sender.send_as_it_is(unsaid, **chunked)[0] == 413
        assert stored() == 0

    def test_it_takes_the_longest_body_there_may_be(self, sender: Sender) -> None:
        call = sender.push()
        padded = replace(call, body=call.body.ljust(sender.protocol.max_body))
        assert sender.send(padded)[0] == 202

    def test_it_takes_a_body_in_chunks(self, sender: Sender) -> None:
        chunked = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
        assert sender.send(sender.push(), **chunked)[0] == 202

    def test_off_it_counts_what_is_proven_and_refuses_the_rest(
        self, sender: Sender, tallies: Tallies
    ) -> None:
        Receiver.objects.filter(pk=sender.row.pk).update(enabled=False)
        status, body = sender.send(sender.push())
        assert (status, body["decision"], body["reason"]) == (200, "ignored", "disabled")
        assert sender.send(sender.with_body(b"["))[0] == 200
        assert sender.send_as_it_is(sender.push())[0] == 401
        tallies.flush()
        sender.row.refresh_from_db()
        assert (sender.row.disabled_count, stored()) == (2, 0)

    def test_no_answer_and_no_row_has_the_secret(self, sender: Sender) -> None:
        call = sender.protocol.prove(sender.push(), SECRET)
        told = {"HTTP_X_ORIGINAL_URI": f"/api/webhooks/{sender.row.kind}/{call.token or 'x'}"}
        answers = [sender.send_as_it_is(call, **told) for _twice in range(2)]
        assert SECRET not in str(answers)
        kept = sender.row.deliveries.get()
        assert SECRET not in str(kept.headers)
        assert SECRET.encode() not in bytes(kept.payload)


class TestMore:
    def test_another_of_its_kind_has_a_secret_of_its_own(
        self, sender: Sender, admin: Program
    ) -> None:
        kind, host = sender.row.kind, sender.row.registry_host
        given = {"kind": kind, "name": "Another", "enabled": True, "registryHost": host}
        made = admin.post("/api/receivers", given).json()
        call = sender.protocol.prove(sender.push(), made["secret"])
        assert made["url"].endswith(f"/{kind}/{call.token}" if call.token else f"/{kind}")
        later = admin.get(f"/api/receivers/{made['id']}").json()
        assert later["url"].endswith(f"/{kind}/••••" if call.token else f"/{kind}")
        assert made["secret"] not in str(later)
        status, answer = sender.send_as_it_is(call)
        assert (status in may_answer(sender), answer["attempt"]) == (True, 1)
        assert Delivery.objects.get().receiver_id == made["id"]
        new = admin.post(f"/api/receivers/{made['id']}/rotate").json()
        assert new["previousValidUntil"]
        for secret in (made["secret"], new["secret"]):
            call = sender.protocol.prove(sender.push(), secret)
            assert sender.send_as_it_is(call)[0] in may_answer(sender)
        assert Delivery.objects.filter(receiver=made["id"], by_previous_secret=True).count() == 1


class TestBadInput:
    @pytest.mark.parametrize("raw", NO_OBJECT, ids=range(len(NO_OBJECT)))
    def test_what_is_no_object_is_kept_as_rejected(self, sender: Sender, raw: bytes) -> None:
        call = sender.with_body(raw)
        status, body = sender.send(call)
        if sender.protocol.shows_rejections:
            assert (status, body["error"]["code"]) == (400, "invalid_json")
            assert body["error"]["details"]["decision"] == "rejected"
        else:
            assert (status, body["decision"], body["reason"]) == (200, "rejected", "invalid_json")
        kept = sender.row.deliveries.get()
        assert (kept.decision, kept.reason) == ("rejected", "invalid_json")
        assert bytes(kept.payload) == raw
        assert not Job.objects.exists()
        sender.send(call)
        assert sender.row.deliveries.get().attempts == 2

    @pytest.mark.parametrize("body", [{}, {"a": 1}, {"": None}, {"x" * 5000: ["\ud800"]}])
    def test_an_object_of_another_shape_leads_to_nothing(self, sender: Sender, body: Any) -> None:
        status, answer = sender.send(sender.with_body(body))
        assert status in may_answer(sender) - {202}
        assert not Job.objects.exists()
        assert "error" in answer or answer["decision"] in ("ignored", "rejected")

    def test_every_member_may_be_anything(self, sender: Sender) -> None:
        for example in sender.examples():
            for path in places(example.body):
                for value in ODD:
                    raw = json.dumps(changed(example.body, path, value)).encode()
                    sound(sender.read(replace(example.incoming(), body=raw)))

    def test_the_pipeline_takes_what_comes_of_that(self, sender: Sender) -> None:
        example = sender.examples()[0]
        for path in places(example.body):
            for value in FEW:
                raw = json.dumps(changed(example.body, path, value)).encode()
                status, body = sender.send(replace(example.incoming(), body=raw))
                assert status in may_answer(sender), (path, value, body)

    def test_every_header_may_be_anything(self, sender: Sender) -> None:
        for name in sender.push().headers:
            for value in ("", "x", "é", "a\x00b", "x" * 5000, "application/json; charset=utf-16"):
                call = sender.push()
                status, body = sender.send(replace(call, headers={**call.headers, name: value}))
                assert status in may_answer(sender) | {400}, (name, value)
                assert status != 400 or body["error"]["code"].startswith("invalid_")

    @SLOW
    @given(data=st.data())
    def test_nothing_breaks_it(self, sender: Sender, data: st.DataObject) -> None:
        body = data.draw(bent(data.draw(st.sampled_from(sender.examples())).body))
        call, before = sender.with_body(body), stored()
        assert sender.send_as_it_is(call)[0] == 401
        assert stored() == before
        sound(sender.read(call))
        assert sender.send(call)[0] in may_answer(sender)

    @SLOW
    @given(raw=st.binary(max_size=200))
    def test_no_bytes_break_it(self, sender: Sender, raw: bytes) -> None:
        call = sender.with_body(raw)
        sound(sender.read(call))
        assert sender.send(call)[0] in may_answer(sender)
