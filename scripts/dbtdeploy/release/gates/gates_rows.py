"""Gates on rows: how many there are, that none of history is lost, and how old they are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dbtdeploy.artifacts import row_changes
from dbtdeploy.base.text import DAY, HOUR, plural
from dbtdeploy.context.release_files import Gate, ReleaseNode
from dbtdeploy.release.gates.gates_tests_columns import NOT_ASKED, Figures, why_not_read

MANY = 1000.0
"""Per cent, from which on decimals tell nothing."""


def keeps_rows(node: ReleaseNode) -> bool:
    """Whether a node's rows are history: they may grow and never shrink."""
    return node.materialized in ("incremental", "snapshot") and node.kind != "A"


def row_counts(counted: Sequence[tuple[ReleaseNode, Figures, str, float]]) -> Gate:
    """Rows of staging against production's, within each node's tolerance in per cent."""
    name = "row counts"
    if not counted:
        return Gate(name=name, outcome="off", figures=NOT_ASKED[name])
    odd: list[tuple[str, str]] = []
    for node, figure, mode, tolerance in counted:
        said = _rows_differ(node, figure, tolerance)
        if said:
            odd.append((mode, said))
    limits = {tolerance for *_, tolerance in counted}
    within = f"±{limits.pop():g} %" if len(limits) == 1 else "what each may differ"
    blocking = [said for mode, said in odd if mode == "block"]
    details = (*blocking, *(said for mode, said in odd if mode != "block"))
    if not odd:
        what = "1 table has" if len(counted) == 1 else f"all {len(counted):,} tables have"
        figures = f"{what} production's rows within {within}"
        return Gate(name=name, outcome="passed", figures=figures)
    figures = f"{len(odd):,} of {plural(len(counted), 'table')} beyond {within} of production"
    if not blocking:
        return Gate(name=name, outcome="warned", figures=figures, details=details)
    return Gate(
        name=name,
        outcome="blocked",
        figures=figures,
        details=details,
        remedy="If these numbers are right, raise the input `row-count-tolerance`, or that model's "
        "`row_count_tolerance` in `meta`, for this release, or let the gate warn. If not, mend the "
        "model and release the mended commit by a new tag.",
    )


def rows_kept(kept: Sequence[tuple[ReleaseNode, Figures, bool]], allowed_by: str | None) -> Gate:
    """History: no row of an incremental table or a snapshot is lost, and no key is there twice.

    Rows may go only where the plan says that a table is built in full, and somebody allowed it.

    Args:
        kept: node, figures, and whether it has a key to look at.
        allowed_by: who allows breaking changes.
    """
    name = "rows kept"
    if not kept:
        return Gate(name=name, outcome="off", figures=NOT_ASKED[name])
    wrong: list[str] = []
    allowed: list[str] = []
    for node, figure, has_key in kept:
        shrunk, doubled = _lost_rows(node, figure), _doubled(node, figure, has_key)
        if shrunk:
            (allowed if node.full_refresh and allowed_by else wrong).append(shrunk)
        if doubled:
            wrong.append(doubled)
    if wrong:
        return Gate(
            name=name,
            outcome="blocked",
            figures=f"{len(wrong):,} of {plural(len(kept), 'table')} would lose rows or uniqueness",
            details=(*wrong, *allowed),
            remedy="Mend the model, and release the mended commit by a new tag. Where a key was "
            "doubled in production before, mend it there first.",
        )
    if allowed:
        figures = f"{len(allowed):,} of {plural(len(kept), 'table')} loses rows by a full refresh"
        return Gate(name=name, outcome="warned", figures=figures, details=tuple(allowed))
    unique = sum(figure is not None and figure.duplicate_keys == 0 for _, figure, _ in kept)
    figures = f"no row lost in {plural(len(kept), 'table')}"
    figures += f", keys unique in {unique:,}" if unique else ""
    return Gate(name=name, outcome="passed", figures=figures)


def freshness(
    dated: Sequence[tuple[ReleaseNode, Figures, float, str | None]], everywhere: str | None
) -> Gate:
    """How old the newest row is, by a chosen column.

    Args:
        dated: node, figures, the hours it may be old, and the column that its ``meta`` names.
        everywhere: the column that the input names; a model without it is passed over.
    """
    name = "freshness"
    if not dated:
        return Gate(name=name, outcome="off", figures=NOT_ASKED[name])
    stale: list[str] = []
    fresh: list[float] = []
    for node, figure, hours, own in dated:
        column = own or everywhere or ""
        there = {c.name.lower() for c in figure.columns_after} if figure else set[str]()
        if own is None and column.lower() not in there:
            continue
        if figure is not None and figure.columns_after and column.lower() not in there:
            stale.append(f"`{node.name}`: there is no column `{column}`")
        elif figure is None or figure.error:
            stale.append(f"`{node.name}`: `{column}` not read, {why_not_read(figure)}")
        elif figure.age_seconds is None:
            stale.append(f"`{node.name}`: no row has a `{column}`")
        elif figure.age_seconds > hours * HOUR:
            old = f"{_hours(figure.age_seconds)} old, allowed {hours:g} h"
            stale.append(f"`{node.name}`: the newest `{column}` is {old}")
        else:
            fresh.append(figure.age_seconds)
    if stale:
        return Gate(
            name=name,
            outcome="blocked",
            figures=f"{len(stale):,} of {plural(len(stale) + len(fresh), 'model')} not fresh",
            details=tuple(stale),
            remedy="Load the sources, then run this job again; or allow more hours, by the input "
            "`freshness-hours` or the model's `fresh_hours`.",
        )
    if not fresh:
        return Gate(
            name=name, outcome="passed", figures=f"no model of this release has `{everywhere}`"
        )
    newest = f"the oldest is {_hours(max(fresh))} old"
    return Gate(
        name=name, outcome="passed", figures=f"{plural(len(fresh), 'model')} fresh, {newest}"
    )


def _rows_differ(node: ReleaseNode, figure: Figures, tolerance: float) -> str | None:
    before = figure.rows_before if figure else None
    after = figure.rows_after if figure else None
    if before is None or after is None:
        return f"`{node.name}` could not be counted: {why_not_read(figure)}"
    change = row_changes.percent(before, after)
    if change is None or not row_changes.beyond(before, after, tolerance=tolerance):
        return None
    sign = "+" if change > 0 else "−"  # noqa: RUF001 a true minus lines up with the plus
    much = f"{abs(change):,.1f}" if abs(change) < MANY else f"{abs(change):,.0f}"
    return f"`{node.name}`: {before:,} → {after:,} rows ({sign}{much} %, allowed ±{tolerance:g} %)"


def _lost_rows(node: ReleaseNode, figure: Figures) -> str | None:
    if figure is None or figure.rows_after is None or figure.rows_before is None:
        return f"`{node.name}`: rows not counted, {why_not_read(figure)}"
    if figure.rows_after >= figure.rows_before:
        return None
    lost = figure.rows_before - figure.rows_after
    return (
        f"`{node.name}`: {figure.rows_before:,} → {figure.rows_after:,} rows, "
        f"{plural(lost, 'row')} lost"
    )


def _doubled(node: ReleaseNode, figure: Figures, has_key: bool) -> str | None:
    count = figure.duplicate_keys if figure else None
    if has_key and count is None:
        return f"`{node.name}`: keys not looked at, {why_not_read(figure)}"
    if not count:
        return None
    return f"`{node.name}`: {plural(count, 'key')} {'is' if count == 1 else 'are'} there twice"


def _hours(seconds: float) -> str:
    return f"{seconds / HOUR:.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"
