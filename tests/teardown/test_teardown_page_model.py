"""report_teardown.py: lines atop the comment that is there, and nothing else."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import markdown
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.github.comment_marker import Marker, RunMark, RunState
from dbtdeploy.github.comment_marker import mark as comment_mark
from dbtdeploy.teardown import teardown_page_model
from dbtdeploy.teardown.teardown_files import DroppedSchema, KeptSchema, Teardown
from standins.github.github import Hub
from standins.jobs import runs
from standins.text import preview
from standins.warehouse.teardowns import REPOSITORY, Job

BOT = "github-actions[bot]"
SHOP = Marker(project="shop", target="ci")
RAN = RunMark(run_id=99, run_attempt=1, commit="a", state=RunState.FINISHED)
REPORT = "### ✅ dbt: 3 models built\n\n| a |\n| - |\n"

DONE = Teardown(
    dropped=(
        DroppedSchema(schema="pr_7_shop", owner="pull request 7", pull_request=7),
        DroppedSchema(schema="pr_7_shop_marts", owner="pull request 7", pull_request=7),
    ),
    closed=(7,),
    finished_at="2026-11-21T09:00:00+00:00",
)


@pytest.fixture
def job(work: Path, hub: Hub) -> Job:
    hub.create_pull_request(REPOSITORY, 7)
    store = work.parent / "store"
    store.mkdir()
    made = Job(work, Path("dbt"), state=str(store))
    token = hub.create_token(BOT, installation=True)
    made.environment |= {"GITHUB_API_URL": hub.url, "DBT_DEPLOY_GITHUB_TOKEN": token}
    return made


def post(job: Job, done: Teardown | None = DONE) -> str:
    job.describe(pull_request=7)
    if done:
        hand_over.write(job.work, done)
    return job.run("teardown/report_teardown")


def body(hub: Hub) -> str:
    (comment,) = hub.comments(REPOSITORY, 7)
    text: str = comment["body"]
    return text


def test_a_line_on_top_and_the_rest_as_it_was(job: Job, hub: Hub) -> None:
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), BOT)
    post(job)
    assert body(hub) == (
        f"{SHOP.render()}\n{RAN.render()}\n"
        "<!-- dbt-deploy-torn-down -->\n"
        "🧹 **These schemas were dropped** on 2026-11-21 09:00 UTC: `pr_7_shop`, "
        "`pr_7_shop_marts`. [Run](https://github.com/acme/shop/actions/runs/100)\n"
        "<!-- dbt-deploy-torn-down-end -->\n\n" + REPORT
    )
    shown = preview.body(body(hub))
    assert "<p>🧹 <strong>These schemas were dropped</strong>" in shown
    assert "<h3>✅ dbt: 3 models built</h3>" in shown


def test_once_more_it_is_as_it_was_or_what_is_new(job: Job, hub: Hub) -> None:
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), BOT)
    post(job)
    first = body(hub)
    post(job)
    assert body(hub) == first
    assert [seen.method for seen in hub.seen].count("PATCH") == 1
    post(job, replace(DONE, dropped=DONE.dropped[:1]))
    assert "**This schema was dropped**" in body(hub)
    assert body(hub).count("dbt-deploy-torn-down -->") == 1
    assert body(hub).endswith("end -->\n\n" + REPORT)


def test_a_later_build_replaces_it_and_an_older_one_does_not(job: Job, hub: Hub) -> None:
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), BOT)
    post(job)
    older = runs.asked(job.describe(pull_request=7), runs.ci())
    for run_id in (98, 101):
        run = replace(older, event=replace(older.event, run_id=run_id))
        hand_over.write(job.work, run)
        job.run("ci/announce_build")
        assert ("torn-down" in body(hub)) is (run_id == 98)


def test_where_there_is_no_comment_none_is_written(job: Job, hub: Hub) -> None:
    others = comment_mark(Marker(project="shop", target="prod"), RAN, REPORT)
    hub.create_comment(REPOSITORY, 7, others, BOT)
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), "mallory")
    assert "Pull request 7: has no comment of ours" in post(job)
    assert [comment["body"] for comment in hub.comments(REPOSITORY, 7)] == [
        others,
        comment_mark(SHOP, RAN, REPORT),
    ]


@pytest.mark.parametrize("done", [None, replace(DONE, dry_run=True), Teardown(closed=(7,))])
def test_where_nothing_was_dropped_nothing_is_said(
    job: Job, hub: Hub, done: Teardown | None
) -> None:
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), BOT)
    post(job, done)
    assert hub.seen == []


@pytest.mark.fault(44)
def test_what_stays_is_said_with_its_reason_and_names_are_inert(job: Job, hub: Hub) -> None:
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), BOT)
    name = "`@team` <img src=x> --> | **x**"
    reason = f"its comment is `{name.replace('`', chr(39))}`\n{teardown_page_model.END}\n# big"
    left = KeptSchema(schema=name, reason=reason, pull_request=7, should_go=True)
    used = KeptSchema(schema="pr_7_used", reason="used again", pull_request=7)
    post(job, replace(DONE, kept=(left, used)))
    shown = preview.body(body(hub))
    assert '<p class="title">Warning</p>' in shown
    assert "This schema is still there:" in shown
    # GitHub looks for mentions in a <code> element too, so the name is kept from being one.
    inert = name.replace("@", "@" + markdown.ZERO_WIDTH_SPACE)
    assert shown.count(html.escape(inert, quote=False)) == 1
    assert "<img" not in shown
    assert "<h1>" not in shown
    assert "pr_7_used" not in shown
    assert "<h3>✅ dbt: 3 models built</h3>" in shown
    first = body(hub)
    post(job, replace(DONE, kept=(left, used)))
    assert body(hub) == first, "the end of its words is found again"


def test_a_comment_that_would_become_too_long_is_left(job: Job, hub: Hub) -> None:
    long = comment_mark(SHOP, RAN, REPORT + "x" * 64_800)
    hub.create_comment(REPOSITORY, 7, long, BOT)
    post(job)
    assert body(hub) == long


def test_a_comment_edited_by_a_person_is_understood(job: Job, hub: Hub) -> None:
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), BOT)
    post(job)
    (comment,) = hub.comments(REPOSITORY, 7)
    hub.edit_comment(comment["id"], body(hub).replace("\n", "\r\n"))
    post(job, replace(DONE, dropped=DONE.dropped[:1]))
    assert len(re.findall("torn-down -->", body(hub))) == 1


@pytest.mark.fault(48)
def test_limits_are_waited_for_and_a_refusal_is_a_warning(job: Job, hub: Hub) -> None:
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), BOT)
    hub.add_fault(method="PATCH", status=403, headers={"Retry-After": "0"}, times=2)
    post(job)
    assert "dropped" in body(hub)
    hub.add_fault(status=403, message="Resource not accessible by integration", times=9)
    printed = post(job, replace(DONE, dropped=DONE.dropped[:1]))
    assert "pull-requests: write" in printed
    assert not hand_over.is_there(job.work, work_files.Failure)


@pytest.mark.fault(109)
def test_the_schema_of_another_role_is_not_told_in_the_comment_that_its_mark_names(
    job: Job, hub: Hub
) -> None:
    hub.create_comment(REPOSITORY, 7, comment_mark(SHOP, RAN, REPORT), BOT)
    before = body(hub)
    kept = KeptSchema(
        schema="forged", reason="theirs", pull_request=7, should_go=True, foreign=True
    )
    post(job, replace(DONE, dropped=(), kept=(kept,)))
    assert body(hub) == before
    post(job, replace(DONE, kept=(kept,)))
    assert "pr_7_shop" in body(hub)
    assert "forged" not in body(hub)
