"""``break-lease``: the lease of a dead run is broken, and its pointer fenced."""

from __future__ import annotations

from dbtdeploy.base import actions_runner, timestamps
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.store import store_location
from dbtdeploy.store.lease import lease, lease_messages
from dbtdeploy.store.publication import fencing


def run(asked: StoreCommand) -> None:
    """Break the lease, and say whose it was."""
    opened = store_location.opened(asked.location)
    by, reason = lease_messages.who(asked.event), asked.reason or "no reason given"
    broken = lease.mark_broken(opened, by=by, reason=reason)
    if broken is None:
        actions_runner.annotate(
            "notice", f"Nobody holds {asked.environment}", "There was nothing to break."
        )
        return
    fencing.shut_out(opened, broken.lease.nonce)
    since = timestamps.since(broken.lease.taken_at, broken.now)
    until = timestamps.clock(broken.expires, broken.now)
    ended = f"It had expired at {until}." if broken.expired else f"It would have lasted to {until}."
    actions_runner.annotate(
        "notice",
        f"The lease of {asked.environment} was broken",
        f"{broken.lease.description}, had held it since {since}. {ended}\nReason: {reason}\n"
        "That run can publish nothing more. If it still lives, it ends at its next renewal; until "
        "then it may go on writing into the warehouse.",
    )
