"""Which relations a build reads and does not write, from the project's manifest. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Manifest


class RelationRead(Struct, frozen=True, kw_only=True):
    """A relation by its place in the database of the connection."""

    schema: str
    name: str


def of(manifest: Manifest, built: Iterable[str]) -> tuple[RelationRead, ...]:
    """The sources and relations that the built nodes depend on, in order.

    Args:
        manifest: of the project as it is built.
        built: unique ids of what is built. An ephemeral model has no relation; what it depends on
            is read in its place.
    """
    inside = frozenset(built)
    seen: set[str] = set()
    found: set[tuple[str, str]] = set()
    waiting = list(inside)
    while waiting:
        node = manifest.find(waiting.pop())
        for parent in node.depends_on.nodes if node is not None else ():
            if parent is None or parent in seen or parent in inside:
                continue
            seen.add(parent)
            known = manifest.find(parent)
            if known is None:
                continue
            if known.materialized == "ephemeral":
                waiting.append(parent)
            elif known.schema:
                name = known.identifier or known.alias or known.name
                found.add((known.schema, name))
    return tuple(RelationRead(schema=schema, name=name) for schema, name in sorted(found))
