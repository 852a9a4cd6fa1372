"""Google Artifact Registry through Pub/Sub, and the tokens by which Google proves itself."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.models import Job
from checks.tasks import run_job
from dockrev import schedules
from integrations.models import Delivery, Receiver
from integrations.receivers.base import BadProof, Incoming
from integrations.receivers.oidc import Wanted, verify
from tests import rows
from tests.kinds import bad_names
from tests.senders import outcome, post, proven, receiver, send
from tests.servers import Asked, Reply, Server

pytestmark = pytest.mark.django_db

KIND, JOB = "gar", "receivers.keys"
DIGEST = f"sha256:{'d1' * 32}"
IMAGE = "europe-docker.pkg.dev/acme/images/api"
AUDIENCE, EMAIL = "dockrev", "push@acme.iam.gserviceaccount.com"


def data(action: str = "INSERT", **changes: Any) -> dict[str, Any]:
    return {"action": action, "digest": f"{IMAGE}@{DIGEST}", "tag": f"{IMAGE}:1.2.0", **changes}


def message(held: Any, message_id: Any = "m-1") -> dict[str, Any]:
    encoded = b64encode(json.dumps(held).encode()).decode()
    return {"message": {"data": encoded, "messageId": message_id}, "subscription": "s"}


class TestMessages:
    def test_it_leads_to_the_service_that_runs_what_was_pushed(self, client: Client) -> None:
        receiver(KIND)
        service = rows.service(f"{IMAGE}:1.2.0")
        answer = send(client, KIND, message(data()))
        assert answer.status_code == 202, answer.content
        assert answer.json()["matchedServiceIds"] == [service.pk]
        assert outcome(answer).images == [f"{IMAGE}:1.2.0@{DIGEST}"]
        assert Delivery.objects.get().sender_id == "m-1"
        assert outcome(send(client, KIND, message(data()))).reason == "duplicate_delivery"
        assert send(client, KIND, message(data(), "m-2")).status_code == 202

    @pytest.mark.parametrize(
        ("held", "bound", "image"),
        [
            (data(tag=None), "", f"{IMAGE}@{DIGEST}"),
            (data(digest=None), "", f"{IMAGE}:1.2.0"),
            (data(digest=f"{IMAGE}@sha256:short"), "", f"{IMAGE}:1.2.0"),
            (data(digest=f"gcr.io/other/api@{DIGEST}"), "", f"{IMAGE}:1.2.0"),
            (data(), "images.example", f"images.example/acme/images/api:1.2.0@{DIGEST}"),
            (data(tag="gcr.io/acme/api:1", digest=None), "", "gcr.io/acme/api:1"),
        ],
    )
    def test_it_takes(self, client: Client, held: Any, bound: str, image: str) -> None:
        receiver(KIND, bound)
        assert outcome(send(client, KIND, message(held))) == ("processed", None, [image])

    def test_it_takes_a_message_without_its_wrapper(self, client: Client) -> None:
        receiver(KIND)
        for _twice in range(2):
            answer = send(client, KIND, data(), x_goog_pubsub_message_id="m-3")
        assert outcome(answer) == ("ignored", "duplicate_delivery", [f"{IMAGE}:1.2.0@{DIGEST}"])
        assert Delivery.objects.get().sender_id == "m-3"

    @pytest.mark.parametrize("held", [data("DELETE"), data(["INSERT"]), {}])  # type: ignore[arg-type]  # what it never sends
    def test_it_ignores(self, client: Client, held: Any) -> None:
        receiver(KIND)
        assert outcome(send(client, KIND, message(held))).reason == "event_not_relevant"

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"message": None},
            {"message": {"data": "%%%"}},
            {"message": {"data": 5}},
            message([]),
            message("x"),
            message(data(tag=None, digest=None)),
            *(message(data(tag=f"gcr.io/{name}:1")) for name in ("a/../b", "A/b", "a b", "a//b")),
            *(message(data(tag=f"{IMAGE}:{tag}")) for tag in bad_names.TAGS[:5]),
            *(message(data(tag=f"{host}/a:1")) for host in bad_names.HOSTS),
            message(data(tag="x" * 2000)),
            message(data(tag=5)),
        ],
    )
    def test_it_records_what_names_no_image(self, client: Client, body: Any) -> None:
        receiver(KIND)
        answer = send(client, KIND, body)
        assert (answer.status_code, outcome(answer)[:2]) == (200, ("rejected", "invalid_payload"))
        assert not Job.objects.exists()


def base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def as_bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


@dataclass
class Issuer:
    """Google, as far as its tokens go: it signs, and lists its keys."""

    key: RSAPrivateKey
    kid: str = "key-1"
    lifetime: str = "public, max-age=19800, must-revalidate"
    listed: list[dict[str, str]] = field(default_factory=list)
    reply: Reply | None = None
    asked: int = 0

    @property
    def jwk(self) -> dict[str, str]:
        return jwk(self.key, self.kid)

    def token(self, claims: dict[str, Any], **head: Any) -> str:
        named = {"alg": "RS256", "kid": self.kid, "typ": "JWT", **head}
        parts = [base64(json.dumps(part).encode()) for part in (named, claims)]
        signature = self.key.sign(".".join(parts).encode(), PKCS1v15(), SHA256())
        return ".".join([*parts, base64(signature)])

    def answer(self, asked: Asked) -> Reply:
        self.asked += 1
        body = json.dumps({"keys": self.listed or [self.jwk]}).encode()
        return self.reply or Reply(200, body, {"Cache-Control": self.lifetime})


def jwk(key: RSAPrivateKey, kid: str) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    n, e = base64(as_bytes(numbers.n)), base64(as_bytes(numbers.e))
    return {"kid": kid, "kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": e}


@pytest.fixture(scope="module")
def keys() -> list[RSAPrivateKey]:
    return [generate_private_key(65537, 2048) for _two in range(2)]


@pytest.fixture
def google(keys: list[RSAPrivateKey], settings: Any) -> Iterator[Issuer]:
    issuer = Issuer(keys[0])
    with Server(issuer.answer).running() as server:
        settings.GOOGLE_KEYS_URL = f"http://{server.address}/oauth2/v3/certs"
        yield issuer


@pytest.fixture
def wanting(google: Issuer) -> Receiver:
    """A receiver that wants Google's token, and knows its keys."""
    row = receiver(KIND, audience=AUDIENCE, email=EMAIL)
    refresh()
    row.refresh_from_db()
    assert set(row.learned["keys"]) == {"key-1"}
    return row


