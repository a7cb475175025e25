"""What plan_rollback.py and roll_back.py share: the question to the warehouse, and who asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from dbtdeploy import (
    dbt_step,
    deploy_files,
    files,
    lease_words,
    moments,
    release_warehouse,
    rollback_plan,
    rollback_records,
)
from dbtdeploy.deploy_files import HeldLease
from dbtdeploy.release_files import ReleaseRecord
from dbtdeploy.release_warehouse_types import Place, Swapped, TookBack
from dbtdeploy.rollback_files import RollbackPlan
from dbtdeploy.unsettled import Unsettled

TRIES = 60
"""To lock what readers hold: about a minute."""


class Job(Struct, frozen=True, kw_only=True):
    """A rollback's run."""

    work: Path
    run: files.Run
    held: HeldLease

    @classmethod
    def read(cls, work: Path) -> Job:
        """What the steps before have left in the work folder."""
        return cls(
            work=work,
            run=files.read(work / files.RUN, files.Run),
            held=files.read(work / deploy_files.LEASE, HeldLease),
        )

    @property
    def policy(self) -> files.Rollback:
        """What is gone back to."""
        return self.run.rollback or files.Rollback()


def take_back(job: Job, known: Sequence[ReleaseRecord], *, dry_run: bool) -> TookBack:
    """Undo releases in the warehouse, in one transaction, or ask what that would do.

    Args:
        job: this run.
        known: what they did, the newest first; of those that only built in place there is nothing
            to undo.
        dry_run: whether only to ask.
    """
    moved = rollback_records.swapped(known)
    if not moved:
        return TookBack(swapped=Swapped(outcome="done"))
    environment = rollback_plan.environment_of(job.run)
    return release_warehouse.take_back(
        dbt_step.dbt_of(job.run, job.work),
        work=job.work,
        place=Place(environment=environment, project=job.run.dbt.name),
        nonce=job.held.nonce,
        taken_at=job.held.taken_at,
        records=moved,
        restore_incremental=job.policy.restore_incremental,
        tries=1 if dry_run else TRIES,
        dry_run=dry_run,
    )


def begun(job: Job, plan: RollbackPlan) -> Unsettled:
    """What another run needs to know to finish this one."""
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
        reason=job.policy.reason,
        by=lease_words.who(job.run.event),
        run_url=job.run.event.run_url,
        started_at=moments.now(),
    )
