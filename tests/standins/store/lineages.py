"""What a store holds after deploys, releases and rollbacks, without a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from msgspec.structs import replace

from dbtdeploy.base import timestamps
from dbtdeploy.store.inventory import Inventory, VersionFolder
from dbtdeploy.store.object_store import ListedObject
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Index, Pointer

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=timezone.utc)


@dataclass
class Line:
    """Versions and the pointer; each method changes it and gives it back."""

    indexes: dict[str, Index] = field(default_factory=dict)
    pointer: Pointer = field(default_factory=Pointer)

    @property
    def current(self) -> str | None:
        return self.pointer.version

    def publish(
        self, name: str, *, tag: str | None = None, age: timedelta = timedelta(0), **over: Any
    ) -> Line:
        """A version of a deploy; with a tag, of a release. ``kind`` says otherwise."""
        at = timestamps.written(NOW - age)
        made = {
            "version": name,
            "environment": "production",
            "project": "shop",
            "kind": versions.RELEASED if tag else versions.DEPLOYED,
            "created_at": at,
            "objects": {},
            "tag": tag,
            "release_id": f"id of {name}" if tag else None,
            "previous": self.current,
            **over,
        }
        self.indexes[name] = Index(**made)
        self.pointer = self.pointer.moved_to(name, "", at=at, by="octocat")
        return self

    def back_to(self, name: str, *, age: timedelta = timedelta(0)) -> Line:
        """A rollback's move of the pointer."""
        at = timestamps.written(NOW - age)
        self.pointer = self.pointer.moved_to(name, "", at=at, by="octocat")
        return self

    def pruned(self, *names: str) -> Line:
        for name in names:
            del self.indexes[name]
        return self

    def changed(self, name: str, **over: Any) -> Index:
        return replace(self.indexes[name], **over)

    def inventory(self) -> Inventory:
        """As the store's listing shows it, newest first."""
        folders = [_folder(index) for index in self.indexes.values()]
        return Inventory(
            pointer=self.pointer,
            versions=tuple(sorted(folders, key=lambda one: one.made, reverse=True)),
            failed=(),
        )


def published(*names: str) -> Line:
    """Deploys, an hour apart."""
    line = Line()
    for number, name in enumerate(names):
        line.publish(name, age=timedelta(hours=len(names) - number))
    return line


def _folder(index: Index) -> VersionFolder:
    prefix = versions.prefix_of(index.version)
    entry = ListedObject(key=prefix + "manifest.json.gz", size=100, modified=NOW)
    return VersionFolder(name=index.version, prefix=prefix, entries=(entry,), index=index)
