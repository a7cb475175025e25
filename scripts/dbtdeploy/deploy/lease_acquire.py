"""Taking the lease, with patience."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from dbtdeploy.base import actions_runner, timestamps
from dbtdeploy.store.lease import lease, lease_messages
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.object_store import Store

POLL_SECONDS = 5.0
"""Each poll is one GET: 720 in an hour of waiting, less than a cent."""

TELL_SECONDS = 60.0


def acquire(
    store: Store,
    wanted: Lease,
    *,
    environment: str,
    wait_seconds: float = 0,
    poll_seconds: float = POLL_SECONDS,
    say: Callable[[str], None] = actions_runner.say,
) -> lease.Taken:
    """Take the lease, waiting until it is free or expired.

    Args:
        store: the environment's.
        wanted: the record to write.
        environment: GitHub's name of it.
        wait_seconds: how long to wait for its holder at most.
        poll_seconds: between two looks.
        say: gets a line about who is waited for, at once and every minute.

    Raises:
        LeaseHeld: somebody else still has it.
    """
    began = time.monotonic()
    told: float | None = None
    while True:
        got = lease.take(store, wanted)
        if isinstance(got, lease.Taken):
            return got
        waited = time.monotonic() - began
        if waited >= wait_seconds:
            raise lease_messages.held(
                got.lease,
                now=got.now,
                expires=got.expires,
                environment=environment,
                waited=waited if wait_seconds else 0,
                run_url=wanted.run_url,
            )
        if told is None or waited - told >= TELL_SECONDS:
            told = waited
            since = timestamps.since(got.lease.taken_at, got.now)
            say(f"Waiting for {got.lease.description}, which has held {environment} since {since}.")
        threading.Event().wait(min(poll_seconds, wait_seconds - waited))
