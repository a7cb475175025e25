"""A command that changes the store, under the environment's lease."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from dbtdeploy.base import errors
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.deploy import lease_acquire
from dbtdeploy.store import conditional_write_check
from dbtdeploy.store.lease import lease, lease_messages
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import resume_publish


@contextlib.contextmanager
def owned(store: Store, asked: StoreCommand, *, say: Callable[[str], None]) -> Iterator[str]:
    """Take the lease, finish what a killed run left, and release the lease in the end.

    Nobody renews it meanwhile: what lasts must call ``lease.renew`` before each of its steps.

    Args:
        store: the environment's.
        asked: the command.
        say: gets a line about whose lease was taken over and what was finished.

    Yields:
        The lease's nonce.

    Raises:
        LeaseHeld: a deploy, a release, a rollback or another command is at work.
        ConditionsIgnored: see ``conditional_write_check.py``.
    """
    conditional_write_check.check_conditional_writes(store)
    taken = _take(store, asked)
    held = taken.held
    try:
        if taken.before is not None:
            say(": ".join(lease_messages.taken_over(taken.before)))
        by = asked.event.run_url or lease_messages.who(asked.event)
        finished = resume_publish.begin(store, held.nonce, by=by)
        if finished is not None:
            say(finished.said)
        yield held.nonce
    except BaseException:
        with contextlib.suppress(errors.DbtDeployError):
            lease.release(store, held.nonce)
        raise
    with contextlib.suppress(errors.LeaseLost):  # the work is done all the same
        lease.release(store, held.nonce)


def _take(store: Store, asked: StoreCommand) -> lease.Taken:
    wanted = Lease(
        nonce=lease.new_nonce(),
        holder=lease_messages.who(asked.event),
        purpose=asked.command,
        run_url=asked.event.run_url,
        seconds=lease.SECONDS,
    )
    try:
        return lease_acquire.acquire(store, wanted, environment=asked.environment)
    except errors.LeaseHeld as other:
        raise errors.LeaseHeld(
            other.what,
            not_done=f"`{asked.command}` did nothing.",
            remedy="Run it again when that run has ended. If it is dead, its lease expires as "
            "said; to break in before, run `command: break-lease` with a `reason`.",
        ) from None
