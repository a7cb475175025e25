"""run.json + the store -> dbt run-operation, which only looks -> RollbackPlan, summary.

Says what a rollback restores at once, what it leaves, and what it cannot bring back; changes
nothing.
"""

from __future__ import annotations

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Rollback
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.rollback import (
    rollback_page_model,
    rollback_plan,
    rollback_records,
    rollback_target,
    warehouse_request,
)
from dbtdeploy.store import inventory, store_location
from dbtdeploy.store.object_store import Store

PHASE = Phase.PLAN


def main() -> None:
    """Plan it, show it, and say whether there is anything to do."""
    ctx = RunContext.open(Rollback)
    for kind in (RollbackPlan, RolledBack):
        ctx.remove(kind)
    plan = _plan(store_location.opened(ctx.policy.state), ctx)
    ctx.write(plan)
    redact, runner = settings.redactor(), settings.Runner.from_environ()
    with actions_runner.foreign_output():
        for line in rollback_page_model.lines(plan):
            actions_runner.say(line)
    summary = rollback_page_model.plan_summary(plan, ctx.run.event)
    actions_runner.write_summary(runner.summary, redact(summary))
    if plan.dry_run and not plan.nothing:
        print("A dry run: nothing was changed. `dry-run: false` rolls back.")
    proceed = not plan.nothing and not plan.dry_run
    actions_runner.set_outputs(runner.output, {"proceed": "true" if proceed else "false"})


def _plan(opened: Store, ctx: RunContext[Rollback]) -> RollbackPlan:
    found = inventory.take(opened)
    target = rollback_target.find(found, ctx.policy.version)
    known = rollback_records.of(opened, target)
    plan = rollback_plan.draft(opened, target, known, run=ctx.run)
    answer = warehouse_request.take_back(ctx, known, dry_run=True)
    rollback_plan.refuse_missing(found, target, known, answer.missing)
    warehouse_request.refuse(plan, answer.swapped)
    return rollback_plan.answered(plan, answer)
