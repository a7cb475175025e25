"""A store with published versions, written as publishing leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import versions
from standins.dbt.artifacts import all_artifacts

FIRST = datetime(2026, 11, 21, 6, 0, tzinfo=timezone.utc)
COMMIT = "3d3c42e" + "0" * 33


def published(
    store: Store, contents: Mapping[str, bytes] | None = None, *, number: int = 1
) -> versions.Index:
    """Publish one version and make it current; ``number`` tells several apart."""
    moment = FIRST + timedelta(minutes=number)
    version = versions.version_id(moment, COMMIT)
    objects = {}
    for name, content in (all_artifacts() if contents is None else contents).items():
        item, stored = versions.pack(name, content)
        store.put(versions.prefix_of(version) + item.key, stored)
        objects[name] = item
    index = versions.Index(
        version=version,
        environment="production",
        project="shop",
        kind=versions.DEPLOYED,
        created_at=moment.isoformat(),
        objects=objects,
        commit=COMMIT,
    )
    publish_index(store, index)
    return index


def publish_index(store: Store, index: versions.Index) -> None:
    """Write an index, and a pointer to it."""
    content = versions.encode(index)
    store.put(versions.index_key(index.version), content)
    pointer = versions.Pointer(version=index.version, index_sha256=versions.sha256(content))
    store.put(versions.POINTER, versions.encode(pointer))


def withdraw(store: Store, version: str) -> None:
    """Remove a version, index first, as pruning does."""
    store.delete(versions.index_key(version))
    for entry in list(store.list(versions.prefix_of(version))):
        store.delete(entry.key)
