"""plan.json, tag.json and a look at production -> release_plan.json: what a release changes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timezone
from pathlib import Path

from dbtdeploy import (
    artifacts,
    cli,
    dbt_step,
    deploy_files,
    files,
    lease_keeper,
    look,
    release_files,
    release_plan,
    release_refusals,
    release_warehouse,
    retry_state,
    settings,
    staging,
    state,
    store_step,
)
from dbtdeploy.artifacts import Manifest
from dbtdeploy.edges import actions
from dbtdeploy.release_files import ReleasePlan, Tag
from dbtdeploy.release_warehouse_types import LiveLook, Wanted


def main() -> None:
    """Plan, refuse what cannot go well, and say by which way the release goes on."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    before = artifacts.read_manifest(work / files.STATE_FOLDER / state.MANIFEST)
    manifest = artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest()
    release_id = datetime.now(timezone.utc).strftime("%Y%m%dt%H%M%S")
    # First without the warehouse: what is refused by the manifests needs no look at it.
    plan = _plan(run, work, manifest, before, live=None, release_id=release_id)
    adapter = manifest.metadata.adapter_type
    release_refusals.refuse_adapter(plan, adapter)
    if adapter == release_refusals.SUPPORTED:
        live = _look(run, work, manifest, before)
        files.write(work / release_files.PRODUCTION_LOOK, live)
        plan = _plan(run, work, manifest, before, live=live, release_id=release_id)
        if plan.staged:
            look.refuse_missing_privileges(live.look)
        release_refusals.refuse_in_the_way(plan, live)
    files.write(work / release_files.RELEASE_PLAN, plan)
    _tell(plan, run)


def _plan(
    run: files.Run,
    work: Path,
    manifest: Manifest,
    before: Manifest | None,
    *,
    live: LiveLook | None,
    release_id: str,
) -> ReleasePlan:
    return release_plan.plan(
        run,
        manifest=manifest,
        production=before,
        planned=files.read(work / files.PLAN, files.Plan),
        look=live,
        release_id=release_id,
        state=files.read(work / files.STATE, files.State),
        tag=files.read(work / release_files.TAG, Tag),
        again=_again(work),
    )


def _look(run: files.Run, work: Path, manifest: Manifest, before: Manifest | None) -> LiveLook:
    opened = store_step.opened(run.policy.state)
    held = files.read(work / deploy_files.LEASE, deploy_files.HeldLease)
    planned = files.read(work / files.PLAN, files.Plan)
    gone = release_plan.gone(manifest, before)
    with lease_keeper.kept(opened, held) as keeper:
        live = release_warehouse.look(
            dbt_step.dbt_of(run, work),
            work=work,
            place=staging.place_of(run),
            wanted=release_plan.wanted(planned, manifest),
            removed=[Wanted(unique_id=one.unique_id, spot=one.production) for one in gone],
        )
    keeper.refuse_if_lost()
    return live


def _again(work: Path) -> Collection[str]:
    results = artifacts.read_run_results(work / retry_state.FOLDER / files.RUN_RESULTS)
    return results.by_id().keys() if results else ()


def _tell(plan: ReleasePlan, run: files.Run) -> None:
    redact = settings.redactor()
    for node in plan.nodes:
        print(redact(f"{node.name}: {node.change}, {node.method}, type {node.kind}"))
    goes_on = not (run.release and run.release.dry_run)
    in_place = bool(plan.direct) and not plan.staged
    outputs = {
        "staged": "true" if goes_on and not in_place else "",
        "direct": "true" if goes_on and in_place else "",
    }
    actions.set_outputs(settings.Runner.from_environ().output, outputs)
    if not goes_on:
        print("Nothing was built (dry-run: true).")


if __name__ == "__main__":
    cli.run(main)
