"""held_lease.json -> the environment is free for the next run."""

from __future__ import annotations

from dbtdeploy import cli, deploy_files, errors, files, lease, settings, store_step
from dbtdeploy.deploy_files import HeldLease, Publication
from dbtdeploy.edges import actions


def main() -> None:
    """Release the lease, if this run took one and still has it."""
    work = settings.work_folder()
    held = files.read_if_there(work / deploy_files.LEASE, HeldLease)
    if held is None:
        print("This run holds no lease.")
        return
    run = files.read(work / files.RUN, files.Run)
    opened = store_step.opened(run.policy.state)
    try:
        lease.release(opened, held.nonce)
    except errors.LeaseLost as lost:
        published = files.read_if_there(work / deploy_files.PUBLICATION, Publication)
        if published is None or published.version is None:
            failure = files.read_if_there(work / files.FAILURE, files.Failure)
            if failure is None or failure.kind != type(lost).__name__:
                raise
            print(lost.what)  # the step that met it has failed, and has told it
            return
        # Fencing let it publish only while the environment was its own; what came after is not
        # this run's matter.
        actions.warning(lost.title, f"{lost.what}\nIts version was published before.")
        return
    print(f"{run.deploy.environment if run.deploy else 'The environment'} is free.")


if __name__ == "__main__":
    cli.run(main)
