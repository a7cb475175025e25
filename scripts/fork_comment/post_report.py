"""The report that a fork's run uploaded -> the comment on its pull request. No checkout, no dbt.

The run was without a token that writes, and whoever wrote the pull request could change what it
uploaded. So this job runs nothing of it and believes GitHub alone about where it belongs.
"""

from __future__ import annotations

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.ci import post_comment
from dbtdeploy.context import event
from dbtdeploy.context.inputs import input_table
from dbtdeploy.context.phases import Phase
from dbtdeploy.fork_comment import foreign_report, fork_run, report_archive
from dbtdeploy.fork_comment.fork_run import ForkRun
from dbtdeploy.github import comment_marker, comments, pull_requests_api, workflow_artifacts_api
from dbtdeploy.github.comment_marker import Marker, RunMark, RunState
from dbtdeploy.report import render
from dbtdeploy.report.report import Report

PHASE = Phase.REPORT

PROJECT = "a fork's run"
"""In the marker: no dbt project has such a name. That in the report is the fork's to choose, and
each one it chose would make another comment."""


def main() -> None:
    """Find what belongs together by GitHub, check the report, write the comment."""
    context = settings.GitHubContext.from_environ()
    given = settings.Inputs.from_environ(input_table.fields_of(input_table.FORK_COMMENT))
    run = event.read_payload(context, fork_run.of_event)
    if isinstance(run, str):
        _no_comment(run)
        return
    try:
        _post(run, given)
    except errors.ReportRefused as failure:
        # A stranger must not be able to turn a job on the main branch red.
        actions_runner.warning(failure.title, str(failure))


def _post(run: ForkRun, given: settings.Inputs) -> None:
    access = settings.GitHubAccess.from_environ()
    archive = workflow_artifacts_api.fetch(
        access,
        run.repository,
        run.run_id,
        given.artifact_name,
        most_bytes=report_archive.ARCHIVE_BYTES,
    )
    if archive is None:
        _no_comment(f"the run has no artifact named {given.artifact_name}")
        return
    content = report_archive.report_json(archive)
    # Asked as late as can be: a push since then has another commit, and a run of its own.
    head = pull_requests_api.Head(
        repository=run.head_repository, branch=run.branch, commit=run.commit
    )
    numbers = pull_requests_api.open_with_head(access, run.repository, head)
    if len(numbers) != 1:
        _no_comment(_why_not_one(numbers))
        return
    report = foreign_report.read(content, run, numbers[0])
    _write(run, given, report, access)


def _write(
    run: ForkRun, given: settings.Inputs, report: Report, access: settings.GitHubAccess
) -> None:
    marker = Marker(project=PROJECT, target=given.artifact_name)
    ours = RunMark(
        run_id=run.run_id,
        run_attempt=run.run_attempt,
        commit=run.commit,
        state=RunState.FINISHED,
    )
    text = settings.redactor()(render.foreign_comment(report, origin=run.origin))
    written = comments.Comments(access, author=given.comment_author).upsert_comment(
        run.repository,
        report.pull_request or 0,  # foreign_report has seen to it
        marker,
        ours,
        comment_marker.mark(marker, ours, text),
        asked_at=run.began_at,
    )
    if written is None:
        actions_runner.say("The comment is left as it is: a newer run wrote it.")
        return
    runner = settings.Runner.from_environ()
    actions_runner.set_outputs(runner.output, {"comment-url": written.url})
    post_comment.warn_of_author(written)


def _why_not_one(numbers: tuple[int, ...]) -> str:
    if numbers:
        listed = ", ".join(map(str, numbers))
        return f"its commit is the head of several open pull requests: {listed}"
    return "its commit is the head of no open pull request; a newer push has a run of its own"


def _no_comment(reason: str) -> None:
    actions_runner.say(f"No comment: {reason}.")
