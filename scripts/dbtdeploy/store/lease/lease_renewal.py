"""Around dbt: renews the lease, and interrupts dbt when the lease or the time is gone.

    with lease_renewal.kept(store, held) as keeper:
        ...
    keeper.refuse_if_lost()

The interrupt is a SIGINT to this process, which ``dbt/dbt_process.py`` passes on to dbt, so that
the warehouse's queries end too.
"""

from __future__ import annotations

import contextlib
import operator
import os
import signal
import threading
import time
from collections.abc import Iterator

from dbtdeploy.base import errors, text
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store

EVERY_SECONDS = 60.0
"""Fourteen renewals may fail before the lease expires."""


class Keeper:
    """Two threads: one renews, one watches the time. Made by ``kept``."""

    def __init__(self, store: Store, held: HeldLease, *, every: float, proven: float) -> None:
        self._store = store
        self._held = held
        self._every = every
        self._lock = threading.Condition()
        self._expires = proven + held.seconds
        self._limit: tuple[float, errors.DbtDeployError] | None = None
        self._why: errors.DbtDeployError | None = None
        self._trouble = ""
        self._over = False
        self._threads = [
            threading.Thread(target=target, name=target.__name__, daemon=True)
            for target in (self._renew_on, self._watch)
        ]

    def limit(self, minutes: float) -> None:
        """Interrupt dbt when so much time is over, counted from now; replaces an earlier limit."""
        failure = errors.TimeLimit(
            f"The build took longer than its time limit, {text.lasted(minutes * 60)}.",
            not_done="dbt was interrupted; what it had built until then stays in the warehouse. "
            "Nothing was published as state.",
            remedy="Raise `time-limit-minutes`, build less at once, or look for what was slow in "
            "the report.",
        )
        with self._lock:
            self._limit = (time.monotonic() + minutes * 60, failure)
            self._lock.notify_all()

    @property
    def lost(self) -> bool:
        """Whether dbt was interrupted, or would be now: ``refuse_if_lost`` says why."""
        return self._why is not None

    def refuse_if_lost(self) -> None:
        """Stop here if the lease is lost or the time is over.

        Raises:
            LeaseLost: broken, taken over, or not renewed in time.
            TimeLimit: see ``limit``.
        """
        if self._why is not None:
            raise self._why

    def start(self) -> None:
        """Begin; ``kept`` does it."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no signal from here on."""
        with self._lock:
            self._over = True
            self._lock.notify_all()
        for thread in self._threads:
            # A renewal under way ends by its own timeouts; nobody waits for its answer.
            thread.join(timeout=0.2)

    def _renew_on(self) -> None:
        while self._pause(self._every):
            asked = time.monotonic()
            try:
                lease.renew(self._store, self._held.nonce)
            except errors.LeaseLost as lost:
                self._interrupt(lost)
                return
            except Exception as trouble:
                # The network may come back before the lease expires; the watch knows when. A thread
                # that died of any other fault would lose the lease without a word.
                self._trouble = str(trouble)
            else:
                with self._lock:
                    self._expires = asked + self._held.seconds

    def _watch(self) -> None:
        while True:
            with self._lock:
                if self._over:
                    return
                now = time.monotonic()
                expires = (self._expires, self._unrenewed())
                end, why = min(expires, self._limit or expires, key=operator.itemgetter(0))
                if now < end:
                    self._lock.wait(end - now)
                    continue
            self._interrupt(why)
            return

    def _pause(self, seconds: float) -> bool:
        """Wait; False when it is over."""
        with self._lock:
            self._lock.wait_for(lambda: self._over, timeout=seconds)
            return not self._over

    def _unrenewed(self) -> errors.DbtDeployError:
        return errors.LeaseLost(
            f"This run could not renew its lease for {text.lasted(self._held.seconds)}, so "
            f"another run may have taken it. {self._trouble}".strip(),
            not_done="dbt was interrupted. This run builds and publishes nothing more.",
            remedy="Mend the way to the store, then run this again.",
        )

    def _interrupt(self, why: errors.DbtDeployError) -> None:
        with self._lock:
            if self._over or self._why is not None:
                return
            self._why = why
            # Inside the lock: after stop() no signal is sent.
            os.kill(os.getpid(), signal.SIGINT)


@contextlib.contextmanager
def kept(store: Store, held: HeldLease, *, every: float = EVERY_SECONDS) -> Iterator[Keeper]:
    """Keep the lease while the block runs.

    Once the keeper has interrupted, whatever ends the block becomes the failure behind it; a block
    that ends well all the same is told by ``refuse_if_lost`` after it.

    Args:
        store: the environment's.
        held: the lease that this run took.
        every: seconds between renewals.

    Raises:
        LeaseLost: it is not ours at the beginning, or was lost meanwhile.
        TimeLimit: see ``Keeper.limit``.
    """
    asked = time.monotonic()
    lease.renew(store, held.nonce)
    keeper = Keeper(store, held, every=every, proven=asked)
    try:
        keeper.start()
        try:
            yield keeper
        finally:
            keeper.stop()
    except (KeyboardInterrupt, errors.DbtDeployError):
        # What an interrupted dbt left undone is a consequence; the cause is what people must read.
        keeper.refuse_if_lost()
        raise
