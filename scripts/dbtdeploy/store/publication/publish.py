"""Artifacts -> a version: objects first, then the index, then the pointer, then the plain copies.

What is killed on the way leaves the version before whole and current; the lease's record says which
version was being published, so that the next owner can finish it (see ``lease.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import crash, errors, settings, stored_records, timestamps
from dbtdeploy.store.object_store import ABSENT, Conflict, Store
from dbtdeploy.store.partial_parse import Packed
from dbtdeploy.store.publication import version_reader, versions
from dbtdeploy.store.publication.move_pointer import NOT_PUBLISHED, fenced, move_pointer
from dbtdeploy.store.publication.versions import Index, Pointer, StoredObject

Claim = Callable[[str], object]
"""Says in the lease which version is being published; raises LeaseLost if it is not ours."""

AT_ONCE = 4
"""Uploads side by side; there are at most seven."""

NAMES_TRIED = 100


class Extra(Struct, frozen=True, kw_only=True):
    """The saved parse: stored before the index, and listed there only if that went well."""

    packed: Packed
    missed: Callable[[errors.DbtDeployError], object]
    """Told why it is not in the version."""


class Published(Struct, frozen=True, kw_only=True):
    """What became current."""

    index: Index
    pointer: Pointer


def publish(
    store: Store,
    draft: Index,
    contents: Mapping[str, bytes],
    *,
    moment: datetime,
    nonce: str,
    by: str,
    claim: Claim,
    read_back: bool = False,
    parse: Extra | None = None,
) -> Published:
    """Make a new version of artifacts and make it the current one.

    Args:
        store: the environment's.
        draft: the index as far as it is known; version, objects and the like are filled in.
        contents: the artifacts by name, without secrets.
        moment: of publication.
        nonce: of the lease that this run holds.
        by: who moves the pointer, a run's address or a person.
        claim: see there.
        read_back: whether the store must first give back what was written.
        parse: a saved parse to store beside them.

    Raises:
        LeaseLost: somebody else has fenced this environment since; nothing became current.
        PublishingFailed: no name was free.
        StateCorrupt, StateVersionMissing: the store did not give it back.
    """
    index = prepare(store, draft, contents, moment=moment, nonce=nonce, claim=claim, parse=parse)
    if read_back:
        for name in index.objects:
            version_reader.read_object(store, index, name)
    crash.point("before-pointer")
    moved = move_pointer(
        store,
        leaving=index.previous,
        to=index.version,
        index_sha256=versions.sha256(versions.encode(index)),
        nonce=nonce,
        by=by,
        at=index.created_at,
    )
    crash.point("after-pointer")
    return Published(index=index, pointer=moved)


def prepare(
    store: Store,
    draft: Index,
    contents: Mapping[str, bytes],
    *,
    moment: datetime,
    nonce: str,
    claim: Claim,
    parse: Extra | None = None,
) -> Index:
    """Write a version that follows the current one, and leave the pointer where it is.

    Args:
        store: the environment's.
        draft: as for ``publish``.
        contents: the artifacts by name, without secrets.
        moment: of publication.
        nonce: of the lease that this run holds.
        claim: called before the first object. A claim makes the next owner of the lease publish
            what was begun; a release, which must not be current before its swap, only proves that
            the lease is its own.
        parse: a saved parse to store beside them.

    Raises:
        LeaseLost: somebody else has fenced this environment since.
        PublishingFailed: no name was free.
    """
    pointer = fenced(store, nonce)
    draft = stored_records.clean(draft, settings.redactor())
    draft = replace(draft, created_at=timestamps.written(moment), previous=pointer.version)
    crash.point("before-objects")

    def write(prefix: str) -> dict[str, StoredObject]:
        with ThreadPoolExecutor(1) as beside:
            extra = beside.submit(_write_extra, store, prefix, parse)
            return _write_objects(store, prefix, contents) | extra.result()

    return _new_version(store, draft, write, moment, claim)


def copy_latest(
    store: Store, contents: Mapping[str, bytes], *, prove: Callable[[], object]
) -> None:
    """Lay plain copies of dbt's artifacts at their stable keys, the manifest last.

    What the version does not have goes, so that no reader takes an older one for its.

    Args:
        store: the environment's.
        contents: the current version's artifacts by name; others than dbt's are passed over.
        prove: called before each write, raises LeaseLost if the lease is not ours. These keys bear
            no fence, and a late owner must not lay its copies over those of a newer version.
    """
    others = [name for name in artifact_check.ARTIFACTS if name != artifact_check.MANIFEST]
    for name in others:
        prove()
        if name in contents:
            store.put(versions.LATEST + name, contents[name])
            crash.point("between-latest")
        else:
            store.delete(versions.LATEST + name)
    if artifact_check.MANIFEST in contents:
        prove()
        store.put(versions.LATEST + artifact_check.MANIFEST, contents[artifact_check.MANIFEST])


def publish_failed(
    store: Store,
    draft: Index,
    contents: Mapping[str, bytes],
    *,
    moment: datetime,
    began: datetime | None = None,
) -> str:
    """Keep what a failed run left, for reading; it is never state.

    Args:
        store: the environment's.
        draft: the index as far as it is known.
        contents: the artifacts by name, without secrets.
        moment: of writing.
        began: when the run took the lease, which it is named by; ``moment`` if None.

    Returns:
        The key prefix that it lies under.
    """
    name = versions.failed_name(began or moment, draft.run_id, draft.run_attempt)
    prefix = f"{versions.FAILED}{name}/"
    objects = _write_objects(store, prefix, contents)
    index = replace(
        draft,
        version=name,
        kind=versions.FAILED_RUN,
        created_at=timestamps.written(moment),
        objects=objects,
    )
    store.put(prefix + versions.INDEX, versions.encode(index))
    return prefix


def withdraw(store: Store, version: str) -> None:
    """Remove a version that was written and never became current; its index goes first.

    Args:
        store: the environment's.
        version: its id.
    """
    stored = store.get(versions.index_key(version))
    if stored is None:
        return
    address = store.address(versions.index_key(version))
    try:
        index = versions.decode_index(stored.body, source=address)
    except errors.StateCorrupt:
        return  # prune removes what nobody can read
    store.delete(versions.index_key(version))
    for item in index.objects.values():
        store.delete(versions.object_key(version, item))


def forget_failed(store: Store, *, began: datetime, run_id: int, attempt: int) -> None:
    """Remove what a run wrote before its build, once it has succeeded."""
    name = versions.failed_name(began, run_id, attempt)
    store.delete(f"{versions.FAILED}{name}/{versions.INDEX}")


def _new_version(
    store: Store,
    draft: Index,
    write: Callable[[str], dict[str, StoredObject]],
    moment: datetime,
    claim: Claim,
) -> Index:
    """Let ``write`` make the objects, and index them, under the first name that nobody has."""
    for clash in range(1, NAMES_TRIED):
        version = versions.version_id(moment, draft.commit, clash=clash)
        if store.get(versions.index_key(version)) is not None:
            continue
        claim(version)
        try:
            objects = write(versions.prefix_of(version))
            index = replace(draft, version=version, objects=objects)
            crash.point("before-index")
            store.put(versions.index_key(version), versions.encode(index), only_if=ABSENT)
        except Conflict:
            continue
        return index
    raise errors.PublishingFailed(
        f"{NAMES_TRIED} versions of this second and commit are in {store.location}.",
        not_done=NOT_PUBLISHED,
        remedy="Run the deploy again.",
    )


def _write_objects(
    store: Store, prefix: str, contents: Mapping[str, bytes]
) -> dict[str, StoredObject]:
    """Upload side by side; all are done, or one failed, when this returns.

    Raises:
        Conflict: another object has the name of one of these.
    """

    def upload(name: str) -> StoredObject:
        item, stored = versions.pack(name, contents[name])
        _put_once(store, prefix + item.key, stored)
        crash.point("between-objects")
        return item

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(contents, pool.map(upload, contents), strict=True))


def _write_extra(store: Store, prefix: str, extra: Extra | None) -> dict[str, StoredObject]:
    """Upload what the version is whole without.

    Raises:
        Conflict: another object has its name.
    """
    if extra is None:
        return {}
    item = extra.packed.item
    try:
        _put_once(store, prefix + item.key, extra.packed.body)
    except errors.DbtDeployError as cause:
        extra.missed(cause)
        return {}
    return {versions.SAVED_PARSE: item}


def _put_once(store: Store, key: str, body: bytes) -> None:
    """Write an object that never changes; the same one may be there from a try before."""
    try:
        store.put(key, body, only_if=ABSENT, content_type="application/gzip")
    except Conflict:
        there = store.get(key)
        if there is None or there.body != body:
            raise
