"""Staging beside production -> the final release_plan.json, or the gate that stops the release."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from dbtdeploy import (
    artifacts,
    cli,
    crash,
    dbt_step,
    deploy_files,
    files,
    gates,
    lease_keeper,
    release_files,
    release_plan,
    release_warehouse,
    settings,
    sql_refs,
    state,
    store_step,
)
from dbtdeploy.artifacts import Manifest
from dbtdeploy.edges import queries
from dbtdeploy.release_files import ReleasePlan, Tag
from dbtdeploy.release_warehouse_types import LiveLook, Measured
from dbtdeploy.staging import Staging


def main() -> None:
    """Measure, judge, and refuse if a gate blocks."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    policy = run.release or files.Release(tag="")
    manifest = artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest()
    results = artifacts.read_run_results(work / files.RUN_RESULTS)
    measured = _measure(run, work, policy, manifest)
    files.write(work / release_files.MEASURED, measured)
    finished = release_plan.finish(
        files.read(work / release_files.RELEASE_PLAN, ReleasePlan),
        measured,
        results,
        manifest=manifest,
        production=artifacts.read_manifest(work / files.STATE_FOLDER / state.MANIFEST),
    )
    judged = gates.judge(
        finished,
        manifest=manifest,
        measured=measured,
        results=results,
        policy=policy,
        allowed_by=files.read(work / release_files.TAG, Tag).breaking_allowed_by,
        fail_on_warnings=run.policy.fail_on_warnings,
    )
    files.write(work / release_files.RELEASE_PLAN, replace(finished, gates=judged))
    redact = settings.redactor()
    for gate in judged:
        print(redact(f"{gate.name}: {gate.outcome}. {gate.figures}"))
    gates.refuse(judged)
    crash.point("release-checked")


def _measure(run: files.Run, work: Path, policy: files.Release, manifest: Manifest) -> Measured:
    plan = files.read(work / release_files.RELEASE_PLAN, ReleasePlan)
    live = files.read(work / release_files.PRODUCTION_LOOK, LiveLook)
    stands = files.read(work / release_files.STAGING, Staging)
    relations = sql_refs.Relations.of(manifest, staged=stands.relations)
    checks = queries.read(Path(policy.checks), relations) if policy.checks else ()
    if policy.smoke_queries:
        # One that cannot be understood must not be found once all is live.
        queries.read(Path(policy.smoke_queries), sql_refs.Relations.of(manifest, staged={}))
    opened = store_step.opened(run.policy.state)
    held = files.read(work / deploy_files.LEASE, deploy_files.HeldLease)
    with lease_keeper.kept(opened, held) as keeper:
        measured = release_warehouse.measure(
            dbt_step.dbt_of(run, work),
            work=work,
            pairs=gates.pairs(plan, manifest, policy, live),
            checks=checks,
        )
    keeper.refuse_if_lost()
    return measured


if __name__ == "__main__":
    cli.run(main)
