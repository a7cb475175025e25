"""What the one comment says, as which run, and when there is none. Pure."""

from __future__ import annotations

from dbtdeploy.base import errors, timestamps
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.work_files import Build, Failure, Run, State
from dbtdeploy.github.comment_marker import LIMIT_BYTES, RunMark, RunState, mark, marker
from dbtdeploy.report import render

UNCHANGED = "this pull request changes nothing that dbt builds"


def why_none(run: Run, *, started: bool = False, state: State | None = None) -> str | None:
    """Why this run has no comment; None if it has one.

    Args:
        run: what started it and what its inputs say.
        started: asked before the build, when a build that will not be is not announced.
        state: what is known of production's state.
    """
    if run.event.pull_request is None:
        return f"this run ({run.event.name}) belongs to no pull request"
    policy = run.of(Ci)
    if not policy.comment:
        return "the input `comment` is false"
    if run.event.skip:
        return f"the token of this run ({run.event.skip}) can only read; see the step summary"
    missing = state is not None and not state.found
    if started and state is not None and state.unchanged:
        return UNCHANGED
    if started and missing and policy.on_missing_state != "build-all":
        return "production has no state yet, and `on-missing-state` says to build nothing"
    return None


def run_mark(run: Run, state: RunState) -> RunMark:
    """As which run it is written."""
    return RunMark(
        run_id=run.event.run_id,
        run_attempt=run.event.run_attempt,
        commit=run.event.sha,
        state=state,
    )


def finished_state(build: Build | None, failure: Failure | None) -> RunState:
    """How a run ended that runs no more."""
    cancelled = failure is not None and failure.kind == errors.Cancelled.__name__
    if cancelled or (build is not None and build.interrupted):
        return RunState.CANCELLED
    return RunState.FINISHED


def started(run: Run, state: State | None) -> str:
    """The words for a build that has begun."""
    return render.template(
        "started.md.j2",
        commit=run.event.sha[:7],
        project=render.code(run.dbt.name),
        schema=render.code(run.schema),
        without_state=state is not None and not state.found,
        built=timestamps.for_people(state.generated_at if state else None),
        run_url=run.event.run_url,
    )


def body(run: Run, state: RunState, text: str | None) -> str:
    """The whole body, within what GitHub keeps.

    Args:
        run: whose it is.
        state: how far that run is.
        text: the words; None where a job ended before it had any.

    A text that is too long is not cut here: where that is safe, only its author knows.
    """
    first, second = marker(run), run_mark(run, state)
    whole = mark(first, second, _without_report(run, too_long=False) if text is None else text)
    if len(whole.encode()) > LIMIT_BYTES:
        return mark(first, second, _without_report(run, too_long=True))
    return whole


def _without_report(run: Run, *, too_long: bool) -> str:
    return render.template(
        "no_report.md.j2",
        commit=run.event.sha[:7],
        too_long=too_long,
        run_url=run.event.run_url,
    )
