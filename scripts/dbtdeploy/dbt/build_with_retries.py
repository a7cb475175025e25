"""dbt build, and once more for what failed on a transient fault."""

from __future__ import annotations

import time
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts, run_results, transient_errors
from dbtdeploy.artifacts.node_status import NODE_FAILED
from dbtdeploy.artifacts.transient_errors import Fault
from dbtdeploy.base import actions_runner, timestamps
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.policies import BuildsProduction
from dbtdeploy.dbt import build as dbt_build
from dbtdeploy.dbt import commands, dbt_error_hints
from dbtdeploy.dbt.build import Called
from dbtdeploy.store import failed_nodes

WAIT_SECONDS = 5.0
"""Before the first retry; twice as long before each further one. A server restarts in a few."""


class Done(Struct, frozen=True, kw_only=True):
    """A build with all its attempts: how it ended as a whole, and each."""

    called: Called
    attempts: tuple[work_files.Attempt, ...]
    trouble: str | None = None
    """Why a retry could not run; the build is then what it was before it."""


def build(
    run: work_files.Run,
    work: Path,
    arguments: list[str],
    *,
    extra: dict[str, str],
    defer_to: Path | None = None,
) -> Done:
    """Build, and build again what failed on a transient fault as often as ``retries`` says.

    dbt's artifacts in the target folder are then those of the whole: the first attempt's manifest,
    and of each node its newest result.

    Args:
        run: this run.
        work: the work folder.
        arguments: of the first ``dbt build``.
        extra: further variables for dbt.
        defer_to: see ``commands.building_again``.
    """
    planned = hand_over.read(work, work_files.Plan)
    whole = dbt_build.call(run, work, arguments, extra=extra)
    attempts, trouble = [_attempt(whole)], None
    for number in range(1, 1 + run.of(BuildsProduction).retries):
        fault = _fault(run, whole, planned)
        if fault is None:
            break
        attempts[-1] = replace(attempts[-1], transient=fault.failed, reason=fault.reason)
        dbt_build.write_build(run, work, whole, attempts=tuple(attempts))
        _announce(fault, number)
        how = _How(number=number, extra=extra, defer_to=defer_to)
        again, whole = _again(run, work, whole, fault, how)
        attempts.append(_attempt(again))
        trouble = _trouble(again, fault)
        if (
            trouble
            and transient_errors.of_messages(e.message for e in again.outcome.errors) is None
        ):
            break
    return Done(called=whole, attempts=tuple(attempts), trouble=trouble)


def _attempt(called: Called) -> work_files.Attempt:
    started, ended = timestamps.parse(called.started_at), timestamps.parse(called.finished_at)
    return work_files.Attempt(
        exit_code=called.outcome.exit_code,
        seconds=(ended - started).total_seconds() if started and ended else 0.0,
        nodes=len(called.found or ()),
    )


def _fault(run: work_files.Run, called: Called, planned: work_files.Plan) -> Fault | None:
    if called.outcome.interrupted or called.outcome.exit_code == 0:
        return None
    if called.found is None:
        return transient_errors.of_messages(error.message for error in called.outcome.errors)
    results = artifacts.read_run_results(dbt_build.results_path(run))
    if results is None:
        return None
    ids = (node.unique_id for node in planned.nodes if node.has_result)
    return transient_errors.of_results(results.by_id(), ids)


def _announce(fault: Fault, number: int) -> None:
    seconds = WAIT_SECONDS * 2 ** (number - 1)
    failed = f"{len(fault.failed):,} of the nodes" if fault.failed else "The build"
    again = f"{len(fault.again):,} nodes are" if fault.failed else "Everything is"
    actions_runner.say(
        f"{failed} failed on a transient fault of the warehouse: {fault.reason}\n"
        f"{again} built again in {seconds:.0f} s (retry {number})."
    )
    time.sleep(seconds)


class _How(Struct, frozen=True, kw_only=True):
    number: int
    extra: dict[str, str]
    defer_to: Path | None


def _again(
    run: work_files.Run, work: Path, whole: Called, fault: Fault, how: _How
) -> tuple[Called, Called]:
    """The next attempt, of all where nothing was built, else of what is open; and the whole."""
    name, extra = f"build-{how.number + 1}", how.extra
    if whole.found is None:
        again = dbt_build.call(run, work, whole.arguments, name=name, extra=extra)
        return again, replace(
            again,
            strayed=(*whole.strayed, *again.strayed),
            began=whole.began or again.began,
            started_at=whole.started_at,
        )
    folder = work / name
    folder.mkdir(exist_ok=True)
    (folder / work_files.RUN_RESULTS).write_bytes(failed_nodes.as_errors(fault.again))
    manifest = dbt_build.manifest_path(run)
    results = dbt_build.results_path(run)
    kept = {path: path.read_bytes() for path in (manifest, results) if path.exists()}
    again = dbt_build.call(
        run,
        work,
        commands.building_again(
            run.selection,
            folder,
            threads=run.dbt.threads,
            extra=run.dbt.extra_args,
            defer_to=how.defer_to,
        ),
        name=name,
        extra=extra,
    )
    if again.found is not None:
        kept[results] = run_results.merged(kept[results], results.read_bytes())
    for path, content in kept.items():
        path.write_bytes(content)
    return again, _with(whole, again)


def _with(whole: Called, again: Called) -> Called:
    if not again.outcome.interrupted and again.outcome.exit_code not in (0, NODE_FAILED):
        # It built nothing: what failed before stays failed.
        strayed = (*whole.strayed, *again.strayed)
        return replace(whole, strayed=strayed, finished_at=again.finished_at)
    return replace(
        whole,
        outcome=again.outcome,
        last=again.last,
        found={**(whole.found or {}), **(again.found or {})},
        strayed=(*whole.strayed, *again.strayed),
        finished_at=again.finished_at,
    )


def _trouble(again: Called, fault: Fault) -> str | None:
    """Why a retry built nothing of what it was for."""
    if again.outcome.interrupted or not fault.again:
        return None
    if again.found is not None and not again.found.keys().isdisjoint(fault.again):
        return None
    said = dbt_error_hints.message(again.outcome.errors, again.last)
    return f"dbt ended with exit code {again.outcome.exit_code} and built nothing of it. {said}"
