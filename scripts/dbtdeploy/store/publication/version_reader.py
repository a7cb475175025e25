"""Reading what an environment last published: the current version, or plain files.

A reader goes from the pointer to the index to the objects, and each proves the next by its digest.
Versions never change, so what is read is whole, or it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import errors
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Index, Pointer

RESTARTS = 3
"""How often the pointer may move under a reader whose version is pruned, before it gives up."""


def read_current(store: Store) -> tuple[Pointer | None, str | None]:
    """The pointer and its ETag; both None where there is none.

    Raises:
        StateCorrupt: ``current.json`` is not what its name says.
        StoreTooNew: a newer dbt-deploy wrote it.
    """
    stored = store.get(versions.POINTER)
    if stored is None:
        return None, None
    source = store.address(versions.POINTER)
    return versions.decode_pointer(stored.body, source=source), stored.etag


def read_index(store: Store, pointer: Pointer) -> Index:
    """The index of the version that a pointer names.

    Raises:
        StateVersionMissing: it is not there.
        StateCorrupt: it is not the one whose digest the pointer holds.
        StoreTooNew: a newer dbt-deploy wrote it.
    """
    if pointer.version is None:
        raise ValueError("the pointer names no version")
    key = versions.index_key(pointer.version)
    stored = store.get(key)
    if stored is None:
        raise _missing(store, pointer.version, key)
    if versions.sha256(stored.body) != pointer.index_sha256:
        said = f"has another SHA-256 than {versions.POINTER} says"
        raise versions.corrupt(store.address(key), said)
    index = versions.decode_index(stored.body, source=store.address(key))
    if index.version != pointer.version:
        raise versions.corrupt(store.address(key), f"is the index of {index.version}")
    return index


def read_object(store: Store, index: Index, name: str) -> bytes:
    """One artifact of a version, unpacked, its digests proven.

    Args:
        store: the environment's.
        index: the version's.
        name: of the artifact, one that the index lists.

    Raises:
        StateVersionMissing: it is not there.
        StateCorrupt: it is truncated or altered.
    """
    item = index.objects[name]
    key = versions.object_key(index.version, item)
    stored = store.get(key)
    if stored is None:
        raise _missing(store, index.version, key)
    return versions.unpack(item, stored.body, source=store.address(key))


def fetch(
    store: Store,
    destination: Path,
    *,
    restarts: int = RESTARTS,
    beside: Callable[[Index], None] = lambda _: None,
    enough: Callable[[Index], bool] = lambda _: False,
) -> artifact_check.Fetched:
    """Bring the current version's artifacts, or where none was published yet, plain files.

    Args:
        store: the environment's.
        destination: an existing folder; artifacts appear in it whole and proven, or not at all.
        restarts: how often to begin again when the version is pruned while it is read.
        beside: called with the version's index while its artifacts come, in a thread of its own;
            raises nothing.
        enough: whether the index says all that is to be known; then nothing is brought.

    Returns:
        What came; without ``manifest.json`` among it there is no state yet. Of plain files, one
        beside the manifest that the store refuses counts as ``denied``: to a role without
        s3:ListBucket a missing one looks the same.

    Raises:
        StateVersionMissing: the pointer names a version that is not there, or not all of it.
        StateCorrupt: something is truncated, altered, or not what its name says.
        StoreTooNew: a newer dbt-deploy wrote the store.
        StateAccessDenied and others: see ``s3_client.py``.
    """
    pointer, _ = read_current(store)
    if pointer is None or pointer.version is None:
        return _fetch_plain(store, destination)
    try:
        return _fetch_version(store, pointer, destination, beside, enough)
    except errors.StateVersionMissing:
        now, _ = read_current(store)
        if now is None or now.version == pointer.version or not restarts:
            raise
        return fetch(store, destination, restarts=restarts - 1, beside=beside, enough=enough)


def _fetch_version(
    store: Store,
    pointer: Pointer,
    destination: Path,
    beside: Callable[[Index], None],
    enough: Callable[[Index], bool],
) -> artifact_check.Fetched:
    index = read_index(store, pointer)
    if enough(index):
        return artifact_check.Fetched(names=(), version=index.version)
    if artifact_check.MANIFEST not in index.objects:
        source = store.address(versions.index_key(index.version))
        raise versions.corrupt(source, f"lists no {artifact_check.MANIFEST}")
    names = tuple(name for name in artifact_check.ARTIFACTS if name in index.objects)
    with ThreadPoolExecutor(len(names) + 1) as pool:
        extra = pool.submit(beside, index)
        contents = list(pool.map(lambda name: read_object(store, index, name), names))
    extra.result()
    for name, content in zip(names, contents, strict=True):
        (destination / name).write_bytes(content)
    return artifact_check.Fetched(
        names=names,
        version=index.version,
        commit=index.commit,
        tag=index.tag,
        release_id=index.release_id,
        built_with=index.built_with,
        keys={name: versions.object_key(index.version, index.objects[name]) for name in names},
    )


def read_plain(store: Store) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The artifacts that lie directly in the store, and the names of those that it refuses.

    Raises:
        StateAccessDenied: something is refused, and no manifest is there.
    """
    with ThreadPoolExecutor(len(artifact_check.ARTIFACTS)) as pool:
        contents = list(pool.map(lambda name: _read_plain(store, name), artifact_check.ARTIFACTS))
    found = dict(zip(artifact_check.ARTIFACTS, contents, strict=True))
    refused = {n: c for n, c in found.items() if isinstance(c, errors.StateAccessDenied)}
    whole = {name: c for name, c in found.items() if isinstance(c, bytes)}
    if refused and artifact_check.MANIFEST not in whole:
        raise next(iter(refused.values()))
    return whole, tuple(refused)


def _fetch_plain(store: Store, destination: Path) -> artifact_check.Fetched:
    whole, denied = read_plain(store)
    for name, content in whole.items():
        (destination / name).write_bytes(content)
    return artifact_check.Fetched(names=tuple(whole), denied=denied)


def _read_plain(store: Store, name: str) -> bytes | errors.StateAccessDenied | None:
    try:
        stored = store.get(name)
    except errors.StateAccessDenied as refused:
        return refused
    return stored.body if stored else None


def _missing(store: Store, version: str, key: str) -> errors.StateVersionMissing:
    return errors.StateVersionMissing(
        f"{store.address(versions.POINTER)} names version {version}, and {store.address(key)} is "
        "not there.",
        not_done="Nothing was used in its place, and this was not taken for a first run.",
        remedy="Run a deploy of everything (`build: all`), which publishes a new version, or bring "
        "the object back from the bucket's own versioning or a backup. See that no rule of the "
        "bucket's lifecycle removes objects under `versions/`.",
    )
