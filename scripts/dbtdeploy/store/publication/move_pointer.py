"""Making another version the current one: ``current.json`` moves under the fence of the lease."""

from __future__ import annotations

from dbtdeploy.base import errors
from dbtdeploy.store.compare_and_swap import compare_and_swap
from dbtdeploy.store.object_store import Store, Stored
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Pointer

NOT_PUBLISHED = "Its artifacts are not published; the version before is still the current one."
NOT_MOVED_BACK = (
    "The pointer was not moved back. The release is taken back in the warehouse; the run that took "
    "over finds that out, and finishes it."
)


def move_pointer(
    store: Store,
    *,
    leaving: str | None,
    to: str,
    index_sha256: str,
    nonce: str,
    by: str,
    at: str,
    not_done: str = NOT_PUBLISHED,
) -> Pointer:
    """Name another version in ``current.json``. Moving it twice is no error.

    Where the answer to our write was lost and the lease was broken before it could be asked again,
    the pointer names ``to`` under another's fence: then the version is current, and what the caller
    does next finds out that the lease is gone.

    Args:
        store: the environment's.
        leaving: the version that must be current; None where nothing was published yet.
        to: the version to make current; it is wholly in the store.
        index_sha256: of its index as it is stored.
        nonce: of the lease that this run holds.
        by: who moves it, a run's address or a person.
        at: ISO 8601, UTC.
        not_done: for the message of a failure, what was left undone.

    Returns:
        The pointer as it is now.

    Raises:
        LeaseLost: the pointer bears another's fence, is gone, or names a third version.
    """

    def step(found: Stored | None) -> tuple[bytes | None, Pointer]:
        pointer = _decoded(store, found, not_done)
        if pointer.version == to:
            return None, pointer
        if pointer.fence != nonce:
            raise _lost(store, "bears the fence of another run", not_done)
        if pointer.version != leaving:
            said = f"names {pointer.version}, and not {leaving} as before"
            raise _lost(store, said, not_done)
        moved = pointer.moved_to(to, index_sha256, at=at, by=by)
        return versions.encode(moved), moved

    try:
        return compare_and_swap(store, versions.POINTER, step)
    except errors.StateUnreachable:
        moved = _if_moved(store, to)
        if moved is None:
            raise
        return moved


def fenced(store: Store, nonce: str) -> Pointer:
    """The pointer, if it bears the fence of our lease.

    Raises:
        LeaseLost: it is gone, or bears another's fence.
    """
    pointer = _decoded(store, store.get(versions.POINTER), NOT_PUBLISHED)
    if pointer.fence != nonce:
        raise _lost(store, "bears the fence of another run", NOT_PUBLISHED)
    return pointer


def _decoded(store: Store, found: Stored | None, not_done: str) -> Pointer:
    if found is None:
        raise _lost(store, "is gone", not_done)
    return versions.decode_pointer(found.body, source=store.address(versions.POINTER))


def _if_moved(store: Store, to: str) -> Pointer | None:
    """The pointer, if a write that nobody answered was made all the same."""
    try:
        found = store.get(versions.POINTER)
        pointer = _decoded(store, found, NOT_PUBLISHED)
    except errors.DbtDeployError:
        return None
    return pointer if pointer.version == to else None


def _lost(store: Store, said: str, not_done: str) -> errors.LeaseLost:
    return errors.LeaseLost(
        f"{store.address(versions.POINTER)} {said}: this run's lease expired or was broken, and "
        "another run took over.",
        not_done=not_done,
        remedy="Look who works on the environment (`command: status`). If nobody does, run this "
        "again.",
    )
