"""Every page beside the reports', with all that others write in it hostile."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dbtdeploy.admin import listing, status
from dbtdeploy.ci import comment
from dbtdeploy.clean_up import clean_up_page_model
from dbtdeploy.clean_up.clean_up_files import CleanUpDone
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import CleanUp
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.context.work_files import Failure
from dbtdeploy.github.comment_marker import RunState
from dbtdeploy.release.pages import release_notes
from dbtdeploy.report import render
from dbtdeploy.rollback import rollback_page_model
from dbtdeploy.teardown import teardown_page_model
from dbtdeploy.teardown.teardown_files import Teardown
from standins.jobs import builds, runs
from standins.text import hostile, pages

TAGS = {*pages.ALLOWED_TAGS, "h2"}


def check(shown: str) -> None:
    """Inert; every address that is a link stands in one of ours, behind our words."""
    pages.check_inert(shown, links=(pages.HERE, "http", "HTTP", "#"), tags=TAGS)


def run(text: str) -> work_files.Run:
    event = replace(builds.RUN.event, ref=text, sha=text, actor=text)
    dbt = replace(builds.RUN.dbt, name=text, target=text)
    return replace(builds.RUN, event=event, dbt=dbt, schema=text, policy=runs.teardown(sweep=True))


@pytest.mark.fault(44, 71)
@hostile.written
def test_the_pages_of_a_teardown(text: str) -> None:
    for flag in (True, False):
        done: Teardown = hostile.filled(Teardown, text, flag=flag)
        check(teardown_page_model.summary(run(text), done))
        said = teardown_page_model.words(run(text), done, 3)
        body = comment.body(run(text), RunState.FINISHED, "### Title\n\ntext")
        amended = teardown_page_model.amend(body, said).split("\n")
        assert amended.count(teardown_page_model.BEGIN) == 1
        check("\n".join(line for line in amended if not line.startswith("<!-- dbt-deploy")))


@pytest.mark.fault(44, 71)
@hostile.written
def test_the_page_of_a_clean_up(text: str) -> None:
    policy = hostile.filled(CleanUp, text)
    for outcome in clean_up_page_model.WORDS:
        done: CleanUpDone = hostile.filled(CleanUpDone, text)
        odd = tuple(replace(one, outcome=outcome) for one in done.outcomes)
        check(clean_up_page_model.summary(replace(done, outcomes=odd), policy))


@pytest.mark.fault(44, 71)
@hostile.written
def test_the_pages_of_a_rollback(text: str) -> None:
    for flag in (True, False):
        plan: RollbackPlan = hostile.filled(RollbackPlan, text, flag=flag)
        for one in (plan, replace(plan, nothing="")):
            check(rollback_page_model.plan_summary(one, run(text).event))
        done: RolledBack = replace(hostile.filled(RolledBack, text, flag=flag), plan=plan)
        check(rollback_page_model.done_summary(done))
        check(release_notes.rolled_back(done))
    check(rollback_page_model.refused_summary(hostile.filled(Failure, text), text))


@pytest.mark.fault(44, 71)
@hostile.written
def test_the_pages_of_the_store(text: str) -> None:
    rows = [hostile.filled(listing.VersionRow, text)]
    for flag in (True, False):
        common = {"environment": text, "location": text, "most": 300, "dry_run": flag}
        pruned = {"going": rows, "staying": rows, "freed": text, "stays": text}
        check(render.template("store/pruned.md.j2", **common, **pruned))
        listed = {"rows": rows, "size": text, "plain": flag}
        check(render.template("store/versions.md.j2", **common, **listed))
        lines = [hostile.filled(status.StatusRow, text, flag=flag)]
        check(render.template("status.md.j2", environment=text, location=text, rows=lines))


@pytest.mark.fault(44, 71)
@hostile.written
def test_the_comment_of_a_build_that_begins_or_ends_without_report(text: str) -> None:
    state = replace(builds.STATE, generated_at=text)
    for shown in (
        comment.started(run(text), state),
        comment.body(run(text), RunState.RUNNING, None),
        comment.body(run(text), RunState.FINISHED, "x" * 70_000),
    ):
        check("\n".join(line for line in shown.split("\n") if not line.startswith("<!-- ")))


@pytest.mark.fault(44, 71)
@hostile.written
def test_the_short_notes_of_a_release(text: str) -> None:
    for version in (text, None):
        check(
            release_notes.short_notes(
                tag=text, environment=text, version=version, run_url=text, too_long=True
            )
        )
