"""Which versions what is live now came from, newest first.

Each version names the one that was current when it was made. So what a rollback took back is not in
the lineage of what is built after it, although ``history`` of the pointer still names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dbtdeploy.store.inventory import Inventory
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Index

Read = Callable[[str], "Index | None"]
"""The index of a version; None where it is not there."""


def walk(read: Read, version: str | None) -> Iterator[Index]:
    """A version and those before it. Ends at the first that is not there, such as a pruned one.

    Args:
        read: gives an index.
        version: where to begin, such as the current one.
    """
    seen: set[str] = set()
    while version is not None and version not in seen:
        seen.add(version)
        index = read(version)
        if index is None:
            return
        yield index
        version = index.previous


def reader(store: Store) -> Read:
    """Reads one index after the other out of a store; raises StateCorrupt, StoreTooNew."""

    def read(version: str) -> Index | None:
        key = versions.index_key(version)
        stored = store.get(key)
        return versions.decode_index(stored.body, source=store.address(key)) if stored else None

    return read


def listed(found: Inventory) -> Read:
    """Looks them up in what was read already; a damaged one counts as not there."""
    return {folder.name: folder.index for folder in found.versions}.get


def is_release(index: Index) -> bool:
    """Whether a version went live by a release, and not by a build of its commit after it."""
    return index.kind == versions.RELEASED


def releases(chain: Sequence[Index]) -> list[int]:
    """Where in a lineage each release began, the newest first.

    One that also builds nodes in place publishes twice: what it swapped, and then all of it.
    """
    began: dict[str, int] = {}
    for number, index in enumerate(chain):
        if is_release(index):
            began[index.release_id or index.version] = number
    return list(began.values())


def was_moved_back(found: Inventory) -> Index | None:
    """What the last rollback took back: the version that was current before it.

    None where the pointer moved forward last, as after any build since.
    """
    pointer = found.pointer
    if pointer.version is None or not pointer.history:
        return None
    read = listed(found)
    before = read(pointer.history[0])
    if before is None or before.version == pointer.version:
        return None
    ancestors = walk(read, before.previous)
    return before if any(index.version == pointer.version for index in ancestors) else None
