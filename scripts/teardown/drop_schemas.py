"""run.json, and ChosenSchemas of a sweep -> dbt run-operation -> Teardown, summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

import msgspec
from msgspec.structs import replace

from dbtdeploy.base import actions_runner, errors, settings, timestamps
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import TeardownPolicy
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.teardown import drop_results, teardown_page_model
from dbtdeploy.teardown.drop_results import NamedSchema, SchemaResult
from dbtdeploy.teardown.teardown_files import (
    ChosenSchemas,
    DroppedSchema,
    KeptSchema,
    MarkedSchema,
    Teardown,
    WantedSchema,
)
from dbtdeploy.warehouse import schema_owner
from dbtdeploy.warehouse.run_macro import run_macro
from dbtdeploy.warehouse.schema_owner import Owner

PHASE = Phase.DROP

BATCH = 100
"""Schemas a dbt process: Linux takes 128 KiB in one argument, and one is about 300 bytes."""


def main() -> None:
    """Drop what may be dropped, tell of the rest, and fail if any of it should be gone."""
    ctx = RunContext.open(TeardownPolicy)
    work, run = ctx.work, ctx.run
    policy = ctx.policy
    if policy.sweep:
        chosen = ctx.read(ChosenSchemas)
        dropped, kept = _sweep(run, work, chosen)
        closed, unasked = chosen.closed, chosen.unasked
    else:
        owner = Owner(pull_request=policy.pull_request)
        dropped, kept = _one(run, work, owner)
        closed, unasked = (policy.pull_request or 0,), ""
    redact = settings.redactor()
    done = Teardown(
        dropped=tuple(dropped),
        kept=tuple(
            replace(one, reason=redact(one.reason), remedy=redact(one.remedy)) for one in kept
        ),
        dry_run=policy.dry_run,
        closed=closed,
        unasked=unasked,
        finished_at=timestamps.now(),
    )
    ctx.write(done)
    summary = redact(teardown_page_model.summary(run, done))
    actions_runner.write_summary(settings.Runner.from_environ().summary, summary)
    _tell(done)
    drop_results.refuse_leftovers(done)


class _Dropped(msgspec.Struct):
    outcomes: list[SchemaResult]
    unmarked: list[NamedSchema] = []


def _one(
    run: work_files.Run, work: Path, owner: Owner
) -> tuple[list[DroppedSchema], list[KeptSchema]]:
    """One owner's schemas: found and dropped in one dbt process, which takes seconds to start."""
    job = {"owner": schema_owner.owner_line(run, owner), "name": run.schema}
    answer = _run(run, work, "drop_owned_schemas", job)
    why = "closed" if run.event.name == "pull_request" else "asked for"
    wanted = {
        outcome.schema: WantedSchema(
            schema=MarkedSchema(schema=outcome.schema, comment=""), owner=owner, why=why
        )
        for outcome in answer.outcomes
    }
    dropped, kept = drop_results.sort(answer.outcomes, wanted)
    return dropped, kept + drop_results.unmarked(answer.unmarked, owner)


def _sweep(
    run: work_files.Run, work: Path, chosen: ChosenSchemas
) -> tuple[list[DroppedSchema], list[KeptSchema]]:
    outcomes: list[SchemaResult] = []
    for batch in _batches(chosen.wanted):
        groups = [[msgspec.to_builtins(one.schema) for one in group] for group in batch]
        outcomes += _run(run, work, "drop_schemas", {"groups": groups}).outcomes
    wanted = {one.schema.schema: one for one in chosen.wanted}
    dropped, kept = drop_results.sort(outcomes, wanted)
    return dropped, [*kept, *chosen.kept]


def _batches(wanted: tuple[WantedSchema, ...]) -> Iterator[list[list[WantedSchema]]]:
    """Schemas of one owner stay together: their views hang on each other."""
    batch: list[list[WantedSchema]] = []
    for _, group in groupby(sorted(wanted, key=_owner), key=_owner):
        batch.append(list(group))
        if sum(len(one) for one in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _owner(one: WantedSchema) -> str:
    return str(one.owner)


def _run(run: work_files.Run, work: Path, macro: str, job: Mapping[str, object]) -> _Dropped:
    return run_macro(
        invoke.dbt_of(run, work),
        macro,
        {**job, "dry_run": run.of(TeardownPolicy).dry_run},
        _Dropped,
        work=work,
        name="drop",
        failure=errors.TeardownIncomplete,
        not_done="Schemas of which nothing is said here are as they were.",
    )


def _tell(done: Teardown) -> None:
    verb = "would drop" if done.dry_run else "dropped"
    for one in done.dropped:
        actions_runner.say(f"{verb}: {one.schema} ({one.owner}): {one.why}")
    for kept in done.kept:
        actions_runner.say(f"stays: {kept.schema}: {kept.reason}")
    if not done.dropped:
        print("Nothing was dropped.")
