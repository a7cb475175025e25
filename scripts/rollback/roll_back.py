"""RollbackPlan -> dbt run-operation, one transaction -> hold, pointer, RolledBack.

What is killed on the way leaves a record in the store; the next run of any command that takes the
lease finds out how far it came, and finishes or forgets it (``recover_release.py``).
"""

from __future__ import annotations

from dbtdeploy.base import actions_runner, crash, errors, settings
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Rollback
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.rollback import (
    rollback_finish,
    rollback_page_model,
    rollback_plan,
    rollback_records,
    warehouse_request,
)
from dbtdeploy.store import in_flight, lineage, store_location
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.lease import lease, lease_renewal
from dbtdeploy.store.object_store import Store
from dbtdeploy.warehouse.release_macro_types import TookBack

PHASE = Phase.SWAP


def main() -> None:
    """Take back in the warehouse, then in the store, and say so."""
    ctx = RunContext.open(Rollback)
    plan = ctx.read(RollbackPlan)
    done = _roll_back(store_location.opened(ctx.policy.state), ctx, plan)
    ctx.write(done)
    redact, runner = settings.redactor(), settings.Runner.from_environ()
    actions_runner.set_outputs(runner.output, {"rolled-back": "true", "version": plan.to_version})
    actions_runner.write_summary(runner.summary, redact(rollback_page_model.done_summary(done)))
    actions_runner.annotate(
        "notice",
        redact(f"{plan.environment} is rolled back to {plan.to}"),
        redact(f"It is on hold: {done.hold_reason}\nLift it by `command: lift-hold`."),
    )


def _roll_back(opened: Store, ctx: RunContext[Rollback], plan: RollbackPlan) -> RolledBack:
    record = warehouse_request.begun(ctx, plan)
    with lease_renewal.kept(opened, ctx.held) as keeper:
        in_flight.write(opened, record)
        crash.point("rollback-recorded")
        answer = _take_back(opened, ctx, plan)
        crash.point("rollback-taken-back")
    keeper.refuse_if_lost()
    return RolledBack(
        plan=rollback_plan.answered(plan, answer),
        by=record.by,
        run_url=record.run_url,
        at=answer.swapped.at or record.started_at,
        seconds=answer.swapped.seconds,
        attempts=answer.swapped.attempts,
        hold_reason=_complete(opened, ctx, plan, record),
        reason=record.reason,
    )


def _take_back(opened: Store, ctx: RunContext[Rollback], plan: RollbackPlan) -> TookBack:
    """One transaction; where it did not happen, there is nothing to finish."""
    indexes = map(lineage.reader(opened), (one.version for one in plan.releases))
    known = [rollback_records.read(opened, index) for index in indexes if index]
    try:
        answer = warehouse_request.take_back(ctx, known, dry_run=False)
    except errors.ExposedToOthers:
        _forget(opened, ctx)
        raise
    if answer.swapped.outcome not in ("done", "fenced"):
        _forget(opened, ctx)
    warehouse_request.refuse(plan, answer.swapped)
    return answer


def _forget(opened: Store, ctx: RunContext[Rollback]) -> None:
    """Nothing is under way: the warehouse did not do it."""
    lease.renew(opened, ctx.held.nonce)
    in_flight.forget(opened)


def _complete(
    opened: Store, ctx: RunContext[Rollback], plan: RollbackPlan, record: InFlight
) -> str:
    try:
        return rollback_finish.complete(
            opened, record, nonce=ctx.held.nonce, by=record.run_url or record.by
        )
    except errors.LeaseLost:
        raise
    except errors.DbtDeployError as cause:
        raise errors.PublishingFailed(
            f"{plan.tags} is taken back in the warehouse, and the store does not say so yet. "
            f"{cause.what}",
            not_done="The hold may not be set, and the current version may still be "
            f"{plan.from_version}.",
            remedy=f"{cause.remedy} Then run the rollback again, which finishes it.",
        ) from None
