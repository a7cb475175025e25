"""What dbt does to each relation that it will build. Pure.

Read in the materializations of dbt-adapters 1.16 to 1.24 and dbt-postgres 1.8 to 1.11, which do
the same: a table or view is built beside the old one, the two are renamed, and the old one is
dropped, cascading. So is what an incremental model or a seed replaces on a full refresh, a table or
view where a materialized view shall be, a view where an incremental model shall be, and the table
in which a test stores the rows it finds. An incremental table that stays is altered, and so is a
snapshot: a text column that must grow is made anew and the old one dropped, cascading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from dbtdeploy.context.work_files import PlannedNode, Run
from dbtdeploy.warehouse import guard

TABLE, VIEW, MATERIALIZED_VIEW = "table", "view", "materialized_view"
EVERY_KIND = (TABLE, VIEW, MATERIALIZED_VIEW)

LEFTOVERS = ("__dbt_tmp", "__dbt_backup")
"""What dbt names the new relation while it is built, and the old one until it is dropped."""

MAX_LENGTH = 63
"""dbt cuts a relation's name to fit with the suffix. It counts letters, PostgreSQL bytes."""

KEEPING = ("snapshot", "seed", "test", "function")
"""What is built without such a second relation."""


class WrittenRelation(Struct, frozen=True, kw_only=True):
    """One relation that dbt writes, or drops because a killed dbt left it.

    It is dropped if it is of a kind in ``replaced``. Otherwise ``otherwise`` says what happens to
    it: ``alter``, ``truncate`` or ``refresh``.
    """

    schema: str
    name: str
    replaced: tuple[str, ...]
    otherwise: str
    leftover_of: str = ""


def full_refresh(run: Run, variables: Mapping[str, str]) -> bool:
    """Whether dbt is told to build all anew: by the input, ``dbt-args`` or its environment."""
    named = (variables.get(f"{prefix}_FULL_REFRESH", "") for prefix in ("DBT_ENGINE", "DBT"))
    wish = next((value for value in named if value), "").lower()
    asked = run.selection.full_refresh or bool({"--full-refresh", "-f"} & set(run.dbt.extra_args))
    return asked or wish in ("1", "t", "true", "y", "yes", "on")


def wanted(nodes: Iterable[PlannedNode], *, full_refresh: bool) -> list[WrittenRelation]:
    """The relations of a build, and what a killed one may have left of them.

    Args:
        nodes: what dbt will build.
        full_refresh: as for the whole build; a node's own config wins over it, as in dbt.
    """
    found: dict[tuple[str, str], WrittenRelation] = {}
    written = [n for n in guard.written(nodes) if n.resource_type != "function"]
    for node in written:
        one = _of(node, full_refresh if node.full_refresh is None else node.full_refresh)
        found[one.schema, one.name] = one
    for node in written:
        if _kind(node) not in KEEPING:
            for left in _leftovers(node):
                found.setdefault((left.schema, left.name), left)
    return list(found.values())


def _kind(node: PlannedNode) -> str:
    return node.resource_type if node.resource_type in KEEPING else node.materialized or ""


def _of(node: PlannedNode, anew: bool) -> WrittenRelation:
    kind = _kind(node)
    replaced: tuple[str, ...]
    if kind == "snapshot":
        replaced, otherwise = (), "alter"
    elif kind == "incremental":
        replaced, otherwise = EVERY_KIND if anew else (VIEW,), "alter"
    elif kind == "seed":
        replaced, otherwise = (TABLE,) if anew else (), "truncate"
    elif kind == MATERIALIZED_VIEW:
        replaced, otherwise = EVERY_KIND if anew else (TABLE, VIEW), "refresh"
    else:  # a materialization of the project's own too: what it does nobody knows
        replaced, otherwise = EVERY_KIND, "alter"
    schema, name = _place(node)
    return WrittenRelation(schema=schema, name=name, replaced=replaced, otherwise=otherwise)


def _leftovers(node: PlannedNode) -> Iterable[WrittenRelation]:
    schema, name = _place(node)
    for suffix in LEFTOVERS:
        cut = name[: MAX_LENGTH - len(suffix)] + suffix
        yield WrittenRelation(
            schema=schema,
            name=cut.encode()[:MAX_LENGTH].decode(errors="ignore"),
            replaced=EVERY_KIND,
            otherwise="alter",
            leftover_of=name,
        )


def _place(node: PlannedNode) -> tuple[str, str]:
    """Schema and name as the warehouse spells them: it folds what is not quoted."""
    schema, name = node.schema or "", node.identifier or node.name
    relation = "" if node.resource_type == "test" else node.relation_name or ""
    if relation.endswith(f".{name}"):
        name = name.lower()
    if relation.startswith(f"{schema}.") or f".{schema}." in relation:
        schema = schema.lower()
    return schema, name
