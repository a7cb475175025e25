"""For whom the swap takes long: materialized views and foreign keys outside the project. Pure."""

from __future__ import annotations

from dbtdeploy.context.release_files import ReleasePlan, Wait
from dbtdeploy.release import staging
from dbtdeploy.warehouse.release_macro_types import LiveProduction

MATERIALIZED = "materialized view"
PART = "foreign key or constraint"

SAID = {
    "nobody": "is made before the locks; nobody waits for it",
    "writers": "is checked before the locks; those who write to its table wait",
    "readers": "is made under the locks; readers of what is replaced wait for it",
}


def of(plan: ReleasePlan, look: LiveProduction) -> tuple[Wait, ...]:
    """What is made again on relations that are replaced, and who waits for it.

    Args:
        plan: the release's, with what reads its nodes.
        look: production as it is.
    """
    # What is changed in place keeps whatever depends on it.
    stay = staging.changed_in_place(plan, look)
    named = {name for node in plan.staged if node.unique_id not in stay for name in node.outside}
    found = {
        one.full_name: Wait(
            name=one.full_name,
            who="readers" if not one.ahead else "nobody" if one.kind == MATERIALIZED else "writers",
        )
        for one in look.look.dependents
        if one.full_name in named and one.kind in (MATERIALIZED, PART)
    }
    return tuple(found[name] for name in sorted(found))
