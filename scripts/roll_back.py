"""rollback_plan.json -> dbt run-operation, one transaction -> hold, pointer, rolled_back.json.

What is killed on the way leaves a record in the store; the next run of any command that takes the
lease finds out how far it came, and finishes or forgets it (``settle_release.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dbtdeploy import (
    cli,
    crash,
    dbt_step,
    deploy_files,
    errors,
    files,
    lease,
    lease_keeper,
    lease_words,
    lineage,
    moments,
    release_files,
    release_warehouse,
    rollback_finish,
    rollback_outcome,
    rollback_plan,
    rollback_view,
    settings,
    store_step,
    unsettled,
)
from dbtdeploy.deploy_files import HeldLease
from dbtdeploy.edges import actions
from dbtdeploy.objects import Store
from dbtdeploy.release_warehouse_types import Place, Swapped, TookBack
from dbtdeploy.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.unsettled import Unsettled

TRIES = 60
"""To lock what readers hold: about a minute."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    work: Path
    run: files.Run
    plan: RollbackPlan
    held: HeldLease
    store: Store


def main() -> None:
    """Take back in the warehouse, then in the store, and say so."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    job = _Job(
        work=work,
        run=run,
        plan=files.read(work / release_files.ROLLBACK_PLAN, RollbackPlan),
        held=files.read(work / deploy_files.LEASE, HeldLease),
        store=store_step.opened(run.policy.state),
    )
    done = _roll_back(job)
    files.write(work / release_files.ROLLED_BACK, done)
    redact, runner = settings.redactor(), settings.Runner.from_environ()
    actions.set_outputs(runner.output, {"rolled-back": "true", "version": done.plan.to_version})
    actions.write_summary(runner.summary, redact(rollback_view.done_summary(done)))
    actions.annotate(
        "notice",
        redact(f"{done.plan.environment} is rolled back to {done.plan.to}"),
        redact(f"It is on hold: {done.hold_reason}\nLift it by `command: lift-hold`."),
    )


def _roll_back(job: _Job) -> RolledBack:
    record = _record(job)
    with lease_keeper.kept(job.store, job.held) as keeper:
        unsettled.write(job.store, record)
        crash.point("rollback-recorded")
        answer = _take_back(job)
        crash.point("rollback-taken-back")
    keeper.refuse_if_lost()
    try:
        reason = rollback_finish.complete(
            job.store, record, nonce=job.held.nonce, by=record.run_url or record.by
        )
    except errors.LeaseLost:
        raise
    except errors.DbtDeployError as cause:
        raise errors.PublishingFailed(
            f"{job.plan.tags} is taken back in the warehouse, and the store does not say so yet. "
            f"{cause.what}",
            not_done=f"The hold may not be set, and the current version may still be "
            f"{job.plan.from_version}.",
            remedy=f"{cause.remedy} Then run the rollback again, which finishes it.",
        ) from None
    return RolledBack(
        plan=rollback_plan.answered(job.plan, answer) if job.plan.warehouse_id else job.plan,
        by=record.by,
        run_url=record.run_url,
        at=answer.swapped.at or record.started_at,
        seconds=answer.swapped.seconds,
        attempts=answer.swapped.attempts,
        hold_reason=reason,
        reason=record.reason,
    )


def _record(job: _Job) -> Unsettled:
    plan, event = job.plan, job.run.event
    return Unsettled(
        what="rollback",
        release_id=plan.warehouse_id,
        tag=plan.tags,
        phase="rolling-back",
        environment=plan.environment,
        project=job.run.dbt.name,
        commit=plan.to_commit,
        version=plan.to_version,
        index_sha256=plan.to_sha256,
        reason=job.run.rollback.reason if job.run.rollback else None,
        by=lease_words.who(event),
        run_url=event.run_url,
        started_at=moments.now(),
    )


def _take_back(job: _Job) -> TookBack:
    """One transaction; where it did not happen, there is nothing to finish."""
    indexes = map(lineage.reader(job.store), (one.version for one in job.plan.releases))
    known = [rollback_plan.read_record(job.store, index) for index in indexes if index]
    moved = rollback_plan.swapped(known)
    if not moved:
        return TookBack(swapped=Swapped(outcome="done"))
    answer = release_warehouse.take_back(
        dbt_step.dbt_of(job.run, job.work),
        work=job.work,
        place=Place(environment=job.plan.environment, project=job.run.dbt.name),
        nonce=job.held.nonce,
        taken_at=job.held.taken_at,
        records=moved,
        restore_incremental=job.plan.restore_incremental,
        tries=TRIES,
        dry_run=False,
    )
    if answer.swapped.outcome not in ("done", "fenced"):
        lease.renew(job.store, job.held.nonce)
        unsettled.forget(job.store)
    rollback_outcome.refuse(job.plan, answer.swapped)
    return answer


if __name__ == "__main__":
    cli.run(main)
