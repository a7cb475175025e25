"""What dbt wrote after a build, held against what was approved before it. Pure.

Listing and building may each parse the project, and two parses may differ: a schema that is made of
the time, of a random number, or of what is in the warehouse. So the manifest that the build itself
wrote is what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from dbtdeploy.base import json_codec
from dbtdeploy.context.work_files import PlannedNode

NOT_BUILT = ("operation.", "exposure.", "saved_query.", "semantic_model.", "metric.", "source.")
"""What dbt reports on though it is no relation of its own: the project's hooks, which are in no
listing, and what is only listed (``NO-OP``)."""

SKIPPED = "skipped"


class _Node(Struct, frozen=True):
    database: str | None = None
    schema: str | None = None
    alias: str | None = None


class _Manifest(Struct, frozen=True):
    nodes: dict[str, _Node] = {}


def strayed(
    manifest: bytes | None, approved: Iterable[PlannedNode], statuses: Mapping[str, str] | None
) -> tuple[str, ...]:
    """What was built elsewhere than approved, or was not approved: one line each, with its names.

    Args:
        manifest: manifest.json as the build left it; None where it left none.
        approved: what was listed, and judged by its relations.
        statuses: of the build's results by node; None where they are not known, so that anything
            that was approved may have been built.
    """
    planned = {node.unique_id: node for node in approved}
    built = planned if statuses is None else [n for n, end in statuses.items() if end != SKIPPED]
    ids = [name for name in built if not name.startswith(NOT_BUILT)]
    unknown = [f"{name}: it was not approved" for name in ids if name not in planned]
    if manifest is None:
        return (*unknown, "dbt left no manifest.json") if statuses else tuple(unknown)
    try:
        nodes = json_codec.decode(manifest, _Manifest).nodes
    except msgspec.DecodeError:
        return (*unknown, "dbt left a manifest.json that cannot be read")
    elsewhere = (_elsewhere(planned[name], nodes.get(name)) for name in ids if name in planned)
    return (*unknown, *(line for line in elsewhere if line))


def _elsewhere(planned: PlannedNode, node: _Node | None) -> str | None:
    # Unit tests are no nodes of the manifest's, and an ephemeral model is no relation.
    if node is None or not planned.has_result:
        return None
    before = (planned.database, planned.schema, planned.identifier)
    after = (node.database, node.schema, node.alias or planned.name)
    if before == after:
        return None
    return f"{planned.unique_id}: {_name(after)} in place of {_name(before)}"


def _name(parts: tuple[str | None, ...]) -> str:
    return ".".join(part for part in parts if part)
