"""A release that is live -> the pointer, the plain copies, and the record away."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy.base import actions_runner, errors
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Released
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.release import recover
from dbtdeploy.store import in_flight, lease_messages, store_location
from dbtdeploy.store.versions import Index

PHASE = Phase.SWAP


def main() -> None:
    """Let the store say what the warehouse holds."""
    ctx = RunContext.open(Release)
    run = ctx.run
    held = ctx.held
    opened = store_location.opened(run.policy.state)
    record = in_flight.read(opened)
    if record is None:
        raise errors.EarlierStepMissing(
            f"{opened.address(in_flight.KEY)} is not there.",
            not_done="Nothing was published.",
            remedy="Run swap_release.py before this script, and let one run work at a time.",
        )
    by = run.event.run_url or lease_messages.who(run.event)
    index = recover.go_live(
        opened,
        record,
        nonce=held.nonce,
        by=by,
        tell=lambda index: _tell(ctx, opened.location, index),
    )
    if index is None:
        raise errors.PublishingFailed(
            f"{record.tag} is live, and another version has become current meanwhile.",
            not_done="The version of this release is not current.",
            remedy="Look who works on the environment (`command: status`).",
        )


def _tell(ctx: RunContext[Release], location: str, index: Index) -> None:
    """Leave word for the summary at once: the plain copies may fail, or the lease be lost."""
    there = ctx.read_if_there(Released) or Released()
    ctx.write(replace(there, version=index.version))
    done = Publication(
        location=location,
        version=index.version,
        previous=index.previous,
        pending=index.pending,
        carried=index.carried,
    )
    ctx.write(done)
    actions_runner.say(f"Version {index.version} is now the current one in {location}.")
    ctx.set_outputs({"version": index.version})
