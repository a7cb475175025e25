"""HeldLease -> the environment is free for the next run."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import HeldLease, Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import InProduction, Release
from dbtdeploy.store import in_flight, store_location
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store

PHASE = Phase.END

NOT_BY_ITSELF = (errors.Cancelled.__name__, errors.LeaseLost.__name__)
"""The kinds of failure after which a release was stopped."""


def _leave_word(opened: Store, run: work_files.Run, held: HeldLease, work: Path) -> None:
    """What a release staged stays for a look; the next run is told how this one ended."""
    ended = _ended(work)
    if ended is not None and isinstance(run.policy, Release):
        lease.renew(opened, held.nonce)
        in_flight.end(opened, tag=run.policy.tag, commit=held.commit, title=ended)


def _ended(work: Path) -> str | None:
    """What ended this run by itself; None where nothing did, or it was stopped."""
    failure = hand_over.read_if_there(work, work_files.Failure)
    if failure is not None:
        return None if failure.kind in NOT_BY_ITSELF else failure.title
    build = hand_over.read_if_there(work, work_files.Build)
    if build is None or build.interrupted or build.exit_code == 0:
        return None
    return "its build in staging failed"


def main() -> None:
    """Release the lease, if this run took one and still has it."""
    work = settings.work_folder()
    held = hand_over.read_if_there(work, HeldLease)
    if held is None:
        print("This run holds no lease.")
        return
    run = hand_over.read(work, work_files.Run)
    opened = store_location.opened(run.policy.state)
    try:
        _leave_word(opened, run, held, work)
        lease.release(opened, held.nonce)
    except errors.LeaseLost as lost:
        published = hand_over.read_if_there(work, Publication)
        if published is None or published.version is None:
            failure = hand_over.read_if_there(work, work_files.Failure)
            if failure is None or failure.kind != type(lost).__name__:
                raise
            actions_runner.say(lost.what)  # the step that met it has failed, and has told it
            return
        # Fencing let it publish only while the environment was its own; what came after is not
        # this run's matter.
        actions_runner.warning(lost.title, f"{lost.what}\nIts version was published before.")
        return
    actions_runner.say(f"{run.of(InProduction).environment} is free.")
