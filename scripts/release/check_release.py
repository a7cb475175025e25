"""Staging beside production -> the final release_plan.json, or the gate that stops the release."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.artifacts import artifact_check, artifacts
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import actions_runner, crash
from dbtdeploy.context import deploy_files, hand_over, release_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import ReleasePlan, Tag
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.release import release_plan
from dbtdeploy.release.gates import gates, losses
from dbtdeploy.release.staging import Staging
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease_renewal
from dbtdeploy.warehouse import release_macros, sql_files, sql_refs
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Measured

PHASE = Phase.GATES


def main() -> None:
    """Measure, judge, and refuse if a gate blocks."""
    ctx = RunContext.open(Release)
    work, run = ctx.work, ctx.run
    policy = ctx.policy
    manifest = artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest()
    results = artifacts.read_run_results(work / work_files.RUN_RESULTS)
    measured = _measure(run, work, policy, manifest)
    ctx.write(measured)
    finished = release_plan.finish(
        ctx.read(ReleasePlan),
        measured,
        results,
        manifest=manifest,
        production=artifacts.read_manifest(
            work / work_files.STATE_FOLDER / artifact_check.MANIFEST
        ),
    )
    judged = gates.judge(
        finished,
        manifest=manifest,
        measured=measured,
        results=results,
        policy=policy,
        allowed_by=ctx.read(Tag).breaking_allowed_by,
        loss_allowed_by=ctx.read(Tag).loss_allowed_by,
        fail_on_warnings=run.policy.fail_on_warnings,
    )
    hand_over.write(work, replace(finished, gates=judged))
    for gate in judged:
        actions_runner.say(f"{gate.name}: {gate.outcome}. {gate.figures}")
        if gate.name == losses.LOSSES:
            for detail in gate.details:
                actions_runner.say(f"  {detail}")
    gates.refuse(judged)
    crash.point("release-checked")


def _measure(run: work_files.Run, work: Path, policy: Release, manifest: Manifest) -> Measured:
    plan = hand_over.read(work, ReleasePlan)
    live = hand_over.read(work, LiveProduction)
    stands = hand_over.read(work, Staging)
    relations = sql_refs.Relations.of(manifest, staged=stands.relations)
    checks = sql_files.read(Path(policy.checks), relations) if policy.checks else ()
    if policy.smoke_queries:
        # One that cannot be understood must not be found once all is live.
        sql_files.read(Path(policy.smoke_queries), sql_refs.Relations.of(manifest, staged={}))
    opened = store_location.opened(run.policy.state)
    held = hand_over.read(work, deploy_files.HeldLease)
    with lease_renewal.kept(opened, held) as keeper:
        measured = release_macros.measure(
            invoke.dbt_of(run, work),
            work=work,
            pairs=gates.pairs(plan, manifest, policy, live),
            checks=checks,
        )
    keeper.refuse_if_lost()
    return measured
