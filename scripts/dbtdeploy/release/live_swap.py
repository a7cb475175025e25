"""release_plan.json -> the version, written and not current; then staging live, in one transaction.

What is killed here leaves a record by which the next run asks the warehouse whether the swap
happened. The version is there by then, so a swap that did happen can always be published.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from msgspec.structs import replace

from dbtdeploy.artifacts import artifacts
from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import actions_runner, crash, errors, settings
from dbtdeploy.context import hand_over, release_files, work_files
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.release import (
    release_refusals,
    staging,
    swap_request,
    unpublished_version,
)
from dbtdeploy.release.swap_request import Known
from dbtdeploy.store import environment_settings, in_flight, store_location
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.lease import lease_renewal
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import publish
from dbtdeploy.warehouse import release_macros, release_schemas
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Measured, Swapped

TRIES = 60
"""About a minute, each try giving up its locks after a quarter of a second."""


def swap(ctx: RunContext[Release]) -> None:
    """Write the version, swap, and say how it went.

    Raises:
        DbtDeployError: it did not go live.
    """
    work, run = ctx.work, ctx.run
    held = ctx.held
    state = ctx.read(work_files.State)
    known = _known(work)
    record = swap_request.record(known, run, state, token=release_schemas.token())
    opened = store_location.opened(run.policy.state)
    # Whoever looked at the plan or at staging may have set one since the lease was taken.
    environment_settings.refuse_if_on_hold(
        environment_settings.read(opened),
        name=known.plan.environment,
        now=datetime.now(timezone.utc),
        not_done=release_refusals.AS_BEFORE,
    )
    with lease_renewal.kept(opened, held) as keeper:
        under_way = unpublished_version.write(opened, run, work, known, record)
        keeper.refuse_if_lost()
        # From here on a run that is killed cannot say whether it swapped.
        ctx.write(record)
        try:
            swapped = _swap(run, work, known, record)
        except errors.ExposedToOthers:
            ctx.write(Swapped(outcome="failed"))
            _give_up(opened, under_way)
            raise
        if swapped.outcome != "done":
            _give_up(opened, under_way)
    crash.point("swap-done")
    # Of a swap that did not happen, too: without it the page could not say what production is.
    ctx.write(swapped)
    release_refusals.refuse_swap(known.plan, swapped)
    ctx.write(
        replace(
            ctx.read_if_there(Released) or Released(),
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
        plan=hand_over.read(work, ReleasePlan),
        live=hand_over.read(work, LiveProduction),
        measured=hand_over.read(work, Measured),
        manifest=artifacts.read_manifest(work / release_files.PRODUCTION_MANIFEST) or Manifest(),
    )


def _swap(run: work_files.Run, work: Path, known: Known, record: ReleaseRecord) -> Swapped:
    held = hand_over.read(work, HeldLease)
    dbt, place = invoke.dbt_of(run, work), staging.place_of(run)
    try:
        return release_macros.swap(
            dbt,
            work=work,
            place=place,
            record=record,
            nonce=held.nonce,
            pairs=swap_request.pairs(known),
            dependents=known.live.look.dependents,
            removed=known.plan.removed,
            new_schemas=known.live.new_schemas,
            tries=TRIES,
            reader_wait_ms=run.of(Release).reader_wait_ms,
        )
    except errors.ReleaseStepFailed as lost:
        # The connection may have gone with the answer only.
        state = release_macros.settled(
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


def _give_up(opened: Store, under_way: InFlight) -> None:
    """The swap did not happen: the version that waited for it is never current."""
    in_flight.write(opened, replace(under_way, phase="staging", version=None, index_sha256=None))
    if under_way.version is not None:
        publish.withdraw(opened, under_way.version)


def _tell(swapped: Swapped) -> None:
    actions_runner.say(
        f"Live, in one transaction of {swapped.seconds:.2f} s (try {swapped.attempts})."
    )
    for name in swapped.repointed:
        actions_runner.say(f"Reads the new relations now: {name}")
    for line in (*swapped.detail, *swapped.left_behind):
        actions_runner.say(line)
    actions_runner.set_outputs(settings.Runner.from_environ().output, {"swapped": "true"})
