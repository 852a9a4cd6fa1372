"""Going back by the button, on a real engine."""

from __future__ import annotations

import os
import subprocess

import pytest

from checks.models import Candidate, Job, Replaced
from checks.tasks import run_job
from checks.updating import job as going
from tests.engine.updating import CRASHES, SCRIPT, Shop, api, log_of, start, steps

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]


class TestByButton:
    def test_it_goes_back_step_by_step(self, shop: Shop) -> None:
        first = start(shop)
        before = shop.file.read_bytes()
        second = shop.push("2")
        assert shop.update(shop.change(tag="2")).status == "success"
        third = shop.push("3")
        assert shop.update(shop.change(tag="3")).status == "success"
        assert shop.runs() == {third}
        for expected in (second, first):
            job_id = going.ask_to_go_back(shop.service(), "ada").job_id
            run_job(job_id)
            job = Job.objects.get(pk=job_id)
            assert (job.kind, job.status) == ("rollback", "success"), log_of(job)
            assert shop.runs() == {expected}
        assert shop.file.read_bytes() == before
        with pytest.raises(going.NoWayBack):
            going.way_back(shop.service())

    def test_what_was_changed_in_the_file_since_stays(self, shop_2: Shop) -> None:
        for repository in ("acme/api", "acme/web"):
            shop_2.push("1", name=repository)
        web = f"image: '{shop_2.image('1', 'acme/web')}', command: {SCRIPT}"
        shop_2.write(api=api(shop_2), web=web)
        shop_2.up()
        shop_2.discover()
        old = shop_2.runs()
        for repository in ("acme/api", "acme/web"):
            shop_2.push("2", note="newer", name=repository)
        assert shop_2.update(shop_2.change("api", tag="2")).status == "success"
        assert shop_2.update(shop_2.change("web", tag="2")).status == "success"
        job_id = going.ask_to_go_back(shop_2.service("api"), "ada").job_id
        run_job(job_id)
        job = Job.objects.get(pk=job_id)
        assert (job.status, shop_2.runs()) == ("success", old), log_of(job)
        text = shop_2.file.read_text()
        assert shop_2.image("1") in text
        assert shop_2.image("2", "acme/web") in text

    def test_it_keeps_the_images_of_two_updates(self, shop_2: Shop) -> None:
        start(shop_2)
        for note in ("second", "third", "fourth"):
            shop_2.push("1", note=note)
            assert shop_2.update(shop_2.change()).status == "success"
        oldest, *others = Replaced.objects.order_by("pk")
        assert oldest.kept == ""
        kept = {
            tag for image in shop_2.engine.client.images.list("dockrev/kept") for tag in image.tags
        }
        assert {row.kept for row in others} <= kept

    def test_it_is_refused_where_something_else_runs(self, shop_2: Shop) -> None:
        start(shop_2)
        shop_2.push("1", note="second")
        assert shop_2.update(shop_2.change()).status == "success"
        shop_2.push("1", note="third")
        shop_2.compose("-f", str(shop_2.file), "pull", folder=shop_2.folder)
        shop_2.up()
        shop_2.discover()
        with pytest.raises(going.NoWayBack, match="another image by now"):
            going.way_back(shop_2.service())


def test_an_update_and_its_way_back_are_committed_where_that_is_wanted(shop_2: Shop) -> None:
    start(shop_2)
    git(shop_2, "init", "--quiet")
    git(shop_2, "add", "compose.yaml")
    git(shop_2, "commit", "--quiet", "-m", "first")
    stack = shop_2.service().stack
    stack.policy = {"commit": True, "commitAuthor": "Ada <ada@example.org>"}
    stack.save(update_fields=["policy"])
    shop_2.push("2", CRASHES)
    assert shop_2.update(shop_2.change(tag="2")).status == "rolled_back"
    assert git(shop_2, "rev-list", "--count", "HEAD") == "1"
    Candidate.objects.all().delete()
    shop_2.push("3")
    job = shop_2.update(shop_2.change(tag="3"))
    assert job.status == "success", log_of(job)
    assert steps(job)[-1] == "commit"
    assert "compose.yaml is committed: " in log_of(job)
    assert git(shop_2, "log", "-1", "--format=%an %s") == "Ada Update shop/api, 1 → 3"
    job_id = going.ask_to_go_back(shop_2.service(), "ada").job_id
    run_job(job_id)
    assert git(shop_2, "log", "-1", "--format=%an %s") == "Ada Roll back shop/api, 3 → 1"
    assert git(shop_2, "diff", "HEAD~2") == ""


def git(shop: Shop, *arguments: str) -> str:
    who = {f"GIT_{a}_{b}": "x@y" for a in ("AUTHOR", "COMMITTER") for b in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=shop.folder,
        env={**os.environ, **who},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
