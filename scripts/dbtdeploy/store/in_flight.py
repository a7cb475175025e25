"""A release or rollback under way: ``release_in_flight.json`` in the store.

Warehouse and store cannot change in one transaction. This record stands from before the first
write to the warehouse until both agree again; who holds the lease and finds one asks the warehouse
how far it came, and finishes or undoes it (``recover_release.py``).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.base import versioned_json
from dbtdeploy.store.object_store import Store

KEY = "release_in_flight.json"

DAMAGED = (
    "Look into the table dbt_deploy.releases whether the newest release is live. If it is not, "
    "delete this object; if it is, bring it back from the bucket's own versioning."
)

InFlightPhase = Literal["staging", "swapping", "rolling-back"]
"""``staging``: production is untouched. ``swapping``: the version is written, and the swap may have
happened. ``rolling-back``: the take-back may have happened."""


class InFlight(Struct, frozen=True, kw_only=True):
    """``release_in_flight.json``."""

    what: Literal["release", "rollback"]
    release_id: str
    """Of a rollback, the newest release that it takes back."""
    tag: str
    phase: InFlightPhase
    environment: str
    project: str
    commit: str | None = None
    """What the tag names."""
    version: str | None = None
    """What becomes current once the warehouse has changed: the prepared version, or the one that a
    rollback goes back to."""
    index_sha256: str | None = None
    """Of that version's index."""
    from_version: str | None = None
    """Of a rollback, the version that was current."""
    reason: str | None = None
    """Of a rollback, for the hold."""
    ended: str | None = None
    """How its run ended by itself before the swap, as the title of its failure; None while it is at
    work, and where it was stopped."""
    by: str = ""
    run_url: str = ""
    started_at: str = ""
    layout: int = versioned_json.LAYOUT


def read(store: Store) -> InFlight | None:
    """What is under way, or was left by a run that was stopped; None where all is settled.

    Raises:
        StateCorrupt, StoreTooNew: see ``base/versioned_json.py``.
    """
    stored = store.get(KEY)
    if stored is None:
        return None
    return versioned_json.decode(stored.body, InFlight, source=store.address(KEY), remedy=DAMAGED)


def write(store: Store, record: InFlight) -> None:
    """Leave word; only who holds the lease does."""
    store.put(KEY, versioned_json.encode(record))


def end(store: Store, *, tag: str, commit: str | None, title: str) -> None:
    """Leave word that the run ended by itself, so that nobody takes it for one that was stopped.

    Args:
        store: the environment's; only who holds the lease writes.
        tag: of the release; the record of another one stays as it is.
        commit: what the tag names.
        title: of what ended it.
    """
    record = read(store)
    if record is None or record.phase != "staging":
        return
    if (record.tag, record.commit) == (tag, commit):
        write(store, replace(record, ended=title))


def forget(store: Store) -> None:
    """Warehouse and store agree."""
    store.delete(KEY)
