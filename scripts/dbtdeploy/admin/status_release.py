"""What an environment's status says of releases: where a rollback would lead, what is under way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from msgspec import Struct

from dbtdeploy.base import errors, timestamps
from dbtdeploy.store import in_flight, lineage
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication.versions import Index, Pointer

MOST_READ = 30
"""Versions that are looked through for the newest release: builds that followed it."""


class ReleaseStatus(Struct, frozen=True, kw_only=True):
    """One look at them."""

    newest: Index | None = None
    """The release that is live, itself or below later builds of its commit."""
    before: Index | None = None
    """What a rollback would go back to."""
    moved_back: Index | None = None
    """What the last rollback took back, if nothing was built since."""
    unsettled: InFlight | None = None
    problem: str | None = None
    """What is damaged."""


def read(store: Store, pointer: Pointer | None, current: Index | None) -> ReleaseStatus:
    """Look for the live release and what came before it; damage is told."""
    try:
        return _read(store, pointer, current)
    except errors.StateCorrupt as damage:
        return ReleaseStatus(problem=damage.what)


def rows(found: ReleaseStatus, now: datetime) -> Iterator[tuple[str, str, str]]:
    """Label, text and address of each line that people read."""
    if found.moved_back is not None:
        name = found.moved_back.tag or found.moved_back.version
        text = f"{name} was taken back; to go back further, name a version"
        yield "Rollback", text, found.moved_back.run_url
    elif found.newest is not None and found.before is not None:
        taken = found.newest.tag or found.newest.version
        since = timestamps.since(found.newest.created_at, now)
        text = f"would go back to {_named(found.before)}, and take back {taken}, live since {since}"
        yield "Rollback", text, ""
    if found.unsettled is not None:
        one = found.unsettled
        if one.ended:
            text = f"of {one.tag}, which did not go live ({one.ended}); the next run drops it"
            yield "Staging", text, one.run_url
            return
        begun = timestamps.since(one.started_at, now)
        text = f"a {one.what} of {one.tag} by {one.by}, begun {begun}; unless it is at work, "
        yield "In flight", f"{text}the next run finishes or undoes it", one.run_url


def _read(store: Store, pointer: Pointer | None, current: Index | None) -> ReleaseStatus:
    left = in_flight.read(store)
    if pointer is None or current is None:
        return ReleaseStatus(unsettled=left)
    look_up = lineage.reader(store)
    known = {current.version: current}

    def index(version: str) -> Index | None:
        return known.get(version) or look_up(version)

    chain = list(islice(lineage.walk(index, current.version), MOST_READ))
    numbers = [number for number in lineage.releases(chain) if number + 1 < len(chain)][:1]
    return ReleaseStatus(
        newest=chain[numbers[0]] if numbers else None,
        before=chain[numbers[0] + 1] if numbers else None,
        moved_back=_moved_back(index, pointer, current),
        unsettled=left,
    )


def _moved_back(read: lineage.Read, pointer: Pointer, current: Index) -> Index | None:
    last = read(pointer.history[0]) if pointer.history else None
    if last is None or last.version == current.version:
        return None
    above = islice(lineage.walk(read, last.previous), MOST_READ)
    return last if any(one.version == current.version for one in above) else None


def _named(index: Index) -> str:
    return f"{index.tag} (version {index.version})" if index.tag else f"version {index.version}"
