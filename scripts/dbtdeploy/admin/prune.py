"""Removing versions and failed runs that are no longer kept."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from dbtdeploy.base import crash
from dbtdeploy.store.inventory import VersionFolder
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import versions

AT_ONCE = 8


def remove(store: Store, folder: VersionFolder, *, nonce: str) -> None:
    """Remove one folder: its index first, and then its objects.

    Killed in between, it leaves objects without an index, which nobody takes for a version and the
    next prune removes; the other way round an index would promise what is gone.

    Args:
        store: the environment's.
        folder: what to remove.
        nonce: of the lease that we hold.

    Raises:
        LeaseLost: it was broken; nothing of this folder was removed.
    """
    lease.renew(store, nonce)
    index = folder.prefix + versions.INDEX
    store.delete(index)
    crash.point("between-deletes")
    remove_keys(store, (entry.key for entry in folder.entries if entry.key != index))


def remove_keys(store: Store, keys: Iterable[str]) -> None:
    """Remove objects, several at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(store.delete, keys):
            pass
