"""release_plan.json -> the version, written and not current; then staging live, in one transaction.

What is killed here leaves a record by which the next run asks the warehouse whether the swap
happened. The version is there by then, so a swap that did happen can always be published.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy import (
    artifacts,
    cli,
    crash,
    dbt_step,
    deploy_files,
    environment,
    errors,
    files,
    lease_keeper,
    prepared_version,
    publish,
    release_files,
    release_refusals,
    release_warehouse,
    settings,
    staging,
    store_step,
    swap_job,
    unsettled,
)
from dbtdeploy.artifacts import Manifest
from dbtdeploy.deploy_files import HeldLease
from dbtdeploy.edges import actions
from dbtdeploy.objects import Store
from dbtdeploy.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.release_warehouse_types import LiveLook, Measured, Swapped
from dbtdeploy.swap_job import Known
from dbtdeploy.unsettled import Unsettled

TRIES = 60
"""About a minute, each try giving up its locks after a quarter of a second."""


def main() -> None:
    """Write the version, swap, and say how it went."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    held = files.read(work / deploy_files.LEASE, HeldLease)
    state = files.read(work / files.STATE, files.State)
    known = _known(work)
    record = swap_job.record(known, run, state)
    opened = store_step.opened(run.policy.state)
    # Whoever looked at the plan or at staging may have set one since the lease was taken.
    environment.refuse_if_on_hold(
        environment.read(opened),
        name=known.plan.environment,
        now=datetime.now(timezone.utc),
        not_done=release_refusals.AS_BEFORE,
    )
    files.write(work / release_files.RECORD, record)
    with lease_keeper.kept(opened, held) as keeper:
        under_way = prepared_version.write(opened, run, work, known, record)
        keeper.refuse_if_lost()
        swapped = _swap(run, work, known, record)
        if swapped.outcome != "done":
            _give_up(opened, under_way)
    release_refusals.refuse_swap(known.plan, swapped)
    crash.point("swap-done")
    files.write(work / release_files.SWAPPED, swapped)
    files.write(
        work / release_files.RELEASED,
        Released(
            swapped_at=swapped.at,
            swap_seconds=swapped.seconds,
            attempts=swapped.attempts,
            repointed=swapped.repointed,
        ),
    )
    _tell(swapped)
    keeper.refuse_if_lost()


def _known(work: Path) -> Known:
    return Known(
        plan=files.read(work / release_files.RELEASE_PLAN, ReleasePlan),
        live=files.read(work / release_files.PRODUCTION_LOOK, LiveLook),
        measured=files.read(work / release_files.MEASURED, Measured),
        manifest=artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest(),
    )


def _swap(run: files.Run, work: Path, known: Known, record: ReleaseRecord) -> Swapped:
    held = files.read(work / deploy_files.LEASE, HeldLease)
    dbt, place = dbt_step.dbt_of(run, work), staging.place_of(run)
    try:
        return release_warehouse.swap(
            dbt,
            work=work,
            place=place,
            record=record,
            nonce=held.nonce,
            pairs=swap_job.pairs(known),
            hanging=known.live.look.hanging,
            removed=known.plan.removed,
            tries=TRIES,
        )
    except errors.ReleaseStepFailed as lost:
        # The connection may have gone with the answer only.
        state = release_warehouse.settled(
            dbt,
            work=work,
            place=place,
            release_id=record.release_id,
            nonce=held.nonce,
            taken_at=held.taken_at,
        )
        if state == "live":
            return Swapped(outcome="done", detail=(lost.what,))
        return Swapped(outcome="failed", detail=(lost.what,))


def _give_up(opened: Store, under_way: Unsettled) -> None:
    """The swap did not happen: the version that waited for it is never current."""
    unsettled.write(opened, replace(under_way, phase="staging", version=None, index_sha256=None))
    if under_way.version is not None:
        publish.withdraw(opened, under_way.version)


def _tell(swapped: Swapped) -> None:
    redact = settings.redactor()
    print(f"Live, in one transaction of {swapped.seconds:.2f} s (try {swapped.attempts}).")
    for name in swapped.repointed:
        print(redact(f"Reads the new relations now: {name}"))
    for line in (*swapped.detail, *swapped.left_behind):
        print(redact(line))
    actions.set_outputs(settings.Runner.from_environ().output, {"swapped": "true"})


if __name__ == "__main__":
    cli.run(main)
