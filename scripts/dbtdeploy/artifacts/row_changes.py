"""Whether a table's rows differ from production's by more than they may. Pure.

The one rule of pull requests, deploys and the gates of releases.
"""

from __future__ import annotations

from typing import Literal

from dbtdeploy.artifacts.artifacts import Node

RowChange = Literal["empty", "most_lost", "grown"]
"""``empty``: it has no rows now. ``most_lost``: fewer than half are left. ``grown``: it has more
than twice as many."""

MOST = 50.0
"""Percent; with more lost, nobody would call the build fine."""

DOUBLED = 100.0

WORTH_COMPARING = 20
"""Rows from which on a growth says something."""


def percent(before: int, after: int) -> float | None:
    """By how many percent the rows changed; None where there were none, so that none are lost."""
    return 100 * (after - before) / before if before else None


def beyond(before: int, after: int, *, tolerance: float) -> bool:
    """Whether the rows differ by more than so many percent."""
    changed = percent(before, after)
    return changed is not None and abs(changed) > tolerance


def change(
    before: int | None, after: int | None, node: Node | None, *, is_new: bool
) -> RowChange | None:
    """What people should know; None if nothing, or if it is not known.

    Args:
        before: rows in production.
        after: rows now.
        node: the model; what its ``meta`` allows is not told.
        is_new: whether production does not have it.
    """
    if after is None or (node is not None and _allows(node, before or 0, after)):
        return None
    if after == 0 and (before or is_new):
        return "empty"
    changed = percent(before, after) if before else None
    if changed is None:
        return None
    if changed < -MOST:
        return "most_lost"
    return "grown" if changed > DOUBLED and (before or 0) >= WORTH_COMPARING else None


def _allows(node: Node, before: int, after: int) -> bool:
    """By ``row_count: off`` or ``row_count_tolerance``, as ``release/node_meta.py`` reads them."""
    said = node.meta_said.get("dbt_deploy")
    if not isinstance(said, dict):
        return False
    tolerance = said.get("row_count_tolerance")
    # YAML 1.1 reads a bare `off` as false.
    if said.get("row_count") in ("off", False):
        return True
    if not before or not isinstance(tolerance, int | float):
        return False
    return not beyond(before, after, tolerance=tolerance)
