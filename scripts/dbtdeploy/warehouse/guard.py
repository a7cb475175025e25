"""No node may land where production lives, or outside the pull request's schemas. Pure.

The comparison is by schema, not by relation: a new model has no relation in production's manifest,
and would still be written among production's tables when a profile ignores DBT_DEPLOY_SCHEMA.
"""

from __future__ import annotations

from collections.abc import Iterable

from dbtdeploy.base import errors, text
from dbtdeploy.context import schema_name
from dbtdeploy.context.work_files import PlannedNode

SchemaName = tuple[str, str]
"""Database and schema, lower-case: adapters differ on case, and a false refusal is safe."""

LISTED = 20

PROFILE_LINE = (
    "In profiles.yml, in the target of this job, write\n"
    "    schema: \"{{ env_var('DBT_DEPLOY_SCHEMA', 'analytics') }}\"\n"
    "with your own schema in place of analytics."
)

MACRO_BEGIN = (
    "    {%- if env_var('DBT_DEPLOY_SCHEMA', '') -%}\n"
    "    {{ target.schema }}{{ '_' ~ custom_schema_name if custom_schema_name }}\n"
    "    {%- else -%}\n"
)


def refuse_production(
    nodes: Iterable[PlannedNode], production: Iterable[SchemaName], *, pull_request_schema: str
) -> None:
    """Refuse nodes that would be written into a schema of production's.

    Args:
        nodes: what dbt would build.
        production: every schema in which production's manifest has a relation.
        pull_request_schema: the value of DBT_DEPLOY_SCHEMA.

    Raises:
        WouldWriteToProduction: names the nodes and offers the mend that fits them.
    """
    taken = {_folded(*schema) for schema in production}
    inside = [n for n in written(nodes) if _folded(n.database or "", n.schema or "") in taken]
    if not inside:
        return
    count = f"{len(inside)} node" + ("s" if len(inside) > 1 else "")
    raise errors.WouldWriteToProduction(
        f"{count} would be written into production's schemas:\n{_names(inside)}",
        not_done="Nothing was built, and nothing was written to the warehouse.",
        remedy=_mend(inside, list(written(nodes)), pull_request_schema),
    )


def refuse_elsewhere(nodes: Iterable[PlannedNode], *, pull_request_schema: str) -> None:
    """Refuse nodes whose schema does not hold the pull request's.

    Production may not be there, so nothing of it would be hurt; but two pull requests would share
    such a schema, and the report would name a schema in which nothing was built.

    Args:
        nodes: what dbt would build.
        pull_request_schema: the value of DBT_DEPLOY_SCHEMA.

    Raises:
        SchemaNotOurs: names the nodes and offers the mend that fits them.
    """
    own = pull_request_schema.lower()
    outside = [node for node in written(nodes) if own not in (node.schema or "").lower()]
    if not outside:
        return
    count = f"{len(outside)} node" + ("s" if len(outside) > 1 else "")
    raise errors.SchemaNotOurs(
        f"{count} would be written outside `{pull_request_schema}`, the schema of this pull "
        f"request:\n{_names(outside)}",
        not_done="Nothing was built, and nothing was written to the warehouse.",
        remedy=_mend(outside, list(written(nodes)), pull_request_schema),
    )


def refuse_outside_staging(
    nodes: Iterable[PlannedNode], production: Iterable[SchemaName], *, staging: str
) -> None:
    """Refuse nodes that a release's build in staging would write elsewhere.

    Staging is built under production's target name, so what tests ``target.name``, or names a
    schema of its own, lands in production.

    Args:
        nodes: what dbt would build.
        production: every schema in which production has a relation.
        staging: what every staging schema has in its name.

    Raises:
        WouldWriteToProduction: one is a schema of production's.
        SchemaNotOurs: one is another's.
    """
    taken = {_folded(*schema) for schema in production}
    outside = [n for n in written(nodes) if staging not in (n.schema or "").lower()]
    if not outside:
        return
    hurts = any(_folded(n.database or "", n.schema or "") in taken for n in outside)
    kind = errors.WouldWriteToProduction if hurts else errors.SchemaNotOurs
    count = f"{len(outside)} node" + ("s" if len(outside) > 1 else "")
    raise kind(
        f"{count} would be written outside `{staging}`, in which this release is built before it "
        f"goes live:\n{_names(outside)}",
        not_done="Nothing was built, and nothing was written to the warehouse.",
        remedy=_mend_staging(outside),
    )


