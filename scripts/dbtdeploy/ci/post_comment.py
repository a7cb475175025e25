"""A pull request's one comment: that its build has begun, and what became of it."""

from __future__ import annotations

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.ci import comment
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.github import comment_marker, comments
from dbtdeploy.github.comment_marker import RunState

TITLE = "The comment could not be written"


def started(ctx: RunContext[Ci]) -> None:
    """Say that a build has begun, and for which commit."""
    state = ctx.read_if_there(work_files.State)
    if reason := comment.why_none(ctx.run, started=True, state=state):
        actions_runner.say(f"No comment: {reason}.")
    else:
        _write(ctx, RunState.RUNNING, comment.started(ctx.run, state))


def finished(ctx: RunContext[Ci]) -> None:
    """Write the comment that the report has left, or that there is no report."""
    if reason := comment.why_none(ctx.run):
        actions_runner.say(f"No comment: {reason}.")
        return
    failure = ctx.read_if_there(work_files.Failure)
    state = ctx.read_if_there(work_files.State)
    report = ctx.work / work_files.COMMENT
    text = report.read_text(encoding="utf-8") if report.is_file() else None
    ended = comment.finished_state(ctx.read_if_there(work_files.Build), failure)
    # Nobody needs to be told that nothing happened, unless something did before.
    create = state is None or not state.unchanged or failure is not None
    _write(ctx, ended, text, create=create)


def _write(ctx: RunContext[Ci], state: RunState, text: str | None, *, create: bool = True) -> None:
    run, access = ctx.run, settings.GitHubAccess.from_environ()
    written = comments.Comments(access, author=ctx.policy.comment_author).upsert_comment(
        run.event.repository,
        run.event.pull_request or 0,  # why_none has seen to it
        comment_marker.marker(run),
        comment.run_mark(run, state),
        comment.body(run, state, text),
        create=create,
        asked_at=run.event.asked_at,
    )
    if written is None:
        actions_runner.say(_why_not_written(state, create=create))
        return
    ctx.set_outputs({"comment-url": written.url})
    warn_of_author(written)


def warn_of_author(written: comments.Written) -> None:
    """Warn where the next run would not find the comment that was just made."""
    if written.unexpected_author:
        actions_runner.warning(
            "The next run will write a second comment",
            f"This token's comments are by {written.author}, and such a token cannot say so.\n"
            "This run's comment was written.\n"
            f"Set the input `comment-author` to {written.author}.",
        )


def _why_not_written(state: RunState, *, create: bool) -> str:
    if not create:
        return f"No comment: {comment.UNCHANGED}, and there is none of this or an older run."
    if state is RunState.CANCELLED:
        return "No comment: this run was cancelled before it had written one."
    return "The comment is left as it is: a newer run wrote it."
