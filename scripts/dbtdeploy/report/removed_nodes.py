"""What production has and this project would no longer build. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from dbtdeploy.artifacts.artifacts import Manifest, Node, decoded
from dbtdeploy.base import json_codec
from dbtdeploy.report import node_report
from dbtdeploy.report.report import Removed

KINDS = frozenset({"model", "seed", "snapshot"})

BY_TARGET = re.compile(r"\benabled\s*=\s*(?!\s*(?:true|false)\b)", re.IGNORECASE)
"""In a file's own ``config()``: not a plain yes or no."""

Where = tuple[object, ...]


def removed(current: Manifest | None, state: Manifest | None) -> tuple[Removed, ...]:
    """Relations of production that this project would no longer build.

    A new node of the same kind with the very same file is taken for its new name. What another node
    builds under the same name lives on, and what only this target disables is production's still.
    """
    if current is None or state is None:
        return ()
    shared = node_report.shared_names(current, state)
    born = {
        (node.resource_type, str(node.checksum)): node.name
        for unique_id, node in current.nodes.items()
        if unique_id not in state.nodes and node_report.has_digest(node)
    }
    built = {place for node in current.nodes.values() for place in _places(node)}
    return tuple(
        Removed(
            unique_id=unique_id,
            resource_type=node.resource_type,
            name=node_report.qualified(node, shared),
            relation=node.relation_name,
            disabled=unique_id in current.disabled,
            renamed_to=born.get((node.resource_type, str(node.checksum)))
            if node_report.has_digest(node)
            else None,
        )
        for unique_id, node in sorted(state.nodes.items())
        if unique_id not in current.nodes
        and node.resource_type in KINDS
        and node.materialized != "ephemeral"
        and built.isdisjoint(_places(node))
        and not _is_disabled_by_target(current.disabled.get(unique_id))
    )


def _places(node: Node) -> Iterable[Where]:
    """Where a node is built: by its relation, and by what would name it in any target."""
    if node.resource_type not in KINDS or node.materialized == "ephemeral":
        return ()
    config = decoded(node.unrendered_config)
    said = config if isinstance(config, dict) else {}
    named: Where = (node.alias or node.name, str(said.get("schema")), str(said.get("database")))
    return ((node.relation_name,), named) if node.relation_name else (named,)


def _is_disabled_by_target(raw: msgspec.Raw | None) -> bool:
    """Whether what disables a node is an expression, such as ``target.name == 'prod'``."""
    if raw is None:
        return False
    # dbt lists all that bear the id.
    for node in json_codec.decode(raw, list[Node]):
        config = decoded(node.unrendered_config)
        enabled = config.get("enabled") if isinstance(config, dict) else None
        if isinstance(enabled, str) and "{{" in enabled:
            return True
        if BY_TARGET.search(node.raw_code or ""):
            return True
    return False
