"""release_plan.json -> plan.json of what is built in place, and the state that selects it alone."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.artifacts import artifact_check, artifacts
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import actions_runner, settings
from dbtdeploy.base.text import plural
from dbtdeploy.context import hand_over, release_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.release import release_split, staging, swap_request
from dbtdeploy.store import store_location
from dbtdeploy.store.publication import version_reader
from dbtdeploy.warehouse import release_schemas
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Measured, Swapped

PHASE = Phase.PLAN


def main() -> None:
    """Narrow plan.json to what is left to build, if anything is."""
    work = settings.work_folder()
    plan = hand_over.read(work, ReleasePlan)
    planned = release_split.keep_whole(work)
    manifest = artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest()
    nodes = release_split.direct(planned, plan, manifest)
    if not nodes:
        print("Nothing of this release is built in place.")
        return
    if hand_over.is_there(work, Swapped):
        _fetch(hand_over.read(work, work_files.Run), work)
    hand_over.write(work, work_files.Plan(nodes=tuple(nodes)))
    staging.lay_selection(work / release_files.DIRECT, (node.unique_id for node in nodes))
    _keep_record(work, plan, manifest)
    verb = "is" if len(nodes) == 1 else "are"
    actions_runner.say(f"{plural(len(nodes), 'node')} {verb} built in place.")
    actions_runner.set_outputs(settings.Runner.from_environ().output, {"nodes": str(len(nodes))})


def _fetch(run: work_files.Run, work: Path) -> None:
    """What is built in place is compared with what the swap has just made current."""
    opened = store_location.opened(run.policy.state)
    folder = work / work_files.STATE_FOLDER
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    fetched = version_reader.fetch(opened, folder)
    source = opened.address(artifact_check.MANIFEST)
    manifest = artifact_check.read_manifest(
        (folder / artifact_check.MANIFEST).read_bytes(), source=source
    )
    hand_over.write(work, artifact_check.found_state(run.policy.state, manifest, fetched))


def _keep_record(work: Path, plan: ReleasePlan, manifest: Manifest) -> None:
    """For a rollback; the swap has left it where there was one."""
    if hand_over.is_there(work, release_files.ReleaseRecord):
        return
    known = swap_request.Known(
        plan=plan,
        live=hand_over.read_if_there(work, LiveProduction) or swap_request.NOT_LOOKED_AT,
        measured=Measured(),
        manifest=manifest,
    )
    run = hand_over.read(work, work_files.Run)
    before = hand_over.read(work, work_files.State)
    hand_over.write(work, swap_request.record(known, run, before, token=release_schemas.token()))
