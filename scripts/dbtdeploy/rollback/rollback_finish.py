"""The store's part of a rollback, once the warehouse has done its own; finishing a killed one.

The order is: the record that a rollback is under way, the warehouse's one transaction, the hold,
what is to be built again, the pointer, the plain copies, the record away. All that the store needs
is derived from the record and the pointer, so a later run finishes it in the same way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from msgspec.structs import replace

from dbtdeploy.artifacts.artifact_check import ARTIFACTS
from dbtdeploy.base import crash, errors, timestamps
from dbtdeploy.context.deploy_files import STATIC_DOCS
from dbtdeploy.rollback import rollback_plan, rollback_records
from dbtdeploy.store import environment_settings, in_flight, lineage
from dbtdeploy.store.environment_settings import EnvironmentSettings, Hold
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import publish, version_reader, versions
from dbtdeploy.store.publication.move_pointer import NOT_MOVED_BACK, move_pointer
from dbtdeploy.store.publication.versions import Index
from dbtdeploy.warehouse.release_macro_types import ReleaseState

EVENT = "rollback"
"""Of the record that names what is to be built again; ``status`` tells it from a failed deploy."""

HTML = "text/html; charset=utf-8"


def finish_rollback(
    store: Store, record: InFlight, *, state: Callable[[], ReleaseState], nonce: str, by: str
) -> str:
    """Finish a rollback whose run was stopped, or forget it if it never happened.

    Args:
        store: the environment's, fenced by us.
        record: what that run left.
        state: asks the warehouse what became of the release, and keeps that run from still
            changing it; called only if the release moved relations.
        nonce: of the lease that we hold.
        by: who moves the pointer, our run's address or a person.

    Returns:
        What was found and done, a sentence or two.

    Raises:
        LeaseLost: somebody has taken the lease since.
    """
    began = f"A run was stopped while it rolled back {record.tag}."
    if record.release_id and state() != "taken back":
        in_flight.forget(store)
        return f"{began} Nothing had happened yet: {record.tag} is live, whole."
    complete(store, record, nonce=nonce, by=by)
    return (
        f"{began} The warehouse had done its part; now the store has too: version "
        f"{record.version} is current, and the environment is on hold."
    )


def complete(store: Store, record: InFlight, *, nonce: str, by: str) -> str:
    """Let the store say what the warehouse holds. Doing it twice is no error.

    Args:
        store: the environment's, fenced by us.
        record: of the rollback.
        nonce: of the lease that we hold.
        by: who moves the pointer, a run's address or a person.

    Returns:
        The hold's reason.

    Raises:
        LeaseLost: somebody has taken the lease since.
        StateCorrupt, StateVersionMissing: what is gone back to is not whole in the store.
    """
    to = record.version or ""
    pointer, _ = version_reader.read_current(store)
    leaving = pointer.version if pointer else None
    target = _index(store, to)
    hold = _hold(record, target)
    if leaving is not None and leaving != to:
        environment_settings.change(store, lambda there: _held(there, hold))
        crash.point("rollback-held")
        _say_what_to_build(store, record, leaving, target)
        crash.point("rollback-noted")
        move_pointer(
            store,
            leaving=leaving,
            to=to,
            index_sha256=record.index_sha256 or "",
            nonce=nonce,
            by=by,
            at=timestamps.now(),
            not_done=NOT_MOVED_BACK,
        )
        crash.point("rollback-pointer")
    _copy(store, target, nonce)
    crash.point("rollback-copied")
    in_flight.forget(store)
    return hold.reason


def _index(store: Store, version: str) -> Index:
    index = lineage.reader(store)(version)
    if index is None:
        raise errors.StateVersionMissing(
            f"Version {version}, which a rollback goes back to, is not in {store.location}.",
            not_done="The warehouse is rolled back; the store still names the version before.",
            remedy="Bring the version's objects back from the bucket's own versioning, then run "
            "the rollback again.",
        )
    return index


def _hold(record: InFlight, to: Index) -> Hold:
    name = f"{to.tag} ({to.version})" if to.tag else f"version {to.version}"
    why = f": {record.reason}" if record.reason else ""
    return Hold(
        reason=f"rolled back from {record.tag} to {name}{why}",
        by=record.by,
        since=record.started_at or timestamps.now(),
        run_url=record.run_url,
    )


def _held(there: EnvironmentSettings, hold: Hold) -> EnvironmentSettings:
    earlier = there.hold
    if earlier is None:
        return replace(there, hold=hold)
    if earlier.reason.startswith(hold.reason):
        return there
    # Lifting the new hold lifts the earlier one too, so that its reason must not be lost.
    reason = f"{hold.reason} (on hold before, by {earlier.by}: {earlier.reason})"
    return replace(there, hold=replace(hold, reason=reason))


def _say_what_to_build(store: Store, record: InFlight, leaving: str, to: Index) -> None:
    """Leave word as a failed run would, which ``build: modified`` and releases read."""
    chain = lineage.walk(lineage.reader(store), leaving)
    since = list(itertools.takewhile(lambda index: index.version != to.version, chain))
    known = [rollback_records.read(store, one) for one in since if lineage.is_release(one)]
    ids = rollback_plan.to_build_again(store, since[0], to, known) if since else ()
    began = timestamps.parse(record.started_at)
    if not ids or began is None:
        return
    draft = Index(
        version="",
        environment=record.environment,
        project=record.project,
        kind=versions.FAILED_RUN,
        created_at="",
        objects={},
        commit=to.commit,
        created_by=record.by,
        event=EVENT,
        run_url=record.run_url,
        previous=to.version,
        problem=f"{record.tag} was rolled back; {len(ids):,} nodes wait to be built again",
        unsettled=ids,
    )
    publish.publish_failed(store, draft, {}, moment=began)


def _copy(store: Store, to: Index, nonce: str) -> None:
    """The plain copies and the documentation of what is current now."""

    def prove() -> None:
        lease.renew(store, nonce)

    wanted = [name for name in (*ARTIFACTS, STATIC_DOCS) if name in to.objects]
    contents = {name: version_reader.read_object(store, to, name) for name in wanted}
    publish.copy_latest(store, contents, prove=prove)
    if STATIC_DOCS in contents and any(store.list(versions.DOCS)):
        # Where documentation goes elsewhere (`docs-location`), the next deploy brings it.
        prove()
        store.put(versions.DOCS, contents[STATIC_DOCS], content_type=HTML)
