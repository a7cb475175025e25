"""Which relations a run reads and does not write, from the project's manifest. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Manifest


class RelationRead(Struct, frozen=True, kw_only=True):
    """A relation by its place in the database of the connection."""

    schema: str
    name: str


def of(
    manifest: Manifest,
    built: Iterable[str],
    *,
    readers: Iterable[str] = (),
    asked: Iterable[str] = (),
) -> tuple[RelationRead, ...]:
    """The sources and relations that these nodes depend on, in order.

    Args:
        manifest: of the project as it is built.
        built: unique ids of what is built. An ephemeral model has no relation; what it depends on
            is read in its place.
        readers: unique ids of what is run or compiled and not built.
        asked: unique ids of what is read itself.
    """
    inside = frozenset(built)
    seen: set[str] = set()
    found: set[tuple[str, str]] = set()
    waiting = [*asked]
    for reader in inside.union(readers):
        waiting += _parents(manifest, reader)
    while waiting:
        parent = waiting.pop()
        if parent in seen or parent in inside:
            continue
        seen.add(parent)
        known = manifest.find(parent)
        if known is None:
            continue
        if known.materialized == "ephemeral":
            waiting += _parents(manifest, parent)
        elif known.schema:
            name = known.identifier or known.alias or known.name
            found.add((known.schema, name))
    return tuple(RelationRead(schema=schema, name=name) for schema, name in sorted(found))


def _parents(manifest: Manifest, unique_id: str) -> list[str]:
    node = manifest.find(unique_id)
    return [parent for parent in node.depends_on.nodes if parent] if node else []
