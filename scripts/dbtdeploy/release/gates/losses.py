"""What goes with a relation that a release replaces, such as a trigger made by hand. Pure.

dbt makes a table, a view or a materialized view anew, and a release puts it in the place of the old
one. What was made on the old one by hand is not on the new one. Before the build that is certain
where nothing of the node could make it again; once staging stands, both are compared.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from msgspec import Struct

from dbtdeploy.artifacts.artifacts import Manifest, Node, decoded
from dbtdeploy.base.text import plural
from dbtdeploy.context.release_files import Gate, ReleaseNode
from dbtdeploy.warehouse.release_macro_types import LiveRelation

LOSSES = "losses"

ROW_SECURITY = ("row level security", "policy ")
"""A table takes them over from the one that it replaces; a view cannot."""

CARRIED = ("foreign key", "rule ", "trigger ")
"""What an incremental model's table takes over, too, that is built in full."""

INDEXES, CONSTRAINTS = ("index ", "unique index "), ("primary key", "unique ", "check ", "foreign ")

VIEWS = frozenset({"view", "materialized_view"})

MATERIALIZATION = re.compile(r"macro\.(?!dbt\.|dbt_postgres\.)\w+\.materialization_(\w+)_[a-z0-9]+")
"""A project's own, or one of a package, as dbt names the macro."""


class Makers(Struct, frozen=True, kw_only=True):
    """What of a project may make parts of any relation, or of those of a materialization."""

    at_end: bool
    """Whether there is a hook ``on-run-end``."""
    materializations: frozenset[str]


def makers(manifest: Manifest) -> Makers:
    """Those of a project, looked for once."""
    found = (MATERIALIZATION.fullmatch(name) for name in manifest.macros)
    return Makers(
        at_end=any(
            one.startswith("operation.") and "-on-run-end-" in one for one in manifest.nodes
        ),
        materializations=frozenset(one[1] for one in found if one),
    )


def before_build(
    node: ReleaseNode,
    live: LiveRelation | None,
    manifest: Manifest,
    production: Manifest | None,
    *,
    makers: Makers,
    in_place: Collection[str],
) -> tuple[str, ...]:
    """What is lost for certain: nothing of the node, and no hook, could make it again.

    Args:
        node: as the plan has it.
        live: its relation; None where there is none.
        manifest: of the tagged commit.
        production: of the current version.
        makers: of the project.
        in_place: unique ids of tables that dbt writes into; they lose nothing.
    """
    if live is None or node.method == "direct" or node.unique_id in in_place:
        return ()
    new = manifest.find(node.unique_id) or Node(name=node.name)
    parts = of_dbt(live.parts, node, new, production)
    certain = ROW_SECURITY if node.materialized in VIEWS else ()
    if not _makes_parts(new, makers):
        made = (*(() if node.materialized in VIEWS else ROW_SECURITY), *_made_by_config(new))
        return tuple(part for part in parts if not part.startswith(made))
    return tuple(part for part in parts if part.startswith(certain)) if certain else ()


def of_dbt(
    parts: Sequence[str], node: ReleaseNode, new: Node, production: Manifest | None
) -> tuple[str, ...]:
    """Those that are no parts of dbt's own, which it may drop as the project says."""
    old = (production.find(node.unique_id) if production else None) or new
    dropped: tuple[str, ...] = CARRIED if node.back_by == "leave" else ()
    for one in (old, new):
        if _persists_docs(one):
            dropped += ("comment",)
        if decoded(one.config.indexes):
            dropped += INDEXES
        if one.contract.enforced:
            dropped += CONSTRAINTS
    return tuple(part for part in parts if not part.startswith(dropped))


def gate(nodes: Sequence[ReleaseNode], allowed_by: str | None, label: str, *, final: bool) -> Gate:
    """Whether anything is lost, and who allowed it."""
    lossy = [node for node in nodes if node.losses]
    if not lossy:
        if final:
            return Gate(name=LOSSES, outcome="passed", figures="no trigger, comment or the like")
        return Gate(name=LOSSES, outcome="waiting", figures="triggers, comments and the like")
    details = tuple(f"`{node.name}`: {part}" for node in lossy for part in node.losses)
    said = f"{plural(len(details), 'part')} of {plural(len(lossy), 'relation')} would be lost"
    if allowed_by is not None:
        allowed = f"{said}, allowed by {allowed_by}"
        return Gate(
            name=LOSSES,
            outcome="warned" if final else "waiting",
            figures=allowed,
            details=details,
        )
    return Gate(
        name=LOSSES,
        outcome="blocked",
        figures=said,
        details=details,
        remedy="dbt replaces these relations, and what was made on them by hand goes with the old "
        "ones. Let a `post-hook` of the model make it, or make it again after each release. If the "
        f"loss is meant, give the pull request that brings it the label `{label}`, or set the "
        "input `allow-loss`, and run this job again.",
    )


def _makes_parts(new: Node, makers: Makers) -> bool:
    """Whether a hook or a materialization of the project's could make anything."""
    hooks = decoded(new.config.post_hook) or decoded(new.config.pre_hook)
    return bool(hooks) or makers.at_end or new.materialized in makers.materializations


def _made_by_config(new: Node) -> tuple[str, ...]:
    indexes = INDEXES if decoded(new.config.indexes) else ()
    return (*indexes, *(("comment",) if _persists_docs(new) else ()))


def _persists_docs(node: Node) -> bool:
    return any((node.config.persist_docs or {}).values())
