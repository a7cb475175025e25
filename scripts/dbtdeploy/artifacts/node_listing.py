"""What ``dbt ls`` printed -> the nodes that will be built. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from dbtdeploy.base import errors, json_codec
from dbtdeploy.context.work_files import PlannedNode

BUILT = frozenset({"model", "seed", "snapshot", "test", "unit_test", "function"})
"""Of what ``dbt ls`` lists, what ``dbt build`` runs; sources and exposures are only listed."""

NODE = '"relation_name":'
"""A line with it is a node: dbt was asked for this key, and nobody prints it by chance."""

SCRUBBED = "*****"
"""What dbt prints for the values of DBT_ENV_SECRET_*, in the middle of JSON too. With such a hole
in the name of a schema the guard would compare the wrong one."""


class _Config(Struct, frozen=True, kw_only=True):
    materialized: str | None = None
    full_refresh: object = None
    """True or False, or whatever a config() made of it, which dbt takes as it comes."""


class _Listed(Struct, frozen=True, kw_only=True):
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

    Raises:
        DbtStopped: a line is a node and cannot be understood, so the guard could not see it.
    """
    nodes: dict[str, PlannedNode] = {}
    for line in lines:
        try:
            listed = json_codec.decode(line, _Listed)
        except msgspec.DecodeError:
            if NODE in line:
                raise _not_understood(line) from None
            continue
        if any(SCRUBBED in (text or "") for text in _decisive(listed)):
            raise _not_understood(line)
        if listed.resource_type in BUILT:
            nodes[listed.unique_id] = _planned(listed)
    return tuple(nodes.values())


def with_stored_failures(nodes: tuple[PlannedNode, ...]) -> tuple[PlannedNode, ...]:
    """The nodes, with the table that every test writes the rows it finds to."""
    return tuple(
        replace(node, relation_name=f"{node.schema}.{node.identifier or node.name}")
        if node.resource_type == "test" and not node.relation_name
        else node
        for node in nodes
    )


def _decisive(listed: _Listed) -> tuple[str | None, ...]:
    place = (listed.database, listed.schema, listed.alias)
    return (listed.unique_id, listed.resource_type, listed.name, *place)


def _not_understood(line: str) -> errors.DbtStopped:
    return errors.DbtStopped(
        f"dbt listed a node that cannot be understood:\n{line[:300]}",
        not_done="Nothing was built, and nothing was written to the warehouse.",
        remedy=f"If it holds {SCRUBBED}, the value of a variable DBT_ENV_SECRET_* is part of a "
        "name: give that variable a name without SECRET if it is none. Otherwise mend the node's "
        "config.",
    )


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
        full_refresh=bool(wish) if (wish := listed.config.full_refresh) is not None else None,
        path=listed.original_file_path,
    )
