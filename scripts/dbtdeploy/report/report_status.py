"""How it went, in one word, and why dbt did not get to the end. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dbtdeploy.artifacts import source_location
from dbtdeploy.artifacts.node_status import NODE_FAILED
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.report import report, source_links
from dbtdeploy.report.report import Counts, NodeReport, Problem, ReportStatus

LOST = frozenset({"empty", "most_lost"})
"""Such a table is never under a green title."""

INTERRUPTED = frozenset({"Cancelled"})
DBT_STOPPED = frozenset({"DbtStopped", "ResultsUnknown"})
DOCS_STOPPED = ("DocsFailed", Phase.DOCS)
"""Where the documentation is uploaded, the same failure has words of ours."""

STOPPED_BY_US = frozenset({"LeaseLost", "TimeLimit"})
"""A deploy interrupts dbt itself then; nobody cancelled the run."""


def status(
    run: work_files.Run,
    build: work_files.Build | None,
    failure: work_files.Failure | None,
    counts: Counts,
    problem: Problem | None,
    *,
    nodes: Iterable[NodeReport],
) -> ReportStatus:
    """The verdict. dbt's exit code and every single result must say so before it is a good one."""
    failed = counts.nodes_failed + counts.tests_failed
    warned = counts.tests_warned > 0 or any(node.outcome == "warned" for node in nodes)
    lost = any(node.row_change in LOST for node in nodes)
    answers: tuple[tuple[bool, ReportStatus], ...] = (
        (bool(run.event.skip), "skipped"),
        (_interrupted(build, failure), "cancelled"),
        (failed > 0 and build is not None and build.results, "failed"),
        (problem is not None, "error"),
        (not counts.nodes + counts.tests, "nothing"),
        (warned and run.policy.fail_on_warnings, "failed"),
        (warned or lost, "warned"),
    )
    return next((answer for true, answer in answers if true), "passed")


def problem(
    run: work_files.Run,
    plan: work_files.Plan | None,
    build: work_files.Build | None,
    failure: work_files.Failure | None,
    *,
    counts: Counts,
    sources: source_links.Sources,
) -> Problem | None:
    """What stood in the way of a whole build; None when dbt ran to its end."""
    if run.event.skip or _interrupted(build, failure):
        return None
    if failure is not None:
        return _from_failure(failure, build, run, sources)
    if build is None:
        return None if plan is not None and not plan.nodes else _never_built()
    return _from_build(build, run, counts, sources)


def _from_build(
    build: work_files.Build, run: work_files.Run, counts: Counts, sources: source_links.Sources
) -> Problem | None:
    if build.exit_code not in (0, NODE_FAILED) or not build.results:
        return _dbt_stopped(build, run, sources)
    if counts.nodes_failed + counts.tests_failed:
        return None
    if build.exit_code == NODE_FAILED:
        return _unexplained(build, run, sources)
    missing = counts.nodes_missing + counts.tests_missing
    skipped = counts.nodes_skipped + counts.tests_skipped
    return _incomplete(missing, skipped) if missing or skipped else None


def _interrupted(build: work_files.Build | None, failure: work_files.Failure | None) -> bool:
    if failure is not None and failure.kind in STOPPED_BY_US:
        return False
    return bool(build and build.interrupted) or bool(failure and failure.kind in INTERRUPTED)


def _from_failure(
    failure: work_files.Failure,
    build: work_files.Build | None,
    run: work_files.Run,
    sources: source_links.Sources,
) -> Problem:
    words = failure.kind in DBT_STOPPED or (failure.kind, failure.phase) == DOCS_STOPPED
    what = failure.what
    place = (
        source_links.in_repository(run, source_links.of_message(what, sources)) if words else None
    )
    if place is None and build is not None:
        place = _logged_place(build, run, sources)
    return Problem(
        kind=failure.kind,
        title=failure.title,
        what=what,
        not_done=failure.not_done,
        remedy=failure.remedy,
        step=failure.phase.value,
        words_of_dbt=words,
        place=place,
    )


def _dbt_stopped(
    build: work_files.Build, run: work_files.Run, sources: source_links.Sources
) -> Problem:
    again = "push another tag" if run.command == "release" else "push"
    said = "\n\n".join(error.message for error in build.errors)
    return Problem(
        kind="DbtStopped",
        title="dbt stopped before it was done",
        what=said or f"dbt ended with exit code {build.exit_code} and logged no error.",
        not_done="Not everything that was selected was built and tested.",
        remedy=f"Mend what dbt names here, then {again}." if said else "Read the log of this run.",
        step=Phase.BUILD.value,
        words_of_dbt=bool(said),
        place=_logged_place(build, run, sources),
    )


def _unexplained(
    build: work_files.Build, run: work_files.Run, sources: source_links.Sources
) -> Problem:
    said = "\n\n".join(error.message for error in build.errors)
    return Problem(
        kind="Unexplained",
        title="dbt failed, though no result says why",
        what=said or f"dbt ended with exit code {build.exit_code}; no result it left is a failure.",
        not_done="This build does not count as passed.",
        remedy="Read dbt's log; a hook after the run may have failed.",
        step=Phase.BUILD.value,
        words_of_dbt=bool(said),
        place=_logged_place(build, run, sources),
    )


def _incomplete(missing: int, skipped: int) -> Problem:
    parts = [
        f"{missing} of what dbt selected left no result" if missing else "",
        f"{skipped} were skipped" if skipped else "",
    ]
    return Problem(
        kind="Incomplete",
        title="dbt did not build everything it selected",
        what=" and ".join(part for part in parts if part) + ", though dbt reported no failure.",
        not_done="This build does not count as passed.",
        remedy="Read dbt's log, and run the job again.",
        step=Phase.BUILD.value,
        words_of_dbt=False,
        place=None,
    )


def _never_built() -> Problem:
    return Problem(
        kind="NotBuilt",
        title="dbt did not run",
        what="A step before dbt's ended without saying why; the job may have been cancelled.",
        not_done="Nothing was built.",
        remedy="Read the log of this run, and run the job again.",
        step="",
        words_of_dbt=False,
        place=None,
    )


def _logged_place(
    build: work_files.Build, run: work_files.Run, sources: source_links.Sources
) -> report.Place | None:
    for error in build.errors:
        if error.file:
            said = source_location.SourceLocation(
                file=sources.find(error.file) or error.file, line=error.line
            )
            return source_links.in_repository(run, said)
        found = source_links.of_message(error.message, sources)
        if found:
            return source_links.in_repository(run, found)
    return None
