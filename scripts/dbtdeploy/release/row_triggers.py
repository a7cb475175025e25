"""Triggers that change rows in production, and not in the copy that staging is built from. Pure."""

from __future__ import annotations

from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import text
from dbtdeploy.context.release_files import ReleasePlan, RowTriggers
from dbtdeploy.release import staging
from dbtdeploy.release.gates import downstream_check
from dbtdeploy.warehouse.release_macro_types import LiveProduction

TITLE = "Triggers that staging does not fire"

LISTED = 5


def of(plan: ReleasePlan, look: LiveProduction, manifest: Manifest) -> tuple[RowTriggers, ...]:
    """Those of tables that are changed in place and that something staged reads.

    Args:
        plan: the release's.
        look: production as it is.
        manifest: of the tagged commit.
    """
    reads = downstream_check.children(manifest)
    stay = staging.changed_in_place(plan, look)
    live = {one.unique_id: one for one in look.live}
    found = []
    for node in plan.staged:
        below = downstream_check.below([node.unique_id], reads)
        readers = tuple(one.name for one in plan.staged if one.unique_id in below)
        triggers = live[node.unique_id].row_triggers if node.unique_id in stay else ()
        if triggers and readers:
            found.append(RowTriggers(name=node.name, triggers=triggers, readers=readers))
    return tuple(found)


def said(one: RowTriggers) -> str:
    """The line of the log."""
    are = "is" if len(one.readers) == 1 else "are"
    return (
        f"{one.name} has triggers that may change rows as they are written: "
        f"{text.first(one.triggers, LISTED)}. They fire in production and not in staging, so "
        f"{text.first(one.readers, LISTED)} {are} built and tested without what they change."
    )
