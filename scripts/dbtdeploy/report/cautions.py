"""What dbt itself does not say of a build: each sentence as a type, with the facts that it claims.

The templates in ``templates/report/cautions.md.j2`` only spell them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from msgspec import Struct

from dbtdeploy.artifacts import state_diff
from dbtdeploy.artifacts.artifacts import Manifest, Node, Result, decoded
from dbtdeploy.artifacts.node_status import GOOD, outcome


class ProductionFunction(
    Struct, frozen=True, kw_only=True, tag_field="kind", tag="production_function"
):
    """A node was built with production's function, though its own was made (dbt-core#15301)."""

    node: str
    function: str


class NewRowsOnly(Struct, frozen=True, kw_only=True, tag_field="kind", tag="new_rows_only"):
    """The code of an incremental model changed; the rows that are there stay as they are."""

    node: str


class HookElsewhere(Struct, frozen=True, kw_only=True, tag_field="kind", tag="hook_elsewhere"):
    """A hook that ran names a schema of production's."""

    hook: str
    """``pre-hook``, ``post-hook`` of ``node``, or ``on-run-start``, ``on-run-end``."""
    node: str | None
    schema: str


class SourceInOwnSchema(
    Struct, frozen=True, kw_only=True, tag_field="kind", tag="source_in_own_schema"
):
    """A source that was read lies in the pull request's own schema, where nothing loads it."""

    source: str
    schema: str
    production_schema: str | None


class NotInOwnSchema(Struct, frozen=True, kw_only=True, tag_field="kind", tag="not_in_own_schema"):
    """A node failed because it looked in the pull request's schema for what only production has."""

    node: str
    relation: str
    production_relation: str


class ContractChanged(Struct, frozen=True, kw_only=True, tag_field="kind", tag="contract_changed"):
    """An enforced contract that production has no longer holds."""

    node: str
    enforced: bool
    removed: tuple[str, ...]
    retyped: tuple[tuple[str, str, str], ...]
    """Column, its type in production, its type here."""


Caution: TypeAlias = (
    ProductionFunction
    | NewRowsOnly
    | HookElsewhere
    | SourceInOwnSchema
    | NotInOwnSchema
    | ContractChanged
)


CODE = frozenset({state_diff.BODY, state_diff.MACROS})
"""Reasons for which the same rows would be built otherwise."""


class Facts(Struct, frozen=True, kw_only=True):
    """What one build of a pull request left."""

    schema: str
    """The pull request's; every schema of its own begins with it."""
    full_refresh: bool
    manifest: Manifest
    production: Manifest
    reasons: state_diff.Reasons
    results: Mapping[str, Result]

    def own(self, schema: str | None) -> bool:
        """Whether a schema is the pull request's."""
        return bool(self.schema) and (schema or "").lower().startswith(self.schema.lower())

    def built(self) -> Iterator[tuple[str, Node, Result]]:
        """What has a result and stands in the manifest, in the order of names."""
        for unique_id, result in sorted(self.results.items()):
            node = self.manifest.find(unique_id)
            if node is not None:
                yield unique_id, node, result


def of(facts: Facts) -> tuple[Caution, ...]:
    """Every caution that this build gives cause for."""
    return (
        *_production_functions(facts),
        *_sources_in_own_schema(facts),
        *_not_in_own_schema(facts),
        *_contracts(facts),
        *_new_rows_only(facts),
        *_hooks(facts),
    )


def _production_functions(facts: Facts) -> Iterator[ProductionFunction]:
    """By what dbt compiled: the name of production's function stands in it."""
    for _, node, result in facts.built():
        compiled = decoded(result.compiled_code)
        if node.resource_type == "function" or not isinstance(compiled, str):
            continue
        for read in node.depends_on.nodes:
            theirs = facts.production.functions.get(read or "")
            if theirs is None or not theirs.relation_name or read not in facts.results:
                continue
            if theirs.relation_name in compiled:
                yield ProductionFunction(node=node.name, function=theirs.name)


def _new_rows_only(facts: Facts) -> Iterator[NewRowsOnly]:
    for unique_id, node, result in facts.built():
        before = facts.production.nodes.get(unique_id)
        if (
            before is not None
            and node.materialized == before.materialized == "incremental"
            and not facts.full_refresh
            and outcome(result) in GOOD
            and CODE & set(facts.reasons.of(unique_id))
        ):
            yield NewRowsOnly(node=node.name)


