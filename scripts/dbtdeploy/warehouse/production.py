"""Where production's relations live, from its manifest."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct, field

from dbtdeploy.base import errors, json_codec
from dbtdeploy.warehouse.baselines import RelationName

RelationNames = dict[str, RelationName]
"""By unique id."""


class _Node(Struct, frozen=True, kw_only=True):
    name: str
    database: str | None = None
    schema: str | None = None
    alias: str | None = None
    relation_name: str | None = None


class _Manifest(Struct, frozen=True, kw_only=True):
    nodes: dict[str, _Node]
    functions: dict[str, _Node] = field(default_factory=dict)
    """From dbt 1.11 on; without relation names."""


def read_relations(manifest: Path) -> RelationNames:
    """The relation of each node of production's that has one, and the place of each function.

    Stricter than what the report reads: a build is only safe when production's place is known.

    Raises:
        StateCorrupt: the manifest cannot be read.
    """
    try:
        found = json_codec.decode(manifest.read_bytes(), _Manifest)
    except (OSError, msgspec.DecodeError) as cause:
        raise errors.StateCorrupt(
            f"Production's {manifest.name} cannot be read: {cause}",
            not_done="Nothing was built, and nothing was written to the warehouse.",
            remedy="Upload the artifacts of production's last successful run again.",
        ) from None
    return {
        unique_id: RelationName(
            database=node.database or "",
            schema=node.schema or "",
            identifier=node.alias or node.name,
        )
        for unique_id, node in (*found.nodes.items(), *found.functions.items())
        if node.relation_name or unique_id in found.functions
    }
