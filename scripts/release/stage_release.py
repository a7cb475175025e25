"""release_plan.json -> staging schemas, marked, with production's rows laid in -> Staging.

Stale sources are refused before anything is made.
"""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.artifacts.artifacts import TESTS, Manifest
from dbtdeploy.base import actions_runner, crash, errors, settings, timestamps
from dbtdeploy.context import cli, hand_over, release_files, work_files
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import commands, invoke
from dbtdeploy.deploy import freshness_check
from dbtdeploy.release import release_plan, release_refusals, release_split, staging
from dbtdeploy.release.staging import Staging
from dbtdeploy.store import in_flight, store_location
from dbtdeploy.store.lease import lease_messages, lease_renewal
from dbtdeploy.warehouse import guard, production, release_macros
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Prepared

PHASE = Phase.STAGING

DRY_RUN = "This is a dry run: nothing is made."


def main() -> int:
    """Ask how old the sources are, then stage."""
    ctx = RunContext.open(Release)
    return cli.attempt_each(
        (Phase.FRESHNESS, lambda: freshness_check.check(ctx)), (PHASE, lambda: _stage(ctx))
    )


def _stage(ctx: RunContext[Release]) -> None:
    """List what goes to staging, refuse what would land elsewhere, then make the schemas.

    A dry run ends before anything is made.
    """
    work, run = ctx.work, ctx.run
    plan = ctx.read(ReleasePlan)
    held = ctx.held
    opened = store_location.opened(run.policy.state)
    there = staging.run_there(run, work, plan)
    with lease_renewal.kept(opened, held) as keeper:
        nodes = _list(there, work, plan)
        _guard(nodes, there, work)
        if ctx.policy.dry_run:
            actions_runner.say(f"{len(nodes):,} nodes would be built in {there.schema}. {DRY_RUN}")
            return
        in_flight.write(opened, _record(run, plan, held))
        crash.point("release-recorded")
        prepared = _prepare(there, work, plan, held, nodes)
        crash.point("release-staged")
    keeper.refuse_if_lost()
    relations = staging.spots(nodes)
    schemas = tuple(sorted({spot.schema for spot in relations.values()}))
    made = Staging(
        schema=there.schema, schemas=schemas, relations=relations, rows=prepared.rows or {}
    )
    ctx.write(made)
    # Tests of what is built in place run when it is.
    tests = sum(node.resource_type in TESTS for node in nodes)
    staged = replace(release_plan.staged_at(plan, relations), tests=tests)
    ctx.write(staged)
    ctx.write(work_files.Plan(nodes=nodes))
    _tell(made, prepared, nodes)


def _list(there: work_files.Run, work: Path, plan: ReleasePlan) -> work_files.PlannedNodes:
    """What dbt builds there: exactly what was planned."""
    manifest = artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest()
    planned = release_split.keep_whole(work)
    wanted = [node.unique_id for node in release_split.staged(planned, plan, manifest)]
    variables = settings.DbtEnvironment.from_environ().variables
    run = hand_over.read(work, work_files.Run)
    reader = run.of(Release).smoke_target
    staging.lay_profile(run.dbt, work, there.schema, variables, reader=reader)
    folder = staging.lay_selection(work / staging.EXACTLY, wanted)
    if not wanted:
        return ()
    dbt = invoke.dbt_of(there, work)
    nodes = invoke.list_nodes(dbt, there, commands.listing_exactly(folder), name="ls-staging")
    missing = sorted(set(wanted) - {node.unique_id for node in nodes})
    if missing:
        raise errors.ReleaseStepFailed(
            "dbt does not list these in staging, though it does in production:\n"
            + "\n".join(f"- {unique_id}" for unique_id in missing),
            not_done=release_refusals.NOT_STAGED,
            remedy="Let nothing be enabled or named by `target.schema`.",
        )
    return nodes


def _guard(nodes: work_files.PlannedNodes, there: work_files.Run, work: Path) -> None:
    guard.refuse_long_names(
        nodes,
        remedy="Shorten the model's custom schema by {over} bytes: while it is built, its schema "
        "begins with the name of a staging schema.",
    )
    manifest = work / release_files.PRODUCTION_MANIFEST
    live = {(one.database, one.schema) for one in production.read_relations(manifest).values()}
    guard.refuse_outside_staging(nodes, live, staging=there.schema)


def _record(run: work_files.Run, plan: ReleasePlan, held: HeldLease) -> in_flight.InFlight:
    return in_flight.InFlight(
        what="release",
        release_id=plan.release_id,
        tag=plan.tag,
        phase="staging",
        environment=plan.environment,
        project=plan.project,
        commit=held.commit,
        by=lease_messages.who(run.event),
        run_url=run.event.run_url,
        started_at=timestamps.now(),
    )


def _prepare(
    there: work_files.Run,
    work: Path,
    plan: ReleasePlan,
    held: HeldLease,
    nodes: work_files.PlannedNodes,
) -> Prepared:
    prepared = release_macros.prepare(
        invoke.dbt_of(there, work),
        work=work,
        place=staging.place_of(there),
        release_id=plan.release_id,
        tag=plan.tag,
        nonce=held.nonce,
        taken_at=held.taken_at,
        schemas=sorted({node.schema or "" for node in guard.written(nodes)}),
        baselines=staging.baselines(
            plan,
            hand_over.read(work, LiveProduction),
            staging.spots(nodes),
        ),
    )
    release_refusals.refuse_staging(prepared)
    return prepared


def _tell(made: Staging, prepared: Prepared, nodes: work_files.PlannedNodes) -> None:
    for schema in prepared.dropped:
        actions_runner.say(f"Dropped what a stopped release had left: {schema}")
    for unique_id, rows in made.rows.items():
        known = "no table in production" if rows is None else f"{rows:,} rows of production's"
        actions_runner.say(f"{unique_id}: {known}")
    actions_runner.say(f"Ready: {', '.join(made.schemas) or 'no schema needed'}.")
    actions_runner.set_outputs(settings.Runner.from_environ().output, {"nodes": str(len(nodes))})
