"""Who works on an environment: one lease, ``lease.json``, taken by conditional write.

A lease expires when it was not renewed for its ``seconds``, by the store's clock alone: the age of
the object in the answer that brought it. It is never deleted, so that every change of hands is a
compare-and-swap. Each write differs from the one before (``renewals``): S3's ETag is a digest of
the content, and a renewal that wrote the same bytes would let a thief swap on a renewed lease.

A lease does not fence by itself; see ``fencing.py``.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.base import errors, timestamps, versioned_json
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.store.compare_and_swap import compare_and_swap
from dbtdeploy.store.lease import lease_messages
from dbtdeploy.store.lease.lease_record import BROKEN, FREE, HELD, Lease
from dbtdeploy.store.object_store import Store, Stored

KEY = "lease.json"

SECONDS = 900
"""How long it lasts after each renewal: longer than any step that does not renew."""

DAMAGED = "Set it anew: `command: break-lease` with a `reason`, once nobody works there."


class Seen(Struct, frozen=True, kw_only=True):
    """The lease as the store had it at ``now``, by the store's clock."""

    lease: Lease
    now: datetime
    expires: datetime

    @property
    def expired(self) -> bool:
        """Whether its holder has not renewed it in time."""
        return self.lease.is_held and self.now > self.expires

    @property
    def is_open(self) -> bool:
        """Whether anybody may take it."""
        return not self.lease.is_held or self.expired


class Taken(Struct, frozen=True, kw_only=True):
    """A lease of our own. ``before`` is whose expired or broken lease it was."""

    held: HeldLease
    before: Lease | None = None


def read(store: Store) -> Seen | None:
    """Read the lease; None where nobody ever took it.

    Raises:
        StateCorrupt, StoreTooNew: see ``base/versioned_json.py``.
    """
    return _seen(store, store.get(KEY))


def _seen(store: Store, found: Stored | None) -> Seen | None:
    if found is None:
        return None
    lease = versioned_json.decode(found.body, Lease, source=store.address(KEY), remedy=DAMAGED)
    return Seen(
        lease=lease, now=found.now, expires=found.modified + timedelta(seconds=lease.seconds)
    )


def new_nonce() -> str:
    """The proof of one ownership."""
    return secrets.token_hex(16)


def take(store: Store, wanted: Lease) -> Taken | Seen:
    """Take the lease if it is free, expired or broken.

    What its holder was publishing goes over into the new record, until it is finished or given up:
    a thief may be killed as well.

    Args:
        store: the environment's.
        wanted: the record to write, with a new nonce.

    Returns:
        The lease, or who holds it.
    """
    before: Lease | None = None

    def step(found: Stored | None) -> tuple[bytes | None, Taken | Seen]:
        nonlocal before
        seen = _seen(store, found)
        if seen is not None and seen.lease.nonce == wanted.nonce:
            # The write was made, and its answer lost.
            return None, _taken(seen.lease, before)
        if seen is not None and not seen.is_open:
            return None, seen
        before = seen.lease if seen else None
        mine = replace(
            wanted,
            taken_at=timestamps.written(seen.now) if seen else timestamps.now(),
            publishing=before.publishing if before else None,
        )
        return versioned_json.encode(mine), _taken(mine, before)

    return compare_and_swap(store, KEY, step)


def renew(store: Store, nonce: str, *, publishing: str | None = None, done: bool = False) -> Lease:
    """Prove that the lease is still ours, and make it last ``seconds`` from now.

    One that expired and that nobody took is still ours.

    Args:
        store: the environment's.
        nonce: of our lease.
        publishing: the version that is about to be published; what the record says stays if None.
        done: that version is published whole.

    Returns:
        The record as it is now.

    Raises:
        LeaseLost: it was broken, taken over or released.
    """

    def step(found: Stored | None) -> tuple[bytes | None, Lease]:
        seen = _seen(store, found)
        if seen is None or seen.lease.nonce != nonce or not seen.lease.is_held:
            raise lease_messages.lost(store.address(KEY), seen.lease if seen else None, nonce)
        current = seen.lease
        renewed = replace(
            current,
            renewals=current.renewals + 1,
            publishing=None if done else publishing or current.publishing,
        )
        return versioned_json.encode(renewed), renewed

    return compare_and_swap(store, KEY, step)


def release(store: Store, nonce: str) -> None:
    """Let the next one take the lease. Releasing twice is no error.

    Raises:
        LeaseLost: it is not ours any more; it stays as it is.
    """

    def step(found: Stored | None) -> tuple[bytes | None, None]:
        seen = _seen(store, found)
        if seen is not None and seen.lease.nonce == nonce and seen.lease.state == FREE:
            return None, None
        if seen is None or seen.lease.nonce != nonce or not seen.lease.is_held:
            raise lease_messages.lost(store.address(KEY), seen.lease if seen else None, nonce)
        free = replace(seen.lease, state=FREE, renewals=seen.lease.renewals + 1)
        return versioned_json.encode(free), None

    compare_and_swap(store, KEY, step)


def mark_broken(store: Store, *, by: str, reason: str) -> Seen | None:
    """Take the lease from whoever holds it, and give it to nobody.

    Returns:
        The lease that was broken; None where nobody held it.

    Raises:
        LeaseHeld: another run took it while we looked; that one was not meant.
    """
    meant: str | None = None

    def step(found: Stored | None) -> tuple[bytes | None, Seen | None]:
        nonlocal meant
        seen = _seen_or_unknown(store, found)
        if seen is None or not seen.lease.is_held:
            return None, None
        if meant is not None and seen.lease.nonce != meant:
            raise lease_messages.taken_meanwhile(seen.lease, seen.now)
        meant = seen.lease.nonce
        broken = replace(
            seen.lease,
            state=BROKEN,
            broken_by=by,
            broken_at=timestamps.written(seen.now),
            reason=reason,
        )
        return versioned_json.encode(broken), seen

    return compare_and_swap(store, KEY, step)


def _seen_or_unknown(store: Store, found: Stored | None) -> Seen | None:
    """A damaged record reads as one that somebody holds."""
    try:
        return _seen(store, found)
    except errors.StateCorrupt:
        if found is None:
            return None
        unknown = Lease(nonce="", holder="an unknown run", purpose="unknown", state=HELD)
        expires = found.modified + timedelta(seconds=SECONDS)
        return Seen(lease=unknown, now=found.now, expires=expires)


def _taken(mine: Lease, before: Lease | None) -> Taken:
    held = HeldLease(
        nonce=mine.nonce,
        purpose=mine.purpose,
        taken_at=mine.taken_at,
        seconds=mine.seconds,
        broken_in=before.name if before and before.state != FREE else None,
    )
    return Taken(held=held, before=before if before and before.state != FREE else None)
