"""Fencing: the owner of the lease puts its nonce into ``current.json``, by compare-and-swap.

From then on no earlier owner can move the pointer, however late its write arrives, for each moves
it by If-Match only. The order is what makes it safe: read the pointer, prove the lease, write the
pointer if it is still what was read. Whoever takes the lease after the proof fences after it, and
its fence either makes this write fail or overwrites it.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from dbtdeploy.store.compare_and_swap import compare_and_swap
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store, Stored
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Pointer


def fence(store: Store, nonce: str) -> Pointer:
    """Keep every earlier owner from moving the pointer; makes one in an empty store.

    Args:
        store: the environment's.
        nonce: of the lease that we hold.

    Returns:
        The pointer, its version unchanged.

    Raises:
        LeaseLost: somebody has taken the lease since.
    """

    def prove() -> None:
        lease.renew(store, nonce)

    return _fence(store, nonce, prove)


def shut_out(store: Store, broken: str) -> None:
    """Keep the holder of a broken lease from moving the pointer, until the next owner fences.

    Args:
        store: the environment's.
        broken: nonce of the lease that was just broken.
    """

    def prove() -> None:
        seen = lease.read(store)
        if seen is None or seen.lease.nonce != broken or seen.lease.is_held:
            raise _NotNeeded

    try:
        _fence(store, f"broken {broken}", prove)
    except _NotNeeded:
        return


class _NotNeeded(Exception):
    """A new owner is there, and fences itself."""


def _fence(store: Store, nonce: str, prove: Callable[[], None]) -> Pointer:
    def step(found: Stored | None) -> tuple[bytes | None, Pointer]:
        address = store.address(versions.POINTER)
        pointer = versions.decode_pointer(found.body, source=address) if found else Pointer()
        prove()
        if pointer.fence == nonce:
            return None, pointer
        fenced = replace(pointer, fence=nonce)
        return versions.encode(fenced), fenced

    return compare_and_swap(store, versions.POINTER, step)
