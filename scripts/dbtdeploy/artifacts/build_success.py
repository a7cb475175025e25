"""Whether a deploy's build may become production's state. Pure.

A failed run's manifest as state would make the next ``state:modified`` find nothing, so every doubt
counts against it: https://docs.getdbt.com/reference/node-selection/syntax#state-comparison-caveats
"""

from __future__ import annotations

from collections.abc import Mapping

from dbtdeploy.artifacts.node_status import GOOD, OUTCOMES
from dbtdeploy.base import text
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import AFTER_THE_BUILD

NAMED = 5
"""Nodes named in the reason; the report has them all."""


def why_not(
    *,
    plan: work_files.Plan,
    build: work_files.Build | None,
    statuses: Mapping[str, str] | None,
    failure: work_files.Failure | None,
    fail_on_warnings: bool,
) -> str | None:
    """Why a run is not a success; None if it is one.

    Args:
        plan: what was to be built.
        build: how dbt ended; None where it never did.
        statuses: of this run's results by node; None without trusted results.
        failure: the first failure of any script.
        fail_on_warnings: whether a warning is a failure.
    """
    if failure is not None and failure.phase not in AFTER_THE_BUILD:
        return f"{failure.title}: {failure.what}"
    if build is None:
        return "The build did not end."
    if build.interrupted:
        return "The build was interrupted."
    if not build.results or statuses is None:
        return "dbt left no results of this build."
    return _by_results(build.exit_code, _open_ends(plan, statuses)) or (
        "A test warned, and `fail-on-warnings` is true."
        if fail_on_warnings and _warns(statuses)
        else None
    )


def _warns(statuses: Mapping[str, str]) -> bool:
    return any(OUTCOMES.get(status) == "warned" for status in statuses.values())


def _by_results(exit_code: int, open_ends: list[str]) -> str | None:
    if exit_code:
        return f"dbt's exit code was {exit_code}.{_named(open_ends)}"
    if open_ends:
        return f"dbt's exit code was 0, and not all is good.{_named(open_ends)}"
    return None


def _open_ends(plan: work_files.Plan, statuses: Mapping[str, str]) -> list[str]:
    listed = [node.unique_id for node in plan.nodes if node.has_result]
    ends = {**dict.fromkeys(listed, "no result"), **statuses}
    return [f"{name}: {end}" for name, end in ends.items() if OUTCOMES.get(end) not in GOOD]


def _named(ends: list[str]) -> str:
    return f" {text.first(ends, NAMED)}." if ends else ""
