"""What plan_rollback.py and roll_back.py share: the question, a refusal, the store's record."""

from __future__ import annotations

from collections.abc import Sequence

from dbtdeploy.base import settings, timestamps
from dbtdeploy.context.policies import Rollback
from dbtdeploy.context.release_files import ReleaseRecord
from dbtdeploy.context.rollback_files import RollbackPlan
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.dbt import invoke
from dbtdeploy.rollback import rollback_plan, rollback_records, rollback_target
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.lease import lease_messages
from dbtdeploy.warehouse import release_macros, release_schemas, warehouse_refusals
from dbtdeploy.warehouse.release_macro_types import ReleaseScope, Swapped, TookBack
from dbtdeploy.warehouse.warehouse_refusals import SwapWords

TRIES = 60
"""To lock what readers hold: about a minute."""


def take_back(
    ctx: RunContext[Rollback], known: Sequence[ReleaseRecord], *, dry_run: bool
) -> TookBack:
    """Undo releases in the warehouse, in one transaction, or ask what that would do.

    Args:
        ctx: this run.
        known: what they did, the newest first; of those that only built in place there is nothing
            to undo.
        dry_run: whether only to ask.
    """
    moved = rollback_records.swapped(known)
    if not moved:
        return TookBack(swapped=Swapped(outcome="done"))
    environment, held = rollback_plan.environment_of(ctx.run), ctx.held
    return release_macros.take_back(
        invoke.dbt_of(ctx.run, ctx.work),
        work=ctx.work,
        place=ReleaseScope(environment=environment, project=ctx.run.dbt.name),
        nonce=held.nonce,
        taken_at=held.taken_at,
        records=moved,
        restore_incremental=ctx.policy.restore_incremental,
        tries=1 if dry_run else TRIES,
        reader_wait_ms=ctx.policy.reader_wait_ms,
        dry_run=dry_run,
        token=release_schemas.token(),
    )


def refuse(plan: RollbackPlan, swapped: Swapped) -> None:
    """Stop here unless the warehouse did it, or would.

    Args:
        plan: what was to be done.
        swapped: how it ended.

    Raises:
        SwapTimeout, ProductionChanged, ConsumerDoesNotFit, LeaseLost, SwapFailed.
    """
    words = SwapWords(
        relations=f"What {plan.tags} brought",
        swap=f"to take back {plan.tags}",
        columns=f"the columns that {plan.to} had",
        changed=f"Production is not as {plan.tags} left it",
        changed_remedy="A rollback moves only what it knows, so that nobody's work is lost. Bring "
        "these back to the columns and kind that the release made, such as by building its commit "
        "again, then roll back; or release a new tag with the change reverted.",
        not_done=rollback_target.UNTOUCHED,
        again="run the rollback again",
    )
    warehouse_refusals.refuse_swap(swapped, words)


def begun(ctx: RunContext[Rollback], plan: RollbackPlan) -> InFlight:
    """What another run needs to know to finish this one."""
    return InFlight(
        what="rollback",
        release_id=plan.warehouse_id,
        tag=plan.tags,
        phase="rolling-back",
        environment=plan.environment,
        project=ctx.run.dbt.name,
        commit=plan.to_commit,
        version=plan.to_version,
        index_sha256=plan.to_sha256,
        # Pages cut it before they are redacted as a whole.
        reason=settings.redactor()(ctx.policy.reason) if ctx.policy.reason else None,
        by=lease_messages.who(ctx.run.event),
        run_url=ctx.run.event.run_url,
        started_at=timestamps.now(),
    )
