"""HeldLease -> the environment is free for the next run."""

from __future__ import annotations

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import HeldLease, Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import InProduction
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease

PHASE = Phase.END


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
