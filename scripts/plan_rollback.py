"""run.json + the store -> dbt run-operation, which only looks -> rollback_plan.json, summary.

Says what a rollback restores at once, what it leaves, and what it cannot bring back; changes
nothing.
"""

from __future__ import annotations

from pathlib import Path

from dbtdeploy import (
    cli,
    dbt_step,
    deploy_files,
    files,
    inventory,
    release_files,
    release_warehouse,
    rollback_outcome,
    rollback_plan,
    rollback_target,
    rollback_view,
    settings,
    store_step,
)
from dbtdeploy.deploy_files import HeldLease
from dbtdeploy.edges import actions
from dbtdeploy.objects import Store
from dbtdeploy.release_warehouse_types import Place
from dbtdeploy.rollback_files import RollbackPlan


def main() -> None:
    """Plan it, show it, and say whether there is anything to do."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    for name in (release_files.ROLLBACK_PLAN, release_files.ROLLED_BACK):
        (work / name).unlink(missing_ok=True)
    plan = _plan(store_step.opened(run.policy.state), run, work)
    files.write(work / release_files.ROLLBACK_PLAN, plan)
    redact, runner = settings.redactor(), settings.Runner.from_environ()
    with actions.foreign_output():
        for line in rollback_view.lines(plan):
            print(redact(line))
    actions.write_summary(runner.summary, redact(rollback_view.plan_summary(plan, run.event)))
    if plan.dry_run and not plan.nothing:
        print("A dry run: nothing was changed. `dry-run: false` rolls back.")
    proceed = not plan.nothing and not plan.dry_run
    actions.set_outputs(runner.output, {"proceed": "true" if proceed else "false"})


def _plan(opened: Store, run: files.Run, work: Path) -> RollbackPlan:
    found = inventory.take(opened)
    target = rollback_target.find(found, run.rollback.version if run.rollback else None)
    known = rollback_plan.records(opened, target)
    plan = rollback_plan.draft(opened, target, known, run=run)
    moved = rollback_plan.swapped(known)
    if not moved:
        return plan
    held = files.read(work / deploy_files.LEASE, HeldLease)
    answer = release_warehouse.take_back(
        dbt_step.dbt_of(run, work),
        work=work,
        place=Place(environment=plan.environment, project=run.dbt.name),
        nonce=held.nonce,
        taken_at=held.taken_at,
        records=moved,
        restore_incremental=plan.restore_incremental,
        tries=1,
        dry_run=True,
    )
    rollback_plan.refuse_missing(found, target, known, answer.missing)
    rollback_outcome.refuse(plan, answer.swapped)
    return rollback_plan.answered(plan, answer)


if __name__ == "__main__":
    cli.run(main)
