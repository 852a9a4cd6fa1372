"""The URL of a mail server, and the fields that make one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from dockrev.fields import MASK
from notifications.channels import smtp_url
from notifications.channels.email_form import EmailForm, EmailPage
from notifications.channels.smtp_url import BadUrl, Mailbox, Security, SmtpUrl
from notifications.models import Channel
from tests.people import Program, error_of, person

CHANNELS = "/api/notifications/channels"
SECRET = "correct/horse?battery"
FULL = f"smtps://ada%40example.org:{quote(SECRET, safe='')}@mail.example.org?to=bob@example.org"

texts = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=60)
names = texts.map(lambda text: " ".join(text.split())).filter(
    lambda text: not set(text) & set('<>"\\,')
)
words = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
hosts = st.one_of(
    st.lists(words, min_size=1, max_size=4).map(".".join).filter(lambda name: "xn--" not in name),
    st.ip_addresses().map(str).filter(lambda text: "%" not in text),
)
domains = st.lists(words, min_size=1, max_size=3).map(".".join)
locals_ = st.from_regex(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9]{1,5})?", fullmatch=True)
boxes = st.builds(
    lambda local, domain, name: Mailbox(f"{local}@{domain}", name),
    locals_,
    domains,
    st.one_of(st.just(""), names),
)


@st.composite
def urls(draw: st.DrawFn) -> SmtpUrl:
    user = draw(st.one_of(st.just(""), texts))
    to = draw(st.lists(boxes, min_size=1, max_size=20, unique_by=lambda box: box.address))
    return SmtpUrl(
        host=draw(hosts),
        to=tuple(to),
        given_port=draw(st.one_of(st.none(), st.integers(1, 65535))),
        security=draw(st.sampled_from(Security)),
        user=user,
        password=draw(texts) if user else "",
        given_sender=draw(st.one_of(st.none(), boxes)),
    )


def wrong(text: str) -> BadUrl:
    with pytest.raises(BadUrl) as caught:
        smtp_url.read(text)
    return caught.value


class TestReading:
    @given(urls())
    def test_it_reads_what_it_wrote(self, url: SmtpUrl) -> None:
        assert smtp_url.read(smtp_url.write(url)) == url

    @given(st.one_of(st.text(), st.text().map(lambda rest: f"smtp://{rest}")))
    def test_any_text_is_a_url_or_is_said_to_be_none(self, text: str) -> None:
        form = EmailForm({"smtpUrl": text})
        if form.is_valid():
            again = EmailForm({"smtpUrl": form.cleaned_data["smtpUrl"]})
            assert again.is_valid()
            assert again.cleaned_data == form.cleaned_data
        else:
            assert form.errors["smtpUrl"]

    @given(urls())
    def test_its_fields_make_the_same_url(self, url: SmtpUrl) -> None:
        stored = {"smtpUrl": smtp_url.write(url)}
        fields = EmailPage.filled(stored)
        if url.password:
            assert fields["password"] == MASK
        form = EmailPage({**fields, "password": url.password})
        assert form.is_valid(), form.errors
        # Django strips what is at the ends of a line of text.
        if url.user == url.user.strip():
            assert form.config() == stored

    def test_no_secret_is_in_what_it_looks_like(self) -> None:
        shown = repr(smtp_url.read(FULL))
        assert "ada" not in shown
        assert "horse" not in shown

    @pytest.mark.parametrize(
        ("url", "port"),
        [
            ("smtps://h", 465),
            ("smtps://u:p@h", 465),
            ("smtp://u:p@h", 587),
            ("smtp://h", 25),
            ("smtp://h:2525", 2525),
        ],
    )
    def test_each_scheme_has_its_port(self, url: str, port: int) -> None:
        assert smtp_url.read(f"{url}?to=a@x").port == port

    @pytest.mark.parametrize(
        ("url", "sender"),
        [
            ("smtp://ada%40example.org:p@mail.example.org", "Dockrev <ada@example.org>"),
            ("smtp://ada:p@mail.example.org", "Dockrev <dockrev@mail.example.org>"),
            ("smtp://192.0.2.1", "Dockrev <dockrev@localhost>"),
        ],
    )
    def test_it_writes_as_somebody_that_the_server_may_know(self, url: str, sender: str) -> None:
        assert str(smtp_url.read(f"{url}?to=a@x").sender) == sender

    def test_it_takes_what_people_write(self) -> None:
        url = smtp_url.read(
            "SMTP://me@gmail.com:a b@Bücher.Example:587/?to=me+docker@gmail.com, "
            "B <b@bücher.example>&from=Jürgen <n@x>&tls=required"
        )
        assert (url.user, url.password, url.host) == (
            "me@gmail.com",
            "a b",
            "xn--bcher-kva.example",
        )
        assert url.to == (
            Mailbox("me+docker@gmail.com"),
            Mailbox("b@xn--bcher-kva.example", "B"),
        )
        assert url.sender == Mailbox("n@x", "Jürgen")
        assert url.security is Security.REQUIRED

    @pytest.mark.parametrize(
        ("url", "part"),
        [
            ("https://h?to=a@x", "server"),
            ("smtp://?to=a@x", "server"),
            ("smtp://h/path?to=a@x", "server"),
            ("smtp://h?to=a@x#part", "server"),
            ("smtp://h?to=a@x&subject=hi", "server"),
            ("smtp://h?to=a@x&to=b@x", "server"),
            ("smtp://-h-?to=a@x", "server"),
            ("smtp://[fe80::1%25eth0]?to=a@x", "server"),
            ("smtp://h:0?to=a@x", "port"),
            ("smtp://h:70000?to=a@x", "port"),
            ("smtp://u@h?to=a@x", "password"),
            ("smtp://:p@h?to=a@x", "password"),
            ("smtp://u:100%@h?to=a@x", "password"),
            ("smtp://u:%ff@h?to=a@x", "password"),
            ("smtp://u:p%0d%0aDATA@h?to=a@x", "password"),
            ("smtp://h", "to"),
            ("smtp://h?to=", "to"),
            ("smtp://h?to=,", "to"),
            ("smtp://h?to=a", "to"),
            ("smtp://h?to=a@", "to"),
            ("smtp://h?to=ä@x", "to"),
            ("smtp://h?to=a@x%0d%0aRCPT TO:<b@x>", "to"),
            ("smtp://h?to=a@x>b", "to"),
            ("smtp://h?to=a@x%20SIZE=1", "to"),
            (f"smtp://h?to={','.join(f'a{i}@x' for i in range(21))}", "to"),
            ("smtp://h?to=a@x&from=nobody", "sender"),
            ("smtp://h?to=a@x&from=A%0aBcc: b@x <a@x>", "sender"),
            ("smtp://h?to=a@x&from=A%e2%80%a8B <a@x>", "sender"),
            ("smtp://h?to=a@x&tls=maybe", "encryption"),
            ("smtps://h?to=a@x&tls=off", "encryption"),
        ],
    )
    def test_it_says_what_is_wrong(self, url: str, part: str) -> None:
        error = wrong(url)
        assert error.part == part
        assert str(error)

    def test_it_quotes_nothing(self) -> None:
        for url in (
            f"smtp://ada:{SECRET}@h?to=b@x",
            f"smtp://h?{SECRET}=1",
            f"smtp://h?to={SECRET}",
        ):
            assert "horse" not in str(wrong(url))


class TestTheFields:
    def test_they_say_what_is_wrong_where_it_is(self) -> None:
        wrongs = [
            ({"server": "", "to": "a@x"}, "server"),
            ({"server": "h", "to": ""}, "to"),
            ({"server": "h", "to": "a@x", "port": "70000"}, "port"),
            ({"server": "h", "to": "a@x", "sender": "nobody"}, "sender"),
            ({"server": "h", "to": "a@x", "password": "p"}, "user"),
            ({"server": "h", "to": "a@x", "encryption": "rot13"}, "encryption"),
            ({"smtpUrl": "smtp://h"}, "smtpUrl"),
        ]
        for data, field in wrongs:
            form = EmailPage(data)
            assert not form.is_valid()
            assert list(form.errors) == [field]

    def test_a_url_counts_instead_of_them(self) -> None:
        form = EmailPage({"server": "h", "to": "a@x", "smtpUrl": FULL})
        assert form.is_valid()
        assert form.config() == {"smtpUrl": FULL}

    def test_they_begin_without_the_password(self) -> None:
        filled = EmailPage.filled({"smtpUrl": FULL})
        assert filled["user"] == "ada@example.org"
        assert "horse" not in json.dumps(filled)


@pytest.mark.django_db
class TestTheChannel:
    @pytest.fixture
    def admin(self) -> Program:
        return Program(person("admin"))

    @pytest.fixture
    def path(self, admin: Program) -> str:
        given = {"kind": "email", "name": "mail", "config": {"smtpUrl": FULL}}
        made = admin.post(CHANNELS, given)
        assert made.status_code == 201, made.content
        return f"{CHANNELS}/{made.json()['id']}"

    def stored(self) -> str:
        return str(Channel.objects.get().settings["smtpUrl"])

    def test_it_is_shown_without_its_secrets(self, admin: Program, path: str) -> None:
        shown = admin.get(path).json()["config"]
        assert shown == {"smtpUrl": f"smtps://mail.example.org/{MASK}"}
        assert admin.patch(path, {"config": shown}).status_code == 200
        assert self.stored() == FULL

    @pytest.mark.parametrize(
        "url", ["smtp://h", "smtp://h?to=", f"smtps://other/{MASK}", "", 1, []]
    )
    def test_it_needs_somebody_to_write_to(self, admin: Program, path: str, url: Any) -> None:
        answer = admin.patch(path, {"config": {"smtpUrl": url}})
        error = error_of(answer, 400, "invalid_argument")
        assert error["details"]["field"] == "config.smtpUrl"
        assert self.stored() == FULL

    def test_a_masked_password_stays(self, admin: Program, path: str) -> None:
        url = f"smtps://ada%40example.org:{MASK}@mail.example.org?to=eve@example.org"
        assert admin.patch(path, {"config": {"smtpUrl": url}}).status_code == 200
        assert smtp_url.read(self.stored()).password == SECRET
        assert smtp_url.read(self.stored()).to == (Mailbox("eve@example.org"),)

    @pytest.mark.parametrize(
        "url",
        [
            f"smtps://ada%40example.org:{MASK}@evil.example.org?to=bob@example.org",
            f"smtps://ada%40example.org:{MASK}@mail.example.org:2465?to=bob@example.org",
            f"smtps://eve%40example.org:{MASK}@mail.example.org?to=bob@example.org",
            f"smtp://ada%40example.org:{MASK}@mail.example.org:465?to=bob@example.org&tls=off",
            f"smtps://ada%40example.org:{MASK}%20@mail.example.org?to=bob@example.org",
        ],
    )
    def test_its_password_is_given_to_no_other_server(
        self, admin: Program, path: str, url: str
    ) -> None:
        answer = admin.patch(path, {"config": {"smtpUrl": url}})
        error = error_of(answer, 400, "invalid_argument")
        assert error["details"]["field"] == "config.smtpUrl"
        assert self.stored() == FULL

    def test_it_needs_no_password_where_there_is_none(self, admin: Program) -> None:
        config = {"smtpUrl": f"smtp://ada:{quote(MASK)}@h?to=a@x"}
        answer = admin.post(CHANNELS, {"kind": "email", "name": "mail", "config": config})
        error = error_of(answer, 400, "invalid_argument")
        assert error["details"]["field"] == "config.smtpUrl"
        assert not Channel.objects.exists()

    def test_fields_without_a_password_keep_the_one_that_is_stored(
        self, admin: Program, path: str
    ) -> None:
        form = EmailPage({**EmailPage.filled({"smtpUrl": FULL}), "password": "", "to": "eve@x"})
        assert form.is_valid()
        assert admin.patch(path, {"config": form.config()}).status_code == 200
        kept = smtp_url.read(self.stored())
        assert (kept.password, kept.to) == (SECRET, (Mailbox("eve@x"),))

    def test_the_admin_shows_no_secret(self, path: str) -> None:
        browser = Client()
        browser.force_login(person("admin", "root"))
        row = Channel.objects.get()
        page = browser.get(f"/admin/notifications/channel/{row.pk}/change/").content.decode()
        assert "mail.example.org" in page
        for secret in ("horse", "ada", "bob"):
            assert secret not in page


@pytest.mark.django_db
class TestThePage:
    NEW = "/settings/channels/new/email"
    FIELDS = {
        "name": "mail",
        "enabled": "on",
        "events": ["new_version_discovered"],
        "stacks": "all",
        "config-server": "mail.example.org",
        "config-encryption": "smtps",
        "config-user": "ada@example.org",
        "config-password": SECRET,
        "config-to": "bob@example.org",
    }

    @pytest.fixture
    def browser(self) -> Client:
        browser = Client()
        browser.force_login(person("admin"))
        return browser

    def stored(self) -> str:
        return str(Channel.objects.get().settings["smtpUrl"])

    def test_its_fields_make_the_url(self, browser: Client) -> None:
        assert browser.get(self.NEW).status_code == 200
        made = browser.post(self.NEW, self.FIELDS)
        assert made.status_code == 302
        assert self.stored() == FULL

    def test_it_shows_all_but_the_password_and_keeps_that(self, browser: Client) -> None:
        path = browser.post(self.NEW, self.FIELDS)["Location"]
        page = browser.get(path).content.decode()
        assert "ada@example.org" in page
        assert "bob@example.org" in page
        assert "horse" not in page
        left = {**self.FIELDS, "config-password": "", "config-to": "eve@example.org"}
        assert browser.post(path, left).status_code == 302
        assert self.stored() == FULL.replace("bob", "eve")

    def test_it_asks_for_the_password_of_another_server(self, browser: Client) -> None:
        path = browser.post(self.NEW, self.FIELDS)["Location"]
        moved = {**self.FIELDS, "config-password": "", "config-server": "evil.example.org"}
        answer = browser.post(path, moved)
        assert answer.status_code == 422
        page = answer.content.decode()
        assert 'href="#id_config-password"' in page
        assert "enter the password" in page
        assert self.stored() == FULL

    def test_a_password_goes_with_its_user(self, browser: Client) -> None:
        path = browser.post(self.NEW, self.FIELDS)["Location"]
        left = {**self.FIELDS, "config-password": "", "config-user": ""}
        assert browser.post(path, left).status_code == 302
        assert self.stored() == "smtps://mail.example.org?to=bob@example.org"

    def test_it_takes_the_url_instead(self, browser: Client) -> None:
        given = {"name": "mail", "stacks": "all", "config-smtpUrl": FULL}
        assert browser.post(self.NEW, given).status_code == 302
        assert self.stored() == FULL

    def test_it_says_what_is_missing(self, browser: Client) -> None:
        answer = browser.post(self.NEW, {**self.FIELDS, "config-to": ""})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "Say who to write to" in page
        assert "horse" not in page