def refresh() -> Job | None:
    """Have the schedule come due and its job run; None if that left no trace of it."""
    schedules.DEFAULTS[JOB].action()
    return run()


def run() -> Job | None:
    job = Job.objects.active().filter(kind=JOB).first()
    if job is None:
        return None
    run_job(job.pk)
    return Job.objects.filter(pk=job.pk).first()


def claims(**changes: Any) -> dict[str, Any]:
    now = int(timezone.now().timestamp())
    held = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "azp": "1",
        "sub": "1",
        "email": EMAIL,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    return {name: value for name, value in held.items() if value is not None}


def call(client: Client, token: str | None, *, scheme: str = "Bearer") -> int:
    incoming = proven(KIND, message(data("DELETE")))
    headers = dict(incoming.headers)
    if token is not None:
        headers["authorization"] = f"{scheme} {token}".strip()
    given = Incoming(headers, incoming.body, incoming.token)
    return int(post(client, KIND, given).status_code)


def now(seconds: float) -> int:
    return int((timezone.now() + timedelta(seconds=seconds)).timestamp())


class TestTokens:
    @pytest.mark.parametrize(
        "changes", [{}, {"iss": "accounts.google.com"}, {"exp": -20}, {"iat": 20}, {"iat": None}]
    )
    def test_it_takes_a_token_of_google_for_us(
        self, client: Client, wanting: Receiver, google: Issuer, changes: dict[str, Any]
    ) -> None:
        moved = {k: now(v) if isinstance(v, int) else v for k, v in changes.items()}
        assert call(client, google.token(claims(**moved))) == 200

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "https://accounts.google.com.evil.example"},
            {"iss": None},
            {"iss": ["https://accounts.google.com"]},
            {"aud": "another"},
            {"aud": [AUDIENCE]},
            {"aud": None},
            {"email": "other@acme.iam.gserviceaccount.com"},
            {"email": None},
            {"email_verified": False},
            {"email_verified": "true"},
            {"email_verified": None},
            {"exp": 1},
            {"exp": None},
            {"exp": "never"},
            {"exp": True},
            {"exp": 10**400},
            {"exp": float("inf")},
            {"iat": 10**11},
        ],
    )
    def test_it_takes_no_token_that_says_anything_else(
        self, client: Client, wanting: Receiver, google: Issuer, changes: dict[str, Any]
    ) -> None:
        assert call(client, google.token(claims(**changes))) == 401
        assert not Delivery.objects.exists()
        assert not Job.objects.filter(kind=JOB).exists()

    def test_it_bears_half_a_minute_and_no_more(
        self, client: Client, wanting: Receiver, google: Issuer
    ) -> None:
        with time_machine.travel(timezone.now(), tick=False):
            assert call(client, google.token(claims(exp=now(-31)))) == 401
            assert call(client, google.token(claims(iat=now(31)))) == 401

    def test_it_takes_one_algorithm_whatever_a_token_names(
        self, client: Client, wanting: Receiver, google: Issuer
    ) -> None:
        for alg in ("none", "None", "RS512", "PS256", "", None, ["RS256"]):
            assert call(client, google.token(claims(), alg=alg)) == 401, alg
        head, body, _signature = google.token(claims()).split(".")
        unsigned = base64(json.dumps({"alg": "none", "kid": "key-1"}).encode())
        assert call(client, f"{unsigned}.{body}.") == 401
        assert call(client, f"{head}.{body}.") == 401
        symmetric = base64(json.dumps({"alg": "HS256", "kid": "key-1"}).encode())
        signed = f"{symmetric}.{body}"
        for secret in (google.jwk["n"], json.dumps(google.jwk)):
            mac = hmac.digest(secret.encode(), signed.encode(), "sha256")
            assert call(client, f"{signed}.{base64(mac)}") == 401

    def test_it_takes_no_signature_of_another_key_or_for_other_words(
        self,
        client: Client,
        wanting: Receiver,
        google: Issuer,
        keys: list[RSAPrivateKey],
    ) -> None:
        assert call(client, Issuer(keys[1]).token(claims())) == 401
        right, other = google.token(claims()), google.token(claims(sub="2"))
        head, _body, signature = right.split(".")
        assert call(client, f"{head}.{other.split('.')[1]}.{signature}") == 401

    @pytest.mark.parametrize(
        "token", [None, "", "x", "..", "a.b.c", "é.é.é", "e30.e30.e30", "a." * 9000, "bnVsbA.W10."]
    )
    def test_it_takes_nothing_that_is_no_token(
        self, client: Client, wanting: Receiver, token: str | None
    ) -> None:
        assert call(client, token) == 401
        assert not Job.objects.filter(kind=JOB).exists()

    def test_it_takes_it_as_a_bearers_alone(
        self, client: Client, wanting: Receiver, google: Issuer
    ) -> None:
        assert call(client, google.token(claims()), scheme="Basic") == 401
        assert call(client, google.token(claims()), scheme="bearer") == 200

    def test_it_wants_the_token_in_the_path_all_the_same(
        self, client: Client, wanting: Receiver, google: Issuer
    ) -> None:
        authorization = f"Bearer {google.token(claims())}"
        incoming = proven(KIND, message(data()), {"authorization": authorization})
        for path_token in ("", "another"):
            wrong = Incoming(incoming.headers, incoming.body, path_token)
            assert post(client, KIND, wrong).status_code == 401

    def test_it_asks_for_no_account_where_none_is_entered(
        self, client: Client, wanting: Receiver, google: Issuer
    ) -> None:
        Receiver.objects.filter(pk=wanting.pk).update(options={"audience": AUDIENCE})
        assert call(client, google.token(claims(email="any@acme.example"))) == 200
        assert call(client, google.token(claims(email_verified=False))) == 401

    def test_it_takes_no_token_for_an_audience_that_was_forgotten(
        self, client: Client, wanting: Receiver, google: Issuer
    ) -> None:
        Receiver.objects.filter(pk=wanting.pk).update(options={"email": EMAIL})
        for audience in ("", None, AUDIENCE):
            assert call(client, google.token(claims(aud=audience))) == 401

    def test_it_keeps_no_token(self, client: Client, wanting: Receiver, google: Issuer) -> None:
        token = google.token(claims())
        assert call(client, token) == 200
        assert token not in str(Delivery.objects.get().headers)


