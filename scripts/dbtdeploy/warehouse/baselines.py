"""Which incremental models and snapshots get production's rows before they are built. Pure.

Without them a pull request would test the first run of an incremental model, which production will
never see; what production will see is the run on its own rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from dbtdeploy.context.policies import Ci
from dbtdeploy.context.work_files import PlannedNode


class RelationName(Struct, frozen=True, kw_only=True):
    """A relation's three parts, unquoted."""

    database: str
    schema: str
    identifier: str


class BaselineJob(Struct, frozen=True, kw_only=True):
    """One entry of ``baselines`` of the macro ``prepare_schemas``."""

    unique_id: str
    database: str
    schema: str
    identifier: str
    with_rows: bool
    source: RelationName | None
    rows: int | None
    order_by: str | None


def baseline_jobs(
    nodes: Iterable[PlannedNode],
    production: Mapping[str, RelationName],
    policy: Ci,
    *,
    full_refresh: bool,
) -> list[BaselineJob]:
    """What to lay under the nodes that read their own rows.

    Args:
        nodes: what will be built.
        production: relation of each of production's nodes, by unique id.
        policy: how many rows.
        full_refresh: the input; such a run rebuilds models from nothing, so they get no rows. A
            model's own ``full_refresh`` config wins over it, as in dbt.
    """
    number = int(policy.baseline_rows) if policy.baseline_rows.isdecimal() else None
    return [
        BaselineJob(
            unique_id=node.unique_id,
            database=node.database or "",
            schema=node.schema or "",
            identifier=node.identifier or node.name,
            with_rows=policy.baseline_rows != "none",
            source=production.get(node.unique_id),
            rows=number,
            order_by=policy.baseline_order_by if number is not None else None,
        )
        for node in nodes
        if _reads_itself(node, full_refresh=full_refresh)
    ]


def _reads_itself(node: PlannedNode, *, full_refresh: bool) -> bool:
    if node.resource_type == "snapshot":
        return True
    if node.materialized != "incremental":
        return False
    rebuilt = node.full_refresh if node.full_refresh is not None else full_refresh
    return not rebuilt
