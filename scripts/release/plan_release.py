"""plan.json, Tag and a look at production -> release_plan.json: what a release changes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy.artifacts import artifact_check, artifacts
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import deploy_files, hand_over, release_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import ReleasePlan, Tag
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.deploy import freshness, production_reads
from dbtdeploy.release import (
    left_relations,
    not_ready,
    release_plan,
    release_refusals,
    row_triggers,
    seed_headers,
    staging,
    waits,
)
from dbtdeploy.release.gates import gates
from dbtdeploy.store import failed_nodes, store_location
from dbtdeploy.store.lease import lease_renewal
from dbtdeploy.warehouse import preflight, release_macros, release_schemas, sql_files, sql_refs
from dbtdeploy.warehouse.release_macro_types import LiveProduction, ProductionRelation, Query

PHASE = Phase.PLAN


def main() -> None:
    """Plan, refuse what cannot go well, and say by which way the release goes on."""
    ctx = RunContext.open(Release)
    work, run = ctx.work, ctx.run
    before = artifacts.read_manifest(work / work_files.STATE_FOLDER / artifact_check.MANIFEST)
    manifest = artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest()
    release_id = f"{datetime.now(timezone.utc):%Y%m%dt%H%M%S}{release_schemas.token(4)}"
    # First without the warehouse: what is refused by the manifests needs no look at it.
    plan = _plan(run, work, manifest, before, live=None, release_id=release_id)
    adapter = manifest.metadata.adapter_type
    release_refusals.refuse_adapter(plan, adapter)
    live = None
    if adapter == release_refusals.SUPPORTED:
        live = _look(run, work, manifest, before)
        ctx.write(live)
        plan = _plan(run, work, manifest, before, live=live, release_id=release_id)
    ctx.write(plan)
    _tell(plan)
    _refuse(plan, live, manifest)
    _go_on(plan, run)


def _refuse(plan: ReleasePlan, live: LiveProduction | None, manifest: Manifest) -> None:
    """Refuse what would stop the release later, all of it at once.

    Raises:
        DbtDeployError: the failure of the one check that refuses, or one that holds those of all.
    """
    checks = [lambda: gates.refuse(plan.gates)]
    if live is not None:
        known = live
        checks = [
            *([lambda: preflight.refuse_missing_privileges(known.look)] if plan.staged else []),
            lambda: preflight.refuse_untrusted(known.look),
            lambda: release_refusals.refuse_in_the_way(plan, known),
            lambda: not_ready.refuse(plan, known, manifest),
            *checks,
        ]
    found = [failure for check in checks if (failure := _failure_of(check))]
    if found:
        raise release_refusals.together(found)


def _failure_of(check: Callable[[], None]) -> errors.DbtDeployError | None:
    try:
        check()
    except errors.DbtDeployError as failure:
        return failure
    return None


def _plan(
    run: work_files.Run,
    work: Path,
    manifest: Manifest,
    before: Manifest | None,
    *,
    live: LiveProduction | None,
    release_id: str,
) -> ReleasePlan:
    planned = hand_over.read(work, work_files.Plan)
    return release_plan.plan(
        run,
        manifest=manifest,
        production=before,
        planned=planned,
        look=live,
        release_id=release_id,
        state=hand_over.read(work, work_files.State),
        tag=hand_over.read(work, Tag),
        again=_again(work),
        seed_headers=seed_headers.read(manifest, (node.unique_id for node in planned.nodes)),
    )


def _look(
    run: work_files.Run, work: Path, manifest: Manifest, before: Manifest | None
) -> LiveProduction:
    opened = store_location.opened(run.policy.state)
    held = hand_over.read(work, deploy_files.HeldLease)
    planned = hand_over.read(work, work_files.Plan)
    gone = left_relations.gone(manifest, before)
    with lease_renewal.kept(opened, held) as keeper:
        live = release_macros.read_production(
            invoke.dbt_of(run, work),
            work=work,
            place=staging.place_of(run),
            wanted=release_plan.wanted(planned, manifest),
            removed=[
                ProductionRelation(unique_id=one.unique_id, spot=one.production) for one in gone
            ],
            schemas=release_plan.schemas(manifest, before),
            reads=production_reads.of(
                manifest,
                (node.unique_id for node in planned.nodes),
                run.of(Release),
                watched=freshness.watched(work / release_files.PRODUCTION_MANIFEST) or (),
                queries=_queries(run.of(Release), manifest),
            ),
        )
    keeper.refuse_if_lost()
    return live


def _queries(policy: Release, manifest: Manifest) -> list[Query]:
    """The team's own, as they read production; one that cannot be understood is refused here."""
    relations = sql_refs.Relations.of(manifest, staged={})
    folders = [Path(folder) for folder in (policy.checks, policy.smoke_queries) if folder]
    return [query for folder in folders for query in sql_files.read(folder, relations)]


def _again(work: Path) -> Collection[str]:
    results = artifacts.read_run_results(work / failed_nodes.FOLDER / work_files.RUN_RESULTS)
    return results.by_id().keys() if results else ()


def _tell(plan: ReleasePlan) -> None:
    for node in plan.nodes:
        actions_runner.say(f"{node.name}: {node.change}, {node.method}")
        for part in node.losses:
            actions_runner.say(f"{node.name} loses: {part}")
    for wait in plan.waits:
        actions_runner.say(f"{wait.name} {waits.SAID[wait.who]}.")
    for one in plan.row_triggers:
        actions_runner.warning(row_triggers.TITLE, row_triggers.said(one))


def _go_on(plan: ReleasePlan, run: work_files.Run) -> None:
    goes_on = not run.of(Release).dry_run
    in_place = bool(plan.direct) and not plan.staged
    outputs = {
        # A dry run looks where staging would build, and makes nothing.
        "staged": "" if in_place else "true",
        "direct": "true" if goes_on and in_place else "",
    }
    actions_runner.set_outputs(settings.Runner.from_environ().output, outputs)
    if not goes_on:
        print("Nothing was built (dry-run: true).")
