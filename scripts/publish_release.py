"""A release that is live -> the pointer, the plain copies, and the record away."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy import (
    cli,
    deploy_files,
    errors,
    files,
    lease_words,
    release_files,
    settings,
    settle,
    store_step,
    unsettled,
)
from dbtdeploy.deploy_files import HeldLease, Publication
from dbtdeploy.edges import actions
from dbtdeploy.release_files import Released


def main() -> None:
    """Let the store say what the warehouse holds."""
    work = settings.work_folder()
    run = files.read(work / files.RUN, files.Run)
    held = files.read(work / deploy_files.LEASE, HeldLease)
    opened = store_step.opened(run.policy.state)
    record = unsettled.read(opened)
    if record is None:
        raise errors.EarlierStepMissing(
            f"{opened.address(unsettled.KEY)} is not there.",
            not_done="Nothing was published.",
            remedy="Run swap_release.py before this script, and let one run work at a time.",
        )
    by = run.event.run_url or lease_words.who(run.event)
    index = settle.go_live(opened, record, nonce=held.nonce, by=by)
    if index is None:
        raise errors.PublishingFailed(
            f"{record.tag} is live, and another version has become current meanwhile.",
            not_done="The version of this release is not current.",
            remedy="Look who works on the environment (`command: status`).",
        )
    there = files.read_if_there(work / release_files.RELEASED, Released) or Released()
    files.write(work / release_files.RELEASED, replace(there, version=index.version))
    done = Publication(
        location=opened.location,
        version=index.version,
        previous=index.previous,
        pending=index.pending,
        carried=index.carried,
    )
    files.write(work / deploy_files.PUBLICATION, done)
    print(f"Version {index.version} is now the current one in {opened.location}.")
    outputs = {"version": index.version}
    actions.set_outputs(settings.Runner.from_environ().output, outputs)


if __name__ == "__main__":
    cli.run(main)
