"""Making an earlier version the current one again, by compare-and-swap under the lease's fence.

A rollback's counterpart of ``publish.move_pointer``: that one moves to what follows the current
version, this one to what came before it.
"""

from __future__ import annotations

from dbtdeploy.base import errors
from dbtdeploy.store import version_reader, versions
from dbtdeploy.store.object_store import Conflict, Store
from dbtdeploy.store.versions import Pointer


def move_back(
    store: Store,
    *,
    leaving: str,
    to: str,
    index_sha256: str,
    nonce: str,
    by: str,
    at: str,
) -> Pointer:
    """Move the pointer back. Moving it twice is no error.

    Args:
        store: the environment's.
        leaving: the version that is current, and shall be no longer.
        to: the version to make current.
        index_sha256: of its index as it is stored.
        nonce: of the lease that this run holds.
        by: who moves it, a run's address or a person.
        at: ISO 8601, UTC.

    Raises:
        LeaseLost: the pointer bears another's fence, was moved, or moves under our hands.
    """
    pointer, etag = version_reader.read_current(store)
    if pointer is None or etag is None:
        raise _lost(store, "is gone")
    if pointer.fence != nonce:
        raise _lost(store, "bears the fence of another run")
    if pointer.version == to:
        return pointer
    if pointer.version != leaving:
        raise _lost(store, f"names {pointer.version}, and not {leaving} as before")
    moved = pointer.moved_to(to, index_sha256, at=at, by=by)
    try:
        store.put(versions.POINTER, versions.encode(moved), only_if=etag)
    except Conflict:
        raise _lost(store, "was written by somebody else") from None
    return moved


def _lost(store: Store, said: str) -> errors.LeaseLost:
    return errors.LeaseLost(
        f"{store.address(versions.POINTER)} {said}: this run's lease expired or was broken, and "
        "another run took over.",
        not_done="The pointer was not moved back. The release is taken back in the warehouse; the "
        "run that took over finds that out, and finishes it.",
        remedy="Look who works on the environment (`command: status`). If nobody does, run the "
        "rollback again.",
    )
