"""What goes with a build and comes back after it: chosen, ordered, kept where a crash leaves it.

``kept.json`` in the store, beside ``lease.json``, holds it from before the build until all of it is
there again; only who holds the lease writes it. A run that finds one was preceded by one that was
killed, or could not make everything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from msgspec import Struct

from dbtdeploy.base import errors, versioned_json
from dbtdeploy.context.deploy_files import Dependent
from dbtdeploy.store.object_store import ABSENT, Conflict, Store
from dbtdeploy.warehouse.preflight import DependentObject, Preflight, leftovers, names_of

KEY = "kept.json"

DAMAGED = (
    "It holds the statements that make views again which an earlier run may have dropped. Run "
    "those that are still needed by hand, then delete it."
)

RelationKey = tuple[str, str]
"""Schema and name."""


class Earlier(Struct, frozen=True, kw_only=True):
    """``kept.json`` as it was found. ``etag`` is ABSENT where there was none."""

    dependents: tuple[Dependent, ...] = ()
    etag: str = ABSENT


class _StoredDependents(Struct, frozen=True, kw_only=True):
    dependents: tuple[Dependent, ...]
    layout: int = versioned_json.LAYOUT


def read_earlier(store: Store) -> Earlier:
    """What an earlier run kept and did not make again.

    Raises:
        StateCorrupt, StoreTooNew: see ``base/versioned_json.py``.
    """
    stored = store.get(KEY)
    if stored is None:
        return Earlier()
    kept = versioned_json.decode(
        stored.body, _StoredDependents, source=store.address(KEY), remedy=DAMAGED
    )
    return Earlier(dependents=kept.dependents, etag=stored.etag)


def write(store: Store, dependents: tuple[Dependent, ...], etag: str) -> str:
    """Keep these, or nothing more; gives the new ETag.

    Raises:
        LeaseLost: somebody else wrote it meanwhile, so this run works alone no longer.
    """
    if not dependents:
        if etag != ABSENT:
            store.delete(KEY)
        return ABSENT
    try:
        return store.put(
            KEY, versioned_json.encode(_StoredDependents(dependents=dependents)), only_if=etag
        )
    except Conflict:
        raise errors.LeaseLost(
            f"{store.address(KEY)} was changed by somebody else while this run worked.",
            not_done="Nothing was built.",
            remedy="Look who else deploys to this environment, then run this again.",
        ) from None


def chosen(
    look: Preflight, nodes: Mapping[RelationKey, str], *, removed: Mapping[RelationKey, str]
) -> tuple[Dependent, ...]:
    """What to keep, parents first.

    Args:
        look: what the warehouse answered; what is in the way has been refused.
        nodes: the project's nodes by place.
        removed: nodes of the last deploy that are in the project no longer.
    """
    names = names_of(look)
    back = {left.full_name: left.leftover_of or left.full_name for left in leftovers(look)}
    return tuple(
        Dependent(
            kind=found.kind,
            schema=found.schema,
            name=found.name,
            full_name=found.full_name,
            owner=found.owner,
            statements=tuple(_renamed(s, back) for s in found.statements),
            depends_on=tuple(sorted(names[key] for key in found.parents if key in names)),
            unique_id=nodes.get((found.schema, found.name)),
            there=found.there,
            ours=found.ours,
            removed=(found.schema, found.name) in removed,
        )
        for found in ordered(one for one in look.dependents if not one.pull_request)
    )


def still_missing(earlier: Iterable[Dependent], ends: Iterable[str]) -> tuple[Dependent, ...]:
    """What an earlier run kept, is missing, and could not be made again before this build."""
    pairs = zip(earlier, ends, strict=True)
    return tuple(dependent for dependent, end in pairs if end not in ("", MADE))


MADE = "made"
MISSING = "missing"
"""What the macro ``make_again`` says of one that is there now, or that has no statements."""


def ordered(dependents: Iterable[DependentObject]) -> list[DependentObject]:
    """Parents first."""
    by_key = {one.key: one for one in dependents}
    graph = {key: [p for p in one.parents if p in by_key] for key, one in by_key.items()}
    try:
        return [by_key[key] for key in TopologicalSorter(graph).static_order()]
    except CycleError:  # a function and a view that use each other, after CREATE OR REPLACE
        return list(by_key.values())


def _renamed(statement: str, back: Mapping[str, str]) -> str:
    """PostgreSQL names a relation as it is called now: the killed dbt had renamed it."""
    for now, before in back.items():
        statement = statement.replace(now, before)
    return statement
