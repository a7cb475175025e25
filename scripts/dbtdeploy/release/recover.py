"""Making the store say what the warehouse holds, once a release's swap has happened or not."""

from __future__ import annotations

from collections.abc import Callable

from dbtdeploy.base import crash, errors, timestamps
from dbtdeploy.store import in_flight
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import publish, resume_publish, version_reader
from dbtdeploy.store.publication.move_pointer import move_pointer
from dbtdeploy.store.publication.resume_publish import Whole
from dbtdeploy.store.publication.versions import Index


def go_live(
    store: Store,
    record: InFlight,
    *,
    nonce: str,
    by: str,
    tell: Callable[[Index], object] = lambda _: None,
) -> Index | None:
    """Make the version of a release that is live current. Doing it twice is no error.

    Args:
        store: the environment's, fenced by us.
        record: of the release; its swap was committed.
        nonce: of the lease that we hold.
        by: who moves the pointer, a run's address or a person.
        tell: told of the version as soon as it is current; what follows may still fail.

    Returns:
        The version's index; None where another version has become current since, so that this one
        was given up.

    Raises:
        LeaseLost: somebody has taken the lease since.
        PublishingFailed: the version is not whole in the store.
    """
    found = _whole(store, record)
    pointer, _ = version_reader.read_current(store)
    current = pointer.version if pointer else None
    if current not in (found.index.version, found.index.previous):
        in_flight.forget(store)
        return None
    if current != found.index.version:
        crash.point("before-release-pointer")
        # From here on the next owner of the lease would move the pointer, too.
        lease.renew(store, nonce, publishing=found.index.version)
        crash.point("release-claimed")
        move_pointer(
            store,
            leaving=found.index.previous,
            to=found.index.version,
            index_sha256=found.sha256,
            nonce=nonce,
            by=by,
            at=timestamps.now(),
        )
    crash.point("after-release-pointer")
    tell(found.index)
    publish.copy_latest(store, found.artifacts, prove=lambda: lease.renew(store, nonce))
    crash.point("before-forgotten")
    in_flight.forget(store)
    lease.renew(store, nonce, done=True)
    return found.index


def undo(store: Store, record: InFlight) -> None:
    """Forget a release that is not live, and the version that waited for it."""
    if record.version is not None:
        publish.withdraw(store, record.version)
    crash.point("before-undone")
    in_flight.forget(store)


def _whole(store: Store, record: InFlight) -> Whole:
    version = record.version or ""
    found = resume_publish.whole(store, version) if version else "Its record names no version"
    if isinstance(found, Whole):
        return found
    raise errors.PublishingFailed(
        f"{record.tag} is live in the warehouse, and its version {version} cannot be published. "
        f"{found}.",
        not_done="The version before is still the current one, though production is the new one.",
        remedy=f"Bring the objects back from the bucket's own versioning. Or delete "
        f"{store.address(in_flight.KEY)}, let merges drive (`command: drive`), deploy the tagged "
        "commit with `build: all`, and let releases drive again.",
    )
