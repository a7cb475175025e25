"""Relations that no node has the place of any more: its node left the project, or moved. Pure.

dbt never drops them. What a table or view had is built again in the new place; an incremental
model or snapshot would start there from nothing, so its table has to be moved.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from dbtdeploy.artifacts.artifacts import Manifest, Node
from dbtdeploy.base import errors
from dbtdeploy.base.text import quoted
from dbtdeploy.context.release_files import ReleaseNode, RemovedNode, Spot
from dbtdeploy.release import release_nodes
from dbtdeploy.warehouse.release_macro_types import LiveProduction

STORED = frozenset({"model", "seed", "snapshot"})

EPHEMERAL = "ephemeral"


def gone(manifest: Manifest, production: Manifest | None) -> tuple[RemovedNode, ...]:
    """What the current version has and this commit no longer, or elsewhere, by the manifests.

    A node whose place another one took over is not gone for those who read it. What is in another
    database now is left out, because nobody can see it from here.
    """
    now = {unique_id: _spot(node) for unique_id, node in manifest.nodes.items()}
    taken = {spot for spot in now.values() if spot is not None}
    found = []
    for unique_id, node in (production.nodes if production else {}).items():
        spot, moved_to = _spot(node), now.get(unique_id)
        if spot is None or spot in taken:
            continue
        if moved_to is None or moved_to.database == spot.database:
            found.append(
                RemovedNode(
                    unique_id=unique_id,
                    resource_type=node.resource_type,
                    name=release_nodes.label(node),
                    production=spot,
                    moved_to=moved_to,
                )
            )
    return tuple(found)


def still_live(
    removed: tuple[RemovedNode, ...], look: LiveProduction | None
) -> tuple[RemovedNode, ...]:
    """Those that are there, with who reads them; all of them where nobody looked."""
    if look is None:
        return removed
    left = {one.spot: one for one in look.left}
    return tuple(
        replace(one, readers=left[one.production].readers)
        for one in removed
        if one.production in left
    )


def with_places(
    nodes: Iterable[ReleaseNode], removed: Iterable[RemovedNode]
) -> tuple[ReleaseNode, ...]:
    """The nodes, those that move with the place that they leave."""
    left = {one.unique_id: one.production for one in removed if one.moved_to is not None}
    return tuple(replace(node, moved_from=left.get(node.unique_id)) for node in nodes)


def refuse_lost_history(
    nodes: Iterable[ReleaseNode],
    look: LiveProduction | None,
    *,
    in_full: Collection[str] = (),
) -> None:
    """Refuse to build an incremental model or snapshot from nothing only because it moves.

    Args:
        nodes: what the release brings.
        look: production as it is; None where nobody looked.
        in_full: unique ids of what is to be built in full anyway.

    Raises:
        HistoryNotMoved: with the statements that move its table.
    """
    if look is None:
        return
    live = {one.spot for one in look.live}
    lost = [
        node
        for node in nodes
        if node.materialized in release_nodes.BUILDS_ON_ITSELF
        and node.moved_from is not None
        and node.production not in live
        and node.unique_id not in in_full
    ]
    if not lost:
        return
    moves = "\n".join(_move(node, node.moved_from) for node in lost if node.moved_from)
    raise errors.HistoryNotMoved(
        "The alias or schema of these changed, and dbt would build them from nothing there:\n"
        + "\n".join(f"- {node.name}" for node in lost),
        not_done="Nothing was built, and production is as it was.",
        remedy="Move each table, which keeps its rows, rights and triggers, while no build runs; "
        "then run the release again, and it goes on in it. The view serves those who still read "
        f"the old name:\n    begin;\n{moves}\n    commit;\n"
        "Or build a model in full: with the input `full-refresh`, or `full_refresh: true` in its "
        "config.",
    )


def _spot(node: Node) -> Spot | None:
    if node.resource_type not in STORED or node.materialized == EPHEMERAL:
        return None
    return release_nodes.spot(node)


def _move(node: ReleaseNode, old: Spot) -> str:
    new, moved = node.production, []
    schema, identifier = quoted(old.schema), quoted(old.identifier)
    if new.schema != old.schema:
        moved.append(f"alter table {schema}.{identifier} set schema {quoted(new.schema)};")
    if new.identifier != old.identifier:
        there = f"{quoted(new.schema)}.{identifier}"
        moved.append(f"alter table {there} rename to {quoted(new.identifier)};")
    now = f"{quoted(new.schema)}.{quoted(new.identifier)}"
    moved.append(f"create view {schema}.{identifier} as select * from {now};")  # noqa: S608
    return "\n".join(f"    {one}" for one in moved)