def refuse_long_names(
    nodes: Iterable[PlannedNode],
    *,
    remedy: str = "Shorten the input `schema-prefix`, or the model's custom schema.",
) -> None:
    """Refuse schema names that PostgreSQL would cut, so that two of them could become one.

    Args:
        nodes: what would be built.
        remedy: what makes the name shorter; ``{over}`` stands for by how many bytes.

    Raises:
        SchemaNameTooLong: names the longest schema.
    """
    longest = max(written(nodes), key=lambda node: len((node.schema or "").encode()), default=None)
    size = len((longest.schema or "").encode()) if longest else 0
    if longest and size > schema_name.MAX_BYTES:
        raise errors.SchemaNameTooLong(
            f"The schema {longest.schema} of {longest.name} has {size} bytes; "
            f"PostgreSQL keeps {schema_name.MAX_BYTES}.",
            not_done="Nothing was built, and nothing was written to the warehouse.",
            remedy=remedy.format(over=size - schema_name.MAX_BYTES),
        )


def written(nodes: Iterable[PlannedNode]) -> list[PlannedNode]:
    """The nodes that write: not ephemeral models, not tests that store nothing.

    A function is made in its schema too, though dbt gives it no relation.
    """
    return [n for n in nodes if n.schema and (n.relation_name or n.resource_type == "function")]


def _names(nodes: list[PlannedNode]) -> str:
    lines = [f"{n.name} -> {n.relation_name or f'{n.schema}.{n.name}'}" for n in nodes]
    return text.bullets(lines, LISTED)


def _mend(inside: list[PlannedNode], all_written: list[PlannedNode], schema: str) -> str:
    """The exact change that brings these nodes into the pull request's schemas."""
    none_in_pr_schema = not any((n.schema or "").lower().startswith(schema) for n in all_written)
    if none_in_pr_schema:
        return (
            f"The profile does not use the pull request's schema. {PROFILE_LINE} If the project "
            "has a macro `generate_schema_name` that ignores `target.schema`, let it begin with\n"
            f"{MACRO_BEGIN}and end with\n"
            "    {%- endif -%}"
        )
    kinds = {node.resource_type for node in inside}
    if kinds == {"snapshot"}:
        return (
            "These snapshots have a fixed `target_schema`. Use `schema` instead (dbt 1.9 or "
            "newer), or write\n"
            "    target_schema: \"{{ env_var('DBT_DEPLOY_SCHEMA', 'snapshots') }}\"\n"
            f"or leave them out with the input `exclude: {_exclusion(inside)}`."
        )
    return (
        "The schema of these nodes does not depend on the pull request's. Let the "
        "macro `generate_schema_name` return `{{ target.schema }}_{{ custom_schema_name }}`, as "
        f"dbt's own does, or leave them out with the input `exclude: {_exclusion(inside)}`."
    )


def _mend_staging(outside: list[PlannedNode]) -> str:
    direct = "or let them be built in place, with `meta: {dbt_deploy: {method: direct}}`."
    if {node.resource_type for node in outside} == {"snapshot"}:
        return (
            "These snapshots have a fixed `target_schema`. Use `schema` instead (dbt 1.9 or "
            "newer), or write\n"
            "    target_schema: \"{{ env_var('DBT_DEPLOY_SCHEMA', 'snapshots') }}\"\n" + direct
        )
    return (
        "The schema of these nodes does not depend on the profile's. Let the macro "
        f"`generate_schema_name` begin with\n{MACRO_BEGIN}and end with\n    {{%- endif -%}}\n"
        + direct
    )


def _exclusion(nodes: list[PlannedNode]) -> str:
    return " ".join(node.name for node in nodes)


def _folded(database: str, schema: str) -> SchemaName:
    return database.lower(), schema.lower()
