"""Words that people give to messages: saved or refused, and never in the way of a message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifications import announce, examples, templating
from notifications.announce import JOB_FINISHED, NEW_VERSION
from notifications.models import MessageTemplate, Notification
from notifications.templating import TEXT, TITLE, BrokenTemplate, rendered
from tests.notifications.test_jobs import changed, job
from tests.notifications.test_jobs import tell as tell_of
from tests.notifications.test_outbox import channel, news, send_all, tell
from tests.pages.test_overview import text_of
from tests.people import person
from tests.sink import Sink, sink

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
PAGE = "/settings/events/new_version_discovered/template"


@pytest.fixture
def place() -> Iterator[Sink]:
    with sink() as place:
        yield place


@pytest.fixture
def admin() -> Client:
    browser = Client()
    browser.force_login(person("admin"))
    return browser


def save(browser: Client, *, page: str = PAGE, **words: str) -> Any:
    return browser.post(page, {"title": TITLE, "text": TEXT, "act": "save", **words})


def human(place: Sink) -> dict[str, str]:
    send_all()
    return dict(place.received[-1].json["human"])


class TestSending:
    def test_a_message_is_in_the_words_that_were_saved(self, admin: Client, place: Sink) -> None:
        loop = "{% for each in links.serviceUrls %}{{ each.serviceName|upper }}\n{% endfor %}"
        assert save(admin, title="[home] {{ human.title }}", text=loop).status_code == 302
        channel(place)
        tell(news("api"), news("web", "ghcr.io/acme/web:1"))
        assert human(place) == {
            "title": "[home] 2 updates",
            "summary": "API",
            "detail": "API\nWEB",
        }

    def test_nothing_else_of_the_payload_changes(self, admin: Client, place: Sink) -> None:
        channel(place)
        tell(news())
        send_all()
        save(admin, text="{% with links.clear as x %}changed{% endwith %}")
        Notification.objects.all().delete()
        tell(news())
        send_all()
        before, after = (received.json for received in place.received)
        assert after["human"] == {"title": "shop / api has an update", "summary": "changed"}
        for each in (before, after):
            del each["human"], each["sentAt"]
        assert before == after

    def test_the_words_that_it_begins_with_are_those_of_dockrev(self) -> None:
        for kind in announce.EVENTS:
            payload = examples.payload(kind, "webhook", NOON)
            assert rendered(TITLE, TEXT, payload) == payload["human"]

    def test_its_own_words_are_sent_where_a_template_breaks(
        self, admin: Client, place: Sink, caplog: pytest.LogCaptureFixture
    ) -> None:
        # The example has ten services less than what comes.
        page = f"/settings/events/{JOB_FINISHED}/template"
        text = "{{ log.0|first }}"
        assert save(admin, page=page, text=text).status_code == 302
        channel(place, events=[JOB_FINISHED])
        tell_of(job(), changed())
        assert human(place)["title"] == "shop / api was updated"
        assert "template not used" in caplog.text
        row = MessageTemplate.objects.get()
        assert row.error
        assert row.failed_at is not None
        shown = text_of(admin.get(page).content)
        assert "Your words could not be used" in shown
        assert "could not be used" in text_of(admin.get("/settings/events").content)
        assert "could not be used" in text_of(admin.get("/settings").content)
        save(admin, page=page, text="fine")
        assert MessageTemplate.objects.get().error == ""


class TestPage:
    def test_it_shows_what_the_words_make_of_the_example(self, admin: Client) -> None:
        shown = text_of(admin.get(PAGE).content)
        assert "With the example 2 updates shop / api: 1.4.2 to 1.5.0" in shown
        preview = admin.post(PAGE, {"title": "<b>{{ kind }}", "text": "x", "act": "preview"})
        assert "&lt;b&gt;new_version_discovered" in preview.content.decode()
        assert preview.status_code == 200
        assert not MessageTemplate.objects.exists()

    def test_it_lists_the_variables_with_examples(self, admin: Client) -> None:
        page = admin.get(PAGE).content.decode()
        assert "{{ links.serviceUrls.0.candidateTag }}" in page
        assert 'data-copy="{{ check.newVersions }}"' in page

    def test_dockrevs_own_words_can_be_used_again(self, admin: Client) -> None:
        save(admin, title="mine")
        assert "Changed by" in text_of(admin.get(PAGE).content)
        assert admin.post(PAGE, {"act": "reset"}).status_code == 302
        assert not MessageTemplate.objects.exists()
        assert "Dockrev&#x27;s own words are used" in admin.get(PAGE).content.decode()

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "   ",
            "{{ }}",
            "{% if %}",
            "{% for a in log %}",
            "{{ human.title|add:human.title }}",
            "{{ human.title|nothing }}",
            "{{ human.__class__ }}",
            "{{ human.title.__class__.__mro__ }}",
            "{% load i18n %}",
            "{% include 'base.html' %}",
            "{% extends 'base.html' %}",
            "{% debug %}",
            "{% now 'Y' %}",
            "{% url 'settings' %}",
            "{% csrf_token %}",
            "{% lorem 9 w %}",
            "{% for a in log %}{% for b in log %}{% for c in log %}x{% endfor %}{% endfor %}"
            "{% endfor %}",
            "{% if a %}" * 300 + "x" + "{% endif %}" * 300,
            "{% if " + "not " * 900 + "a %}x{% endif %}",
            "x" * 4001,
            "{{ human.nothing }}",
            "{{ human.nothing|default:human.title.upper }}",
        ],
    )
    def test_it_refuses_what_could_not_be_used(self, admin: Client, text: str) -> None:
        answer = save(admin, text=text)
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.content.decode()
        assert not MessageTemplate.objects.exists()

    def test_it_says_that_a_template_is_nested_too_deep(self, admin: Client) -> None:
        for text in ("{% if a %}" * 11, "{% if " + "not " * 900 + "a %}x{% endif %}"):
            assert "It is nested too deep." in save(admin, text=text).content.decode()

    @pytest.mark.parametrize("kind", ["unknown", "notification_test"])
    def test_there_is_none_of_what_is_no_event(self, admin: Client, kind: str) -> None:
        assert admin.get(f"/settings/events/{kind}/template").status_code == 404


# What templates are made of, so that more than plain text comes of it.
PIECES = st.sampled_from(
    [
        *("{{", "}}", "{%", "%}", "{#", "#}", "|", ":", "for", "in", "not ", "and", "'", '"'),
        *("{{ human.text }}", "{{ log|join:', ' }}", "{{ a }}", "{{ forloop }}", "{{ human.pop }}"),
        *("{{ a|slice:':3' }}", "{{ links|first }}", "{{ sentAt.format }}", "\x00", "\ud800"),
        *("{% if a %}", "{% elif kind == 'x' %}", "{% else %}", "{% endif %}"),
        *("{% for a in links.serviceUrls %}", "{% for k, v in human.items %}", "{% empty %}"),
        *("{% endfor %}", "{% with a=human %}", "{% endwith %}"),
    ]
)
TEMPLATES = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=40).map("".join)


class TestAnyText:
    @pytest.fixture(scope="class")
    def payload(self) -> dict[str, Any]:
        return dict(examples.payload(NEW_VERSION, "webhook", NOON))

    @given(TEMPLATES, TEMPLATES)
    @settings(
        max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_it_is_used_or_refused(self, title: str, text: str) -> None:
        payload = examples.payload(NEW_VERSION, "webhook", NOON)
        try:
            human = rendered(title, text, payload)
        except BrokenTemplate as error:
            assert str(error)
            return
        assert 0 < len(human["title"]) <= templating.LONGEST_TITLE
        assert "\n" not in human["title"]
        assert 0 < len(human.get("detail", human["summary"])) <= templating.LONGEST_TEXT
        json.dumps(human).encode()

    @given(TEMPLATES)
    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_the_page_answers(self, admin: Client, text: str) -> None:
        text = text.encode(errors="ignore").decode()
        assert save(admin, text=text).status_code in {302, 422}

    @pytest.mark.parametrize(
        "text",
        [
            "{% for a in log %}{% for b in log %}{{ human.text }}{% endfor %}{% endfor %}",
            "{% if 1 %}{% for a in log %}{% if 1 %}{% for b in log %}{{ log }}{% endfor %}"
            "{% endif %}{% endfor %}{% endif %}",
            "{% for a in log %}{% for b in log %}x{% endfor %}{% endfor %}" * 50,
            "{{ human.text }}" * 200,
            "{{ human.text|join:human.text|join:human.text }}" * 60,
        ],
    )
    def test_what_would_go_on_and_on_is_stopped(self, text: str) -> None:
        payload = examples.payload(JOB_FINISHED, "webhook", NOON)
        payload["log"] = ["y" * 200] * 20
        payload["human"] = {"title": "x", "summary": "z" * 3000}
        with pytest.raises(BrokenTemplate):
            rendered("x", text, payload)

    def test_letters_of_a_text_are_no_list(self) -> None:
        payload = examples.payload(NEW_VERSION, "webhook", NOON)
        text = "{% for a in human.text %}{{ a }}{% empty %}none{% endfor %}"
        assert rendered("x", text, payload)["summary"] == "none"

    @pytest.mark.parametrize(
        "text",
        [
            "{% if human.title.encode.hex %}grown{% endif %}",
            "{% with x=human.title.encode.hex %}{{ x }}{% endwith %}",
            "{% for a in human.title.encode.hex.splitlines %}{{ a }}{% endfor %}",
            "{{ check.newVersions.to_bytes }}",
            "{{ links.keys }}",
        ],
    )
    def test_no_method_of_a_fact_is_called(self, text: str) -> None:
        payload = examples.payload(NEW_VERSION, "webhook", NOON)
        assert rendered("x", f"{text}.", payload)["summary"] == "."

    def test_parts_of_lists_and_objects_can_be_named(self) -> None:
        payload = examples.payload(NEW_VERSION, "webhook", NOON)
        text = (
            "{{ links.serviceUrls.0.serviceName }}"
            "{% for name, value in human.items %} {{ name }}{% endfor %}"
            "{% for each in links.serviceUrls %}{% if forloop.last %} {{ forloop.counter }}"
            "{% endif %}{% endfor %}"
        )
        count = len(payload["links"]["serviceUrls"])
        first = payload["links"]["serviceUrls"][0]["serviceName"]
        names = " ".join([*payload["human"], "text"])
        assert rendered("x", text, payload)["summary"] == f"{first} {names} {count}"

    def test_what_comes_from_outside_is_no_template(self, place: Sink) -> None:
        MessageTemplate.objects.create(kind=NEW_VERSION, title=TITLE, text=TEXT)
        channel(place)
        tell(news("{{ debug }}{% load x %}"))
        assert "{{ debug }}{% load x %}" in human(place)["title"]


class TestEvents:
    def test_the_page_switches_kinds_for_all(self, admin: Client, place: Sink) -> None:
        channel(place, events=[NEW_VERSION])
        channel(place, events=[NEW_VERSION], enabled=False)
        page = text_of(admin.get("/settings/events").content)
        assert "Newer images A check that" in page
        assert "1 channel hears of it Change its words" in page
        assert "no channel hears of it" in page
        wanted = [kind for kind in announce.EVENTS if kind != NEW_VERSION]
        assert admin.post("/settings/events", {"on": wanted}).status_code == 302
        assert tell() == {}
        assert "1 of 9 kinds of message is off for all: newer images." in text_of(
            admin.get("/settings").content
        )
        page = text_of(admin.get("/settings/events").content)
        assert "switched off for all Change its words" in page
        assert "1 channel hears of it" not in page

    def test_it_asks_the_database_no_more_for_more(
        self, admin: Client, place: Sink, django_assert_max_num_queries: Any
    ) -> None:
        for _number in range(20):
            channel(place)
        for kind in announce.EVENTS:
            MessageTemplate.objects.create(kind=kind, title=TITLE, text=TEXT)
        admin.get("/settings/events")
        with django_assert_max_num_queries(8):
            admin.get("/settings/events")
