"""What a release may know of a node whose table it changes in place, as dbt's build would. Pure.

The swap repeats what dbt did to a copy of the table. Rows that others wrote meanwhile stay where
the build cannot have depended on them; these questions decide that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from dbtdeploy.artifacts.artifacts import Manifest, Node, decoded
from dbtdeploy.release import node_meta

READS_ITSELF = re.compile(r"\bthis\b")
"""``{{ this }}``, whose rows a model may read."""

CONFIG = re.compile(r"\{\{-?\s*config\(.*?\)\s*-?\}\}", re.DOTALL)
"""Its hooks name ``this``, too, after the build."""

COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
TAG = re.compile(r"\{[{%](.*?)[%}]\}", re.DOTALL)
STRING = re.compile(r"'[^']*'|\"[^\"]*\"")

DBTS_OWN = frozenset({"view", "materialized_view", "ephemeral", "incremental", "snapshot", "seed"})
"""Materializations whose rows are known to stay or to go, whoever overrides them."""

OWN_PACKAGES = ("macro.dbt.", "macro.dbt_postgres.", "macro.dbtdeploy.")
"""dbt's own macros name ``this`` to write into it, and to ask whether it is there."""

MERGES = ("merge", "microbatch")
"""Strategies that set all columns of a row that matches, if the config names none: ``merge.sql`` of
dbt-adapters, and of microbatch on PostgreSQL the same."""


def keys(node: Node, manifest: Manifest) -> tuple[str, ...]:
    """The columns of ``unique_key`` by which this build alone chooses the rows that it changes.

    Empty where others' rows could have changed what it does: it appends, its key is an expression,
    it reads ``{{ this }}``, it is bound by predicates, or a hook of it may do anything; and for a
    snapshot, which compares with all of its rows.
    """
    if node.resource_type == "snapshot":
        return ()
    config = node.config
    free = (
        config.incremental_predicates,
        config.predicates,
        config.pre_hook,
        config.post_hook,
    )
    if any(decoded(one) for one in free) or _reads_itself(node, manifest):
        return ()
    return node_meta.unique_columns(node)


def builds_on_itself(
    node: Node, materialized: str, own: frozenset[str], manifest: Manifest
) -> bool:
    """Whether a build that is not incremental may keep rows that it has, and needs a copy of them.

    Args:
        node: of the tagged commit.
        materialized: its materialization.
        own: materializations of the project and its packages.
        manifest: of the tagged commit, with the macros that may read it.
    """
    if node.resource_type != "model" or materialized in DBTS_OWN:
        return False
    body = CONFIG.sub("", node.raw_code or "")
    if materialized in own or READS_ITSELF.search(body):
        return True
    # dbt names the macros of hooks, too, and those write to the new table.
    words = set(re.findall(r"\w+", body))
    named = [name for name in node.depends_on.macros if name and name.split(".")[-1] in words]
    return _macros_read_it(named, manifest, _names_it_in_code)


def updated_columns(node: Node) -> tuple[str, ...] | None:
    """The columns that dbt's UPDATE of a row sets; empty for all, None where it is not known."""
    config = node.config
    if decoded(config.incremental_strategy) not in MERGES or decoded(config.merge_exclude_columns):
        return None
    named = decoded(config.merge_update_columns)
    return tuple(str(one) for one in named) if isinstance(named, list) else ()


def _reads_itself(node: Node, manifest: Manifest) -> bool:
    if node.language == "python" or READS_ITSELF.search(node.raw_code or ""):
        return True
    names = [name for name in node.depends_on.macros if name]
    # What only may be meant counts here: at worst others' writes refuse the release.
    return _macros_read_it(names, manifest, lambda sql: bool(READS_ITSELF.search(sql)))


def _names_it_in_code(sql: str) -> bool:
    """Not in a comment or a message, as macros of packages that say what "this macro" does."""
    tags = TAG.findall(COMMENT.sub("", sql))
    return any(READS_ITSELF.search(STRING.sub("", tag)) for tag in tags)


def _macros_read_it(names: Iterable[str], manifest: Manifest, reads: Callable[[str], bool]) -> bool:
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        macro = manifest.macros.get(name)
        if name in seen or macro is None or name.startswith(OWN_PACKAGES):
            continue
        seen.add(name)
        if reads(macro.macro_sql):
            return True
        waiting.extend(one for one in macro.depends_on.macros if one)
    return False
