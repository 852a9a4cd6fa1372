"""Settings, GitHub Packages (GHCR) webhook: what the page says, and what its buttons do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from checks.models import Job
from integrations.hooks.tokens import fingerprint
from integrations.models import HookAccount, HookTarget, Receiver
from tests.fake_github.server import FakeGitHub
from tests.github import SECRET
from tests.pages.rows import job
from tests.pages.test_overview import text_of
from tests.rows import github_receiver, service, tracked

pytestmark = pytest.mark.django_db
PAGE = "/settings/github-packages"
PAT = "ghp_" + "a1B2" * 9
CALLBACK = "https://dockrev.example/api/webhooks/github-packages"


def page(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return text_of(response.content)


def connected() -> HookAccount:
    """On, with a secret and a token, and a callback URL."""
    github_receiver()
    Receiver.objects.update(secret_created_at=timezone.now())
    account = HookAccount.objects.get()
    account.credential, account.callback_url = PAT, CALLBACK
    account.save(update_fields=["credential", "callback_url"])
    return account


def synced(row: HookTarget, **more: Any) -> None:
    """As a sync leaves a repository whose hook is as it should be."""
    known = {
        "hook_id": "4711",
        "hook_url": CALLBACK,
        "hook_state": "ok",
        "secret_sent": fingerprint(SECRET),
        "last_op": "created",
        "last_sync_at": timezone.now(),
    }
    HookTarget.objects.filter(pk=row.pk).update(**{**known, **more})


def test_it_is_green_only_when_github_gets_through(viewer: Client) -> None:
    assert "State off" in page(viewer)
    connected()
    said = page(viewer)
    assert "State on, and no repository is selected" in said
    assert "Every delivery is ignored." in said
    assert "mark-ok" not in viewer.get("/settings").content.decode()
    row = tracked()
    assert "State not synced yet" in page(viewer)
    synced(row)
    assert "State nothing came yet" in page(viewer)
    Receiver.objects.update(last_accepted_at=timezone.now())
    assert "State connected Last delivery just now Hooks 1 of 1 ok" in page(viewer)
    assert "mark-ok" in viewer.get("/settings").content.decode()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("missing", "0 of 1 ok, 1 missing"),
        ("conflict", "0 of 1 ok, 1 in conflict"),
        ("drift", "0 of 1 ok, 1 drifted"),
        ("error", "0 of 1 ok, 1 with an error"),
    ],
)
def test_it_counts_the_hooks_that_are_not_as_they_should_be(
    viewer: Client, state: str, words: str
) -> None:
    connected()
    synced(tracked(), hook_state=state)
    Receiver.objects.update(last_accepted_at=timezone.now())
    said = page(viewer)
    assert f"State 1 hook needs you Last delivery just now Hooks {words}" in said


def test_it_asks_for_a_callback_url(viewer: Client) -> None:
    connected()
    tracked()
    HookAccount.objects.update(callback_url="")
    assert "State on, without a callback URL" in page(viewer)


def test_it_changes_nothing_unless_a_button_says_so(admin: Client) -> None:
    connected()
    assert admin.post(PAGE, {"callbackUrl": ""}).status_code == 302
    assert Receiver.objects.get(kind="github-packages").enabled
    assert HookAccount.objects.get().callback_url == CALLBACK


def test_it_leads_to_where_a_token_is_authorised(viewer: Client) -> None:
    connected()
    url = "https://github.com/orgs/acme/sso?authorization_request=abc"
    synced(tracked(), hook_state="error", last_error=f"Authorise the token: {url}")
    assert f'href="{url}"' in viewer.get(PAGE).content.decode()


def test_it_says_why_github_did_not_get_through(viewer: Client) -> None:
    connected()
    now = timezone.now()
    failure = {"last_failure_at": now, "last_failure": "Invalid HTTP Response: 502"}
    synced(tracked(), last_delivery_at=now, **failure)
    said = page(viewer)
    assert "State the last delivery failed" in said
    assert "last call for acme/api failed just now : Invalid HTTP Response: 502" in said
    Receiver.objects.update(last_accepted_at=now + timedelta(seconds=1))
    assert "State connected" in page(viewer)


def test_it_asks_for_another_token_where_github_refuses_it(viewer: Client) -> None:
    account = connected()
    account.credential_report = {"state": "invalid", "text": "Bad credentials"}
    account.save(update_fields=["credential_report"])
    tracked()
    said = page(viewer)
    assert "State GitHub refuses the token" in said
    assert "Bad credentials" in said


def test_it_shows_what_github_says_of_the_token(admin: Client) -> None:
    account = connected()
    account.credential_report = {
        "state": "ok",
        "login": "ada",
        "kind": "classic",
        "scopes": ["public_repo"],
        "missing": ["admin:repo_hook"],
        "checkedAt": timezone.now().isoformat(),
        "expiresAt": (timezone.now() + timedelta(days=9, hours=1)).isoformat(),
    }
    account.save(update_fields=["credential_report"])
    said = page(admin)
    assert "ghp_... tried just now" in said
    assert "ada , classic token, expires in 9 days" in said
    assert "Scopes: public_repo" in said
    assert "Missing: admin:repo_hook" in said
    account.credential_report = {"state": "ok", "login": "ada", "scopes": None}
    account.save(update_fields=["credential_report"])
    assert "GitHub does not say what it may do." in page(admin)
    account.credential_report = {"state": "untried", "text": "No answer."}
    account.save(update_fields=["credential_report"])
    assert "Not tried yet: GitHub did not answer." in page(admin)


def test_it_saves_the_connection_and_shows_the_mask(admin: Client, github: FakeGitHub) -> None:
    github.add_token(PAT, login="ada", scopes=["repo", "admin:repo_hook"])
    given = {"act": "save", "enabled": "on", "pat": PAT, "callbackUrl": CALLBACK}
    assert admin.post(PAGE, given).headers["Location"] == PAGE
    body = admin.get(PAGE).content.decode()
    assert "<code>ghp_...</code>" in body
    assert "ghp_... set just now , tried just now" in text_of(body.encode())
    assert PAT not in body
    assert "The connection is saved." in body
    assert "<strong>ada</strong>, classic token" in body
    receiver, account = Receiver.objects.get(kind="github-packages"), HookAccount.objects.get()
    assert receiver.enabled
    assert receiver.secret not in body
    admin.post(PAGE, {"act": "save", "enabled": "on", "callbackUrl": CALLBACK})
    account, before = HookAccount.objects.get(), account
    assert (account.credential, account.callback_url) == (PAT, CALLBACK)
    assert account.credential_set_at == before.credential_set_at
    admin.post(PAGE, {"act": "save", "callbackUrl": CALLBACK})
    assert not Receiver.objects.get(kind="github-packages").enabled


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"callbackUrl": "http://dockrev.example/x"}, "Callback URL", "absolute https URL"),
        ({"apiUrl": "ftp://ghe.example"}, "GitHub API URL", "absolute https URL"),
        ({"pat": "with a space"}, "GitHub PAT", "This is not a token."),
        ({"pat": "x" * 300}, "GitHub PAT", "at most 255 characters"),
        ({"webhookSecret": "short"}, "A secret of your own", "16 to 500 characters"),
        ({"enabled": "on"}, "GitHub PAT", "Give a personal access token"),
    ],
)
def test_it_says_at_the_field_what_is_wrong_and_saves_nothing(
    admin: Client, given: dict[str, str], field: str, words: str
) -> None:
    response = admin.post(PAGE, {"act": "save", "apiUrl": "", "callbackUrl": CALLBACK, **given})
    assert response.status_code == 422
    body = response.content.decode()
    said = text_of(response.content)
    assert f"Nothing was saved. {field} :" in said
    assert said.count(words) == 2
    assert 'aria-invalid="true"' in body
    assert HookAccount.objects.get().callback_url == ""
    assert "with a space" not in body


def test_it_removes_the_token(admin: Client) -> None:
    connected()
    admin.post(PAGE, {"act": "forget"})
    assert HookAccount.objects.get().credential == ""


def test_it_shows_a_new_secret_this_once(admin: Client) -> None:
    connected()
    response = admin.post(PAGE, {"act": "rotate"})
    receiver = Receiver.objects.get(kind="github-packages")
    assert receiver.secret != SECRET
    assert response.content.decode().count(receiver.secret) == 2  # to read, and to copy
    assert "no-store" in response.headers["Cache-Control"]
    assert receiver.secret not in admin.get(PAGE).content.decode()


def test_it_says_who_rotated_what_a_sync_hands_out(admin: Client) -> None:
    connected()
    tracked("acme/api")
    admin.post(PAGE, {"act": "rotate"})
    queued = Job.objects.get(kind="hooks.sync")
    assert (queued.created_by, queued.reason) == ("admin", "ui")


def test_it_fills_in_where_github_may_call(admin: Client) -> None:
    assert "None could be guessed" in page(admin)
    response = admin.get(PAGE, secure=True)
    assert 'value="https://testserver/api/webhooks/github-packages"' in response.content.decode()


def test_it_warns_of_an_address_that_github_cannot_reach(admin: Client) -> None:
    connected()
    HookAccount.objects.update(callback_url="https://192.168.1.5/api/webhooks/github-packages")
    assert "only your own network knows it" in page(admin)


def test_it_says_what_the_test_of_the_callback_found(admin: Client) -> None:
    connected()
    HookAccount.objects.update(callback_url="http://127.0.0.1:9/api/webhooks/github-packages")
    said = text_of(admin.post(PAGE, {"act": "test"}).content)
    assert "What a proxy has to let through" in said
    assert "X-Hub-Signature-256" in said


def test_it_adds_a_repository_at_once(admin: Client) -> None:
    admin.post(f"{PAGE}/add", {"input": "https://github.com/acme/api.git"})
    row = HookTarget.objects.get()
    assert (row.full_name, row.selected) == ("acme/api", True)
    said = page(admin)
    assert "acme/api is tracked and selected." in said
    assert "1 in all, 1 selected, 1 shown by this filter" in said


def test_it_lists_an_owner_by_a_job(admin: Client) -> None:
    connected()
    admin.post(f"{PAGE}/add", {"input": "acme"})
    listing = Job.objects.get()
    assert (listing.kind, listing.subject, listing.created_by) == ("hooks.list", "acme", "admin")
    body = admin.get(PAGE).content.decode()
    assert f"/queue/{listing.pk}" in body
    assert f"following={listing.pk}" in body


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Type a repository as owner/name"),
        ("a b", "not the name of an owner"),
        ("https://gitlab.com/a/b", "gitlab.com is not the GitHub that is configured."),
        ("é/ü", "not the name of an owner"),
        ("x" * 600, "Type a repository as owner/name"),
        ("acme", "needs a personal access token"),
    ],
)
def test_it_says_why_nothing_was_added(admin: Client, typed: str, words: str) -> None:
    admin.post(f"{PAGE}/add", {"input": typed})
    assert words in page(admin)
    assert not HookTarget.objects.exists()


def test_it_selects_one_at_once(admin: Client) -> None:
    tracked("acme/api")
    tracked("acme/web")
    given = {"only": "acme/api", "shown": ["acme/api", "acme/web"], "on": ["acme/web"]}
    response = admin.post(f"{PAGE}/select", given, headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Trigger"]) == (204, "changed")
    assert HookTarget.objects.get(selected=True).full_name == "acme/web"


def test_it_selects_what_a_page_shows_without_scripts(admin: Client) -> None:
    for name in ("acme/api", "acme/web", "other/one"):
        tracked(name)
    given = {"shown": ["acme/api", "acme/web"], "on": ["acme/api"], "next": f"{PAGE}?q=acme"}
    assert admin.post(f"{PAGE}/select", given).headers["Location"] == f"{PAGE}?q=acme"
    selected = HookTarget.objects.filter(selected=True).values_list("full_name", flat=True)
    assert list(selected) == ["acme/api", "other/one"]


def test_it_selects_all_or_none_of_what_is_found(admin: Client) -> None:
    account = connected()
    rows = [f"acme/repo-{number}" for number in range(120)] + ["other/one"]
    HookTarget.objects.bulk_create(
        HookTarget(
            account=account, full_name=name, name_key=name, owner_key=name[:5], selected=False
        )
        for name in rows
    )
    admin.post(f"{PAGE}/select", {"all": "on", "q": "acme/", "show": "all"})
    assert HookTarget.objects.filter(selected=True).count() == 120
    said = page(admin, f"{PAGE}?q=repo-1&show=selected")
    assert "121 in all, 120 selected, 31 shown by this filter" in said
    assert said.count("Selected: ") == 0  # said by the label of a tick, not beside it
    admin.post(f"{PAGE}/select", {"all": "off", "q": "", "show": "selected"})
    assert not HookTarget.objects.filter(selected=True).exists()


def test_it_pages_by_fifty(viewer: Client) -> None:
    account = connected()
    HookTarget.objects.bulk_create(
        HookTarget(account=account, full_name=f"a/r{n:03}", name_key=f"a/r{n:03}", owner_key="a")
        for n in range(51)
    )
    first = viewer.get(f"{PAGE}?q=r").content.decode()
    assert first.count('class="repo"') == 50
    assert "?q=r&amp;page=2" in first
    assert "a/r050" in page(viewer, f"{PAGE}?q=r&page=2")


def test_it_says_how_a_repository_is(admin: Client) -> None:
    connected()
    row = tracked()
    service(image="ghcr.io/acme/api/worker:1")
    moment = timezone.now() - timedelta(minutes=3)
    facts = {"visibility": "private", "archived": True, "disabled": True, "verified_at": moment}
    synced(row, last_sync_at=moment, last_error="It was switched off.", hook_state="drift", **facts)
    said = page(admin)
    expected = (
        "acme/api private runs here archived disabled drift created 3 minutes ago "
        "verified 3 minutes ago"
    )
    assert expected in said
    assert "It was switched off." in said


def test_it_does_not_show_what_was_removed(admin: Client) -> None:
    account = connected()
    synced(tracked())
    admin.post(f"{PAGE}/remove", {"repo": "acme/api"})
    assert HookTarget.objects.get().removed
    said = page(admin)
    assert "No repository is tracked." in said
    assert "1 repository changed since the last sync." in said
    assert account.inputs == []


def test_it_says_what_waits_for_a_sync(admin: Client) -> None:
    connected()
    synced(tracked("acme/fine"))
    assert "changed since the last sync" not in page(admin)
    tracked("acme/new")
    synced(tracked("acme/gone", selected=False))
    synced(tracked("acme/moved"), hook_url="https://old.example/hook")
    synced(tracked("acme/old-secret"), secret_sent=fingerprint("another secret"))
    synced(tracked("acme/broken"), last_op="error", secret_sent="")
    tracked("acme/never", selected=False)
    assert "4 repositories changed since the last sync." in page(admin)


def test_it_ends_a_conflict_by_keeping_one_hook(admin: Client, github: FakeGitHub) -> None:
    connected()
    github.add_token(PAT, scopes=["repo"])
    hooks = [
        {"id": str(number), "url": CALLBACK, "events": ["package"], "active": number == 7}
        for number in (7, 8, 9)
    ]
    row = tracked()
    synced(row, hook_state="conflict", conflict_hooks=hooks, last_op="conflict")
    body = admin.get(PAGE).content.decode()
    assert body.count('type="radio"') == 3
    admin.post(f"{PAGE}/keep", {"repo": "acme/api", f"keep-{row.pk}": "8"})
    params = Job.objects.get().params
    assert params["repos"] == ["acme/api"]
    choice = {"repo": "acme/api", "keepHookId": "8", "deleteHookIds": ["7", "9"]}
    assert params["resolve"] == [choice]


def test_it_does_not_end_a_conflict_without_a_choice(admin: Client) -> None:
    connected()
    row = tracked()
    synced(row, hook_state="conflict", conflict_hooks=[{"id": "7", "url": CALLBACK, "events": []}])
    admin.post(f"{PAGE}/keep", {"repo": "acme/api", f"keep-{row.pk}": "99"})
    assert not Job.objects.exists()
    assert "Choose one of the hooks that are shown." in page(admin)


def test_it_queues_what_its_buttons_say(admin: Client, github: FakeGitHub) -> None:
    connected()
    github.add_token(PAT, scopes=["repo"])
    synced(tracked(), hook_state="missing")
    admin.post(f"{PAGE}/sync")
    admin.post(f"{PAGE}/sync", {"dryRun": "on"})
    admin.post(f"{PAGE}/sync", {"repo": "acme/api"})
    admin.post(f"{PAGE}/audit")
    Job.objects.filter(params__repos=["acme/api"]).delete()
    admin.post(f"{PAGE}/repair")
    queued = Job.objects.order_by("id").values_list("kind", "params__dryRun", "params__repos")
    assert list(queued) == [
        ("hooks.sync", None, None),
        ("hooks.sync", True, None),
        ("hooks.audit", None, None),
        ("hooks.sync", None, ["acme/api"]),
    ]


@pytest.mark.parametrize("act", ["sync", "audit", "repair"])
def test_it_says_why_nothing_was_queued(admin: Client, act: str) -> None:
    HookAccount.objects.get_or_create(provider="github", receiver=github_receiver(enabled=False))
    response = admin.post(f"{PAGE}/{act}", headers={"HX-Request": "true"})
    assert response.headers["HX-Redirect"] == PAGE
    assert "The webhooks of GitHub are switched off." in page(admin)
    assert not Job.objects.exists()


def test_it_offers_to_remove_what_is_left_at_github_while_off(
    admin: Client, github: FakeGitHub
) -> None:
    connected()
    github.add_token(PAT, scopes=["repo"])
    synced(tracked())
    assert "Remove all hooks" not in page(admin)
    Receiver.objects.update(enabled=False)
    assert "Remove all hooks 1 hook is still at GitHub." in page(admin)
    admin.post(f"{PAGE}/remove-hooks")
    assert Job.objects.get().kind == "hooks.remove"


def test_it_follows_the_job_and_then_looks_at_everything_again(viewer: Client) -> None:
    account = connected()
    running = job("hooks.sync", "running", subject="GitHub", params={"account": account.pk})
    results = [
        {"repo": "acme/web", "action": "noop", "message": None},
        {"repo": "acme/api", "action": "error", "message": "404"},
    ]
    Job.objects.update(progress_done=2, progress_total=5, summary={"results": results})
    work = f"{PAGE}/work?following={running.pk}"
    response = viewer.get(work)
    said = text_of(response.content)
    assert "2 of 5" in said
    assert "1 error 1 noop acme/api error 404 acme/web noop" in said
    assert "HX-Trigger-After-Settle" not in response.headers
    Job.objects.update(status="success", finished_at=timezone.now())
    assert "changed" in viewer.get(work).headers["HX-Trigger-After-Settle"]
    assert "HX-Trigger-After-Settle" not in viewer.get(f"{PAGE}/work").headers


def test_it_shows_a_job_s_results_in_pages(viewer: Client) -> None:
    account = connected()
    results = [{"repo": f"acme/r{n:03}", "action": "noop", "message": None} for n in range(60)]
    summary = {"results": results, "dryRun": True}
    done = job("hooks.sync", params={"account": account.pk}, summary=summary)
    said = page(viewer)
    assert "60 noop dry run: nothing was changed" in said
    assert "All 60 results" in said
    assert "acme/r009" in said
    assert "acme/r010" not in said
    assert "acme/r055" in page(viewer, f"/queue/{done.pk}?page=2")


def test_it_says_when_a_sync_goes_on(viewer: Client) -> None:
    account = connected()
    until = (timezone.now() + timedelta(minutes=20, seconds=40)).isoformat()
    job("hooks.sync", "queued", params={"account": account.pk}, summary={"resumesAt": until})
    assert "rate limit, goes on in 20 minutes" in page(viewer)


def test_it_says_what_an_owner_s_list_came_to(viewer: Client) -> None:
    account = connected()
    summary = {"reposFound": 7, "reposAdded": 5, "warnings": ["Private ones are not seen."]}
    job("hooks.list", subject="acme", params={"account": account.pk}, summary=summary)
    said = page(viewer)
    assert "7 found, 5 of them new" in said
    assert "Private ones are not seen." in said


def test_it_asks_github_for_a_ping(admin: Client, github: FakeGitHub) -> None:
    connected()
    github.delivers = False
    github.add_token(PAT, scopes=["repo"])
    github.add_repository("acme/api")
    hook = github.add_hook("acme/api", url=CALLBACK)
    synced(tracked(), hook_id=str(hook.id))
    admin.post(f"{PAGE}/ping", {"repo": "acme/api"})
    github.settle()
    assert github.requests[-1].path == f"/repos/acme/api/hooks/{hook.id}/pings"
    assert "GitHub sends a ping for acme/api." in page(admin)


@pytest.mark.parametrize("act", ["ping", "remove", "keep"])
def test_it_knows_no_other_repository(admin: Client, act: str) -> None:
    connected()
    for name in ("acme/nowhere", "a b/ü", "", "x" * 5000, "\0"):
        admin.post(f"{PAGE}/{act}", {"repo": name})
        assert "This repository is not tracked." in page(admin)


def test_it_lets_only_admins_change_anything(viewer: Client, operator: Client) -> None:
    account = connected()
    tracked()
    for client in (viewer, operator):
        body = client.get(PAGE).content.decode()
        assert "acme/api" in body
        assert "Only an admin can change this." in body
        main = body.partition("<main")[2]
        for control in ("<button", 'type="checkbox"', 'type="radio"', 'method="post"'):
            assert control not in main
        assert client.post(PAGE, {"act": "rotate"}).status_code == 403
    assert Receiver.objects.get(pk=account.receiver_id).secret == SECRET


def test_it_escapes_what_others_wrote(admin: Client) -> None:
    connected()
    words = "<script>alert(1)</script>"
    row = tracked()
    hooks = [{"id": "1", "url": CALLBACK, "events": [words], "active": True}]
    synced(row, hook_state="conflict", last_error=words, conflict_hooks=hooks)
    assert words not in admin.get(PAGE).content.decode()


def test_it_asks_the_database_as_often_for_fifty_as_for_three(admin: Client) -> None:
    account = connected()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin.get(PAGE)
        return len(captured)

    for number in range(3):
        tracked(f"acme/{number}")
    few = queries()
    for number in range(60):
        synced(tracked(f"acme/more-{number}"))
        job("hooks.sync", params={"account": account.pk})
    assert queries() == few <= 18


def test_it_says_what_to_do_where_it_was_switched_off(admin: Client) -> None:
    connected()
    tracked()
    Receiver.objects.update(enabled=False)
    assert "Next: Switch it on; the repositories are still here." in page(admin)
