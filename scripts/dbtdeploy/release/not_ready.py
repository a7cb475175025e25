"""What would stop a release after its build, found before it, with what ends it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbtdeploy.artifacts.artifacts import Manifest, Node, decoded
from dbtdeploy.base import errors, text
from dbtdeploy.context.release_files import NewSchema, ReleaseNode, ReleasePlan
from dbtdeploy.release import staging
from dbtdeploy.release.gates import losses
from dbtdeploy.warehouse.release_macro_types import LiveProduction, LiveRelation

ADDS = re.compile(r"\badd\s+constraint\s+(?:\"([^\"]+)\"|(\w+))", re.IGNORECASE)
"""A constraint whose name stands in the hook itself."""

ONLY_INSERTS = ("append",)

LISTED = 50

Obstacle = tuple[str, str]
"""What is told, and what to do."""


def refuse(plan: ReleasePlan, look: LiveProduction, manifest: Manifest) -> None:
    """Refuse a release that could not go live, or that nobody could read.

    Raises:
        NotReadyForRelease: names all that stops it, and what to do.
    """
    live = {one.unique_id: one for one in look.live}
    places = {node.unique_id: node.production for node in plan.staged}
    in_place = {one.unique_id for one in staging.baselines(plan, look, places)}
    found: list[Obstacle] = []
    for node in plan.staged:
        known = manifest.find(node.unique_id) or Node(name=node.name)
        if node.unique_id in in_place:
            found += _stopped(node, known, live[node.unique_id])
            found += _constrained(node, known, live[node.unique_id])
            if known.resource_type == "seed":
                found += _referenced(node, live[node.unique_id])
    found += _unused(plan, look, manifest)
    if not found:
        return
    raise errors.NotReadyForRelease(
        "This release could not go live as production is:\n"
        + text.bullets([said for said, _ in found], LISTED),
        not_done="Nothing was built, and production is as it was.",
        remedy="\n".join(dict.fromkeys(remedy for _, remedy in found)),
    )


def _stopped(node: ReleaseNode, known: Node, live: LiveRelation) -> Iterator[Obstacle]:
    """A publication of updates or deletes, and no replica identity: PostgreSQL refuses either."""
    if not live.publications or not _changes_rows(known):
        return
    names = ", ".join(live.publications)
    table = _table(node)
    yield (
        f"{node.name}: the publication {names} publishes updates or deletes of {table}, which has "
        "no replica identity, so PostgreSQL refuses both",
        f"Give the table a primary key, or run\n    ALTER TABLE {table} REPLICA IDENTITY FULL;",
    )


def _referenced(node: ReleaseNode, live: LiveRelation) -> Iterator[Obstacle]:
    """A seed is emptied by TRUNCATE, by dbt as by the swap, and PostgreSQL refuses that."""
    for key in live.referenced_by:
        yield (
            f"{node.name}: the foreign key {key} references the seed {_table(node)}, and "
            "PostgreSQL does not truncate such a table, neither for dbt nor for a release",
            "Drop the foreign key, or set `full_refresh: true` in the seed's config: it is then "
            "replaced.",
        )


def _changes_rows(known: Node) -> bool:
    if known.resource_type == "snapshot":
        return True
    strategy = decoded(known.config.incremental_strategy)
    keyed = bool(decoded(known.config.unique_key)) or strategy in ("merge", "microbatch")
    return keyed and strategy not in ONLY_INSERTS


def _constrained(node: ReleaseNode, known: Node, live: LiveRelation) -> Iterator[Obstacle]:
    """A hook that adds a constraint which production has not: a release repeats rows, not that."""
    for _, sql in known.hooks:
        for quoted, plain in ADDS.findall(sql):
            name = quoted or plain.lower()
            if name not in live.constraints:
                yield (
                    f"{node.name}: its hook adds the constraint {name}, which {_table(node)} has "
                    "not; the table is changed in place, and a release repeats no such change",
                    f"Add the constraint {name} to {_table(node)} by hand first, as the hook "
                    "would.",
                )


def _unused(plan: ReleasePlan, look: LiveProduction, manifest: Manifest) -> Iterator[Obstacle]:
    """Grants to roles that may not use the schema that the release makes for the relation."""
    makers = losses.makers(manifest)
    new = {one.name: one for one in look.new_schemas}
    missing: dict[str, set[str]] = {}
    for node in plan.staged:
        known = manifest.find(node.unique_id)
        schema = new.get(node.production.schema)
        # A hook may grant it, on the schema in staging.
        if known is None or schema is None or makers.at_end or known.hooks:
            continue
        missing.setdefault(schema.name, set()).update(_granted(known) - _users(schema, look.role))
    for name, roles in sorted(missing.items()):
        for role in sorted(roles):
            yield (
                f"{role} is granted relations in the schema {name}, which the release makes and "
                f"{role} may not use",
                f"Make the schema first, as {look.role}:\n"
                f"    CREATE SCHEMA {text.identifier(name)};\n"
                f"    GRANT USAGE ON SCHEMA {text.identifier(name)} TO {text.identifier(role)};",
            )


def _users(schema: NewSchema, role: str) -> set[str]:
    return {*schema.usable_by, role, "public"}


def _granted(known: Node) -> set[str]:
    grants = decoded(known.config.grants)
    named = grants.values() if isinstance(grants, dict) else ()
    lists = (one if isinstance(one, list) else [one] for one in named)
    return {str(role).strip('"') for one in lists for role in one if role}


def _table(node: ReleaseNode) -> str:
    place = node.production
    return f"{text.identifier(place.schema)}.{text.identifier(place.identifier)}"
