"""A release that is live -> the pointer, the plain copies, and the record away."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import deploy_files, release_files, work_files
from dbtdeploy.context.deploy_files import HeldLease, Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import Released
from dbtdeploy.release import recover
from dbtdeploy.store import in_flight, lease_messages, store_location

PHASE = Phase.SWAP


def main() -> None:
    """Let the store say what the warehouse holds."""
    work = settings.work_folder()
    run = work_files.read(work / work_files.RUN, work_files.Run)
    held = work_files.read(work / deploy_files.LEASE, HeldLease)
    opened = store_location.opened(run.policy.state)
    record = in_flight.read(opened)
    if record is None:
        raise errors.EarlierStepMissing(
            f"{opened.address(in_flight.KEY)} is not there.",
            not_done="Nothing was published.",
            remedy="Run swap_release.py before this script, and let one run work at a time.",
        )
    by = run.event.run_url or lease_messages.who(run.event)
    index = recover.go_live(opened, record, nonce=held.nonce, by=by)
    if index is None:
        raise errors.PublishingFailed(
            f"{record.tag} is live, and another version has become current meanwhile.",
            not_done="The version of this release is not current.",
            remedy="Look who works on the environment (`command: status`).",
        )
    there = work_files.read_if_there(work / release_files.RELEASED, Released) or Released()
    work_files.write(work / release_files.RELEASED, replace(there, version=index.version))
    done = Publication(
        location=opened.location,
        version=index.version,
        previous=index.previous,
        pending=index.pending,
        carried=index.carried,
    )
    work_files.write(work / deploy_files.PUBLICATION, done)
    actions_runner.say(f"Version {index.version} is now the current one in {opened.location}.")
    outputs = {"version": index.version}
    actions_runner.set_outputs(settings.Runner.from_environ().output, outputs)
