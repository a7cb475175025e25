"""run.json, and comment.md once there is a result -> the pull request's one comment.

    python post_comment.py started     a build began, and for which commit
    python post_comment.py finished    artifact/comment.md, as write_report.py left it
    python post_comment.py torn-down   atop the comment: the schemas are gone, or why not

The first is for `announce: true` only; the second is part of report_pull_request.py. The build's
verdict is not decided here: whatever goes wrong is a warning, and the exit code 0.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.ci import comment
from dbtdeploy.context import cli, hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import OfPullRequests
from dbtdeploy.github import comment_marker
from dbtdeploy.github import comments as github_comments
from dbtdeploy.github.comment_marker import RunState
from dbtdeploy.teardown import comment_note
from dbtdeploy.teardown.teardown_files import Teardown

PHASE = Phase.REPORT

TITLE = "The comment could not be written"


def main() -> None:
    """Write the comment that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("when", choices=list(WRITERS))
    post(parser.parse_args().when)


def post(when: str) -> None:
    """Write the comment, or say why there is none; raises nothing but an interrupt.

    Args:
        when: ``started``, ``finished`` or ``torn-down``.
    """
    try:
        work = settings.work_folder()
        WRITERS[when](hand_over.read(work, work_files.Run), work)
    except errors.DbtDeployError as failure:
        actions_runner.warning(TITLE, settings.redactor()(str(failure)))
    except Exception as fault:
        # Even a fault of ours must not turn a green build red.
        cli.print_trace(fault)
        what = f"dbt-deploy has a fault: {type(fault).__name__}."
        remedy = "The step's log holds the details; please report it with them."
        actions_runner.warning(TITLE, f"{what}\nThe build's result is what it was.\n{remedy}")


def _started(run: work_files.Run, work: Path) -> None:
    state = hand_over.read_if_there(work, work_files.State)
    if reason := comment.why_none(run, started=True, state=state):
        actions_runner.say(f"No comment: {reason}.")
    else:
        _write(run, RunState.RUNNING, comment.started(run, state))


def _finished(run: work_files.Run, work: Path) -> None:
    if reason := comment.why_none(run):
        actions_runner.say(f"No comment: {reason}.")
        return
    build = hand_over.read_if_there(work, work_files.Build)
    failure = hand_over.read_if_there(work, work_files.Failure)
    state = hand_over.read_if_there(work, work_files.State)
    report = work / work_files.COMMENT
    text = report.read_text(encoding="utf-8") if report.is_file() else None
    # Nobody needs to be told that nothing happened, unless something did before.
    create = state is None or not state.unchanged or failure is not None
    _write(run, comment.finished_state(build, failure), text, create=create)


def _torn_down(run: work_files.Run, work: Path) -> None:
    done = hand_over.read_if_there(work, Teardown)
    if done is None or done.dry_run or not run.of(OfPullRequests).comment:
        print("No comment: nothing was dropped, or the input `comment` is false.")
        return
    access = settings.GitHubAccess.from_environ()
    comments = github_comments.Comments(access, author=run.of(OfPullRequests).comment_author)
    for number in comment_note.pull_requests(done):
        text = comment_note.words(run, done, number)
        written = comments.amend_comment(
            run.event.repository,
            number,
            comment_marker.marker(run),
            partial(comment_note.amend, text=text),
        )
        actions_runner.say(
            f"Pull request {number}: {written.url if written else 'has no comment of ours'}"
        )


def _write(run: work_files.Run, state: RunState, text: str | None, *, create: bool = True) -> None:
    access = settings.GitHubAccess.from_environ()
    written = github_comments.Comments(
        access, author=run.of(OfPullRequests).comment_author
    ).upsert_comment(
        run.event.repository,
        run.event.pull_request or 0,  # why_none has seen to it
        comment_marker.marker(run),
        comment.run_mark(run, state),
        comment.body(run, state, text),
        create=create,
        asked_at=run.event.asked_at,
    )
    if written is None and not create:
        actions_runner.say(
            f"No comment: {comment.UNCHANGED}, and there is none of this or an older run."
        )
        return
    if written is None:
        if state is RunState.CANCELLED:
            actions_runner.say("No comment: this run was cancelled before it had written one.")
        else:
            actions_runner.say("The comment is left as it is: a newer run wrote it.")
        return
    actions_runner.set_outputs(settings.Runner.from_environ().output, {"comment-url": written.url})
    if written.unexpected_author:
        actions_runner.warning(
            "The next run will write a second comment",
            f"This token's comments are by {written.author}, and such a token cannot say so.\n"
            "This run's comment was written.\n"
            f"Set the input `comment-author` to {written.author}.",
        )


WRITERS = {"started": _started, "finished": _finished, "torn-down": _torn_down}
