"""Finishing what a killed publisher left: the next owner of the lease finds out how far it came.

The lease's record names the version that was being published, from before its first object until
the plain copies are whole. Objects and index are written before the pointer moves, so a version
with its index and every object in it is a build that succeeded.
"""

from __future__ import annotations

from msgspec import Struct

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import crash, errors, timestamps
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import fencing, publish, version_reader, versions
from dbtdeploy.store.publication.move_pointer import move_pointer
from dbtdeploy.store.publication.versions import Index


class Resumed(Struct, frozen=True, kw_only=True):
    """What was found. ``version`` is current and whole now; None where it was given up."""

    version: str | None
    said: str


class Whole(Struct, frozen=True, kw_only=True):
    """A version that is wholly in the store."""

    index: Index
    sha256: str
    """Of the index as it is stored."""
    artifacts: dict[str, bytes]
    """dbt's, by name."""


def begin(store: Store, nonce: str, *, by: str) -> Resumed | None:
    """What a new owner of the lease does first: fence earlier ones, finish what they left.

    Args:
        store: the environment's.
        nonce: of the lease that we just took.
        by: who moves the pointer if it must, our run's address or a person.

    Raises:
        LeaseLost: somebody has taken the lease since.
    """
    fencing.fence(store, nonce)
    crash.point("fenced")
    return resume(store, nonce, lease.renew(store, nonce).publishing, by=by)


def resume(store: Store, nonce: str, publishing: str | None, *, by: str) -> Resumed | None:
    """Finish the publication that an earlier owner began, or give it up.

    Args:
        store: the environment's, already fenced by us.
        nonce: of the lease that we hold.
        publishing: the version that the lease's record names.
        by: who moves the pointer, our run's address or a person.

    Returns:
        What was done; None where no publication was under way.

    Raises:
        LeaseLost: somebody has taken the lease since.
    """
    if publishing is None:
        return None
    pointer, _ = version_reader.read_current(store)
    was_current = pointer is not None and pointer.version == publishing
    found = whole(store, publishing)
    version = None
    if isinstance(found, str):
        said = f"{found}. " + ("It is current." if was_current else "It was given up.")
    elif was_current:
        said, version = "It is current; its plain copies are whole now.", publishing
    elif pointer is None or pointer.version != found.index.previous:
        said = "Another version is current by now. It was given up."
    else:
        move_pointer(
            store,
            leaving=found.index.previous,
            to=found.index.version,
            index_sha256=found.sha256,
            nonce=nonce,
            by=by,
            at=timestamps.now(),
        )
        crash.point("finished-pointer")
        said, version = "It was whole, and is current now.", publishing
    if version is not None and not isinstance(found, str):
        publish.copy_latest(store, found.artifacts, prove=lambda: lease.renew(store, nonce))
    lease.renew(store, nonce, done=True)
    said = f"A run was stopped while it published version {publishing}. {said}"
    return Resumed(version=version, said=said)


def whole(store: Store, version: str) -> Whole | str:
    """The version, every object of it proven that it needs; or what is wrong with it."""
    key = versions.index_key(version)
    stored = store.get(key)
    if stored is None:
        return "Its index was not written"
    try:
        index = versions.decode_index(stored.body, source=store.address(key))
        needed = index.objects.keys() - versions.EXTRAS
        contents = {name: version_reader.read_object(store, index, name) for name in needed}
    except (errors.StateCorrupt, errors.StateVersionMissing) as damage:
        return damage.what.rstrip(".")
    if index.version != version:
        return f"{store.address(key)} is the index of {index.version}"
    copied = {name: contents[name] for name in artifact_check.ARTIFACTS if name in contents}
    return Whole(index=index, sha256=versions.sha256(stored.body), artifacts=copied)
