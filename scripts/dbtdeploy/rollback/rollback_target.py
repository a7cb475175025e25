"""What a rollback goes back to, and which releases it takes back for it. Pure.

Only releases can be taken back: they keep what they replace. So a version is reached by taking back
every release since, and what becomes current is the version that the oldest of them found.
"""

from __future__ import annotations

from msgspec import Struct

from dbtdeploy.base import errors, timestamps
from dbtdeploy.store import inventory, lineage
from dbtdeploy.store.inventory import Inventory
from dbtdeploy.store.publication.versions import Index

UNTOUCHED = "Nothing was changed, neither in the warehouse nor in the store."

LISTED = 10
"""States to go back to that a refusal names."""


class Target(Struct, frozen=True, kw_only=True):
    """What is live, what shall be, and what lies between."""

    leaving: Index
    to: Index
    releases: tuple[Index, ...] = ()
    """What is taken back, the newest first."""
    nothing: str = ""
    """Why there is nothing to take back; ``to`` is then what is live."""


def find(found: Inventory, asked: str | None) -> Target:
    """Decide what a rollback means.

    Args:
        found: what the store holds.
        asked: a version or a tag; the state before the newest live release if None.

    Raises:
        RollbackRefused: with what there is to go back to.
    """
    chain = tuple(lineage.walk(lineage.listed(found), found.pointer.version))
    if not chain:
        raise refused(found, "Nothing was released or deployed here yet.")
    if asked is None:
        return _before_the_newest(found, chain)
    wanted = [number for number, index in enumerate(chain) if asked in (index.version, index.tag)]
    if not wanted:
        raise refused(found, _unknown(found, chain, asked))
    number = wanted[0]
    taken = [began for began in lineage.releases(chain) if began < number]
    if taken:
        return _target(found, chain, taken)
    if number == 0 or asked == chain[number].tag:
        return _nothing(
            chain,
            f"{asked} is live already. `version` names what to go back to, and not what to take "
            "back.",
        )
    raise refused(
        found,
        f"No release went live since {asked}. Builds since then replaced tables in place, so "
        "nothing of it is kept.",
    )


def states(found: Inventory) -> tuple[Target, ...]:
    """Every state that the store can go back to, nearest first."""
    chain = tuple(lineage.walk(lineage.listed(found), found.pointer.version))
    began = lineage.releases(chain)
    return tuple(
        _target(found, chain, began[: count + 1])
        for count, number in enumerate(began)
        if number + 1 < len(chain)
    )


def refused(
    found: Inventory,
    what: str,
    *,
    reachable: tuple[Target, ...] | None = None,
) -> errors.RollbackRefused:
    """The failure of a rollback that cannot be, with what there is to go back to.

    Args:
        found: what the store holds.
        what: why not.
        reachable: what can be gone back to; what the store has if None.
    """
    ways = states(found) if reachable is None else reachable
    if not ways:
        return errors.RollbackRefused(
            what,
            not_done=UNTOUCHED,
            remedy="There is nothing to go back to. Revert the change on the main branch, and "
            "release or deploy it.",
        )
    lines = "\n".join(f"- {_named(way)}" for way in ways[:LISTED])
    return errors.RollbackRefused(
        what, not_done=UNTOUCHED, remedy=f"What can be gone back to, as `version`:\n{lines}"
    )


def _before_the_newest(found: Inventory, chain: tuple[Index, ...]) -> Target:
    before = lineage.was_moved_back(found)
    if before is not None:
        # A second click must not take back one release more than people look at.
        at = timestamps.for_people(found.pointer.moved_at)
        name = before.tag or before.version
        return _nothing(
            chain,
            f"{name} was rolled back already, at {at}. To go back further, name a `version`.",
        )
    taken = lineage.releases(chain)[:1]
    if not taken:
        raise refused(found, "No release is live here: nothing was kept that could be moved back.")
    return _target(found, chain, taken)


def _target(found: Inventory, chain: tuple[Index, ...], taken: list[int]) -> Target:
    oldest = taken[-1]
    if oldest + 1 >= len(chain):
        release = chain[oldest]
        name = release.tag or release.version
        raise refused(
            found,
            f"The version before {name}, {release.previous}, is not in the store any more: it was "
            "pruned."
            if release.previous
            else f"{name} was the first version of all: there is none before it.",
            reachable=tuple(way for way in states(found) if way.releases[-1] != release),
        )
    return Target(
        leaving=chain[0], to=chain[oldest + 1], releases=tuple(chain[number] for number in taken)
    )


def _nothing(chain: tuple[Index, ...], said: str) -> Target:
    return Target(leaving=chain[0], to=chain[0], nothing=said)


def _unknown(found: Inventory, chain: tuple[Index, ...], asked: str) -> str:
    """Why a version or tag is not among those that what is live came from."""
    for folder in found.versions:
        index = folder.index
        if index is None or asked not in (folder.name, index.tag):
            continue
        if found.state_of(folder) == inventory.UNPUBLISHED:
            return f"{asked} never went live."
        if chain[-1].previous is not None:
            return (
                f"{asked} cannot be reached: version "
                f"{chain[-1].previous}, which came after it, was pruned."
            )
        return (
            f"{asked} was taken back, or replaced before what is live now came from another "
            "version. To bring it live again, release its tag again."
        )
    return f"The store has no version or tag {asked}: it was never there, or was pruned."


def _named(way: Target) -> str:
    name = f"{way.to.tag} ({way.to.version})" if way.to.tag else way.to.version
    tags = ", ".join(one.tag or one.version for one in way.releases)
    until = timestamps.for_people(way.releases[-1].created_at)
    return f"{name}, live until {until}; takes back {tags}"