class TestKeys:
    def test_it_fetches_them_where_a_receiver_wants_tokens(self, google: Issuer) -> None:
        receiver(KIND)
        refresh()
        assert google.asked == 0
        receiver(KIND, audience=AUDIENCE)
        assert refresh() is None  # it leaves no row
        assert google.asked == 1
        Receiver.objects.filter(kind=KIND).update(enabled=False, learned={})
        refresh()
        assert google.asked == 1

    @pytest.mark.parametrize(
        ("lifetime", "hours"),
        [
            ("public, max-age=19800, must-revalidate", 5.5),
            ("max-age=1", 1),
            ("no-store", 1),
            ("", 1),
            ("max-age=99999999", 24),
        ],
    )
    def test_it_keeps_them_as_long_as_google_says(
        self, google: Issuer, lifetime: str, hours: float
    ) -> None:
        receiver(KIND, audience=AUDIENCE)
        google.lifetime = lifetime
        with time_machine.travel(timezone.now(), tick=False) as clock:
            refresh()
            clock.shift(timedelta(hours=hours) - timedelta(seconds=1))
            refresh()
            assert google.asked == 1
            clock.shift(timedelta(seconds=2))
            refresh()
            assert google.asked == 2

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(500),
            Reply(302, headers={"Location": "http://127.0.0.1:9/"}),
            Reply(200, b"nonsense"),
            Reply(200, b"[]"),
            Reply(200, b'{"keys": []}'),
            Reply(200, b'{"keys": [5, {"kty": "RSA", "kid": "a", "n": "AQ", "e": "AQAB"}]}'),
            Reply(200, b"[" * 60_000),
            Reply(200, b" " * 70_000),
        ],
    )
    def test_it_keeps_the_old_ones_where_there_are_no_better(
        self, client: Client, wanting: Receiver, google: Issuer, reply: Reply
    ) -> None:
        google.reply = reply
        with time_machine.travel(timezone.now() + timedelta(days=2)):
            job = refresh()
            assert job is not None
            assert (job.status, bool(job.summary["error"])) == ("failed", True)
            assert call(client, google.token(claims())) == 200

    def test_it_takes_no_weak_key(self, google: Issuer) -> None:
        receiver(KIND, audience=AUDIENCE)
        weak = jwk(generate_private_key(65537, 1024), "weak")  # noqa: S505 - that is the point
        other = {**google.jwk, "kid": "for-secrets", "use": "enc"}
        google.listed = [weak, other, {**google.jwk, "kty": "EC", "kid": "ec"}, google.jwk]
        refresh()
        assert set(Receiver.objects.get(kind=KIND).learned["keys"]) == {"key-1"}

    def test_it_fetches_them_for_a_key_it_does_not_know(
        self, client: Client, wanting: Receiver, google: Issuer, keys: list[RSAPrivateKey]
    ) -> None:
        google.key, google.kid = keys[1], "key-2"
        with time_machine.travel(timezone.now(), tick=False) as clock:
            assert [call(client, google.token(claims())) for _three in range(3)] == [401] * 3
            assert Job.objects.active().filter(kind=JOB).count() == 1
            run()
            assert call(client, google.token(claims())) == 200
            assert google.asked == 2
            assert call(client, google.token(claims(), kid="key-3")) == 401
            run()
            assert google.asked == 2  # not at once: that is a stranger's word
            clock.shift(timedelta(minutes=5, seconds=1))
            run()
            assert google.asked == 3

    def test_it_does_nothing_for_who_does_not_know_the_path(
        self, client: Client, wanting: Receiver, google: Issuer
    ) -> None:
        token = google.token(claims(), kid="key-2")
        incoming = proven(KIND, message(data()), {"authorization": f"Bearer {token}"})
        wrong = Incoming(incoming.headers, incoming.body, "another")
        assert post(client, KIND, wrong).status_code == 401
        assert not Job.objects.exists()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = ("alg", "kid", "iss", "aud", "email", "email_verified", "iat", "exp")
CLAIMS = st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=8)


@settings(deadline=None, database=None)
@given(head=CLAIMS, held=CLAIMS, text=st.text(max_size=60))
def test_it_breaks_on_no_token(
    keys: list[RSAPrivateKey], head: dict[str, Any], held: dict[str, Any], text: str
) -> None:
    """Neither on what is none, nor on what is signed well and says strange things."""
    issuer = Issuer(keys[0])
    known = {"key-1": issuer.jwk}
    signed = issuer.token(held)
    tokens = [text, issuer.token(held, **head), signed, f"{text}.{signed}", f"{signed[:-1]}{text}"]
    for token in tokens:
        with pytest.raises(BadProof):
            verify(token, known, Wanted("an audience that nobody draws"), timezone.now())