KINDS = ("pre-hook", "post-hook")
"""In the order in which they run."""


def _hooks(facts: Facts) -> Iterator[HookElsewhere]:
    names = {node.schema for node in facts.production.nodes.values() if node.schema}
    others = sorted(name for name in names if not facts.own(name))
    if not others:
        return
    one_of = "|".join(map(re.escape, others))
    named = re.compile(rf"(?<![\w.])[\"`\[]?({one_of})[\"`\]]?\s*\.", re.IGNORECASE)
    for _, node, result in facts.built():
        if node.resource_type == "operation" or outcome(result) == "skipped":
            continue
        found = {(hook, schema) for hook, sql in node.hooks for schema in named.findall(sql)}
        for hook, schema in sorted(found, key=lambda one: (KINDS.index(one[0]), one[1])):
            yield HookElsewhere(hook=hook, node=node.name, schema=schema)
    for node in facts.manifest.nodes.values():
        if node.resource_type == "operation" and facts.results:
            hook = "on-run-end" if "on-run-end" in node.name else "on-run-start"
            for schema in sorted(set(named.findall(node.raw_code or ""))):
                yield HookElsewhere(hook=hook, node=None, schema=schema)


def _sources_in_own_schema(facts: Facts) -> Iterator[SourceInOwnSchema]:
    read = {name for _, node, _ in facts.built() for name in node.depends_on.nodes}
    # A project may load its sources by seeds of its own.
    made = {node.relation_name for node in facts.manifest.nodes.values() if node.relation_name}
    for unique_id, source in sorted(facts.manifest.sources.items()):
        loaded = source.relation_name in made
        if unique_id in read and facts.own(source.schema) and not loaded:
            before = facts.production.sources.get(unique_id)
            yield SourceInOwnSchema(
                source=f"{source.source_name}.{source.name}",
                schema=source.schema or "",
                production_schema=before.schema if before else None,
            )


MISSING = re.compile(
    r"relation \"(?P<postgres>[^\"]+)\" does not exist|Object '(?P<snowflake>[^']+)' does not exist"
)
"""How a warehouse says that a name leads nowhere."""


def _not_in_own_schema(facts: Facts) -> Iterator[NotInOwnSchema]:
    relations = _relations(facts.production)
    for _, node, result in facts.built():
        found = MISSING.search(result.message or "")
        parts = (found["postgres"] or found["snowflake"]).split(".") if found else []
        if len(parts) < 2 or not facts.own(parts[-2]):  # noqa: PLR2004  schema and name
            continue
        there = relations.get(parts[-1].lower())
        if there is not None:
            yield NotInOwnSchema(
                node=node.name, relation=".".join(parts), production_relation=there
            )


def _relations(manifest: Manifest) -> dict[str, str]:
    """Production's relations by name, where a name is one relation's only."""
    found: dict[str, set[str]] = {}
    for node in manifest.nodes.values():
        if node.relation_name and node.alias:
            found.setdefault(node.alias.lower(), set()).add(node.relation_name)
    return {name: min(relations) for name, relations in found.items() if len(relations) == 1}


def _contracts(facts: Facts) -> Iterator[ContractChanged]:
    for unique_id, node, _ in facts.built():
        before = facts.production.nodes.get(unique_id)
        if before is None or not before.contract.enforced:
            continue
        was, now = _types(before), _types(node)
        removed = tuple(name for name in was if name not in now)
        retyped = tuple(
            (name, was[name], now[name])
            for name in was
            if name in now and was[name].lower() != now[name].lower()
        )
        if removed or retyped or not node.contract.enforced:
            yield ContractChanged(
                node=node.name,
                enforced=node.contract.enforced,
                removed=removed,
                retyped=retyped,
            )


def _types(node: Node) -> dict[str, str]:
    """The declared type of each column."""
    columns = decoded(node.columns)
    entries: Iterable[tuple[str, Any]] = columns.items() if isinstance(columns, dict) else ()
    return {
        name: str(column.get("data_type") or "")
        for name, column in entries
        if isinstance(column, dict)
    }
