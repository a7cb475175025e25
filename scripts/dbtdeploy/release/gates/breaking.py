"""What a release takes from those who read production: sentences, by the warehouse's columns. Pure.

The text of a model says little of it: a changed macro, a source or a package may retype a column
too. So staging's columns are held against production's, as the warehouse has both.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbtdeploy.artifacts.artifacts import Node, decoded
from dbtdeploy.context.release_files import Column, ReleaseNode
from dbtdeploy.warehouse.release_macro_types import MeasuredNode

SYNCING = frozenset({"append_new_columns", "sync_all_columns"})
"""Values of ``on_schema_change`` with which new columns get into an incremental table.
https://docs.getdbt.com/docs/build/incremental-models#what-if-the-columns-of-my-incremental-model-change"""

LOST = "rows that its sources no longer have are lost"


def by_definition(node: ReleaseNode, new: Node, old: Node | None) -> tuple[str, ...]:
    """What two manifests say before anything is built.

    Args:
        node: as the plan has it.
        new: its entry of the tagged commit.
        old: its entry of the current version; None where it is new.
    """
    if old is None or node.kind == "A":
        return ()
    found: list[str] = []
    if old.contract.enforced and not new.contract.enforced:
        found.append("its contract is no longer enforced")
    if old.materialized == "incremental" and new.materialized != "incremental":
        found.append(f"it is a {new.materialized} now and no longer incremental: {LOST}")
    if node.full_refresh and node.materialized != "seed":
        found.append(f"it is built in full: {LOST}")
    return tuple(found)


def by_columns(
    node: ReleaseNode, measured: MeasuredNode, new: Node, old: Node | None
) -> tuple[str, ...]:
    """What the columns of staging and production say, once both are there."""
    if not measured.columns_before:
        return ()
    after = {column.name: column for column in measured.columns_after}
    promised = _promised(old)
    return (
        *_lost(measured.columns_before, after, promised),
        *_left_out(node, measured, new, old),
    )


def _lost(
    before: tuple[Column, ...], after: dict[str, Column], promised: frozenset[str]
) -> Iterator[str]:
    for column in before:
        now = after.get(column.name)
        contract = ", which its contract promises" if column.name.lower() in promised else ""
        if now is None:
            yield f"column `{column.name}` is removed{contract}"
        elif now.type != column.type:
            yield f"column `{column.name}` becomes `{now.type}`, was `{column.type}`{contract}"


def _left_out(
    node: ReleaseNode, measured: MeasuredNode, new: Node, old: Node | None
) -> Iterator[str]:
    """Columns that a model newly declares and that its table does not get without a full refresh.

    What was declared before and is in neither table is a slip in the documentation.
    """
    if node.materialized != "incremental" or node.full_refresh:
        return
    if decoded(new.config.on_schema_change) in SYNCING:
        return
    there = {column.name.lower() for column in measured.columns_after}
    for name in sorted(_declared(new) - (_declared(old) if old else frozenset()) - there):
        yield f"column `{name}` is new and does not get into the table without a full refresh"


def _promised(old: Node | None) -> frozenset[str]:
    return _declared(old) if old is not None and old.contract.enforced else frozenset()


def _declared(node: Node) -> frozenset[str]:
    columns = decoded(node.columns)
    return frozenset(name.lower() for name in columns) if isinstance(columns, dict) else frozenset()
