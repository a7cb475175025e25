"""release_plan.json -> plan.json of what is built in place, and the state that selects it alone."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy import (
    artifacts,
    cli,
    files,
    read_version,
    release_files,
    release_split,
    settings,
    staging,
    state,
    store_step,
    swap_job,
)
from dbtdeploy.artifacts import Manifest
from dbtdeploy.edges import actions
from dbtdeploy.release_files import ReleasePlan
from dbtdeploy.release_warehouse_types import LiveLook, Measured


def main() -> None:
    """Narrow plan.json to what is left to build, if anything is."""
    work = settings.work_folder()
    plan = files.read(work / release_files.RELEASE_PLAN, ReleasePlan)
    planned = release_split.keep_whole(work)
    manifest = artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest()
    nodes = release_split.direct(planned, plan, manifest)
    if not nodes:
        print("Nothing of this release is built in place.")
        return
    if (work / release_files.SWAPPED).exists():
        _fetch(files.read(work / files.RUN, files.Run), work)
    files.write(work / files.PLAN, files.Plan(nodes=tuple(nodes)))
    staging.lay_selection(work / release_split.DIRECT, (node.unique_id for node in nodes))
    _keep_record(work, plan, manifest)
    print(f"{len(nodes)} nodes are built in place.")
    actions.set_outputs(settings.Runner.from_environ().output, {"nodes": str(len(nodes))})


def _fetch(run: files.Run, work: Path) -> None:
    """What is built in place is compared with what the swap has just made current."""
    opened = store_step.opened(run.policy.state)
    folder = work / files.STATE_FOLDER
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    fetched = read_version.fetch(opened, folder)
    source = opened.address(state.MANIFEST)
    manifest = state.read_manifest((folder / state.MANIFEST).read_bytes(), source=source)
    files.write(work / files.STATE, state.found_state(run.policy.state, manifest, fetched))


def _keep_record(work: Path, plan: ReleasePlan, manifest: Manifest) -> None:
    """For a rollback; the swap has left it where there was one."""
    if (work / release_files.RECORD).exists():
        return
    known = swap_job.Known(
        plan=plan,
        live=files.read_if_there(work / release_files.PRODUCTION_LOOK, LiveLook)
        or swap_job.NOT_LOOKED_AT,
        measured=Measured(),
        manifest=manifest,
    )
    run = files.read(work / files.RUN, files.Run)
    before = files.read(work / files.STATE, files.State)
    files.write(work / release_files.RECORD, swap_job.record(known, run, before))


if __name__ == "__main__":
    cli.run(main)
