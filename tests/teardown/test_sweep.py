"""A whole sweep: find_schemas.py, choose_schemas.py, drop_schemas.py and what comes after."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from dbtdeploy.context import hand_over, work_files
from dbtdeploy.github.comment_marker import Marker, RunMark, RunState
from dbtdeploy.github.comment_marker import mark as comment_mark
from dbtdeploy.teardown import teardown_files
from dbtdeploy.teardown.teardown_files import ChosenSchemas
from standins.github.github import Hub
from standins.runner.job_log import JobLog, Masker
from standins.text.pages import Page
from standins.warehouse.postgres import Database
from standins.warehouse.teardowns import REPOSITORY, Job, mark, schemas

BOT = "github-actions[bot]"


def ago(days: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(days=days)).isoformat()


@pytest.fixture
def job(work: Path, forked_dbt: Path, database: Database, hub: Hub, tmp_path: Path) -> Job:
    store = tmp_path / "store"
    store.mkdir()
    made = Job(work, forked_dbt, state=str(store))
    made.connect(database)
    made.environment |= {
        "GITHUB_API_URL": hub.url,
        "DBT_DEPLOY_GITHUB_TOKEN": hub.create_token(BOT, installation=True),
    }
    for number in (7, 8, 9, 10):
        hub.create_pull_request(REPOSITORY, number)
    hub.close_pull_request(REPOSITORY, 7, merged=True)
    hub.close_pull_request(REPOSITORY, 8)
    return made


def make(database: Database, schema: str, comment: str) -> None:
    database.run(f"create schema {schema}; comment on schema {schema} is '{comment}'")


def sweep(job: Job, *, exit_code: int = 0) -> str:
    """All steps, as action.yml orders them."""
    hand_over.remove(job.work, work_files.Failure)
    printed = job.run("teardown/find_schemas") + job.run("teardown/choose_schemas")
    printed += job.run("teardown/drop_schemas", exit_code=exit_code)
    return printed + job.run("teardown/report_teardown")


def register(job: Job, number: int, *names: str, **changes: object) -> Path:
    entry = {
        "repository": REPOSITORY,
        "pull_request": number,
        "project": "shop",
        "target": "ci",
        "schemas": list(names),
        "sha": "a",
        "run_url": "u",
        "at": "t",
        **changes,
    }
    path = Path(job.state) / "pull-requests" / str(number) / "shop-ci.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(entry))
    return path


@pytest.mark.fault(38)
def test_a_sweep_drops_what_no_event_told_of(job: Job, database: Database, hub: Hub) -> None:
    make(database, "pr_7_shop", mark("pull_request=7", ago(0)))
    make(database, "pr_7_shop_marts", mark("pull_request=7", ago(1)))
    make(database, "pr_8_shop", mark("pull_request=8", ago(0)))
    make(database, "pr_9_shop", mark("pull_request=9", ago(2)))
    make(database, "pr_10_shop", mark("pull_request=10", ago(20)))
    make(database, "pr_11_shop", mark("pull_request=11", ago(20)))
    make(database, "pr_main_shop", mark("ref=main", ago(20)))
    make(database, "pr_queue_shop", mark("ref=gh-readonly-queue/main/pr-1", ago(3)))
    make(database, "pr_12_shop", mark("pull_request=nonsense"))
    make(database, "analytics", "production")
    marker = Marker(project="shop", target="ci")
    ran = RunMark(run_id=1, run_attempt=1, commit="a", state=RunState.FINISHED)
    for number in (7, 9):
        hub.create_comment(REPOSITORY, number, comment_mark(marker, ran, "### built"), BOT)
    entry = register(job, 7, "pr_7_shop", "pr_7_shop_marts")
    open_entry = register(job, 9, "pr_9_shop")
    only_registered = register(job, 8, "pr_8_shop", "elsewhere")

    job.describe(sweep=True)
    printed = sweep(job)
    assert schemas(database) == {
        "pr_9_shop",
        "pr_11_shop",
        "pr_queue_shop",
        "pr_12_shop",
        "analytics",
    }
    why = {one.schema: one.why for one in job.teardown.dropped}
    assert why == {
        "pr_7_shop": "merged",
        "pr_7_shop_marts": "merged",
        "pr_8_shop": "closed without a merge",
        "pr_10_shop": "last used 20 days ago",
        "pr_main_shop": "last used 20 days ago",
    }
    assert "GitHub does not know pull request 11" in job.kept["pr_11_shop"]
    assert job.kept["pr_12_shop"] == "its mark is not as dbt-deploy writes it"
    assert job.kept["pr_9_shop"] == "last used 2 days ago"
    assert "5 schemas dropped" in job.summary
    assert "4 schemas stay" in job.summary
    assert [path.exists() for path in (entry, open_entry, only_registered)] == [False, True, False]
    assert "elsewhere: a build had announced that, and no schema of that name" in printed
    bodies = {n: hub.comments(REPOSITORY, n)[0]["body"] for n in (7, 9)}
    assert "**These schemas were dropped** on" in bodies[7]
    assert "`pr_7_shop`, `pr_7_shop_marts`." in bodies[7]
    assert "dropped" not in bodies[9]
    assert hub.comments(REPOSITORY, 8) == [], "no comment there, none written"

    sweep(job)
    assert job.dropped == []


def test_a_dry_run_of_a_sweep_changes_nothing(job: Job, database: Database, hub: Hub) -> None:
    make(database, "pr_7_shop", mark("pull_request=7", ago(0)))
    entry = register(job, 7, "pr_7_shop")
    job.describe(sweep=True, dry_run=True)
    printed = sweep(job)
    assert "goes: pr_7_shop (pull request 7): merged" in printed
    assert "would drop: pr_7_shop" in printed
    assert schemas(database) == {"pr_7_shop"}
    assert entry.exists()
    assert not any(seen.method != "GET" for seen in hub.seen)


@pytest.mark.fault(48)
def test_what_github_was_not_asked_about_stays_and_the_job_says_so(
    job: Job, database: Database, hub: Hub
) -> None:
    make(database, "pr_7_shop", mark("pull_request=7", ago(99)))
    make(database, "pr_8_shop", mark("pull_request=8", ago(0)))
    make(database, "pr_main_shop", mark("ref=main", ago(99)))
    hub.add_fault(path="/pulls/7", status=429, times=1, headers={"Retry-After": "0"})
    hub.add_fault(path="/pulls/8", status=429, times=99, headers={"Retry-After": "3600"})
    job.describe(sweep=True)
    job.run("teardown/find_schemas")
    assert "GitHub was not asked about every pull request" in job.run("teardown/choose_schemas")
    job.run("teardown/drop_schemas", exit_code=70)
    assert schemas(database) == {"pr_8_shop"}
    assert "GitHub answered 429 for pull request 8" in job.failure.what
    assert "GitHub answered 429 for pull request 8" in job.summary


def test_the_registry_is_a_hint_and_anybody_may_have_written_it(
    job: Job, database: Database, hub: Hub
) -> None:
    make(database, "analytics", "production")
    make(database, "pr_9_shop", mark("pull_request=9", ago(0)))
    lies = [
        register(job, 7, "analytics", "pr_9_shop"),
        register(job, 8, "a`@team`\n::error::x", "##[error]x"),
    ]
    other = Path(job.state) / "pull-requests" / "7" / "finance-ci.json"
    other.write_text("{}")
    for name in ("x", "-1", "99999999999999999999999", "0"):
        (Path(job.state) / "pull-requests" / name).mkdir()
        (Path(job.state) / "pull-requests" / name / "shop-ci.json").write_text("{")
    job.describe(sweep=True)
    printed = sweep(job)
    assert schemas(database) == {"analytics", "pr_9_shop"}
    assert "entry of pull request 8 cannot be read" in printed
    assert "::error::x" not in printed
    assert "##[" not in printed
    assert not any(path.exists() for path in lies)
    assert other.exists(), "another project's"
    asked = [seen.path for seen in hub.seen if "/pulls/" in seen.path]
    assert len(asked) == 3, asked


@pytest.mark.parametrize("state", ["nowhere", "gs://bucket/prod"])
def test_without_the_registry_the_marks_are_enough(
    job: Job, database: Database, state: str
) -> None:
    make(database, "pr_7_shop", mark("pull_request=7", ago(0)))
    job.state = state
    job.describe(sweep=True)
    assert "The registry of pull requests was not read" in sweep(job)
    assert schemas(database) == set()


def test_many_schemas_go_in_batches(job: Job, database: Database) -> None:
    for number in range(230):
        make(database, f"pr_{number}_shop", mark(f"ref=branch-{number}", ago(99)))
    job.describe(sweep=True)
    sweep(job)
    assert schemas(database) == set()
    assert len(job.dropped) == 230
    assert "and 30 more" in job.summary


def test_a_dbt_that_cannot_reach_the_warehouse_is_named(job: Job) -> None:
    job.environment["DBT_DEPLOY_DBT_ENV"] = "DB_PASSWORD=hunter2-wrong"
    job.describe(sweep=True)
    printed = job.run("teardown/find_schemas", exit_code=70)
    assert "password authentication failed" in job.failure.what
    assert "No schema was looked at or dropped." in job.failure.not_done
    assert "hunter2-wrong" not in printed
    assert not hand_over.is_there(job.work, teardown_files.FoundSchemas)


def test_a_sweep_needs_what_was_chosen(job: Job) -> None:
    job.describe(sweep=True)
    job.run("teardown/drop_schemas", exit_code=4)
    hand_over.write(job.work, ChosenSchemas())
    job.run("teardown/drop_schemas")
    assert "No schema bears the mark" in job.summary


HOSTILE = "a\n::set-output name=x::y\n##[error]z\r::add-mask::e ![x](https://e.io/q.png) @octocat"


@pytest.mark.fault(67)
def test_hostile_names_are_inert_in_the_whole_job(job: Job, database: Database, hub: Hub) -> None:
    """In the log as the runner reads it, in the summary and in the comment."""
    name = '"' + HOSTILE.encode()[:60].decode() + '"'
    database.run(
        f"create schema {name}; comment on schema {name} is '{mark('pull_request=7', ago(0))}';"
        f"create table {name}.t (id int)"
    )
    database.run(f"create schema other; create view other.{name} as select * from {name}.t")
    marker = Marker(project="shop", target="ci")
    ran = RunMark(run_id=1, run_attempt=1, commit="a", state=RunState.FINISHED)
    hub.create_comment(REPOSITORY, 7, comment_mark(marker, ran, "### built"), BOT)
    job.environment |= {"GITHUB_ACTIONS": "true"}
    job.describe(sweep=True)
    log = JobLog(masker=Masker())
    taken = [log.take(line) for line in sweep(job, exit_code=70).splitlines()]
    assert {one.name for one in taken if one is not None} <= {"group", "endgroup"}
    assert log.masker.mask("e") == "e", "a mask was added"
    assert {one.level for one in log.annotations} <= {"error", "warning", "notice"}
    assert not [one for one in log.annotations if one.message == "z"]
    for page in (job.summary, str(hub.comments(REPOSITORY, 7)[0]["body"])):
        shown = Page(page)
        assert not [link for link in shown.links if "e.io" in link]
        assert "@octocat" not in shown.prose
