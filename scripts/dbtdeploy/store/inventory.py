"""Everything a store holds beside the current version: versions, failed runs, what was left lying.

Reads through the store it is given; decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.base import errors, timestamps
from dbtdeploy.store.conditional_write_check import PROBE, PROBE_KEY
from dbtdeploy.store.object_store import ListedObject, Store
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Index, Pointer

AT_ONCE = 8
"""Indexes read side by side: a month of hourly deploys has 720."""


CURRENT, ADOPTED, KEPT = "current", "adopted", "kept"
UNPUBLISHED, INCOMPLETE, DAMAGED = "never published", "incomplete", "damaged"


class VersionFolder(Struct, frozen=True, kw_only=True):
    """What lies under one prefix: a version, a failed run, or what is left of one."""

    name: str
    prefix: str
    entries: tuple[ListedObject, ...]
    index: Index | None = None
    problem: str | None = None
    """Why its index cannot be read."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(entry.size for entry in self.entries)

    @property
    def written(self) -> datetime:
        """When its newest object was written, by the store's clock."""
        return max(entry.modified for entry in self.entries)

    @property
    def made(self) -> datetime:
        """When its run made it; ``written`` where no index says."""
        said = timestamps.parse(self.index.created_at) if self.index else None
        return said or self.written


class Inventory(Struct, frozen=True, kw_only=True):
    """What a store holds."""

    pointer: Pointer
    versions: tuple[VersionFolder, ...]
    """Newest first."""
    failed: tuple[VersionFolder, ...]
    """Newest first."""
    probes: tuple[ListedObject, ...] = ()

    def state_of(self, folder: VersionFolder) -> str:
        """One of the words above."""
        if folder.name == self.pointer.version:
            return CURRENT
        if folder.index is None:
            return DAMAGED if folder.problem else INCOMPLETE
        if folder.name not in self.published:
            return UNPUBLISHED
        return ADOPTED if folder.index.kind == versions.ADOPTED else KEPT

    @property
    def published(self) -> frozenset[str]:
        """Versions that are, or once were, the current one.

        The pointer remembers the last few; before those, a version is known by the next one, which
        names it as its previous.
        """
        named = {self.pointer.version, *self.pointer.history}
        named |= {folder.index.previous for folder in self.versions if folder.index}
        return frozenset(name for name in named if name)


def take(store: Store) -> Inventory:
    """List everything and read each index.

    Raises:
        StoreTooNew: a newer dbt-deploy wrote something there; StateCorrupt: current.json is none.
    """
    found = store.get(versions.POINTER)
    source = store.address(versions.POINTER)
    pointer = versions.decode_pointer(found.body, source=source) if found else Pointer()
    return Inventory(
        pointer=pointer,
        versions=_folders(store, versions.VERSIONS, versions.ID),
        failed=_folders(store, versions.FAILED, versions.FAILED_NAME),
        probes=tuple(e for e in store.list(PROBE) if PROBE_KEY.fullmatch(e.key)),
    )


def _folders(store: Store, above: str, ours: re.Pattern[str]) -> tuple[VersionFolder, ...]:
    """What we named; anything else there is somebody else's, and none of our business."""
    found = [f for f in _grouped(above, store.list(above)) if ours.fullmatch(f.name)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        read = list(pool.map(lambda folder: _with_index(store, folder), found))
    return tuple(sorted(read, key=lambda folder: (folder.made, folder.name), reverse=True))


def _grouped(above: str, entries: Iterable[ListedObject]) -> Iterable[VersionFolder]:
    def name(entry: ListedObject) -> str:
        return entry.key[len(above) :].split("/", 1)[0]

    for found, group in groupby(sorted(entries, key=lambda entry: entry.key), name):
        prefix = f"{above}{found}/"
        inside = tuple(entry for entry in group if entry.key.startswith(prefix))
        if inside:
            yield VersionFolder(name=found, prefix=prefix, entries=inside)


def _with_index(store: Store, folder: VersionFolder) -> VersionFolder:
    key = folder.prefix + versions.INDEX
    found = store.get(key) if any(entry.key == key for entry in folder.entries) else None
    if found is None:
        return folder
    try:
        return replace(folder, index=versions.decode_index(found.body, source=store.address(key)))
    except errors.StateCorrupt as damage:
        return replace(folder, problem=damage.what)
