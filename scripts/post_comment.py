"""run.json, and comment.md once there is a result -> the pull request's one comment.

    python post_comment.py started     a build began, and for which commit
    python post_comment.py finished    artifact/comment.md, as write_report.py left it

The build's verdict is not decided here: whatever goes wrong is a warning, and the exit code 0.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy import cli, errors, files, render, settings
from dbtdeploy.edges import actions, github
from dbtdeploy.marker import Marker, RunMark, RunState, mark

LIMIT_BYTES = 65_000
"""GitHub keeps 65,536 characters; bytes are the cautious way to count them."""


def main() -> None:
    """Write the comment, or say why there is none."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("when", choices=["started", "finished"])
    started = parser.parse_args().when == "started"
    try:
        _comment(settings.work_folder(), started=started)
    except errors.DbtDeployError as failure:
        redact = settings.redactor()
        actions.warning(errors.GitHubFailed.title, redact(str(failure)))
    except Exception as fault:
        # Even a fault of ours must not turn a green build red.
        redact = settings.redactor()
        with actions.foreign_output(sys.stderr):
            sys.stderr.write(redact("".join(traceback.format_exception(fault))))
        actions.warning(
            errors.GitHubFailed.title,
            f"dbt-deploy has a fault: {type(fault).__name__}.\nThe build's result is what it was.\n"
            "The step's log holds the details; please report it with them.",
        )


def _comment(work: Path, *, started: bool) -> None:
    run = files.read(work / files.RUN, files.Run)
    state = files.read_if_there(work / files.STATE, files.State) if started else None
    reason = _why_not(run) or _why_not_yet(run, state)
    if reason or run.event.pull_request is None:
        print(f"No comment: {reason}.")
        return
    text = _started(run, state) if started else _finished(run, work)
    marker = Marker(project=run.dbt.name, target=run.dbt.target or "")
    ours = RunMark(
        run_id=run.event.run_id,
        run_attempt=run.event.run_attempt,
        commit=run.event.sha,
        state=_run_state(work, started=started),
    )
    body = mark(marker, ours, text)
    if len(body.encode()) > LIMIT_BYTES:
        body = mark(marker, ours, _without_report(run, too_long=True))
    author = run.policy.comment_author
    comments = github.Comments(settings.GitHubAccess.from_environ(), author=author)
    written = comments.upsert_comment(
        run.event.repository, run.event.pull_request, marker, ours, body
    )
    _tell(written, ours)


def _why_not(run: files.Run) -> str | None:
    """Why this run has no comment; None if it has one."""
    if run.event.pull_request is None:
        return f"this run ({run.event.name}) belongs to no pull request"
    if not run.policy.comment:
        return "the input `comment` is false"
    if run.event.skip:
        return f"the token of this run ({run.event.skip}) can only read; see the step summary"
    return None


def _why_not_yet(run: files.Run, state: files.State | None) -> str | None:
    """Why there is nothing to announce; the result is told all the same."""
    if state is not None and not state.found and run.policy.on_missing_state != "build-all":
        return "production has no state yet, and `on-missing-state` says to build nothing"
    return None


def _run_state(work: Path, *, started: bool) -> RunState:
    if started:
        return RunState.RUNNING
    build = files.read_if_there(work / files.BUILD, files.Build)
    failure = files.read_if_there(work / files.FAILURE, files.Failure)
    cancelled = failure is not None and failure.kind == errors.Cancelled.__name__
    if cancelled or (build is not None and build.interrupted):
        return RunState.CANCELLED
    return RunState.FINISHED


def _started(run: files.Run, state: files.State | None) -> str:
    return render.template(
        "started.md.j2",
        commit=run.event.sha[:7],
        project=render.code(run.dbt.name),
        schema=render.code(run.schema),
        without_state=state is not None and not state.found,
        built=_moment(state.generated_at) if state and state.generated_at else "",
        run_url=run.event.run_url,
    )


def _finished(run: files.Run, work: Path) -> str:
    comment = work / files.COMMENT
    if not comment.is_file():
        return _without_report(run, too_long=False)
    return comment.read_text(encoding="utf-8")


def _without_report(run: files.Run, *, too_long: bool) -> str:
    return render.template(
        "no_report.md.j2",
        commit=run.event.sha[:7],
        too_long=too_long,
        run_url=run.event.run_url,
    )


def _moment(iso: str) -> str:
    """A time for people, in UTC; empty if it is none."""
    try:
        moment = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return ""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _tell(written: github.Written | None, ours: RunMark) -> None:
    if written is None:
        if ours.state is RunState.CANCELLED:
            print("The comment is left as it is: this run was cancelled, and it is not its own.")
        else:
            print("The comment is left as it is: a newer run wrote it.")
        return
    actions.set_outputs(settings.Runner.from_environ().output, {"comment-url": written.url})
    if written.unexpected_author:
        actions.warning(
            "The next run will write a second comment",
            f"This token's comments are by {written.author}, and such a token cannot say so.\n"
            "This run's comment was written.\n"
            f"Set the input `comment-author` to {written.author}.",
        )


if __name__ == "__main__":
    cli.run(main)
