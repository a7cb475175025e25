"""What ``dbt ls`` printed -> the nodes that will be built. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from dbtdeploy.files import PlannedNode

BUILT = frozenset({"model", "seed", "snapshot", "test", "unit_test", "function"})
"""Of what ``dbt ls`` lists, what ``dbt build`` runs; sources and exposures are only listed."""


@dataclass(frozen=True, kw_only=True)
class _Config:
    materialized: str | None = None
    full_refresh: bool | None = None


@dataclass(frozen=True, kw_only=True)
class _Listed:
    unique_id: str
    resource_type: str
    name: str
    database: str | None = None
    schema: str | None = None
    alias: str | None = None
    relation_name: str | None = None
    original_file_path: str = ""
    config: _Config = field(default_factory=_Config)


def read_listing(lines: Iterable[str]) -> tuple[PlannedNode, ...]:
    """The nodes to build, in dbt's order.

    Lines that are no node are passed over: a project's own ``print()`` lands between them.
    """
    nodes: dict[str, PlannedNode] = {}
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
            listed = msgspec.json.decode(line, type=_Listed)
            if listed.resource_type in BUILT:
                nodes[listed.unique_id] = _planned(listed)
    return tuple(nodes.values())


def _planned(listed: _Listed) -> PlannedNode:
    return PlannedNode(
        unique_id=listed.unique_id,
        resource_type=listed.resource_type,
        name=listed.name,
        database=listed.database,
        schema=listed.schema,
        identifier=listed.alias or listed.name,
        relation_name=listed.relation_name,
        materialized=listed.config.materialized,
        full_refresh=listed.config.full_refresh,
        path=listed.original_file_path,
    )
