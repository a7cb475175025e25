"""Making another version the current one: ``current.json`` moves under the fence of the lease."""

from __future__ import annotations

from dbtdeploy.base import errors
from dbtdeploy.store import versions
from dbtdeploy.store.compare_and_swap import compare_and_swap
from dbtdeploy.store.object_store import Store, Stored
from dbtdeploy.store.versions import Pointer

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
        pointer = fenced(store, found, nonce, to=to, not_done=not_done)
        if pointer.version == to:
            return None, pointer
        if pointer.version != leaving:
            said = f"names {pointer.version}, and not {leaving} as before"
            raise _lost(store, said, not_done)
        moved = pointer.moved_to(to, index_sha256, at=at, by=by)
        return versions.encode(moved), moved

    return compare_and_swap(store, versions.POINTER, step)


def fenced(
    store: Store,
    found: Stored | None,
    nonce: str,
    *,
    to: str | None = None,
    not_done: str = NOT_PUBLISHED,
) -> Pointer:
    """The pointer, if it bears the fence of our lease.

    Args:
        store: the environment's.
        found: ``current.json`` as the store gave it.
        nonce: of the lease that this run holds.
        to: the version that this run makes current, if it does.
        not_done: for the message of a failure.

    Raises:
        LeaseLost: it is gone, or bears another's fence. Where it names ``to`` nevertheless, our
            write was made before the lease was lost, and the message says so.
    """
    if found is None:
        raise _lost(store, "is gone", not_done)
    pointer = versions.decode_pointer(found.body, source=store.address(versions.POINTER))
    if pointer.fence == nonce:
        return pointer
    if to is not None and pointer.version == to:
        raise errors.LeaseLost(
            f"{store.address(versions.POINTER)} names version {to}, which this run made current; "
            "its lease expired or was broken before the store confirmed that.",
            not_done=f"Version {to} is current. Its plain copies under "
            f"{store.address(versions.LATEST)} were not written by this run.",
            remedy="The next deploy finishes what is missing.",
        )
    raise _lost(store, "bears the fence of another run", not_done)


def _lost(store: Store, said: str, not_done: str) -> errors.LeaseLost:
    return errors.LeaseLost(
        f"{store.address(versions.POINTER)} {said}: this run's lease expired or was broken, and "
        "another run took over.",
        not_done=not_done,
        remedy="Look who works on the environment (`command: status`). If nobody does, run this "
        "again.",
    )
