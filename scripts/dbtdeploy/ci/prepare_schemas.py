"""plan.json -> the pull request's schemas, created and marked, with production's rows laid in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import to_builtins
from msgspec.structs import replace

from dbtdeploy.base import actions_runner, errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.policies import Ci
from dbtdeploy.dbt.dbt_client import Dbt
from dbtdeploy.warehouse import baselines, guard, production, schema_owner
from dbtdeploy.warehouse.run_macro import run_macro

BATCH = 100
"""Baselines a dbt process: Linux takes 128 KiB in one argument, and one is about 400 bytes."""

WITHOUT_STATE = "production has no state yet"
"""Its table may be there all the same; without a manifest nobody knows where."""


def prepare(
    dbt: Dbt, run: work_files.Run, work: Path, state: work_files.State, plan: work_files.Plan
) -> None:
    """Make and mark the schemas, lay production's rows in, and write Schemas.

    Raises:
        Cancelled: the run was interrupted.
        SchemaNotOurs: a schema is there that was not made for this pull request.
        WarehouseStepFailed: the warehouse refused.
    """
    schemas = sorted({(n.database or "", n.schema or "") for n in guard.written(plan.nodes)})
    relations = (
        production.read_relations(work / work_files.STATE_FOLDER / "manifest.json")
        if state.found
        else {}
    )
    jobs = baselines.baseline_jobs(
        plan.nodes, relations, run.of(Ci), full_refresh=run.selection.full_refresh
    )
    laid: list[work_files.Baseline] = []
    if schemas:
        for batch in _batches(jobs):
            laid += _prepare(dbt, run, work, schemas, batch)
    if not state.found:
        laid = [replace(baseline, reason=WITHOUT_STATE) for baseline in laid]
    for baseline in laid:
        actions_runner.say(f"{baseline.unique_id}: rows of production's: {baseline.how}")
    names = tuple(schema for _, schema in schemas)
    hand_over.write(work, work_files.Schemas(schemas=names, baselines=tuple(laid)))
    actions_runner.say(f"Ready: {', '.join(names) or 'no schema needed'}.")


def _batches(jobs: list[baselines.BaselineJob]) -> Iterator[list[baselines.BaselineJob]]:
    """At least one batch, for the schemas alone where there are no baselines."""
    for start in range(0, max(len(jobs), 1), BATCH):
        yield jobs[start : start + BATCH]


def _prepare(
    dbt: Dbt,
    run: work_files.Run,
    work: Path,
    schemas: list[tuple[str, str]],
    jobs: list[baselines.BaselineJob],
) -> list[work_files.Baseline]:
    job = {
        "mark": schema_owner.schema_mark(run),
        "schemas": [{"database": d, "schema": s} for d, s in schemas],
        "baselines": [to_builtins(entry) for entry in jobs],
    }
    answer = run_macro(
        dbt,
        "prepare_schemas",
        job,
        _Answer,
        work=work,
        name="prepare",
        failure=errors.WarehouseStepFailed,
        not_done="Nothing was built.",
    )
    if answer.foreign:
        raise _not_ours(answer.foreign, run)
    return answer.baselines


class _Foreign(msgspec.Struct):
    schema: str
    comment: str


class _Answer(msgspec.Struct):
    foreign: list[_Foreign]
    baselines: list[work_files.Baseline]


def _not_ours(foreign: list[_Foreign], run: work_files.Run) -> errors.SchemaNotOurs:
    whose = "\n".join(
        f"- {found.schema}: {(found.comment or 'bears no mark').splitlines()[0]}"
        for found in foreign
    )
    return errors.SchemaNotOurs(
        f"These schemas exist and were not made for this pull request:\n{whose}",
        not_done="Nothing was built, and nothing was written to the warehouse.",
        remedy=_remedy(foreign, run),
    )


def _remedy(foreign: list[_Foreign], run: work_files.Run) -> str:
    if all(found.schema.lower().startswith(run.schema) for found in foreign):
        return (
            "Something else made them under this pull request's name. Set the input "
            "`schema-prefix` to another value, or drop them if nobody needs them."
        )
    return (
        f"This pull request's schemas begin with {run.schema}, so the profile or a macro does not "
        f"use it. {guard.PROFILE_LINE}"
    )
